package clicknps_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
)

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

// newPipeServer returns a server on in-process pipes, for a synctest bubble, and the transport that leads to it.
func newPipeServer(t *testing.T, replies ...rawReply) (*rawServer, *http.Transport) {
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	s := startRawServer(t, l, replies)
	transport := &http.Transport{DialContext: l.dial}
	t.Cleanup(transport.CloseIdleConnections)
	return s, transport
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

// seen returns the requests that have arrived.
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

// open is the number of connections that neither side has closed.
func (s *rawServer) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns) - s.ended
}

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

var succeeds = answers(http.StatusOK, object)

// hangsUp ends the connection without a word, or after some.
func hangsUp(after string) rawReply {
	return func(conn net.Conn) bool {
		sends(after)(conn)
		return false
	}
}

// resets answers with a TCP reset, or with one after some bytes.
func resets(after string) rawReply {
	return func(conn net.Conn) bool {
		sends(after)(conn)
		conn.(*net.TCPConn).SetLinger(0)
		return false
	}
}

// hangs says nothing until the client goes away.
func hangs(conn net.Conn) bool {
	io.Copy(io.Discard, conn)
	return false
}

// pipeListener accepts in-process connections.
type pipeListener struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: net.ErrClosed}
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

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "127.0.0.1:1" }

// nullLog is for servers that fail on purpose.
var nullLog = log.New(io.Discard, "", 0)

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
