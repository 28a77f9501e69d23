package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/auth"
	"github.com/clicknps/go-sdk/internal/backoff"
	"github.com/clicknps/go-sdk/internal/engine"
)

// A wait that an answer asks for is kept to the nanosecond; internal/backoff reads it in all its
// forms.
func TestAskedWait(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		step step
		wait time.Duration
	}{
		"429":                    {asks(429, "90"), 90 * time.Second},
		"the longest":            {asks(429, "120"), 2 * time.Minute},
		"shorter than a backoff": {asks(429, "0.25"), 250 * time.Millisecond},
		"the body":               {gives(429, "Retry after 60 seconds."), time.Minute},
		"503":                    {asks(503, "90"), 90 * time.Second},
		"500":                    {asks(500, "90"), 90 * time.Second},
		"by seconds now": {func(r *http.Request) (*http.Response, error) {
			return answer(429, "", "X-RateLimit-Reset", strconv.FormatInt(time.Now().Unix()+7, 10)), nil
		}, 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				r := requireOK(t, newEngine(t, script(tt.step)))
				require.Len(t, r.Attempts, 2)
				assert.Equal(t, tt.wait, r.Attempts[1].Waited)
				assert.Equal(t, tt.wait, time.Since(start))
				assert.Zero(t, r.RetryAfter, "the last answer asks for nothing")
			})
		})
	}
}

// An answer that asks for nothing, or for no time, is backed off: at once nothing would have
// changed.
func TestUnaskedWait(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]step{
		"nothing":         gives(429, ""),
		"zero":            asks(429, "0"),
		"past":            asks(503, "Sat, 01 Jan 2000 00:00:00 GMT"),
		"503 in the body": gives(503, "Retry after 60 seconds."),
		"less, of a 503":  asks(503, "0.1"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := requireOK(t, newEngine(t, script(s)))
				require.Len(t, r.Attempts, 2)
				assert.GreaterOrEqual(t, r.Attempts[1].Waited, 500*time.Millisecond)
				assert.LessOrEqual(t, r.Attempts[1].Waited, time.Second)
			})
		})
	}
}

// Full jitter: any wait between MinBackoff and a bound that doubles up to MaxBackoff.
func TestBackoff(t *testing.T) {
	t.Parallel()
	policy := usual
	policy.MinBackoff, policy.MaxBackoff = time.Second, 6*time.Second
	longest := []time.Duration{0, 2 * time.Second, 4 * time.Second, 6 * time.Second, 6 * time.Second}
	synctest.Test(t, func(t *testing.T) {
		var least, most [5]time.Duration
		for range 300 {
			e := newEngine(t, script(loses, gives(503, ""), gives(429, ""), loses))
			r := e.Do(t.Context(), get.call(t, address, &policy))
			require.Len(t, r.Attempts, 5)
			for i, a := range r.Attempts {
				if least[i] == 0 || a.Waited < least[i] {
					least[i] = a.Waited
				}
				most[i] = max(most[i], a.Waited)
			}
		}
		assert.Zero(t, most[0])
		for i := 1; i < 5; i++ {
			spread := longest[i] - policy.MinBackoff
			assert.GreaterOrEqual(t, least[i], policy.MinBackoff)
			assert.LessOrEqual(t, most[i], longest[i])
			assert.Less(t, least[i], policy.MinBackoff+spread/10, "retry %d", i)
			assert.Greater(t, most[i], longest[i]-spread/10, "retry %d", i)
		}
	})
}

// Waits that a server asks for leave MaxRetries for what fails by itself. After 32 of them there
// is an end.
func TestAskedWaitsDoNotCount(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503} {
		asking, failing := asks(status, "2"), repeat(9, gives(status, ""))
		for name, tt := range map[string]struct {
			steps    []step
			attempts int
			status   int
		}{
			"32 asked, all others":   {append(repeat(32, asking), failing[:4]...), 37, 200},
			"one more asked":         {repeat(40, asking), 33, status},
			"one more failed":        {append(repeat(3, asking), failing...), 8, status},
			"failed before the last": {append(failing[:1:1], repeat(32, asking)...), 34, 200},
		} {
			t.Run(fmt.Sprint(status, " ", name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := do(t.Context(), t, newEngine(t, script(tt.steps...)), get)
					assert.Len(t, r.Attempts, tt.attempts)
					assert.Equal(t, tt.status, r.StatusCode)
					assert.NoError(t, r.Err)
				})
			})
		}
	}
}

// MaxRetries -1 means no retries at all, not even after a 429.
func TestNoRetriesMeansNone(t *testing.T) {
	t.Parallel()
	for _, s := range []step{gives(429, ""), asks(429, "1"), asks(503, "1"), loses, refuses} {
		r := quick(t, newEngine(t, script(s)), get, -1)
		assert.Len(t, r.Attempts, 1)
	}
}

