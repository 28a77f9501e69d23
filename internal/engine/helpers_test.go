package engine_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/auth"
	"github.com/clicknps/go-sdk/internal/engine"
	"github.com/clicknps/go-sdk/internal/ratelimit"
)

const (
	address = "http://api.example.com/v1/surveys/s%2F1?subject=hidden"
	object  = `{"id":"s1"}`
	key     = "key-1"
)

// usual is the policy of a client that was told of none.
var usual = engine.Policy{
	MaxRetries: 4, MinBackoff: 500 * time.Millisecond, MaxBackoff: 8 * time.Second,
	MaxRetryAfter: 2 * time.Minute, AttemptTimeout: 30 * time.Second,
}

// hasty is a policy for real time: backoffs take a millisecond.
func hasty(maxRetries int) *engine.Policy {
	p := usual
	p.MaxRetries, p.MinBackoff, p.MaxBackoff = maxRetries, time.Millisecond, time.Millisecond
	return &p
}

// kind is a column of the retry table: a kind of call.
type kind struct {
	name, method string
	keyed, once  bool
}

var (
	get       = kind{name: "GET", method: "GET"}
	put       = kind{name: "PUT", method: "PUT"}
	keyedPost = kind{name: "keyed POST", method: "POST", keyed: true}
	post      = kind{name: "POST", method: "POST", once: true}
	patch     = kind{name: "PATCH", method: "PATCH"}
	del       = kind{name: "DELETE", method: "DELETE"}
	kinds     = []kind{get, put, patch, del, keyedPost, post}
)

// call is a call of the kind to a URL.
func (k kind) call(t testing.TB, rawURL string, policy *engine.Policy) engine.Call {
	u, err := url.Parse(rawURL)
	require.NoError(t, err)
	var body []byte
	if k.method[0] == 'P' {
		body = []byte(`{"name":"n"}`)
	}
	return engine.Call{
		Info: ratelimit.Call{
			Service: "clicknps", Operation: "Surveys.X", Method: k.method, Route: "/surveys/{id}",
		},
		URL: *u, Body: body, Policy: policy, Once: k.once, Keyed: k.keyed,
		Header: func() http.Header {
			h := http.Header{"User-Agent": {"test"}}
			if k.keyed {
				h.Set("Idempotency-Key", key)
			}
			return h
		},
	}
}

type option func(*engine.Config)

// newEngine returns an engine over a transport, with all that a call needs.
func newEngine(t testing.TB, rt http.RoundTripper, options ...option) *engine.Engine {
	c := engine.Config{
		HTTPClient: &http.Client{Transport: rt},
		Credential: auth.Static("Authorization", "Bearer ", "s3cret"),
		Limiter:    ratelimit.Unlimited{}, Budget: 500, Logger: slog.New(slog.DiscardHandler),
	}
	for _, o := range options {
		o(&c)
	}
	e, err := engine.New(c)
	require.NoError(t, err)
	return e
}

// do makes a usual call of a kind.
func do(ctx context.Context, t testing.TB, e *engine.Engine, k kind) *engine.Result {
	return e.Do(ctx, k.call(t, address, &usual))
}

// quick makes a call of a kind with so many retries, which take no time.
func quick(t testing.TB, e *engine.Engine, k kind, maxRetries int) *engine.Result {
	return e.Do(t.Context(), k.call(t, address, hasty(maxRetries)))
}

// requireOK makes a usual GET that must succeed.
func requireOK(t testing.TB, e *engine.Engine) *engine.Result {
	t.Helper()
	r := do(t.Context(), t, e, get)
	require.NoError(t, r.Err)
	require.Equal(t, 200, r.StatusCode)
	return r
}

// together makes n calls at once, and waits for their end.
func together(n int, call func()) {
	var group sync.WaitGroup
	for range n {
		group.Go(call)
	}
	group.Wait()
}

// transport answers in process, so that it works in a bubble.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	return f(r)
}

