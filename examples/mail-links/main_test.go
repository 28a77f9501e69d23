package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// TestMain lets a test run this program as a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_MAIN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const customerCount = 300

func writeCustomers(t *testing.T) (file string) {
	t.Helper()
	text := strings.Builder{}
	text.WriteString("\ufeffid,name,email\n")
	for i := range customerCount {
		fmt.Fprintf(&text, "c%d,\"Zoë, %d\",c%d@example.com\n", i, i, i)
	}
	file = filepath.Join(t.TempDir(), "customers.csv")
	require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
	return file
}

func TestKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t)
	srv.AddSurvey(clicknps.Survey{ID: "s1"})
	var mints, running atomic.Int64
	kill := make(chan struct{})
	front := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		srv.ServeHTTP(w, r)
		if mints.Add(1) == 100 { // its answer is not sent yet
			close(kill)
		}
		if running.Load() == 1 && mints.Load() >= 100 {
			<-r.Context().Done() // the process is dead
		}
	})
	server := httptest.NewServer(front)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	start := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "-customers", writeCustomers(t), "-survey", "s1", "-out", dir,
			"-plan", "enterprise")
		cmd.Env = append(os.Environ(), "RUN_MAIN=1", "CLICKNPS_API_KEY="+srv.APIKey(),
			"CLICKNPS_BASE_URL="+server.URL)
		cmd.Stderr = t.Output()
		return cmd
	}

	running.Store(1)
	first := start()
	require.NoError(t, first.Start())
	<-kill
	require.NoError(t, first.Process.Kill())
	require.Error(t, first.Wait())
	mailed, err := filepath.Glob(filepath.Join(dir, "s1", "*.eml"))
	require.NoError(t, err)
	require.NotEmpty(t, mailed)
	require.Less(t, len(mailed), 100)

	running.Store(2)
	second := start()
	out, err := second.Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), "300 of 300 mails, 0s left")
	requireOneMailEach(t, srv, filepath.Join(dir, "s1"))

	requests := len(srv.Requests())
	require.NoError(t, start().Run(), "a third run has nothing to do")
	assert.Len(t, srv.Requests(), requests)
}

// requireOneMailEach checks that each customer has one mail, with the links of the only mint that
// had an effect.
func requireOneMailEach(t *testing.T, srv *clicknpstest.Server, folder string) {
	t.Helper()
	effects := map[string]int{}
	replayed := 0
	for _, r := range srv.Requests() {
		if r.Replayed {
			replayed++
		}
		if !r.Replayed {
			effects[r.Header.Get("Idempotency-Key")]++
		}
	}
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, files, customerCount, "no file is left behind")
	require.Len(t, effects, customerCount)
	require.Positive(t, replayed, "the first process got no answer to some")
	for i := range customerCount {
		id := fmt.Sprintf("c%d", i)
		require.Equal(t, 1, effects[clicknps.DeriveIdempotencyKey("mail-links", "s1", id)])
		f, err := os.Open(filepath.Join(folder, id+".eml"))
		require.NoError(t, err)
		message, err := mail.ReadMessage(f)
		require.NoError(t, err)
		to, err := message.Header.AddressList("To")
		require.NoError(t, err)
		require.Equal(t, []*mail.Address{{Name: fmt.Sprintf("Zoë, %d", i), Address: id + "@example.com"}}, to)
		body, err := io.ReadAll(message.Body)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		params := &clicknps.LinkMintParams{SurveyID: "s1", SubjectID: id}
		minted, err := srv.Client().Links.Mint(t.Context(), params)
		require.NoError(t, err)
		for _, link := range minted.Links {
			require.Contains(t, string(body), link[strings.Index(link, "/r/"):])
		}
	}
}

