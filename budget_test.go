package clicknps_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
)

// each makes n calls from every one of so many goroutines, and returns the number of those that failed.
func each(t *testing.T, goroutines, n int, c *clicknps.Client, col column) int {
	var group sync.WaitGroup
	var failures atomic.Int32
	for range goroutines {
		group.Go(func() {
			for range n {
				if err := col.call(t.Context(), c); err != nil {
					failures.Add(1)
				}
			}
		})
	}
	group.Wait()
	return int(failures.Load())
}

// In an outage repeats soon stop: a thousand calls would otherwise be five thousand requests.
func TestOutageIsNotAmplified(t *testing.T) {
	for name, test := range map[string]struct {
		serve   inProcess
		repeats int32
	}{
		"lost":      {func(*http.Request) (*http.Response, error) { return loses() }, 100},
		"503":       {func(*http.Request) (*http.Response, error) { return answer(503, ""), nil }, 100},
		"time-outs": {hangsInProcess, 50},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sent atomic.Int32
				c := connect(t, nowhere, clicknps.WithRetryPolicy(clicknps.RetryPolicy{}), through(inProcess(func(r *http.Request) (*http.Response, error) {
					sent.Add(1)
					return test.serve(r)
				})))
				assert.Equal(t, 1000, each(t, 20, 50, c, getCall))
				assert.Equal(t, 1000+test.repeats, sent.Load())
			})
		})
	}
}

// When the outage is over, successes give back what repeats may cost again.
func TestBudgetRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent int
		lost := true
		c := connect(t, nowhere, clicknps.WithRetryPolicy(clicknps.RetryPolicy{}), through(inProcess(func(*http.Request) (*http.Response, error) {
			if sent++; lost {
				return loses()
			}
			return answer(200, object), nil
		})))
		calls := func(n int) (requests int) {
			before := sent
			each(t, 1, n, c, getCall)
			return sent - before
		}
		calls(100)
		require.Equal(t, 10, calls(10), "nothing is repeated any more")
		lost = false
		calls(10)
		lost = true
		assert.Equal(t, 20+10, calls(20), "ten repeats for ten successes")
	})
}

// A wait that a 429 asks for costs nothing: the server is well.
func TestRateLimitCostsNoBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n int
		c := connect(t, nowhere, through(inProcess(func(*http.Request) (*http.Response, error) {
			if n++; n <= 400 {
				return answer(429, "", "Retry-After", "1"), nil
			}
			return loses()
		})))
		assert.Equal(t, 12, each(t, 1, 12, c, getCall), "32 repeats each")
		n = 1000
		each(t, 1, 100, c, getCall)
		assert.Equal(t, 1000+100+100, n)
	})
}

// A line that loses 30 % of all requests or answers never exhausts the budget.
func TestLossyLineIsSurvived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(1, 2))
		var sent int
		c := connect(t, nowhere, clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: 20}), through(inProcess(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			sent++
			kind, latency := random.IntN(10), time.Duration(random.IntN(200))*time.Millisecond
			mu.Unlock()
			<-time.After(latency)
			switch kind {
			case 0:
				return loses()
			case 1:
				return answer(503, ""), nil
			case 2:
				return answerFrom(200, brokenBody("{"), 99), nil
			}
			return answer(200, object), nil
		})))
		assert.Zero(t, each(t, 64, 150, c, clickNPSPost))
		assert.InDelta(t, 64*150/0.7, sent, 500)
	})
}

// With a plan the client waits before the server refuses; repeats count too.
func TestPlanIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var sentAt []time.Duration
		start := time.Now()
		c := connect(t, nowhere, clicknps.WithPlan(clicknps.PlanFree), through(inProcess(func(*http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			if sentAt = append(sentAt, time.Since(start)); len(sentAt) == 10 {
				return loses()
			}
			return answer(200, object), nil
		})))
		require.Zero(t, each(t, 59, 1, c, getCall))
		require.Len(t, sentAt, 60)
		assert.Less(t, sentAt[59], time.Second)

		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		before := time.Now()
		e := asError(t, clickNPSPost.call(ctx, c))
		assert.Zero(t, time.Since(before), "a wait beyond the deadline is refused at once")
		assert.Zero(t, e.StatusCode)
		assert.Zero(t, e.Attempts)
		assert.ErrorIs(t, e, clicknps.ErrRateLimited)
		assert.ErrorIs(t, e, context.DeadlineExceeded)
		assert.NotErrorIs(t, e, clicknps.ErrOutcomeUnknown)
		assert.InDelta(t, time.Minute, e.RetryAfter, float64(time.Second))

		assert.NoError(t, putCall.call(t.Context(), c), "the plan is ClickNPS'")
		require.NoError(t, getCall.call(t.Context(), c))
		assert.GreaterOrEqual(t, sentAt[61], time.Minute)
		assert.Less(t, sentAt[61], time.Minute+time.Second)
	})
}

// An export is one attempt of the limiter, however long it streams.
func TestLimiterIsFreeWhileAnExportStreams(t *testing.T) {
	var limiter countingLimiter
	c := connect(t, nowhere, clicknps.WithSalesOSRateLimiter(&limiter), through(script(gives(200, "score\n"))))
	var during int32 = -1
	require.NoError(t, exportTo(writerFunc(func(p []byte) (int, error) {
		during = limiter.inUse.Load()
		return len(p), nil
	}))(t.Context(), c))
	assert.Zero(t, during)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