// step is what comes of one request.
type step func(*http.Request) (*http.Response, error)

// script answers the nth request with the nth step, and all further ones with 200.
func script(steps ...step) transport {
	var mu sync.Mutex
	return func(r *http.Request) (*http.Response, error) {
		next := gives(200, object)
		mu.Lock()
		if len(steps) > 0 {
			next, steps = steps[0], steps[1:]
		}
		mu.Unlock()
		return next(r)
	}
}

// gives answers. header is name, value, name, value, …
func gives(status int, body string, header ...string) step {
	return func(*http.Request) (*http.Response, error) { return answer(status, body, header...), nil }
}

// asks gives an answer that asks for a wait.
func asks(status int, seconds string) step { return gives(status, "", "Retry-After", seconds) }

// gets is a step with a result that is given.
func gets(resp *http.Response, err error) step {
	return func(*http.Request) (*http.Response, error) { return resp, err }
}

// varying answers with the step that next is at the time.
func varying(next *step) transport {
	return func(r *http.Request) (*http.Response, error) { return (*next)(r) }
}

func repeat(n int, s step) (steps []step) {
	for range n {
		steps = append(steps, s)
	}
	return steps
}

func answer(status int, body string, header ...string) *http.Response {
	return answerFrom(status, io.NopCloser(strings.NewReader(body)), int64(len(body)), header...)
}

func answerFrom(status int, body io.ReadCloser, length int64, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: body, ContentLength: length,
	}
}

var (
	errLost = errors.New("connection reset by peer")
	errGone = errors.New("the user went home")
)

func fails(err error) step {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func loses(*http.Request) (*http.Response, error) { return nil, errLost }

// hangs says nothing until the request is ended.
func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// after answers a step later.
func after(d time.Duration, s step) step {
	return func(r *http.Request) (*http.Response, error) {
		<-time.After(d)
		return s(r)
	}
}

// sticks gives an answer whose body does not end, nor go on.
func sticks(status int) step {
	return func(r *http.Request) (*http.Response, error) {
		return answerFrom(status, &slowBody{r.Context(), 1000 * time.Hour, 1}, -1), nil
	}
}

// breaks gives an answer that is cut off.
func breaks(status int, text string) step {
	return func(*http.Request) (*http.Response, error) {
		body := io.MultiReader(strings.NewReader(text), brokenReader{})
		return answerFrom(status, io.NopCloser(body), 99), nil
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// arrivals notes when requests arrive, since the start.
type arrivals struct {
	mu    sync.Mutex
	start time.Time
	at    []time.Duration
}

func (a *arrivals) before(next transport) transport {
	a.start = time.Now()
	return func(r *http.Request) (*http.Response, error) {
		a.mu.Lock()
		a.at = append(a.at, time.Since(a.start))
		a.mu.Unlock()
		return next(r)
	}
}

// until counts the arrivals before a time.
func (a *arrivals) until(d time.Duration) (n int) {
	for _, at := range a.at {
		if at < d {
			n++
		}
	}
	return n
}

// counter is a limiter that knows which permits were given back, and how.
type counter struct {
	mu       sync.Mutex
	acquired int
	outcomes []ratelimit.Outcome
	calls    []ratelimit.Call
	refuse   func(n int) error // the nth permit; nil: none
}

func (c *counter) Acquire(_ context.Context, call ratelimit.Call) (func(ratelimit.Outcome), error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, call)
	if c.refuse != nil {
		if err := c.refuse(len(c.calls)); err != nil {
			return nil, err
		}
	}
	c.acquired++
	return func(o ratelimit.Outcome) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.outcomes = append(c.outcomes, o)
	}, nil
}

func (*counter) Quotas(context.Context) ([]ratelimit.Quota, error) { return nil, nil }

func limitedBy(l ratelimit.Limiter) option { return func(c *engine.Config) { c.Limiter = l } }

// logFunc is a logger whose every record f gets.
func logFunc(level slog.Level, f func(slog.Record)) option {
	return func(c *engine.Config) { c.Logger = slog.New(handler{level, f}) }
}

type handler struct {
	level slog.Level
	f     func(slog.Record)
}

func (h handler) Enabled(_ context.Context, l slog.Level) bool  { return l >= h.level }
func (h handler) Handle(_ context.Context, r slog.Record) error { h.f(r); return nil }
func (h handler) WithAttrs([]slog.Attr) slog.Handler            { return h }
func (h handler) WithGroup(string) slog.Handler                 { return h }

// rawServer speaks HTTP by hand, so that it can fail as no HTTP library does.
// The nth request gets the nth reply, all further ones the last.
type rawServer struct {
	net.Listener
	replies []reply

	mu       sync.Mutex
	requests []rawRequest
	conns    []net.Conn
}

type rawRequest struct{ Method, URI, Body, Key, Authorization string }

// reply answers a request. It reports whether the connection lives on.
type reply func(net.Conn) bool

func newRawServer(t testing.TB, replies ...reply) *rawServer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return serveRaw(t, l, replies)
}

