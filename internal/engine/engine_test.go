package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/engine"
	"github.com/clicknps/go-sdk/internal/ratelimit"
)

func TestMiddlewareWithoutARoundTripper(t *testing.T) {
	t.Parallel()
	_, err := engine.New(engine.Config{
		HTTPClient: new(http.Client),
		Middleware: []func(http.RoundTripper) http.RoundTripper{
			func(http.RoundTripper) http.RoundTripper { return nil },
		},
	})
	assert.EqualError(t, err, "a middleware returned no RoundTripper")
}

// A client without a Transport means http.DefaultTransport.
func TestDefaultTransport(t *testing.T) {
	t.Parallel()
	server := newRawServer(t, succeeds)
	r := newEngine(t, nil).Do(t.Context(), get.call(t, server.url(), hasty(-1)))
	require.NoError(t, r.Err)
	assert.Equal(t, object, string(r.Body))
	want := rawRequest{Method: "GET", URI: "/v1/surveys/s%2F1?subject=hidden", Authorization: "Bearer s3cret"}
	assert.Equal(t, []rawRequest{want}, server.seen())
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// The facts of a call: one attempt is one entry, with all that is known of it.
func TestResult(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, script(
			after(time.Second, gives(429, "slow down", "Retry-After", "10", "X-Request-Id", "r1")),
			after(2*time.Second, loses),
			after(3*time.Second, gives(404, `{"error":"x"}`, "X-Request-Id", "r3", "X-Other", "o")),
		))
		policy := usual
		policy.MinBackoff, policy.MaxBackoff = 5*time.Second, 5*time.Second
		r := e.Do(t.Context(), get.call(t, address, &policy))
		facts := make([]engine.Attempt, 3)
		for i, a := range r.Attempts { // without what is the package's own
			facts[i] = engine.Attempt{
				StatusCode: a.StatusCode, Err: a.Err, Waited: a.Waited, Took: a.Took, RequestID: a.RequestID,
			}
		}
		assert.Equal(t, []engine.Attempt{
			{StatusCode: 429, Took: time.Second, RequestID: "r1"},
			{Err: errLost, Waited: 10 * time.Second, Took: 2 * time.Second},
			{StatusCode: 404, Waited: 5 * time.Second, Took: 3 * time.Second, RequestID: "r3"},
		}, facts)
		assert.NoError(t, r.Err)
		assert.Equal(t, 404, r.StatusCode)
		assert.Equal(t, http.Header{"X-Request-Id": {"r3"}, "X-Other": {"o"}}, r.Header)
		assert.Equal(t, `{"error":"x"}`, string(r.Body))
		assert.Zero(t, r.RetryAfter)
		assert.Nil(t, r.Stream)
	})
}

// A loss leaves nothing of the answers before it.
func TestResultOfALoss(t *testing.T) {
	t.Parallel()
	r := quick(t, newEngine(t, script(gives(503, "busy", "Retry-After", "0.001", "X-A", "a"), loses)), get, 0)
	assert.Equal(t, errLost, r.Err)
	assert.Zero(t, r.StatusCode)
	assert.Nil(t, r.Header)
	assert.Nil(t, r.Body)
	assert.Zero(t, r.RetryAfter)
}

// Every attempt waits for a permit of its own. It is given back, with what came of the attempt,
// before the next wait.
func TestPermits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var permits counter
		sent := 0
		next := script(gives(503, "", "X-A", "a"), loses, breaks(200, "{"), asks(429, "60"), refuses)
		e := newEngine(t, transport(func(r *http.Request) (*http.Response, error) {
			sent++
			assert.Equal(t, sent, permits.acquired)
			assert.Len(t, permits.outcomes, sent-1)
			return next(r)
		}), limitedBy(&permits))
		call := keyedPost.call(t, address, &usual)
		call.Info.Bulk = true
		require.NoError(t, e.Do(t.Context(), call).Err)
		assert.Equal(t, []ratelimit.Outcome{
			{Sent: true, StatusCode: 503, Header: http.Header{"X-A": {"a"}}},
			{Sent: true},
			{Sent: true, StatusCode: 200, Header: http.Header{}},
			{Sent: true, StatusCode: 429, Header: http.Header{"Retry-After": {"60"}}},
			{Sent: false},
			{Sent: true, StatusCode: 200, Header: http.Header{}},
		}, permits.outcomes)
		for i, c := range permits.calls {
			want := call.Info
			want.Attempt = i + 1
			assert.Equal(t, want, c)
		}
	})
}

// A permit is given back exactly once, whichever way a call ends.
func TestPermitsAreGivenBack(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]step{
		"200": gives(200, ""), "404": gives(404, ""), "lost": loses, "hangs": hangs, "sticks": sticks(200),
		"429":          gives(429, ""),
		"refused wait": asks(429, "9999"), "nothing": fails(nil),
		"panic":  panics,
		"Goexit": func(*http.Request) (*http.Response, error) { runtime.Goexit(); return nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var permits counter
				e := newEngine(t, transport(s), limitedBy(&permits))
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
				defer cancel()
				together(3, func() {
					defer func() { _ = recover() }()
					do(ctx, t, e, get)
				})
				assert.Positive(t, permits.acquired)
				assert.Len(t, permits.outcomes, permits.acquired)
			})
		})
	}
}

