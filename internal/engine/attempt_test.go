package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/engine"
	"github.com/clicknps/go-sdk/internal/ratelimit"
)

// bodyCount knows what became of the bodies of all answers.
type bodyCount struct {
	mu     sync.Mutex
	bodies []*countedBody
}

type countedBody struct {
	io.ReadCloser
	count  *bodyCount
	closed int
	late   bool // read after it was closed
}

func (c *bodyCount) middleware(next http.RoundTripper) http.RoundTripper {
	return transport(func(r *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		if resp != nil && resp.Body != nil {
			body := &countedBody{ReadCloser: resp.Body, count: c}
			resp.Body = body
			c.mu.Lock()
			c.bodies = append(c.bodies, body)
			c.mu.Unlock()
		}
		return resp, err
	})
}

func (b *countedBody) Read(p []byte) (int, error) {
	b.count.mu.Lock()
	b.late = b.late || b.closed > 0
	b.count.mu.Unlock()
	return b.ReadCloser.Read(p)
}

func (b *countedBody) Close() error {
	b.count.mu.Lock()
	b.closed++
	b.count.mu.Unlock()
	return b.ReadCloser.Close()
}

// assertClosed checks that there were n bodies, each closed once, after the last read.
func (c *bodyCount) assertClosed(t *testing.T, n int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	assert.Len(t, c.bodies, n)
	for i, b := range c.bodies {
		assert.Equal(t, 1, b.closed, "body %d", i)
		assert.False(t, b.late, "body %d", i)
	}
}

// endless is a body that counts what is read of it.
type endless struct{ read, left int64 }

func (e *endless) Read(p []byte) (int, error) {
	n := min(int64(len(p)), e.left)
	if n == 0 {
		return 0, io.EOF
	}
	e.read, e.left = e.read+n, e.left-n
	return int(n), nil
}

func (*endless) Close() error { return nil }

// A 2xx may have 32 MiB. One more byte is an error that no retry mends.
func TestMaxBody(t *testing.T) {
	t.Parallel()
	for size, err := range map[int64]error{32 << 20: nil, 32<<20 + 1: engine.ErrTooLarge} {
		body := &endless{left: size}
		n := 0
		e := newEngine(t, transport(func(*http.Request) (*http.Response, error) {
			n++
			return answerFrom(200, body, -1), nil
		}))
		r := do(t.Context(), t, e, post)
		assert.Equal(t, err, r.Err)
		assert.Equal(t, 200, r.StatusCode)
		assert.Equal(t, 1, n)
		assert.Equal(t, err != nil, r.Uncertain)
		assert.Equal(t, min(size, 32<<20+1), body.read)
		if err == nil {
			assert.Len(t, r.Body, int(size))
		}
	}
	assert.EqualError(t, engine.ErrTooLarge, "the answer is larger than 32 MiB")
}

// Of another answer 64 KiB are kept. Another MiB is drained, so that the connection can be used
// again.
func TestMaxErrorBody(t *testing.T) {
	t.Parallel()
	const kept, drained = 64 << 10, 1 << 20
	for _, size := range []int64{0, 1, kept - 1, kept, kept + 1, kept + drained, 1 << 40} {
		body := &endless{left: size}
		e := newEngine(t, script(gets(answerFrom(404, body, -1), nil)))
		r := do(t.Context(), t, e, get)
		assert.NoError(t, r.Err)
		assert.Len(t, r.Body, int(min(size, kept)))
		assert.Equal(t, min(size, kept+drained), body.read)
	}
}

func TestConnectionIsUsedAgain(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 200<<10)
	server := newRawServer(t, answers(503, large), answers(404, large), answers(429, large), succeeds)
	e := newEngine(t, ownTransport(t))
	for range 2 {
		e.Do(t.Context(), put.call(t, server.url(), hasty(4)))
	}
	assert.Len(t, server.seen(), 4)
	assert.Equal(t, 1, server.accepted())
}

// A 101 hands the connection over, on which nothing may ever come: its body is not read.
func TestProtocolSwitch(t *testing.T) {
	t.Parallel()
	for status, text := range map[int]string{
		0:   "the server answered with status 000, which ends no request",
		101: "the server answered with status 101, which ends no request",
		199: "the server answered with status 199, which ends no request",
	} {
		var bodies bodyCount
		e := newEngine(t, transport(func(*http.Request) (*http.Response, error) {
			return answerFrom(status, panicBody{}, -1), nil
		}), through(bodies.middleware))
		r := quick(t, e, put, 1)
		assert.EqualError(t, r.Err, text)
		assert.Equal(t, status, r.StatusCode)
		assert.Len(t, r.Attempts, 2)
		assert.True(t, r.Uncertain)
		bodies.assertClosed(t, 2)
	}
}

