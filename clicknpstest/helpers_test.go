package clicknpstest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	commentTime = 180 * time.Second
	allEvents   = `["response.created","response.updated","survey.completed"]`
)

// answering is a receiver that answers every delivery with the status that status holds.
func answering(status *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(int(status.Load()))
	})
}

// subscribed returns a fake whose deliveries go to a receiver in process; status is what it
// answers.
func subscribed(t *testing.T, events string) (srv *clicknpstest.Server, c caller, status *atomic.Int64) {
	t.Helper()
	srv = clicknpstest.Run(t)
	status = new(atomic.Int64)
	status.Store(204)
	srv.DeliverTo(answering(status))
	c = inProcess(t, srv)
	require.Equal(t, 201, c.call("POST", "/v1/webhooks", `{"url":"https://example.com/hook","events":`+events+`}`).status)
	return srv, c, status
}

// withoutEventID puts the goldens' event id into an envelope.
func withoutEventID(t *testing.T, body []byte) string {
	t.Helper()
	var envelope struct{ ID string }
	require.NoError(t, json.Unmarshal(body, &envelope))
	require.Regexp(t, `^event_[a-z0-9]{12}$`, envelope.ID)
	return strings.Replace(string(body), envelope.ID, "event_abc123", 1)
}

// onBothTransports runs test in process and over a socket, on a connection that was used before.
func onBothTransports(t *testing.T, test func(t *testing.T, srv *clicknpstest.Server, c caller)) {
	for name, connect := range map[string]func(*testing.T, *clicknpstest.Server) caller{
		"in process": inProcess, "socket": overSocket,
	} {
		t.Run(name, func(t *testing.T) {
			srv := clicknpstest.Run(t)
			c := connect(t, srv)
			require.Equal(t, 200, c.get("/v1/surveys").status)
			test(t, srv, c)
		})
	}
}

// assertCut checks that err is a connection that broke after the request was sent.
func assertCut(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return
	}
	assert.ErrorIs(t, err, syscall.ECONNRESET)
	if op, ok := errors.AsType[*net.OpError](err); assert.True(t, ok) {
		assert.Equal(t, "read", op.Op, "it must not look as if nothing was sent")
	}
}

// caller calls a fake with plain net/http: the SDK's idea of the wire plays no part in these
// tests.
type caller struct {
	t      *testing.T
	http   *http.Client
	base   string // without /v1
	header http.Header
}

type reply struct {
	status int
	header http.Header
	body   string
}

// inProcess calls both services of srv with valid credentials, without a socket.
func inProcess(t *testing.T, srv *clicknpstest.Server) caller {
	t.Helper()
	return newCaller(t, srv, &http.Client{Transport: srv.Transport()}, "https://clicknps.test")
}

// overSocket does the same over TCP.
func overSocket(t *testing.T, srv *clicknpstest.Server) caller {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return newCaller(t, srv, &http.Client{Transport: transport}, strings.TrimSuffix(srv.URL(), "/v1"))
}

func newCaller(t *testing.T, srv *clicknpstest.Server, hc *http.Client, base string) caller {
	t.Helper()
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return caller{t: t, http: hc, base: base, header: http.Header{
		"Authorization": {"Bearer " + srv.APIKey()},
		"X-Api-Key":     {srv.SalesOSAPIKey()},
		"Content-Type":  {"application/json"},
	}}
}

// with returns a caller that also sends a header; an empty value leaves the header out.
func (c caller) with(name, value string) caller {
	c.header = c.header.Clone()
	c.header.Del(name)
	if value != "" {
		c.header.Set(name, value)
	}
	return c
}

// try makes a request, and returns what net/http says of it.
func (c caller) try(method, path, body string) (reply, error) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	require.NoError(c.t, err)
	req.Header = c.header.Clone()
	resp, err := c.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { assert.NoError(c.t, resp.Body.Close()) }()
	text, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(text)}, err
}

// call makes a request that must get an answer.
func (c caller) call(method, path, body string) reply {
	c.t.Helper()
	r, err := c.try(method, path, body)
	require.NoError(c.t, err)
	return r
}

func (c caller) get(path string) reply {
	c.t.Helper()
	return c.call("GET", path, "")
}

// field returns a top-level field of r's JSON object.
func (r reply) field(t *testing.T, name string) any {
	t.Helper()
	var object map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.body), &object), r.body)
	return object[name]
}

// names returns one field of each item of a ClickNPS list.
func (r reply) names(t *testing.T, field string) []string {
	t.Helper()
	var list struct{ Data []map[string]any }
	require.NoError(t, json.Unmarshal([]byte(r.body), &list), r.body)
	names := []string{}
	for _, item := range list.Data {
		names = append(names, item[field].(string))
	}
	return names
}

// golden reads a wire body that the SDK is checked against, too.
func golden(t *testing.T, name string) string {
	t.Helper()
	body, err := os.ReadFile("../testdata/wire/" + name)
	require.NoError(t, err)
	return string(body)
}

// clickNPSError is the documented error object.
func clickNPSError(kind, message, field string) string {
	detail := map[string]string{"type": kind, "message": message}
	if field != "" {
		detail["field"] = field
	}
	body, _ := json.Marshal(map[string]any{"error": detail})
	return string(body)
}

// toJSON encodes a value that was cut out of a reply.
func toJSON(t *testing.T, v any) string {
	t.Helper()
	body, err := json.Marshal(v)
	require.NoError(t, err)
	return string(body)
}

// until lets a bubble's time pass until it is at.
func until(at time.Time) { <-time.After(time.Until(at)) }

const uuid = `[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`

const npsID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"

// addGoldenNPSSurvey adds the survey and the responses of the golden bodies.
func addGoldenNPSSurvey(srv *clicknpstest.Server) {
	srv.AddNPSSurvey(clicknps.NPSSurvey{
		ID: npsID, Question: "How likely are you to recommend us?", Type: clicknps.NPSRelationship, IsActive: true, CreatedAt: documented,
	})
	srv.AddNPSResponse(clicknps.NPSResponse{SurveyID: npsID, ID: "0b5c3a52-6f2e-4f0e-9c1c-3a1d5a1f2b01", Score: 10, Comment: `Fast, "really" fast`, Email: "user@example.com", CreatedAt: documented})
	srv.AddNPSResponse(clicknps.NPSResponse{SurveyID: npsID, ID: "0b5c3a52-6f2e-4f0e-9c1c-3a1d5a1f2b02", Score: 5, CreatedAt: documented})
}

// recordingTB is a test that can be seen to fail.
type recordingTB struct {
	name    string
	message string   // of Fatalf
	logs    []string // of Logf
	errors  []string // of Errorf
	cleanup func()
}

func (r *recordingTB) Helper() {}

func (r *recordingTB) Name() string { return r.name }

func (r *recordingTB) Cleanup(fn func()) { r.cleanup = fn }

func (r *recordingTB) Logf(format string, args ...any) {
	r.logs = append(r.logs, fmt.Sprintf(format, args...))
}

func (r *recordingTB) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func (r *recordingTB) Fatalf(format string, args ...any) {
	r.message = fmt.Sprintf(format, args...)
	panic(r.message) // as Fatalf, it does not return
}

type closeCounter struct {
	io.Reader
	closed int
}

func (c *closeCounter) Close() error { c.closed++; return nil }

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

var documented = time.Date(2025, 1, 15, 10, 30, 0, 0, time.UTC)