// newPipeServer is a rawServer on in-process pipes, for a bubble, and the transport that leads to
// it.
func newPipeServer(t testing.TB, replies ...reply) (*rawServer, *http.Transport) {
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	s, rt := serveRaw(t, l, replies), ownTransport(t)
	rt.DialContext = l.dial
	return s, rt
}

// pipeListener accepts in-process connections.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error { close(l.closed); return nil }

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func serveRaw(t testing.TB, l net.Listener, replies []reply) *rawServer {
	s := &rawServer{Listener: l, replies: replies}
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
		s.mu.Lock()
		for _, conn := range s.conns {
			conn.Close()
		}
		s.mu.Unlock()
		group.Wait()
	})
	return s
}

func (s *rawServer) serve(conn net.Conn) {
	defer conn.Close()
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
		s.requests = append(s.requests, rawRequest{
			r.Method, r.RequestURI, string(body),
			r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization"),
		})
		next := s.replies[min(len(s.requests), len(s.replies))-1]
		s.mu.Unlock()
		if !next(conn) {
			return
		}
	}
}

func (s *rawServer) url() string {
	return "http://" + s.Addr().String() + "/v1/surveys/s%2F1?subject=hidden"
}

func (s *rawServer) seen() []rawRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]rawRequest(nil), s.requests...)
}

// accepted is the number of connections that were made.
func (s *rawServer) accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// sends writes bytes and keeps the connection.
func sends(text string) reply {
	return func(conn net.Conn) bool {
		_, err := io.WriteString(conn, text)
		return err == nil
	}
}

// answers writes a whole answer.
func answers(status int, body string) reply {
	return sends(fmt.Sprintf("HTTP/1.1 %03d X\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body))
}

var succeeds = answers(200, object)

// hangsUp ends the connection, after some bytes.
func hangsUp(text string) reply {
	return func(conn net.Conn) bool {
		sends(text)(conn)
		return false
	}
}

// resets ends the connection with a TCP reset, after some bytes.
func resets(text string) reply {
	return func(conn net.Conn) bool {
		sends(text)(conn)
		conn.(*net.TCPConn).SetLinger(0)
		return false
	}
}

// fallsSilent writes some bytes, and waits until the client goes away.
func fallsSilent(text string) reply {
	return func(conn net.Conn) bool {
		sends(text)(conn)
		io.Copy(io.Discard, conn)
		return false
	}
}

// ownTransport is a net/http transport of the test's own.
func ownTransport(t testing.TB) *http.Transport {
	rt := &http.Transport{}
	t.Cleanup(rt.CloseIdleConnections)
	return rt
}

func through(mw ...func(http.RoundTripper) http.RoundTripper) option {
	return func(c *engine.Config) { c.Middleware = mw }
}
