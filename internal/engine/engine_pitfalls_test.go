package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/engine"
)

// The numbered tests are what go-retryablehttp does by default and a caller must not notice.

func TestPitfall01SlowPOSTIsSentOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var a arrivals
		r := do(t.Context(), t, newEngine(t, a.before(hangs)), post)
		assert.Equal(t, engine.TimeoutError(30*time.Second), r.Err)
		assert.True(t, r.Uncertain)
		assert.Len(t, a.at, 1)
	})
}

func TestPitfall02LastAnswerIsKeptOnGivingUp(t *testing.T) {
	t.Parallel()
	body := `{"error":{"type":"maintenance","message":"Back at noon"}}`
	e := newEngine(t, script(gives(502, "first"), loses, gives(503, body, "X-Request-Id", "req_7")))
	r := quick(t, e, get, 2)
	assert.NoError(t, r.Err)
	assert.Equal(t, 503, r.StatusCode)
	assert.Equal(t, body, string(r.Body))
	assert.Equal(t, "req_7", r.Header.Get("X-Request-Id"))
	assert.Len(t, r.Attempts, 3)

	r = quick(t, newEngine(t, script(gives(502, "first"), loses)), get, 1)
	assert.Equal(t, errLost, r.Err, `nothing of "giving up after 2 attempts"`)
}

func TestPitfall03RetryAfterHasABound(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			r := do(t.Context(), t, newEngine(t, script(asks(status, "86400"))), get)
			assert.Equal(t, status, r.StatusCode)
			assert.Equal(t, 24*time.Hour, r.RetryAfter)
			assert.Len(t, r.Attempts, 1)
			assert.Zero(t, time.Since(start))
		})
	}
}

func TestPitfall04HugeRetryAfterDoesNotOverflow(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		"9223372037", "9223372036854775807", "99999999999999999999999", "1e300", strings.Repeat("9", 400),
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			e := newEngine(t, script(asks(429, value)))
			r := do(t.Context(), t, e, get)
			assert.Equal(t, time.Duration(math.MaxInt64), r.RetryAfter)
			assert.Len(t, r.Attempts, 1)
			r = do(t.Context(), t, e, get)
			assert.Empty(t, r.Attempts, "the pause lasts")
			assert.Zero(t, time.Since(start))
		})
	}
}

func TestPitfall05DeadlineInsideTheWaitReturnsThe429AtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 59*time.Second)
		defer cancel()
		start := time.Now()
		r := do(ctx, t, newEngine(t, script(gives(429, "Slow down", "Retry-After", "60"))), get)
		assert.Equal(t, 429, r.StatusCode)
		assert.Equal(t, "Slow down", string(r.Body))
		assert.Equal(t, time.Minute, r.RetryAfter)
		assert.ErrorIs(t, r.Err, context.DeadlineExceeded)
		assert.Zero(t, time.Since(start))
	})
}

// meet is a reply that waits for n requests, so that each has a connection of its own.
func meet(n int) reply {
	var together sync.WaitGroup
	together.Add(n)
	return func(conn net.Conn) bool {
		together.Done()
		together.Wait()
		return succeeds(conn)
	}
}

func TestPitfall06WarmConnectionsSurviveFailures(t *testing.T) {
	t.Parallel()
	const warm = 2 // net/http keeps two idle connections a host
	gathers := meet(warm)
	server := newRawServer(t, gathers, gathers, answers(503, ""), answers(503, ""), answers(404, ""),
		sends("HTTP/1.1 429 X\r\nRetry-After: 0.001\r\nContent-Length: 0\r\n\r\n"),
		answers(503, ""), succeeds)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last atomic.Bool
	e := newEngine(t, ownTransport(t), logFunc(slog.LevelInfo, func(slog.Record) {
		if last.Load() {
			cancel()
		}
	}))
	call := get.call(t, server.url(), hasty(1))
	together(warm, func() { e.Do(ctx, call) })
	require.Equal(t, warm, server.accepted())
	assert.Equal(t, 503, e.Do(ctx, call).StatusCode, "given up")
	assert.Equal(t, 404, e.Do(ctx, call).StatusCode)
	call.Policy.MaxRetryAfter = 1
	assert.Error(t, e.Do(ctx, call).Err, "a wait that is refused")
	call.Policy.MaxRetryAfter = time.Minute
	last.Store(true)
	assert.ErrorIs(t, e.Do(ctx, call).Err, context.Canceled, "a wait that is ended")
	require.Len(t, server.seen(), warm+5)
	for range warm {
		assert.NoError(t, e.Do(t.Context(), call).Err)
	}
	assert.Equal(t, warm, server.accepted())
}

