package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

const secret = "whsec_def456uvw012"

// TestMain lets the test binary be the program, so that a test can send it a signal.
func TestMain(m *testing.M) {
	if os.Getenv("BE_THE_WEBHOOK_RECEIVER") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program starts the receiver as a process of its own, and returns the URL that it prints and the rest that it will.
func program(t *testing.T, args ...string) (process *exec.Cmd, url string, lines *bufio.Scanner) {
	t.Helper()
	process = exec.CommandContext(t.Context(), os.Args[0], append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	process.Env = append(os.Environ(), "BE_THE_WEBHOOK_RECEIVER=1", "CLICKNPS_WEBHOOK_SECRET=an_old_one "+secret)
	process.Stderr = os.Stderr
	stdout, err := process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	lines = bufio.NewScanner(stdout)
	require.True(t, lines.Scan())
	url, found := strings.CutPrefix(lines.Text(), "listening at ")
	require.True(t, found, lines.Text())
	return process, url, lines
}

// post delivers a new response of subject, and returns the answer's status.
func post(t *testing.T, url, secret, subject, comment string) (int, error) {
	t.Helper()
	body := fmt.Appendf(nil, `{"survey_id":"onboarding","subject_id":%q,"score":9,"comment":%q,"timestamp":%q}`,
		subject, comment, time.Now().Format(time.RFC3339Nano))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("X-ClickNPS-Signature", clicknps.SignWebhook(secret, body))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

func TestDemo(t *testing.T) {
	for queue, order := range map[string][]string{
		"0": { // handled while ClickNPS waits: it learns of the failure, and comes again
			"failed    the database is away", "attempt 1 of a response.created was answered 500", "+1m0s", "response  anna",
			"attempt 2 of a response.created was answered 200", "comment   carla", "by hand", "completed survey_", "score  ",
		},
		"100": {"+3m0s", "+1m0s", "by hand", "score  "}, // acknowledged first: it never learns of the failure
	} {
		t.Run("queue "+queue, func(t *testing.T) {
			var out strings.Builder
			start := time.Now()
			require.NoError(t, run(t.Context(), []string{"-demo", "-queue", queue}, &out))
			assert.Less(t, time.Since(start), 10*time.Second)
			rest := strings.ReplaceAll(out.String(), "completed survey survey_", "completed survey_")
			for _, want := range order {
				_, after, found := strings.Cut(rest, want)
				require.True(t, found, "%q is missing, or in the wrong place, in\n%s", want, out.String())
				rest = after
			}
			for _, a := range answers {
				assert.Equal(t, 1, strings.Count(out.String(), "response  "+a.subject), "%s is counted once\n%s", a.subject, out.String())
			}
			assert.Equal(t, 1, strings.Count(out.String(), `"The export never ends"`), "a repeated delivery is not handled twice")
			assert.Contains(t, out.String(), `10 promoter `)
			assert.Contains(t, out.String(), `"Loving it"`)
			assert.Contains(t, out.String(), "NPS  +16.7 ±  71.8 from 6 responses: 3 promoters, 1 passives, 2 detractors\n")
			assert.NotContains(t, out.String(), secret)
		})
	}
}

func TestReceivesFromTheFake(t *testing.T) {
	process, url, lines := program(t)
	srv := clicknpstest.Run(t)
	_, err := srv.Client().Webhooks.Create(t.Context(), &clicknps.WebhookCreateParams{
		URL: url, Events: []clicknps.EventType{clicknps.EventResponseCreated},
	})
	require.NoError(t, err)
	srv.Respond("onboarding", "user_42", 9, "Loving it\nscore     NPS -100")
	srv.Respond("onboarding", "user_43", 0, "")
	srv.Advance(3 * time.Minute)
	_, err = srv.Redeliver(0)
	require.NoError(t, err)
	for _, d := range srv.Deliveries() {
		assert.Equal(t, http.StatusOK, d.StatusCode)
	}
	require.NoError(t, process.Process.Signal(os.Interrupt))
	var printed []string
	for lines.Scan() {
		printed = append(printed, lines.Text())
	}
	require.NoError(t, process.Wait())
	assert.Equal(t, []string{
		`response  user_42   9 promoter   NPS +100.0 ±   0.0  "Loving it\nscore     NPS -100"`,
		`response  user_43   0 detractor  NPS   +0.0 ± 138.6`,
		`score     NPS   +0.0 ± 138.6 from 2 responses: 1 promoters, 0 passives, 1 detractors`,
	}, printed)
}

// A signal comes while many senders deliver: what was acknowledged is printed, once, and the program ends well.
func TestASignalLosesNothingAcknowledged(t *testing.T) {
	for _, queue := range []string{"0", "1000"} {
		t.Run("queue "+queue, func(t *testing.T) {
			process, url, lines := program(t, "-queue", queue)
			var mu sync.Mutex
			acknowledged := map[string]bool{}
			enough := make(chan struct{})
			var senders sync.WaitGroup
			for sender := range 8 {
				senders.Go(func() {
					for i := 0; ; i++ {
						subject := fmt.Sprintf("user_%d_%d", sender, i)
						status, err := post(t, url, secret, subject, "")
						if err != nil {
							return // nobody listens any more
						}
						mu.Lock()
						if status < 300 {
							acknowledged[subject] = true
						}
						if len(acknowledged) == 50 {
							close(enough)
						}
						mu.Unlock()
					}
				})
			}
			go func() {
				<-enough
				_ = process.Process.Signal(syscall.SIGTERM)
			}()
			printed := map[string]int{}
			subject, last := regexp.MustCompile(`^response  (\S+) `), ""
			for lines.Scan() {
				last = lines.Text()
				if match := subject.FindStringSubmatch(last); match != nil {
					printed[match[1]]++
				}
			}
			require.NoError(t, process.Wait())
			senders.Wait()
			assert.GreaterOrEqual(t, len(acknowledged), 50)
			for subject := range acknowledged {
				assert.Equal(t, 1, printed[subject], subject)
			}
			assert.Contains(t, last, fmt.Sprintf("from %d responses", len(printed)))
		})
	}
}

// held is a receiver in this process whose events are held back until release is closed.
type held struct {
	*receiver
	url     string
	taken   chan string // subjects of the events that are held
	release chan struct{}
	end     context.CancelFunc
	ended   chan error
}

func serveHeld(t *testing.T, queueSize int) *held {
	t.Helper()
	r, err := newReceiver([]string{secret}, &strings.Builder{})
	require.NoError(t, err)
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, end := context.WithCancel(t.Context())
	h := &held{
		receiver: r, url: endpoint(socket), taken: make(chan string, 100), release: make(chan struct{}),
		end: end, ended: make(chan error, 1),
	}
	go func() {
		h.ended <- r.serve(ctx, socket, func(ctx context.Context, e *clicknps.Event) error {
			h.taken <- e.Response.SubjectID
			<-h.release
			return r.handle(ctx, e)
		}, queueSize)
	}()
	return h
}

// printed is all that was printed; call it after the end.
func (h *held) printed() string { return h.out.(*strings.Builder).String() }

func TestWhatWasAcknowledgedIsHandledBeforeTheEnd(t *testing.T) {
	h := serveHeld(t, 100)
	for i := range 20 {
		status, err := post(t, h.url, secret, fmt.Sprint("user_", i), "")
		require.NoError(t, err)
		require.Equal(t, http.StatusAccepted, status)
	}
	<-h.taken // the rest waits
	h.end()
	for { // until nobody listens
		if _, err := post(t, h.url, secret, "late", ""); err != nil {
			break
		}
	}
	require.Empty(t, h.ended, "twenty are still to be handled")
	close(h.release)
	require.NoError(t, <-h.ended)
	out := h.printed()
	for i := range 20 {
		assert.Equal(t, 1, strings.Count(out, fmt.Sprintf("response  user_%-4d", i)), out)
	}
}

func TestADeliveryUnderWayIsAnsweredBeforeTheEnd(t *testing.T) {
	h := serveHeld(t, 0)
	answered := make(chan int, 1)
	go func() {
		status, err := post(t, h.url, secret, "user_42", "")
		assert.NoError(t, err)
		answered <- status
	}()
	<-h.taken
	h.end()
	for {
		conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(h.url, "http://"), path))
		if err != nil {
			break // nobody listens any more
		}
		require.NoError(t, conn.Close())
	}
	require.Empty(t, h.ended)
	require.Empty(t, answered)
	close(h.release)
	require.NoError(t, <-h.ended)
	assert.Equal(t, http.StatusOK, <-answered)
	assert.Contains(t, h.printed(), "NPS +100.0 ±   0.0 from 1 responses")
}

func TestWhatIsRefusedIsNotCounted(t *testing.T) {
	h := serveHeld(t, 0)
	close(h.release)
	status, err := post(t, h.url, "another secret", "user_42", "")
	require.NoError(t, err)
	assert.Equal(t, http.StatusUnauthorized, status)
	h.end()
	require.NoError(t, <-h.ended)
	out := h.printed()
	assert.Contains(t, out, "refused   clicknps: webhook: invalid signature")
	assert.Contains(t, out, "→ If ClickNPS sent it: set CLICKNPS_WEBHOOK_SECRET")
	assert.Contains(t, out, "from 0 responses")
	assert.NotContains(t, out, "user_42")
}

func TestEventsThatAreNoResponses(t *testing.T) {
	var out strings.Builder
	r, err := newReceiver([]string{secret}, &out)
	require.NoError(t, err)
	require.NoError(t, r.handle(t.Context(), &clicknps.Event{Type: clicknps.EventSurveyCompleted, SurveyID: "onboarding"}))
	require.NoError(t, r.handle(t.Context(), &clicknps.Event{Type: "account.renamed"}))
	assert.Equal(t, "completed survey onboarding has reached its target\nother     event of type \"account.renamed\"\n", out.String())
}

func TestEveryErrorHasItsAdvice(t *testing.T) {
	t.Setenv("CLICKNPS_WEBHOOK_SECRET", " ")
	occupied, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer occupied.Close()
	seen := map[string]error{}
	for _, err := range []error{
		run(t.Context(), []string{"-addr", "127.0.0.1:0"}, io.Discard), // no secret
		run(t.Context(), []string{"-addr", occupied.Addr().String()}, io.Discard),
		run(t.Context(), []string{"serve"}, io.Discard),
		clicknps.ErrInvalidSignature, clicknps.ErrStaleEvent,
		context.Canceled, context.DeadlineExceeded,
	} {
		require.Error(t, err)
		text := advice(err)
		assert.NoError(t, seen[text], "%v and %v have the same advice", seen[text], err)
		seen[text] = err
	}
	assert.Equal(t, advice(errors.New("unforeseen")), advice(run(t.Context(), []string{"serve"}, io.Discard)))
}

func TestDefaultAddress(t *testing.T) {
	for want, args := range map[string][]string{"127.0.0.1:8090": nil, "127.0.0.1:0": {"-demo"}, ":99": {"-demo", "-addr", ":99"}} {
		got, err := parse(args)
		require.NoError(t, err)
		assert.Equal(t, want, got.addr)
	}
}
