package clicknps_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// The credentials of the tests. No output may show them.
const (
	testKey   = "sk_test_abc123xyz789"
	testToken = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyXzQyIn0.c2lnbmF0dXJl"
)

func TestMain(m *testing.M) {
	for _, name := range []string{"CLICKNPS_API_KEY", "SALESOS_TOKEN", "SALESOS_API_KEY"} {
		os.Unsetenv(name) // the tests say themselves who they are
	}
	os.Exit(m.Run())
}

// golden reads a file of testdata/wire.
func golden(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "wire", name))
	require.NoError(t, err)
	return string(data)
}

// goldenPage is a page of ClickNPS items with the document's own pagination.
func goldenPage(t testing.TB, items string) string {
	t.Helper()
	return `{"data": [` + items + `], "pagination": ` + golden(t, "pagination.json") + `}`
}

// sent is a request as the transport saw it.
type sent struct {
	Method, Path, Query, Body string
	Header                    http.Header
}

// wire is a transport that answers in process, and keeps what was sent.
type wire struct {
	*httpmock.MockTransport
	mu       sync.Mutex
	requests []sent
}

// newWire is a transport that gives every request the answer of respond.
func newWire(respond httpmock.Responder) *wire {
	w := &wire{MockTransport: httpmock.NewMockTransport()}
	w.RegisterNoResponder(func(req *http.Request) (*http.Response, error) {
		s := sent{Method: req.Method, Path: req.URL.EscapedPath(), Query: req.URL.RawQuery, Header: req.Header.Clone()}
		if req.Body != nil {
			body, err := io.ReadAll(req.Body)
			if err != nil {
				return nil, err
			}
			s.Body = string(body)
		}
		w.mu.Lock()
		w.requests = append(w.requests, s)
		w.mu.Unlock()
		return respond(req)
	})
	return w
}

// silent is a transport that must not be used.
func silent(t testing.TB) *wire {
	return newWire(func(req *http.Request) (*http.Response, error) {
		assert.Fail(t, "nothing may be sent", "%s %s", req.Method, req.URL)
		return httpmock.NewStringResponse(http.StatusTeapot, ""), nil
	})
}

// sent returns what was sent, oldest first.
func (w *wire) sent() []sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]sent(nil), w.requests...)
}

// client is a client over the transport, for both services. It makes every request once, unless opts say otherwise.
func (w *wire) client(t testing.TB, opts ...clicknps.Option) *clicknps.Client {
	t.Helper()
	return newClient(t, append([]clicknps.Option{through(w)}, opts...)...)
}

func newClient(t testing.TB, opts ...clicknps.Option) *clicknps.Client {
	t.Helper()
	c, err := clicknps.New(append([]clicknps.Option{
		clicknps.WithAPIKey(testKey),
		clicknps.WithSalesOSToken(testToken),
		clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: -1}),
	}, opts...)...)
	require.NoError(t, err)
	return c
}

// reply is a responder: status, body and headers in pairs. Without a Content-Type among them it is JSON.
func reply(status int, body string, header ...string) httpmock.Responder {
	return func(req *http.Request) (*http.Response, error) {
		res := answer(status, body)
		res.Request = req
		for i := 0; i+1 < len(header); i += 2 {
			res.Header.Set(header[i], header[i+1])
		}
		return res, nil
	}
}

// answering is a client that gets the same answer to every request.
func answering(t testing.TB, status int, body string, header ...string) *clicknps.Client {
	t.Helper()
	return newWire(reply(status, body, header...)).client(t)
}
