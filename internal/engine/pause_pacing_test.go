package engine_test

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// throttle decides about requests as a server does: how long the answer takes, and whether it is a 429.
type throttle func(now time.Duration) (takes time.Duration, limited bool)

// fixedWindows admits so many requests a second.
func fixedWindows(perSecond int) throttle {
	window, used := time.Duration(-1), 0
	return func(now time.Duration) (time.Duration, bool) {
		if w := now.Truncate(time.Second); w != window {
			window, used = w, 0
		}
		used++
		return 20 * ms, used > perSecond
	}
}

// slidingWindows admits so many requests in any second.
func slidingWindows(perSecond int) throttle {
	var admitted []time.Duration
	return func(now time.Duration) (time.Duration, bool) {
		n := len(admitted)
		if n >= perSecond && now-admitted[n-perSecond] < time.Second {
			return 20 * ms, true
		}
		admitted = append(admitted, now)
		return 20 * ms, false
	}
}

// limitReq is nginx's limit_req: a leaky bucket that holds burst requests.
func limitReq(perSecond, burst int) throttle {
	next, interval := time.Duration(0), time.Second/time.Duration(perSecond)
	return func(now time.Duration) (time.Duration, bool) {
		wait := max(0, next-now)
		if wait > time.Duration(burst)*interval {
			return ms, true
		}
		next = max(next, now) + interval
		return wait + 20*ms, false
	}
}

// Without a plan, calls end without errors, in little more than the time that the server allows. A 429
// that says nothing counts against MaxRetries: with 4, every hundredth call fails at limit_req without a
// burst, and every twelfth if there are 20 callers.
func TestPacingWithoutAPlan(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		throttle   throttle
		perSecond  int
		callers    int
		retryAfter string
		retries    int
		time, cost float64 // at most: over the ideal time; 429s a call
	}{
		"fixed windows":                {fixedWindows(50), 50, 8, "1", 4, 1.05, 0.17},
		"fixed windows, 32 callers":    {fixedWindows(50), 50, 32, "1", 4, 1.05, 0.45},
		"sliding windows":              {slidingWindows(50), 50, 8, "1", 4, 1.2, 0.2},
		"sliding windows, 32 callers":  {slidingWindows(50), 50, 32, "1", 4, 1.2, 0.45},
		"limit_req":                    {limitReq(10, 0), 10, 5, "", 16, 3.5, 1.6},
		"limit_req, burst, 20 callers": {limitReq(10, 5), 10, 20, "", 16, 1.3, 1.0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const calls = 400
				began := time.Now()
				var mu sync.Mutex
				limited, failed, left := 0, 0, calls
				e := newEngine(t, transport(func(*http.Request) (*http.Response, error) {
					mu.Lock()
					takes, refused := tt.throttle(time.Since(began))
					mu.Unlock()
					<-time.After(takes)
					if !refused {
						return answer(200, object), nil
					}
					mu.Lock()
					limited++
					mu.Unlock()
					if tt.retryAfter == "" {
						return answer(429, ""), nil
					}
					return answer(429, "", "Retry-After", tt.retryAfter), nil
				}))
				policy := usual
				policy.MaxRetries = tt.retries
				together(tt.callers, func() {
					for {
						mu.Lock()
						left--
						done := left < 0
						mu.Unlock()
						if done {
							return
						}
						if e.Do(t.Context(), get.call(t, address, &policy)).StatusCode != 200 {
							mu.Lock()
							failed++
							mu.Unlock()
						}
					}
				})
				ideal := time.Duration(calls/tt.perSecond) * time.Second
				took, cost := time.Since(began).Seconds()/ideal.Seconds(), float64(limited)/calls
				t.Logf("%.2f of the ideal time, %.3f answers 429 a call", took, cost)
				assert.Zero(t, failed)
				assert.LessOrEqual(t, took, tt.time)
				assert.LessOrEqual(t, cost, tt.cost)
			})
		})
	}
}