func TestPitfall07NoQueryInLogsAndErrors(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]reply{
		"reset": resets(""), "503": answers(503, ""), "not HTTP": hangsUp("?"),
		"redirect":   sends("HTTP/1.1 302 X\r\nLocation: /elsewhere?hidden\r\nContent-Length: 0\r\n\r\n"),
		"cut off":    hangsUp("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
		"bad header": hangsUp("HTTP/1.1 200 OK\r\nBearer s3cret\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			e := newEngine(t, ownTransport(t), func(c *engine.Config) {
				c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			})
			r := e.Do(t.Context(), get.call(t, newRawServer(t, failure).url(), hasty(1)))
			for _, text := range []string{log.String(), fmt.Sprintf("%v %+v %#v", r.Err, r.Err, r.Attempts)} {
				assert.NotContains(t, text, "hidden")
				assert.NotContains(t, text, "s3cret")
			}
			assert.Contains(t, log.String(), "path=/v1/surveys/s%2F1")
		})
	}
}

// Pitfall 8, a connection for each large error body, is TestConnectionIsUsedAgain.

func TestPitfall09EveryBodyIsClosedOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		steps  []step
		bodies int
	}{
		"success":            {nil, 1},
		"404":                {[]step{gives(404, "")}, 1},
		"redirect":           {[]step{gives(302, "", "Location", "http://127.0.0.1:2/")}, 1},
		"redirect to itself": {[]step{gives(307, "", "Location", address)}, 1},
		"bad redirect":       {[]step{gives(307, "", "Location", "://")}, 1},
		"retries":            {[]step{gives(503, ""), loses, breaks(200, ""), gives(429, "")}, 4},
		"given up":           {append(repeat(4, gives(500, "")), breaks(500, "")), 5},
		"hangs":              {[]step{hangs}, 1},
		"sticks":             {[]step{sticks(200), sticks(404)}, 2},
		"large error":        {[]step{gets(answerFrom(404, &endless{left: 1 << 40}, -1), nil)}, 1},
		"wait refused":       {[]step{asks(429, "9999")}, 1},
		"credential":         {[]step{gives(401, "")}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var bodies bodyCount
				do(t.Context(), t, newEngine(t, script(tt.steps...), through(bodies.middleware)), get)
				bodies.assertClosed(t, tt.bodies)
			})
		})
	}
}

// Pitfall 10, a wait that is only in the body, is in TestAskedWait; pitfall 11 is
// TestEveryAttemptIsTheSameRequest.

func TestPitfall12AnAnswerThatArrivedIsKept(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		ctx, cancel := context.WithCancel(t.Context())
		e := newEngine(t, transport(func(*http.Request) (*http.Response, error) {
			return answerFrom(200, &cancelledAtEnd{strings.NewReader(object), cancel}, -1), nil
		}))
		r := do(ctx, t, e, k)
		assert.NoError(t, r.Err)
		assert.Equal(t, object, string(r.Body))
		assert.Error(t, ctx.Err())
	}
}

// cancelledAtEnd is a body after whose last byte the caller loses interest.
type cancelledAtEnd struct {
	*strings.Reader
	cancel context.CancelFunc
}

func (b *cancelledAtEnd) Close() error { b.cancel(); return nil }

// A transport may go on reading a request's body after it has failed: another attempt must not be
// in its way.
func TestPitfall12BodiesAreNotShared(t *testing.T) {
	t.Parallel()
	var group sync.WaitGroup
	var n atomic.Int32
	e := newEngine(t, roundTripper(func(r *http.Request) (*http.Response, error) {
		group.Go(func() {
			b, err := io.ReadAll(r.Body)
			assert.NoError(t, err)
			assert.Equal(t, `{"name":"n"}`, string(b))
			_ = r.Header.Get("Authorization")
		})
		if n.Add(1)%3 == 0 {
			return nil, errLost
		}
		return answer(200, object), nil
	}))
	for range 8 {
		group.Go(func() { assert.NoError(t, e.Do(t.Context(), keyedPost.call(t, address, hasty(99))).Err) })
	}
	group.Wait()
}

// roundTripper is a transport that closes no request bodies.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
