package engine_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/engine"
	"github.com/clicknps/go-sdk/internal/ratelimit"
)

// A transport that is not net/http's tells by its errors' types whether anything was sent. In
// doubt it was.
func TestTransportWithoutATrace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		sent bool
	}{
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, false},
		{&url.Error{Op: "Post", URL: address, Err: &net.OpError{Op: "dial", Err: io.EOF}}, false},
		{fmt.Errorf("dialing: %w", &net.DNSError{Err: "no such host", Name: "nowhere.example"}), false},
		{tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, false},
		{x509.UnknownAuthorityError{}, false}, // and final
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		{&net.OpError{Op: "write", Err: syscall.EPIPE}, true},
		{io.EOF, true},
		{errors.New("connection refused"), true},
	} {
		t.Run(tt.err.Error(), func(t *testing.T) {
			t.Parallel()
			var permits counter
			e := newEngine(t, script(fails(tt.err)), limitedBy(&permits))
			r := quick(t, e, post, 4)
			assert.Equal(t, tt.sent, r.Uncertain)
			assert.Equal(t, tt.sent, permits.outcomes[0].Sent)
			if _, final := errors.AsType[x509.UnknownAuthorityError](tt.err); tt.sent || final {
				assert.Len(t, r.Attempts, 1)
				return
			}
			assert.Len(t, r.Attempts, 2)
			assert.NoError(t, r.Err)
		})
	}
}

// A request that a middleware fails, as a circuit breaker does, was not sent.
func TestMiddlewareThatFailsBeforeSending(t *testing.T) {
	t.Parallel()
	errOpen := errors.New("the circuit breaker is open")
	breaker := func(opens int) func(http.RoundTripper) http.RoundTripper {
		n := 0
		return func(next http.RoundTripper) http.RoundTripper {
			return transport(func(r *http.Request) (*http.Response, error) {
				if n++; n <= opens {
					return nil, errOpen
				}
				return next.RoundTrip(r)
			})
		}
	}
	lost := 0
	loses := transport(func(*http.Request) (*http.Response, error) { lost++; return nil, errLost })
	for _, k := range []kind{post, put} {
		var permits counter
		r := quick(t, newEngine(t, loses, through(breaker(9)), limitedBy(&permits)), k, 2)
		assert.ErrorIs(t, r.Err, errOpen)
		assert.Len(t, r.Attempts, 3)
		assert.False(t, r.Uncertain)
		assert.Equal(t, []ratelimit.Outcome{{}, {}, {}}, permits.outcomes)
	}
	assert.Zero(t, lost)
	r := quick(t, newEngine(t, loses, through(breaker(1))), post, 2)
	assert.ErrorIs(t, r.Err, errLost)
	assert.Len(t, r.Attempts, 2)
	assert.True(t, r.Uncertain, "the second attempt was sent")
	assert.Equal(t, 1, lost)
}

// Where middleware sends requests in a way of its own, nobody can tell, and in doubt they were
// sent.
func TestMiddlewareThatSendsByItself(t *testing.T) {
	t.Parallel()
	withoutContext := func(next http.RoundTripper) http.RoundTripper {
		return transport(func(r *http.Request) (*http.Response, error) {
			return next.RoundTrip(r.WithContext(context.Background()))
		})
	}
	r := quick(t, newEngine(t, transport(loses), through(withoutContext)), post, 2)
	assert.Len(t, r.Attempts, 1)
	assert.True(t, r.Uncertain)

	own := script(gives(200, ""), loses)
	e := newEngine(t, script(), through(func(http.RoundTripper) http.RoundTripper { return own }))
	for i, attempts := range []int{1, 1} {
		r = quick(t, e, post, 2)
		assert.Len(t, r.Attempts, attempts)
		assert.Equal(t, i == 1, r.Uncertain)
	}
	e = newEngine(t, script(gives(200, "")), through(func(next http.RoundTripper) http.RoundTripper {
		n := 0
		return transport(func(r *http.Request) (*http.Response, error) {
			if n++; n == 2 {
				return nil, errLost
			}
			return next.RoundTrip(r)
		})
	}))
	quick(t, e, get, 2)
	r = quick(t, e, post, 2)
	assert.Len(t, r.Attempts, 2, "an answer that came through the transport raises no doubt")
}

// Before the request is sent, the end of the context leaves no doubt either.
func TestCancelledBeforeSending(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, rt := newPipeServer(t, succeeds)
		rt.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return dialForever(ctx) }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := do(ctx, t, newEngine(t, rt), post)
		assert.ErrorIs(t, r.Err, context.DeadlineExceeded)
		assert.Len(t, r.Attempts, 1)
		assert.False(t, r.Uncertain)
		<-time.After(time.Hour) // net/http goes on dialing
	})
}