// 1,300 mails at 600 a minute take two minutes and a bit, and no request is refused.
func TestKeepsWithinThePlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t, clicknpstest.WithPlan(clicknps.PlanPro))
		srv.AddSurvey(clicknps.Survey{ID: "s1"})
		outbox, err := os.OpenRoot(t.TempDir())
		require.NoError(t, err)
		defer outbox.Close()
		customers, err := readCustomers("")
		require.NoError(t, err)
		require.Len(t, customers, 10_000)
		var out strings.Builder
		client := srv.Client(clicknps.WithPlan(clicknps.PlanPro))
		m := &mailer{client: client, survey: "s1", outbox: outbox, out: &out}
		start := time.Now()
		require.NoError(t, m.mailAll(t.Context(), customers[:1300]))

		assert.InDelta(t, 130, time.Since(start).Seconds(), 30)
		assert.Len(t, srv.Requests(), 1300)
		assert.Contains(t, out.String(), "600 of 1300 mails, 1m10s left")
		assert.True(t, strings.HasSuffix(out.String(), "\r1300 of 1300 mails, 0s left      \n"))
	})
}

func TestStopsAtTheFirstError(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t)
	srv.Inject(clicknpstest.Fault{Path: "/links/mint", After: 3, Status: http.StatusForbidden})
	srv.AddSurvey(clicknps.Survey{ID: "s1"})
	outbox, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	defer outbox.Close()
	customers, err := readCustomers("")
	require.NoError(t, err)
	m := &mailer{client: srv.Client(), survey: "s1", outbox: outbox, out: io.Discard}
	err = m.mailAll(t.Context(), customers)
	require.ErrorIs(t, err, clicknps.ErrForbidden)
	assert.ErrorContains(t, err, "customer customer_0")
	files, err := os.ReadDir(outbox.Name())
	require.NoError(t, err)
	assert.LessOrEqual(t, len(files), 3, "calls under way may be cut off")
}

func TestExpiredLinksAreNotMailed(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t)
	srv.AddSurvey(clicknps.Survey{ID: "s1"})
	srv.Inject(clicknpstest.Fault{Path: "/links/mint", Body: `{"links":{"0":"a","1":"a","2":"a","3":"a",
		"4":"a","5":"a","6":"a","7":"a","8":"a","9":"a","10":"a"},"expires_at":"2024-02-29T00:00:00Z"}`})
	m := &mailer{client: srv.Client(), survey: "s1"}
	err := m.mail(t.Context(), customer{id: "c1", address: &mail.Address{Address: "a@example.com"}})
	assert.EqualError(t, err, "the links expired on 2024-02-29: ask with a new survey")
}

func TestCustomersAreCheckedFirst(t *testing.T) {
	for text, want := range map[string]string{
		"id,name,email\nA,x,a@example.com\na,x,b@example.com": `line 3: the id "a" is empty or comes twice`,
		"\ufeffid,name,email\n,x,a@example.com":               `line 2: the id "" is empty or comes twice`,
		"1,x,nobody":                                          "line 1: mail: ",
		"1,x":                                                 "wrong number of fields",
		"\"1,x,a@b.c":                                         "extraneous or missing",
	} {
		file := filepath.Join(t.TempDir(), "customers.csv")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		assert.ErrorContains(t, run(t.Context(), []string{"-customers", file}, io.Discard), want)
	}
	assert.ErrorContains(t, run(t.Context(), []string{"-plan", "gold"}, io.Discard), "-plan must be")
	assert.ErrorIs(t, run(t.Context(), []string{"-customers", "none.csv"}, io.Discard), os.ErrNotExist)
}

// A name can't add a header to the mail.
func TestNamesAreEncoded(t *testing.T) {
	t.Parallel()
	eve := &mail.Address{Name: "Eve\r\nBcc: all@example.com", Address: "eve@example.com"}
	text := mailText(eve, clicknps.ScoreLinks{})
	message, err := mail.ReadMessage(strings.NewReader(string(text)))
	require.NoError(t, err)
	assert.Empty(t, message.Header.Get("Bcc"))
}