type panicBody struct{}

func (panicBody) Read([]byte) (int, error) { panic("read") }
func (panicBody) Close() error             { return nil }

// A transport may break the rules of http.RoundTripper.
func TestRudeTransports(t *testing.T) {
	t.Parallel()
	const neither = "the transport returned neither an answer nor an error"
	both := func(*http.Request) (*http.Response, error) { return answer(200, object), errLost }
	for name, tt := range map[string]struct {
		step step
		text string
	}{
		"nothing":             {fails(nil), neither},
		"both":                {both, errLost.Error()},
		"both, without body":  {gets(&http.Response{StatusCode: 200}, errLost), errLost.Error()},
		"an error with a URL": {fails(&url.Error{Op: "Get", URL: address, Err: errLost}), errLost.Error()},
		"a secret":            {fails(errors.New("got: Bearer s3cret")), "got: Bearer [redacted]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var bodies bodyCount
			r := quick(t, newEngine(t, transport(tt.step), through(bodies.middleware)), get, 1)
			assert.EqualError(t, r.Err, tt.text)
			assert.Len(t, r.Attempts, 2)
			assert.EqualError(t, r.Attempts[0].Err, tt.text)
			assert.Zero(t, r.StatusCode)
			if name == "both" {
				bodies.assertClosed(t, 2)
			}
		})
	}
	r := newEngine(t, script(gets(&http.Response{StatusCode: 200}, nil))).
		Do(t.Context(), get.call(t, address, hasty(1)))
	assert.NoError(t, r.Err, "no body is an empty one")
	assert.Empty(t, r.Body)
}

// What a middleware or a transport of the user's makes of a request is gone with the attempt.
func TestEveryAttemptIsTheSameRequest(t *testing.T) {
	t.Parallel()
	for name, observed := range map[string]option{
		"middleware": through(func(next http.RoundTripper) http.RoundTripper { return next }),
		"transport":  func(c *engine.Config) { c.Observed = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent []string
			next := script(gives(503, ""), loses, gives(429, ""), breaks(200, "{"))
			e := newEngine(t, transport(func(r *http.Request) (*http.Response, error) {
				var b bytes.Buffer
				require.NoError(t, r.Write(&b))
				sent = append(sent, b.String())
				clear(r.Header)
				r.URL.Path, r.URL.Host = "/", "elsewhere.example"
				return next(r)
			}), observed)
			require.NoError(t, e.Do(t.Context(), keyedPost.call(t, address, hasty(4))).Err)
			require.Len(t, sent, 5)
			for _, s := range sent {
				assert.Equal(t, "POST /v1/surveys/s%2F1?subject=hidden HTTP/1.1\r\nHost: api.example.com\r\n"+
					"User-Agent: test\r\nContent-Length: 12\r\nAuthorization: Bearer s3cret\r\n"+
					"Idempotency-Key: key-1\r\n\r\n"+`{"name":"n"}`, s)
			}
		})
	}
}

// The first middleware is the outermost. Each sees every attempt, and the call that it belongs to.
func TestMiddleware(t *testing.T) {
	t.Parallel()
	var seen []string
	var calls []ratelimit.Call
	note := func(name string) func(http.RoundTripper) http.RoundTripper {
		return func(next http.RoundTripper) http.RoundTripper {
			return transport(func(r *http.Request) (*http.Response, error) {
				seen = append(seen, name)
				call, ok := engine.CallFromContext(r.Context())
				assert.True(t, ok)
				calls = append(calls, call)
				return next.RoundTrip(r)
			})
		}
	}
	call := get.call(t, address, hasty(4))
	call.Info.Bulk = true
	r := newEngine(t, script(loses), through(note("outer"), note("inner"))).Do(t.Context(), call)
	require.NoError(t, r.Err)
	assert.Equal(t, []string{"outer", "inner", "outer", "inner"}, seen)
	for i, got := range calls {
		want := call.Info
		want.Attempt = 1 + i/2
		assert.Equal(t, want, got)
	}
}