// A wait that would be too long, or outlive the deadline, is not begun. The answer returns at
// once, with the reason.
func TestRefusedWait(t *testing.T) {
	t.Parallel()
	const late = "a retry would outlive the deadline: context deadline exceeded"
	deadline := context.DeadlineExceeded
	outlives := func(wait string) string { return "a wait of " + wait + " would outlive the deadline" }
	for name, tt := range map[string]struct {
		step       step
		status     int
		retryAfter time.Duration
		is         []error
		text       string
	}{
		"429":            {asks(429, "10"), 429, 10 * time.Second, []error{deadline}, outlives("10s")},
		"503":            {asks(503, "10"), 503, 10 * time.Second, []error{deadline}, outlives("10s")},
		"429, too long":  {asks(429, "121"), 429, 121 * time.Second, []error{deadline}, outlives("2m1s")},
		"backoff of 503": {gives(503, ""), 503, 0, []error{deadline}, late},
		"backoff of 429": {gives(429, ""), 429, 0, []error{deadline}, late},
		"loss": {
			loses, 0, 0,
			[]error{deadline, errLost},
			"connection reset by peer; " + late,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				policy := usual
				policy.MinBackoff, policy.MaxBackoff = 5*time.Second, 5*time.Second // exactly at the deadline
				start := time.Now()
				r := newEngine(t, script(tt.step)).Do(ctx, get.call(t, address, &policy))
				assert.Zero(t, time.Since(start))
				assert.Len(t, r.Attempts, 1)
				assert.Equal(t, tt.status, r.StatusCode)
				assert.Equal(t, tt.retryAfter, r.RetryAfter)
				require.EqualError(t, r.Err, tt.text)
				for _, is := range tt.is {
					assert.ErrorIs(t, r.Err, is)
				}
			})
		})
	}
}

func TestWaitIsLongerThanMaxRetryAfter(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503, 500} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			r := do(t.Context(), t, newEngine(t, script(asks(status, "120.000000001"))), get)
			assert.Zero(t, time.Since(start))
			assert.Equal(t, status, r.StatusCode)
			assert.EqualError(t, r.Err, "a wait of 2m0.000000001s is longer than MaxRetryAfter")
			refusal, ok := errors.AsType[*backoff.RefusedError](r.Err)
			require.True(t, ok)
			assert.Equal(t, 2*time.Minute+1, refusal.Wait)
		})
	}
}

// MaxRetryAfter bounds what servers ask for, and not the backoff.
func TestBackoffIsLongerThanMaxRetryAfter(t *testing.T) {
	t.Parallel()
	for _, s := range []step{asks(503, "1"), gives(503, ""), gives(429, ""), loses} {
		synctest.Test(t, func(t *testing.T) {
			policy := usual
			policy.MinBackoff, policy.MaxBackoff = 10*time.Minute, 10*time.Minute
			r := newEngine(t, script(s)).Do(t.Context(), get.call(t, address, &policy))
			require.NoError(t, r.Err)
			require.Len(t, r.Attempts, 2)
			assert.Equal(t, 10*time.Minute, r.Attempts[1].Waited)
		})
	}
}

// Whatever is waited for, the end of the context ends it at once, and the error says why.
func TestCancelledWait(t *testing.T) {
	t.Parallel()
	policy := usual
	policy.MinBackoff, policy.MaxBackoff = time.Minute, time.Minute
	for name, tt := range map[string]struct {
		step   step
		status int
		text   string
	}{
		"backoff of a 503":  {gives(503, ""), 503, "context canceled: the user went home"},
		"backoff of a loss": {loses, 0, "connection reset by peer; context canceled: the user went home"},
		"asked wait":        {asks(429, "60"), 429, "context canceled: the user went home"},
		"request":           {hangs, 0, "context canceled: the user went home"},
		"body":              {sticks(200), 200, "context canceled: the user went home"},
		"body of an error":  {sticks(503), 503, "context canceled: the user went home"},
		"body of a 404":     {sticks(404), 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(20*time.Second, func() { cancel(errGone) })
				start := time.Now()
				r := newEngine(t, script(tt.step)).Do(ctx, get.call(t, address, &policy))
				assert.Equal(t, 20*time.Second, time.Since(start))
				assert.Len(t, r.Attempts, 1)
				assert.Equal(t, tt.status, r.StatusCode)
				if tt.text == "" {
					assert.NoError(t, r.Err)
					return
				}
				assert.EqualError(t, r.Err, tt.text)
				assert.ErrorIs(t, r.Err, context.Canceled)
				assert.ErrorIs(t, r.Err, errGone)
			})
		})
	}
}

// A call does not go on after an attempt when nobody wants it any more, and does not begin.
func TestCancelledBeforeTheWait(t *testing.T) {
	t.Parallel()
	for _, sent := range []int{0, 1} {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		n := 0
		e := newEngine(t, transport(func(*http.Request) (*http.Response, error) {
			n++
			cancel(errGone)
			return answer(503, ""), nil
		}))
		if sent == 0 {
			cancel(errGone)
		}
		r := e.Do(ctx, get.call(t, address, hasty(4)))
		assert.EqualError(t, r.Err, "context canceled: the user went home")
		assert.ErrorIs(t, r.Err, errGone)
		assert.Equal(t, sent, n)
		assert.Len(t, r.Attempts, sent)
		assert.Equal(t, 503*sent, r.StatusCode, "the answer is kept")
	}
}

