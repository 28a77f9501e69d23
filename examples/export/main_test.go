package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
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

const never = "no path"

// front is a fake that kills the program instead of answering a request to stopPath, after some
// that it answers.
type front struct {
	*clicknpstest.Server
	url      string
	stopPath atomic.Value
	left     atomic.Int64
	stopped  chan struct{}
}

func newFront(t *testing.T) *front {
	t.Helper()
	f := &front{Server: clicknpstest.Run(t, clicknpstest.WithSalesOSLimit(0)), stopped: make(chan struct{}, 1)}
	fill(f.Server, 4000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, f.stopPath.Load().(string)) {
			left := f.left.Add(-1)
			if left == -1 { // once a run, however many requests are under way
				f.stopped <- struct{}{}
			}
			if left < 0 {
				<-r.Context().Done() // the process is dead
				return
			}
		}
		f.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// run runs the program. It is killed at a request to stopPath, after some; without a path it ends
// by itself.
func (f *front) run(t *testing.T, stopPath string, after int64, args ...string) {
	t.Helper()
	f.stopPath.Store(stopPath)
	f.left.Store(after)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...) // killed when ctx ends
	cmd.Env = append(os.Environ(), "RUN_MAIN=1", "CLICKNPS_API_KEY="+f.APIKey(), "CLICKNPS_BASE_URL="+f.url,
		"SALESOS_TOKEN="+f.SalesOSToken(), "SALESOS_BASE_URL="+f.url)
	cmd.Stderr = t.Output()
	require.NoError(t, cmd.Start())
	if stopPath != never {
		select {
		case <-f.stopped:
		case <-ctx.Done():
			t.Error("the program sent no such request")
		}
		cancel()
		require.Error(t, cmd.Wait())
		return
	}
	require.NoError(t, cmd.Wait())
}

func read(t *testing.T, elements ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(elements...))
	require.NoError(t, err)
	return string(text)
}

func TestKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	for _, format := range []string{"csv", "jsonl"} {
		whole, killed := t.TempDir(), t.TempDir()
		f.run(t, never, 0, "-format", format, "-out", whole)

		args := []string{"-format", format, "-out", killed}
		f.run(t, "/v1/responses", 16, args...)
		var saved state
		require.NoError(t, json.Unmarshal([]byte(read(t, killed, "clicknps."+format+".state")), &saved))
		require.NotEmpty(t, saved.Bookmark)
		require.Greater(t, len(read(t, killed, "clicknps."+format)), int(saved.Bytes), "rows that are cut off")
		f.run(t, "/v1/responses", 16, args...)
		f.run(t, "/v1/nps-surveys/", 2, args...) // the responses to the third survey
		f.run(t, never, 0, args...)

		for _, service := range []string{"clicknps.", "salesos."} {
			require.Equal(t, read(t, whole, service+format), read(t, killed, service+format), service+format)
		}
	}
}

// Another run appends what is new, and starts anew where there are no bookmarks.
func TestSecondRun(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t)
	fill(srv, 8)
	e, dir := exporter{client: srv.Client(), out: io.Discard}, t.TempDir()
	export := func() (clickNPS, salesOS [][]string) {
		t.Helper()
		exportTo(t, dir, "clicknps", e.clickNPS)
		exportTo(t, dir, "salesos", e.salesOS)
		return readCSV(t, dir, "clicknps.csv"), readCSV(t, dir, "salesos.csv")
	}
	first, firstSalesOS := export()
	require.Len(t, first, 9)
	again, _ := export()
	require.Equal(t, first, again)

	created := time.Date(2026, 5, 4, 3, 2, 1, 0, time.FixedZone("CEST", 7200))
	srv.AddResponse(clicknps.Response{
		ID: "r1", SurveyID: "s1", SubjectID: "-5", Score: clicknps.NoScore,
		Comment: "\t@SUM(A1)\r\n;", CreatedAt: created,
	})
	second, secondSalesOS := export()
	row := []string{"r1", "s1", "'-5", "", "'\t@SUM(A1)\n;", "2026-05-04T01:02:01Z"}
	assert.Equal(t, append(first, row), second)
	assert.Equal(t, firstSalesOS, secondSalesOS)
	assert.Equal(t, []string{"id", "survey", "customer", "score", "comment", "created_at"}, first[0])
}

func exportTo(t *testing.T, dir, name string, export func(context.Context, *output) error) {
	t.Helper()
	o, err := openOutput(filepath.Join(dir, name), "csv")
	require.NoError(t, err)
	require.NoError(t, export(t.Context(), o))
	require.NoError(t, o.close())
}

// readCSV reads a file as a spreadsheet does.
func readCSV(t *testing.T, elements ...string) [][]string {
	t.Helper()
	text, bom := strings.CutPrefix(read(t, elements...), "\ufeff")
	require.True(t, bom)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	return rows
}

func TestInert(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"=1", "+1", "-1", "@a", "＝1", "＋1", "－1", "＠a", " =1", "\t=1", "\r\n=1", "\x00=1",
	} {
		assert.Equal(t, "'"+text, inert(text))
	}
	for _, text := range []string{"", " ", "a=1", "'=1", "Très bien", "5"} {
		assert.Equal(t, text, inert(text))
	}
}

// A survey that is deleted between the list and its responses is passed over.
func TestDeletedSurvey(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t)
	fill(srv, 8)
	srv.Inject(clicknpstest.Fault{Path: "/nps-surveys/{id}/responses", Status: http.StatusNotFound, Times: 1})
	dir := t.TempDir()
	exportTo(t, dir, "salesos", (&exporter{client: srv.Client(), out: io.Discard}).salesOS)
	assert.Len(t, readCSV(t, dir, "salesos.csv"), 1+6)
}

func TestSalesOSIsSkippedWithoutCredentials(t *testing.T) {
	srv := clicknpstest.Run(t)
	fill(srv, 8)
	t.Setenv("CLICKNPS_API_KEY", srv.APIKey())
	t.Setenv("CLICKNPS_BASE_URL", srv.URL())
	var out strings.Builder
	require.NoError(t, run(t.Context(), []string{"-out", t.TempDir()}, &out))
	assert.Contains(t, out.String(), "\rclicknps: 8 new responses in ")
	assert.Contains(t, out.String(), "salesos: skipped, there are no credentials\n")
}

func TestErrors(t *testing.T) {
	srv := clicknpstest.Run(t)
	t.Setenv("CLICKNPS_API_KEY", "sk_test_wrong")
	t.Setenv("CLICKNPS_BASE_URL", srv.URL())
	err := run(t.Context(), []string{"-out", t.TempDir()}, io.Discard)
	require.ErrorIs(t, err, clicknps.ErrUnauthorized)
	assert.ErrorContains(t, err, "clicknps: ")
	err = run(t.Context(), []string{"-out", t.TempDir(), "-format", "xml"}, io.Discard)
	assert.ErrorContains(t, err, "want csv or jsonl")

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "clicknps.csv.state"), []byte(`{"bytes":10}`), 0o600))
	assert.ErrorContains(t, run(t.Context(), []string{"-out", dir}, io.Discard), "delete both to start anew")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "clicknps.csv.state"), []byte(`{`), 0o600))
	err = run(t.Context(), []string{"-out", dir}, io.Discard)
	assert.ErrorContains(t, err, "clicknps.csv.state: unexpected end")
}
