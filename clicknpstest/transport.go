package clicknpstest

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
)

// Transport returns a transport that hands all requests to the fake in process, whatever host they
// name, without a socket or a goroutine. It is for the [http.Client] of your own code;
// [Server.Client] has it built in.
func (s *Server) Transport() http.RoundTripper {
	return transport{s, func(*url.URL) bool { return true }}
}

type transport struct {
	handler http.Handler
	answers func(*url.URL) bool // false: the request is dialed
}

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !t.answers(r.URL) {
		return http.DefaultTransport.RoundTrip(r)
	}
	resp, err := serve(t.handler, r)
	if ended := r.Context().Err(); ended != nil {
		return nil, ended
	}
	return resp, err
}

// owns reports whether u is below one of the fake's own URLs.
func (s *Server) owns(u *url.URL) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	origin := u.Scheme + "://" + u.Host
	return origin+"/v1" == inProcessURL || origin == s.origin
}

// serve answers r by h, in process. Request and answer pass through their wire format, so that
// both sides see what a socket would bring them. If h panics, the connection is cut where net/http
// would cut it.
func serve(h http.Handler, r *http.Request) (resp *http.Response, err error) {
	var sent bytes.Buffer
	out := r.WithContext(r.Context())
	if r.Body != nil { // read here, because Request.Write hides the cause of an error
		body, readErr := io.ReadAll(r.Body)
		_ = r.Body.Close()
		out.Body, out.ContentLength, err = io.NopCloser(bytes.NewReader(body)), int64(len(body)), readErr
	}
	if err = cmp.Or(r.Context().Err(), err); err != nil {
		return nil, err
	}
	if err = out.Write(&sent); err != nil {
		return nil, err
	}
	in, err := http.ReadRequest(bufio.NewReader(&sent))
	if err != nil {
		return nil, err
	}
	in = in.WithContext(r.Context())
	in.RemoteAddr = "192.0.2.1:443" // an address for documentation, as httptest gives
	if strings.EqualFold(r.URL.Scheme, "https") {
		in.TLS = &tls.ConnectionState{HandshakeComplete: true}
	}
	w := &recorder{header: make(http.Header)}
	defer func() {
		switch v := recover(); {
		case v == nil || w.flushed:
			w.WriteHeader(http.StatusOK)
			resp, err = http.ReadResponse(bufio.NewReader(&w.wire), r)
		case v == http.ErrAbortHandler:
			err = connectionReset()
		default:
			err = fmt.Errorf("%w: the handler panicked: %v", connectionReset(), v)
		}
	}()
	h.ServeHTTP(w, in)
	return nil, nil // resp is set by the deferred function
}

// recorder is the ResponseWriter of a handler that is called in process. net/http/httptest has one, too, but
// imports package testing from Go 1.27 on.
type recorder struct {
	header  http.Header
	wire    bytes.Buffer // the answer
	flushed bool
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.wire.Len() == 0 {
		fmt.Fprintf(&w.wire, "HTTP/1.1 %d \r\n", status)
		_ = w.header.Write(&w.wire) // a buffer takes everything
		w.wire.WriteString("\r\n")
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.wire.Write(p)
}

// Flush implements [http.Flusher].
func (w *recorder) Flush() {
	w.WriteHeader(http.StatusOK)
	w.flushed = true
}

// connectionReset is the error of a client when the other side cuts the connection.
func connectionReset() error {
	return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
}