// A call that is cancelled once its request is out may have taken effect.
func TestCancelledAfterSending(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		ctx, cancel := context.WithCancelCause(t.Context())
		server := newRawServer(t, func(conn net.Conn) bool {
			cancel(errGone)
			return fallsSilent("")(conn)
		})
		r := newEngine(t, ownTransport(t)).Do(ctx, k.call(t, server.url(), hasty(4)))
		assert.EqualError(t, r.Err, "context canceled: the user went home")
		assert.Len(t, r.Attempts, 1)
		assert.Len(t, server.seen(), 1)
		assert.True(t, r.Uncertain)
	}
}

// patient is a policy whose every backoff would be longer than a test.
func patient(maxRetries int) *engine.Policy {
	p := usual
	p.MaxRetries, p.MinBackoff, p.MaxBackoff = maxRetries, time.Hour, time.Hour
	return &p
}

// A kept-alive connection that the server has closed costs no backoff: the request is sent again
// at once, once.
func TestStaleConnection(t *testing.T) {
	t.Parallel()
	closed, half := hangsUp(""), hangsUp("HTTP/1.1 200 OK\r\nX-A")
	for name, tt := range map[string]struct {
		kind       kind
		replies    []reply
		maxRetries int
		attempts   int
		seen       int // after the first request
		ok         bool
	}{
		"PUT":                     {put, []reply{closed, succeeds}, 4, 2, 2, true},
		"PUT, reset":              {put, []reply{resets(""), succeeds}, 4, 2, 2, true},
		"PATCH":                   {patch, []reply{closed, succeeds}, 4, 2, 2, true},
		"DELETE without retries":  {del, []reply{closed, succeeds}, -1, 2, 2, true},
		"twice":                   {put, []reply{closed, closed, succeeds}, 4, 2, 2, false},
		"a byte came back":        {put, []reply{half, succeeds}, 4, 1, 1, false},
		"GET":                     {get, []reply{closed, succeeds}, 4, 1, 2, true}, // by net/http itself
		"keyed POST":              {keyedPost, []reply{closed, succeeds}, 4, 1, 2, true},
		"POST":                    {post, []reply{closed, succeeds}, 4, 1, 1, false},
		"an answer is no failure": {put, []reply{answers(503, ""), succeeds}, 4, 1, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newRawServer(t, append([]reply{succeeds}, tt.replies...)...)
			e := newEngine(t, ownTransport(t), withBudget(0))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			require.NoError(t, e.Do(ctx, get.call(t, server.url(), patient(4))).Err, "the connection is warm")
			r := e.Do(ctx, tt.kind.call(t, server.url(), patient(tt.maxRetries)))
			assert.Len(t, r.Attempts, tt.attempts)
			assert.Len(t, server.seen(), 1+tt.seen)
			assert.Equal(t, tt.ok, r.Err == nil && r.StatusCode == 200, "%v", r.Err)
			if tt.kind.method != "GET" {
				assert.Equal(t, len(r.Attempts) > 1 || r.StatusCode != 200, r.Uncertain)
			}
		})
	}
}

// A connection that was closed on both calls' kept connections is a failure like any other the
// second time.
func TestStaleConnections(t *testing.T) {
	t.Parallel()
	meets := meet(2)
	server := newRawServer(t, meets, meets, hangsUp(""), hangsUp(""), succeeds)
	e := newEngine(t, ownTransport(t))
	together(2, func() { e.Do(t.Context(), put.call(t, server.url(), patient(4))) })
	require.Equal(t, 2, server.accepted())
	r := e.Do(t.Context(), put.call(t, server.url(), hasty(1)))
	assert.NoError(t, r.Err)
	require.Len(t, r.Attempts, 3)
	assert.Less(t, r.Attempts[1].Waited, time.Millisecond)
	assert.GreaterOrEqual(t, r.Attempts[2].Waited, time.Millisecond)
}

// A kept-alive connection on which the server only takes its time is not stale.
func TestSilentConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, rt := newPipeServer(t, succeeds, fallsSilent(""), succeeds)
		e := newEngine(t, rt)
		require.NoError(t, e.Do(t.Context(), get.call(t, server.url(), patient(4))).Err)
		r := e.Do(t.Context(), put.call(t, server.url(), patient(-1)))
		assert.Equal(t, engine.TimeoutError(30*time.Second), r.Err)
		assert.Len(t, r.Attempts, 1)
	})
}