// A limiter that refuses ends the call. An answer that came before is kept.
func TestLimiterRefuses(t *testing.T) {
	t.Parallel()
	errRedis := errors.New("redis is away")
	permits := counter{refuse: func(n int) error {
		if n > 2 {
			return errRedis
		}
		return nil
	}}
	e := newEngine(t, script(loses, gives(503, "")), limitedBy(&permits))
	r := quick(t, e, get, 4)
	assert.Equal(t, errRedis, r.Err)
	assert.Equal(t, 503, r.StatusCode)
	assert.Len(t, r.Attempts, 2)
	r = quick(t, e, get, 4)
	assert.Equal(t, errRedis, r.Err)
	assert.Zero(t, r.StatusCode)
	assert.Empty(t, r.Attempts)

	permits.refuse = func(n int) error {
		if n == 6 {
			return errRedis
		}
		return nil
	}
	r = quick(t, newEngine(t, transport(loses), limitedBy(&permits)), get, 4)
	assert.EqualError(t, r.Err, "connection reset by peer; redis is away", "both reasons")
	assert.ErrorIs(t, r.Err, errRedis)
	assert.ErrorIs(t, r.Err, errLost)
}

// slowLimiter grants a permit after a time.
type slowLimiter struct {
	ratelimit.Unlimited
	wait time.Duration
}

func (l slowLimiter) Acquire(ctx context.Context, call ratelimit.Call) (func(ratelimit.Outcome), error) {
	if err := engine.Sleep(ctx, l.wait); err != nil {
		return nil, err
	}
	return l.Unlimited.Acquire(ctx, call)
}

// How long a permit takes is the limiter's secret: it is logged when the wait has lasted a second,
// and after it.
func TestWaitForAPermit(t *testing.T) {
	t.Parallel()
	const line = "INFO clicknps: waiting for a permit of the rate limiter"
	for _, tt := range []struct {
		wait  time.Duration
		level slog.Level
		lines []string
	}{
		{time.Hour, slog.LevelInfo, []string{"1s " + line}},
		{time.Second - 1, slog.LevelInfo, nil},
		{time.Hour, slog.LevelWarn, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			var lines []string
			start := time.Now()
			log := logFunc(tt.level, func(r slog.Record) {
				lines = append(lines, fmt.Sprint(time.Since(start), " ", r.Level, " ", r.Message))
			})
			e := newEngine(t, script(), limitedBy(slowLimiter{wait: tt.wait}), log)
			r := requireOK(t, e)
			assert.Equal(t, tt.wait, r.Attempts[0].Waited)
			<-time.After(time.Minute)
			synctest.Wait() // orders the log's writes before the read
			assert.Equal(t, tt.lines, lines)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { cancel(errGone) })
		r := do(ctx, t, newEngine(t, script(), limitedBy(slowLimiter{wait: time.Hour})), get)
		assert.EqualError(t, r.Err, "context canceled: the user went home")
	})
}

// A limiter or a source that returns its own error, when the context ends it, does not hide why.
func TestCauseIsAdded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	permits := counter{refuse: func(int) error {
		cancel(errGone)
		return errLost
	}}
	r := do(ctx, t, newEngine(t, script(), limitedBy(&permits)), get)
	assert.EqualError(t, r.Err, "connection reset by peer: context canceled: the user went home")
	for _, is := range []error{errLost, context.Canceled, errGone} {
		assert.ErrorIs(t, r.Err, is)
	}
}

func TestSleep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, cancel := context.WithCancelCause(t.Context())
		for _, d := range []time.Duration{0, -1, time.Hour} {
			assert.NoError(t, engine.Sleep(ctx, d))
		}
		assert.Equal(t, time.Hour, time.Since(start))
		time.AfterFunc(time.Minute, func() { cancel(errGone) })
		assert.EqualError(t, engine.Sleep(ctx, time.Hour), "context canceled: the user went home")
		assert.Equal(t, time.Hour+time.Minute, time.Since(start))
		assert.ErrorIs(t, engine.Sleep(ctx, time.Hour), errGone)
		assert.ErrorIs(t, engine.Sleep(ctx, 0), context.Canceled)
		assert.Equal(t, time.Hour+time.Minute, time.Since(start))
		deadline, cancel2 := context.WithTimeout(t.Context(), time.Second)
		defer cancel2()
		assert.Equal(t, context.DeadlineExceeded, engine.Sleep(deadline, time.Hour), "said once")
	})
}

// Calls share nothing but what they should: many at once, some failing, each get their own answer.
func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	n := 0
	e := newEngine(t, transport(func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		n++
		fails := n%3 == 0
		mu.Unlock()
		if fails {
			return answer(503, "busy"), nil
		}
		return answer(200, r.URL.Path), nil
	}), withBudget(-1))
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			for j := range 50 {
				path := fmt.Sprintf("/%d/%d", i, j)
				policy := hasty(100)
				policy.MinBackoff, policy.MaxBackoff = 1, 1
				r := e.Do(t.Context(), get.call(t, "http://api.example.com"+path, policy))
				assert.Equal(t, path, string(r.Body))
				r.Free()
			}
		})
	}
	group.Wait()
}