func TestCallFromContext(t *testing.T) {
	t.Parallel()
	_, ok := engine.CallFromContext(t.Context())
	assert.False(t, ok)
	want := ratelimit.Call{Service: "s", Operation: "o", Method: "m", Route: "r", Attempt: 3, Bulk: true}
	got, ok := engine.CallFromContext(engine.ContextWithCall(t.Context(), want))
	assert.True(t, ok)
	assert.Equal(t, want, got)

	var inside []bool
	for _, observed := range []bool{true, false} {
		newEngine(t, transport(func(r *http.Request) (*http.Response, error) {
			_, ok := engine.CallFromContext(r.Context())
			inside = append(inside, ok)
			return answer(200, ""), nil
		}), func(c *engine.Config) { c.Observed = observed }).Do(t.Context(), get.call(t, address, hasty(0)))
	}
	assert.Equal(t, []bool{true, false}, inside, "nobody asks net/http's transport")
}

// The cookie jar of the user's client is filled and used, by each attempt.
func TestCookieJar(t *testing.T) {
	t.Parallel()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	var cookies, auth []string
	next := script(gives(503, "", "Set-Cookie", "session=1; Path=/"), gives(200, ""))
	e := newEngine(t, transport(func(r *http.Request) (*http.Response, error) {
		cookies, auth = append(cookies, r.Header.Get("Cookie")), append(auth, r.Header.Get("Authorization"))
		return next(r)
	}), func(c *engine.Config) { c.HTTPClient.Jar = jar })
	for range 2 {
		require.NoError(t, e.Do(t.Context(), get.call(t, address, hasty(1))).Err)
	}
	assert.Equal(t, []string{"", "session=1", "session=1"}, cookies)
	assert.Equal(t, []string{"Bearer s3cret", "Bearer s3cret", "Bearer s3cret"}, auth)
}

// Each attempt has its time, body included, however often the call is retried.
func TestAttemptTimeout(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ policy, client, bound time.Duration }{
		"policy":                {10 * time.Second, 0, 10 * time.Second},
		"http.Client":           {10 * time.Second, 7 * time.Second, 7 * time.Second},
		"http.Client is longer": {10 * time.Second, time.Minute, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				policy := usual
				policy.AttemptTimeout = tt.policy
				slow := func(r *http.Request) (*http.Response, error) {
					body := &slowBody{r.Context(), time.Second, int(tt.bound/time.Second) - 1}
					return answerFrom(200, body, -1), nil
				}
				e := newEngine(t, script(hangs, sticks(200), slow), func(c *engine.Config) {
					c.HTTPClient.Timeout = tt.client
				})
				r := e.Do(t.Context(), get.call(t, address, &policy))
				require.NoError(t, r.Err)
				require.Len(t, r.Attempts, 3)
				for i, took := range []time.Duration{tt.bound, tt.bound, tt.bound - time.Second} {
					assert.Equal(t, took, r.Attempts[i].Took)
				}
				for _, a := range r.Attempts[:2] {
					assert.Equal(t, engine.TimeoutError(tt.bound), a.Err)
					assert.ErrorIs(t, a.Err, context.DeadlineExceeded)
				}
			})
		})
	}
}

// The status of an answer is worth more than a body that does not end.
func TestAttemptTimeoutInAnErrorsBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		r := do(t.Context(), t, newEngine(t, transport(sticks(404))), get)
		assert.NoError(t, r.Err)
		assert.Equal(t, 404, r.StatusCode)
		assert.Equal(t, 30*time.Second, time.Since(start))
	})
}

func TestTimeoutError(t *testing.T) {
	t.Parallel()
	err := error(engine.TimeoutError(30 * time.Second))
	assert.EqualError(t, err, "no answer within the attempt's time-out of 30s (RetryPolicy.AttemptTimeout)")
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.NotErrorIs(t, err, context.Canceled)
	netErr, ok := errors.AsType[net.Error](err)
	require.True(t, ok)
	assert.True(t, netErr.Timeout())
}

// The attempt's context ends with the attempt, so that nothing of it is left.
func TestAttemptsContextEnds(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]step{
		"200": gives(200, object), "lost": loses, "cut off": breaks(200, ""),
	} {
		t.Run(name, func(t *testing.T) {
			var ctx atomic.Value
			e := newEngine(t, transport(func(r *http.Request) (*http.Response, error) {
				ctx.Store(r)
				return s(r)
			}))
			quick(t, e, get, -1)
			assert.Equal(t, context.Canceled, context.Cause(ctx.Load().(*http.Request).Context()))
		})
	}
}