// HTTP/2 is no different, though many requests share a connection.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, 2, r.ProtoMajor)
		if n.Add(1) == 1 {
			panic(http.ErrAbortHandler) // resets the stream
		}
		_, _ = io.WriteString(w, object)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	e := newEngine(t, server.Client().Transport)
	for range 2 { // on a new connection, and on one that was used
		for _, k := range kinds {
			n.Store(0)
			r := e.Do(t.Context(), k.call(t, server.URL, hasty(4)))
			assert.True(t, r.Uncertain || k.method == "GET")
			if k.once {
				assert.Error(t, r.Err)
				assert.Equal(t, int32(1), n.Load())
			} else {
				assert.NoError(t, r.Err, k.name)
				assert.Equal(t, int32(2), n.Load())
			}
		}
	}
}

// A request that HTTP/2 says was not processed was not sent, whatever its kind: net/http sends it
// again by itself.
func TestHTTP2RefusesAStream(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(net.Conn, uint32){
		"REFUSED_STREAM": func(c net.Conn, id uint32) { frame(c, 3, 0, id, 0, 0, 0, 7) },
		"GOAWAY":         func(c net.Conn, id uint32) { frame(c, 7, 0, 0, 0, 0, 0, byte(id-2), 0, 0, 0, 0) },
	} {
		for _, k := range []kind{post, keyedPost, put} {
			t.Run(name+"/"+k.name, func(t *testing.T) {
				t.Parallel()
				var n atomic.Int32
				u, rt := http2Server(t, func(conn net.Conn, id uint32) {
					if n.Add(1) == 2 {
						refuse(conn, id)
						return
					}
					frame(conn, 1, 5, id, 0x88) // a header of ":status: 200", and the end
				})
				e := newEngine(t, rt)
				for range 3 {
					r := e.Do(t.Context(), k.call(t, u, patient(-1)))
					require.NoError(t, r.Err)
					assert.Equal(t, 200, r.StatusCode)
					assert.False(t, r.Uncertain)
				}
				assert.Equal(t, int32(4), n.Load())
			})
		}
	}
}

// frame writes an HTTP/2 frame.
func frame(w io.Writer, kind, flags byte, stream uint32, payload ...byte) {
	b := append([]byte{0, 0, byte(len(payload)), kind, flags}, binary.BigEndian.AppendUint32(nil, stream)...)
	_, _ = w.Write(append(b, payload...))
}

// http2Server calls answer for each request's header, one after another.
func http2Server(t *testing.T, answer func(conn net.Conn, stream uint32)) (url string, rt *http.Transport) {
	authority := httptest.NewTLSServer(nil)
	t.Cleanup(authority.Close)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: authority.TLS.Certificates, NextProtos: []string{"h2"},
	})
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serveHTTP2(conn, answer)
		}
	}()
	rt = authority.Client().Transport.(*http.Transport).Clone()
	rt.ForceAttemptHTTP2 = true
	t.Cleanup(rt.CloseIdleConnections)
	return "https://" + l.Addr().String(), rt
}

func serveHTTP2(conn net.Conn, answer func(conn net.Conn, stream uint32)) {
	defer conn.Close()
	if _, err := io.CopyN(io.Discard, conn, 24); err != nil { // the preface
		return
	}
	frame(conn, 4, 0, 0)
	for header := make([]byte, 9); ; {
		if _, err := io.ReadFull(conn, header); err != nil {
			return
		}
		size := int64(binary.BigEndian.Uint32(header) >> 8)
		if _, err := io.CopyN(io.Discard, conn, size); err != nil {
			return
		}
		switch {
		case header[3] == 1:
			answer(conn, binary.BigEndian.Uint32(header[5:]))
		case header[3] == 4 && header[4] == 0:
			frame(conn, 4, 1, 0)
		}
	}
}

// A proxy that refuses to connect is named: what it says reads as if the service had said it.
// Nothing was sent then.
func TestRefusedConnectNamesTheProxy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		reply reply
		text  string
	}{
		"403":     {sends("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), "Forbidden"},
		"407":     {sends("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), "Proxy Authentication Required"},
		"hang-up": {hangsUp(""), "unexpected EOF"},
	} {
		for _, k := range []kind{get, post} {
			t.Run(name+" "+k.name, func(t *testing.T) {
				t.Parallel()
				squid := newRawServer(t, tt.reply, tt.reply)
				address, err := url.Parse(squid.url())
				require.NoError(t, err)
				address.User = url.UserPassword("user", "s3cret")
				rt := ownTransport(t)
				rt.Proxy = http.ProxyURL(address)
				r := newEngine(t, rt).Do(t.Context(), k.call(t, "https://api.example.com/v1/surveys/1", hasty(1)))
				assert.EqualError(t, r.Err, "through the proxy "+address.Host+": "+tt.text)
				assert.Len(t, r.Attempts, 2)
				assert.False(t, r.Uncertain && k.name == "POST", "nothing was sent")
			})
		}
	}
}