// renewable is a credential whose nth value is "Bearer token-n".
func renewable(fetched *int) *auth.Credential {
	return auth.Renewed("Authorization", "Bearer ", func(context.Context) (auth.Token, error) {
		*fetched++
		return auth.Token{Value: fmt.Sprint("token-", *fetched)}, nil
	})
}

// After a 401 a renewed credential is tried once, at once, beside all other retries.
func TestRenewedCredential(t *testing.T) {
	t.Parallel()
	denied := gives(401, "")
	for name, tt := range map[string]struct {
		steps      []step
		maxRetries int
		tokens     []string
		status     int
	}{
		"once":                 {[]step{denied}, 0, []string{"1", "2"}, 200},
		"twice":                {[]step{denied, denied}, 4, []string{"1", "2"}, 401},
		"without retries":      {[]step{denied}, -1, []string{"1", "2"}, 200},
		"beside other retries": {[]step{loses, denied, loses, denied}, 2, []string{"1", "1", "2", "2"}, 401},
		"and then all retries": {[]step{denied, loses, loses}, 2, []string{"1", "2", "2", "2"}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fetched, next := 0, script(tt.steps...)
				var tokens []string
				e := newEngine(t, transport(func(r *http.Request) (*http.Response, error) {
					tokens = append(tokens, r.Header.Get("Authorization")[len("Bearer token-"):])
					r.Header.Set("Authorization", "what a middleware makes of it")
					return next(r)
				}), func(c *engine.Config) { c.Credential = renewable(&fetched) })
				policy := hasty(tt.maxRetries)
				policy.MinBackoff, policy.MaxBackoff = time.Second, time.Second
				r := e.Do(t.Context(), get.call(t, address, policy))
				for i := range r.Attempts[1:] {
					wait := time.Second
					if tt.tokens[i] != tt.tokens[i+1] {
						wait = time.Nanosecond
					}
					assert.Equal(t, wait, r.Attempts[i+1].Waited)
				}
				assert.Equal(t, tt.tokens, tokens)
				assert.Equal(t, tt.status, r.StatusCode)
				assert.NoError(t, r.Err)
			})
		})
	}
	r := do(t.Context(), t, newEngine(t, script(denied)), get)
	assert.Len(t, r.Attempts, 1, "one that can't be renewed")
	assert.Equal(t, 401, r.StatusCode)
}

func TestCredentialFails(t *testing.T) {
	t.Parallel()
	var permits counter
	e := newEngine(t, script(), limitedBy(&permits), func(c *engine.Config) {
		c.Credential = auth.Renewed("Authorization", "", func(context.Context) (auth.Token, error) {
			return auth.Token{}, errLost
		})
	})
	r := do(t.Context(), t, e, get)
	assert.ErrorIs(t, r.Err, errLost)
	assert.Empty(t, r.Attempts)
	assert.Equal(t, 1, permits.acquired)
	assert.Len(t, permits.outcomes, 1, "the permit goes back")
	assert.False(t, permits.outcomes[0].Sent)
}

// The log has a record an attempt, and one before a long wait; no query, no header and no body.
func TestLog(t *testing.T) {
	t.Parallel()
	logged := func(t *testing.T, level slog.Level, k kind, steps ...step) (records []map[string]any) {
		synctest.Test(t, func(t *testing.T) {
			e := newEngine(t, script(steps...), logFunc(level, func(r slog.Record) {
				fields := map[string]any{"": r.Level.String() + " " + r.Message}
				r.Attrs(func(a slog.Attr) bool { fields[a.Key] = a.Value.Any(); return true })
				records = append(records, fields)
			}))
			do(t.Context(), t, e, k)
		})
		return records
	}
	fields := func(message string, more map[string]any) map[string]any {
		m := map[string]any{
			"": message, "service": "clicknps", "operation": "Surveys.X", "method": "PUT",
			"path":    "/v1/surveys/s%2F1",
			"attempt": int64(1), "status": int64(0), "waited": time.Duration(0), "took": time.Duration(0),
		}
		for name, value := range more {
			m[name] = value
		}
		return m
	}
	asked, took := gives(429, "", "Retry-After", "60", "X-Request-Id", "req-1"), after(time.Second, loses)
	retried := fields("INFO clicknps: request is retried", map[string]any{
		"status": int64(429), "wait": time.Minute, "request_id": "req-1",
	})
	assert.Equal(t, []map[string]any{
		retried,
		fields("DEBUG clicknps: request", map[string]any{
			"attempt": int64(2), "status": int64(404), "waited": time.Minute, "request_id": "req-2",
		}),
	}, logged(t, slog.LevelDebug, put, asked, gives(404, "", "X-Request-Id", "req-2")))
	assert.Equal(t, []map[string]any{retried}, logged(t, slog.LevelInfo, put, asked))
	assert.Empty(t, logged(t, slog.LevelWarn, put, asked))
	got := logged(t, slog.LevelDebug, post, took)
	assert.Equal(t, []map[string]any{
		fields("DEBUG clicknps: request", map[string]any{
			"method": "POST", "took": time.Second, "error": "connection reset by peer",
		}),
	}, got)
}
