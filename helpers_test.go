package clicknps_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

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
	for _, name := range []string{
		"CLICKNPS_API_KEY", "CLICKNPS_BASE_URL", "SALESOS_TOKEN", "SALESOS_API_KEY", "SALESOS_BASE_URL",
	} {
		os.Unsetenv(name) // the tests give their own
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

// nowhere is a base URL for calls that a transport in process answers.
const nowhere = "http://127.0.0.1:1/v1"

// inProcess is a transport that answers by itself, so that it works in a bubble.
type inProcess func(*http.Request) (*http.Response, error)

func (f inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	return f(r)
}

// answer is an answer in process. header is name, value, name, value, …
func answer(status int, body string, header ...string) *http.Response {
	return answerFrom(status, io.NopCloser(strings.NewReader(body)), int64(len(body)), header...)
}

func answerFrom(status int, body io.ReadCloser, length int64, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	return &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h, Body: body, ContentLength: length}
}

// script answers the nth request with the nth answer, all further ones with an object.
func script(answers ...func() (*http.Response, error)) inProcess {
	var mu sync.Mutex
	return func(*http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		if len(answers) == 0 {
			return answer(http.StatusOK, object), nil
		}
		next := answers[0]
		answers = answers[1:]
		return next()
	}
}

func gives(status int, body string, header ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) { return answer(status, body, header...), nil }
}

var errLost = errors.New("connection reset by peer")

func loses() (*http.Response, error) { return nil, errLost }

// asError is err as an *Error, which it must be.
func asError(t testing.TB, err error) *clicknps.Error {
	t.Helper()
	e, ok := errors.AsType[*clicknps.Error](err)
	require.True(t, ok, "%v", err)
	return e
}

// rawServer speaks HTTP by hand, so that it can fail in ways that net/http's server can't.
// The nth request gets the nth reply, all further ones the last.
type rawServer struct {
	listener net.Listener
	replies  []rawReply

	mu       sync.Mutex
	requests []rawRequest
	conns    []net.Conn
	ended    int // conns that are no more
}

type rawRequest struct {
	Method, Path, Body string
	Header             http.Header
}

// rawReply answers a request. It reports whether the connection lives on.
type rawReply func(conn net.Conn) bool

// newRawServer returns a server on a socket.
func newRawServer(t *testing.T, replies ...rawReply) *rawServer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return startRawServer(t, l, replies)
}

func startRawServer(t *testing.T, l net.Listener, replies []rawReply) *rawServer {
	s := &rawServer{listener: l, replies: replies}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, conn)
			s.mu.Unlock()
			group.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.hangUpAll()
		group.Wait()
	})
	return s
}

func (s *rawServer) serve(conn net.Conn) {
	defer func() {
		conn.Close()
		s.mu.Lock()
		s.ended++
		s.mu.Unlock()
	}()
	for reader := bufio.NewReader(conn); ; {
		r, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.requests = append(s.requests, rawRequest{r.Method, r.URL.Path, string(body), r.Header})
		reply := s.replies[min(len(s.requests), len(s.replies))-1]
		s.mu.Unlock()
		if !reply(conn) {
			return
		}
	}
}

// url is a base URL that leads to the server.
func (s *rawServer) url() string { return "http://" + s.listener.Addr().String() + "/v1" }

// hangUpAll closes every connection.
func (s *rawServer) hangUpAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		conn.Close()
	}
}

// sends writes bytes and keeps the connection.
func sends(text string) rawReply {
	return func(conn net.Conn) bool {
		_, err := io.WriteString(conn, text)
		return err == nil
	}
}

// answers writes an answer that is whole. header is name, value, name, value, …
func answers(status int, body string, header ...string) rawReply {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", status, http.StatusText(status), len(body))
	for i := 0; i < len(header); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", header[i], header[i+1])
	}
	return sends(b.String() + "\r\n" + body)
}

// object is an answer that every single-object endpoint accepts.
const object = `{"id":"s1","name":"n","isActive":true}`

// hangsUp ends the connection without a word, or after some.
func hangsUp(after string) rawReply {
	return func(conn net.Conn) bool {
		sends(after)(conn)
		return false
	}
}

// hasty is a policy for real time: nothing but the server's failures takes long.
var hasty = clicknps.RetryPolicy{MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond}

func hastyWith(maxRetries int) clicknps.RetryPolicy {
	p := hasty
	p.MaxRetries = maxRetries
	return p
}

// connect returns a client of both services at url.
func connect(t *testing.T, url string, opts ...clicknps.Option) *clicknps.Client {
	c, err := clicknps.New(append([]clicknps.Option{
		clicknps.WithAPIKey(testKey), clicknps.WithSalesOSToken(testToken),
		clicknps.WithBaseURL(url), clicknps.WithSalesOSBaseURL(url), clicknps.WithRetryPolicy(hasty),
	}, opts...)...)
	require.NoError(t, err)
	return c
}

// through is the option of a transport of the test's own.
func through(rt http.RoundTripper) clicknps.Option {
	return clicknps.WithHTTPClient(&http.Client{Transport: rt})
}
