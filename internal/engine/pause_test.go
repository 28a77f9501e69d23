package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/backoff"
	"github.com/clicknps/go-sdk/internal/ratelimit"
)

const ms = time.Millisecond

// A client that knows nothing lets all its first calls go at once.
func TestFirstCallsGoAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		e := newEngine(t, script(repeat(10, after(150*ms, gives(200, object)))...))
		together(10, func() { requireOK(t, e) })
		assert.Equal(t, 150*ms, time.Since(start))
	})
}

// One answer that says how long pauses every call. When the pause ends, one probe goes first.
func TestPause(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503} {
		synctest.Test(t, func(t *testing.T) {
			var a arrivals
			next := script(asks(status, "60"))
			e := newEngine(t, a.before(transport(after(20*ms, step(next)))))
			var group sync.WaitGroup
			for i := range 20 {
				group.Go(func() {
					<-time.After(time.Duration(i) * 5 * time.Second)
					requireOK(t, e)
				})
			}
			group.Wait()
			assert.Equal(t, 1, a.until(60*time.Second+20*ms-1))
			assert.Equal(t, 60*time.Second+20*ms, a.at[1], "the probe")
			assert.Equal(t, 2, a.until(60*time.Second+40*ms), "goes alone")
			assert.Equal(t, 14, a.until(65*time.Second), "and then all others at once")
			for _, at := range a.at[2:14] {
				assert.Equal(t, 60*time.Second+40*ms, at)
			}
			assert.Len(t, a.at, 21)
		})
	}
}

// An answer that says nothing is backed off by its own call alone; so is a wait that no 429 or 503
// asks for.
func TestNoPause(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]step{
		"429":                  gives(429, ""),
		"429 of no time":       asks(429, "0"),
		"503":                  gives(503, ""),
		"500 that asks":        asks(500, "60"),
		"404 that asks":        asks(404, "60"),
		"200 that asks":        asks(200, "60"),
		"429 that was cut off": breaks(429, "Retry"),
		"lost":                 loses,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEngine(t, script(s))
				var group sync.WaitGroup
				group.Go(func() { do(t.Context(), t, e, get) })
				synctest.Wait()
				start := time.Now()
				requireOK(t, e)
				assert.Zero(t, time.Since(start))
				group.Wait()
			})
		})
	}
}

// The longest pause counts, in whatever order the answers come.
func TestPauseIsNeverCutShort(t *testing.T) {
	t.Parallel()
	for _, seconds := range [][2]string{{"60", "5"}, {"5", "60"}} {
		synctest.Test(t, func(t *testing.T) {
			e := newEngine(t, script(
				after(ms, asks(429, seconds[0])), after(2*ms, asks(429, seconds[1])),
			))
			policy := usual
			policy.MaxRetries = -1
			together(2, func() { e.Do(t.Context(), get.call(t, address, &policy)) })
			start := time.Now()
			requireOK(t, e)
			assert.InDelta(t, time.Minute, time.Since(start), float64(ms))
		})
	}
}

// The answer to a request that was sent before the pause says nothing about it.
func TestLateAnswerDoesNotEndThePause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var a arrivals
		e := newEngine(t, a.before(script(after(5*time.Second, gives(200, "")), asks(429, "60"))))
		together(2, func() { requireOK(t, e) })
		requireOK(t, e)
		assert.Equal(t, []time.Duration{0, 0, time.Minute, time.Minute}, a.at)
	})
}

// What follows a pause depends on the probe.
func TestProbe(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		probe  step
		others time.Duration // after the probe
		alone  int           // how many of the others go first
	}{
		"200":                          {after(20*ms, gives(200, "")), 20 * ms, 5},
		"404":                          {after(20*ms, gives(404, "")), 20 * ms, 5},
		"503":                          {after(20*ms, gives(503, "")), 20 * ms, 5},
		"429 that says nothing":        {after(20*ms, gives(429, "")), 20 * ms, 5},
		"cut-off 200":                  {after(20*ms, breaks(200, "")), 20 * ms, 5},
		"429 again":                    {after(20*ms, asks(429, "30")), 20*ms + 30*time.Second, 1},
		"503 that asks":                {after(20*ms, asks(503, "30")), 20*ms + 30*time.Second, 1},
		"lost":                         {after(20*ms, loses), 20 * ms, 1},
		"slow, but not too slow":       {after(time.Second-1, gives(200, "")), time.Second - 1, 5},
		"slower than others' patience": {after(10*time.Second, gives(200, "")), time.Second, 1},
		"without an answer":            {hangs, time.Second, 1},
		"panics":                       {after(20*ms, panics), 20 * ms, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var a arrivals
				policy := usual
				policy.MaxRetries = -1
				e := newEngine(t, a.before(script(asks(429, "60"), tt.probe,
					after(5*ms, gives(200, "")), after(5*ms, gives(200, "")), after(5*ms, gives(200, "")))))
				require.Equal(t, 429, e.Do(t.Context(), get.call(t, address, &policy)).StatusCode)
				<-time.After(time.Minute)
				var group sync.WaitGroup
				group.Go(func() {
					defer func() { _ = recover() }()
					e.Do(t.Context(), get.call(t, address, &policy))
				})
				synctest.Wait()
				for range 5 {
					group.Go(func() { requireOK(t, e) })
				}
				group.Wait()
				require.Len(t, a.at, 7)
				assert.Equal(t, time.Minute, a.at[1])
				assert.Equal(t, time.Minute+tt.others, a.at[2])
				assert.Equal(t, 2+tt.alone, a.until(time.Minute+tt.others+1))
				assert.Equal(t, 7, a.until(time.Minute+tt.others+6*ms))
			})
		})
	}
}

func panics(*http.Request) (*http.Response, error) { panic("transport") }

// A probe that others have given up waiting for may find the server well, and another the
// opposite. The later holds.
func TestSlowProbeDoesNotEndALaterPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var a arrivals
		ask := asks(429, "60")
		e := newEngine(t, a.before(script(ask, after(5*time.Second, gives(200, "")), ask)))
		var group sync.WaitGroup
		group.Go(func() { requireOK(t, e) })
		synctest.Wait() // until it is asked to wait
		group.Go(func() { requireOK(t, e) })
		<-time.After(70 * time.Second)
		requireOK(t, e)
		group.Wait()
		const minute, s = time.Minute, time.Second
		assert.Equal(t, []time.Duration{0, minute, minute + s, 2*minute + s, 2*minute + s}, a.at)
	})
}

// A call that is cancelled while it waits in another call's pause, or for another's probe, ends at
// once.
func TestCancelledInAPause(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		steps []step
		wait  time.Duration // before the call
	}{
		"pause": {[]step{asks(429, "60")}, 0},
		"probe": {[]step{asks(429, "60"), after(ms*500, gives(200, ""))}, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEngine(t, script(tt.steps...))
				var group sync.WaitGroup
				group.Go(func() { requireOK(t, e) })
				<-time.After(tt.wait + ms)
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(250*ms, func() { cancel(errGone) })
				start := time.Now()
				r := do(ctx, t, e, get)
				assert.Equal(t, 250*ms, time.Since(start))
				assert.EqualError(t, r.Err, "context canceled: the user went home")
				assert.ErrorIs(t, r.Err, context.Canceled)
				assert.ErrorIs(t, r.Err, errGone)
				assert.Empty(t, r.Attempts)
				assert.Zero(t, r.StatusCode)
				group.Wait()
			})
		})
	}
}

// A call that the pause would keep too long is refused at once. When the rest is short enough, it
// waits.
func TestRefusedInAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, script(asks(429, "121")))
		do(t.Context(), t, e, get)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, tt := range []struct {
			ctx  context.Context
			is   error
			text string
		}{
			{t.Context(), nil, "a wait of 2m1s is longer than MaxRetryAfter"},
			{ctx, context.DeadlineExceeded, "a wait of 2m1s would outlive the deadline"},
		} {
			r := do(tt.ctx, t, e, get)
			assert.EqualError(t, r.Err, tt.text)
			refusal, ok := errors.AsType[*backoff.RefusedError](r.Err)
			require.True(t, ok)
			assert.Equal(t, &backoff.RefusedError{Wait: 121 * time.Second, Cause: tt.is}, refusal)
			assert.Empty(t, r.Attempts)
			assert.Zero(t, time.Since(start))
		}
		<-time.After(time.Second)
		r := requireOK(t, e)
		assert.Equal(t, 2*time.Minute, r.Attempts[0].Waited)
	})
}

// No answer bars a client for good: a probe goes at least every MaxRetryAfter, and no pause is
// longer than an hour.
func TestEndlessPause(t *testing.T) {
	t.Parallel()
	for name, header := range map[string][]string{
		"a time for seconds":   {"Retry-After", "1795000000"},
		"a date in 9999":       {"Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"},
		"a reset in the year":  {"X-RateLimit-Reset", "99999999999"},
		"an hour and a second": {"Retry-After", "3601"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var a arrivals
				ask := gives(429, "", header...)
				e := newEngine(t, a.before(script(ask, ask, after(10*ms, ask), after(20*ms, gives(200, "")))))
				start := time.Now()
				do(t.Context(), t, e, get) // alone: nobody knows of a pause yet
				for i := range 7 * 60 {
					together(3, func() { do(t.Context(), t, e, get) })
					<-time.After(time.Until(start.Add(time.Duration(i+1) * time.Second)))
				}
				const twoMinutes = 2 * time.Minute
				want := []time.Duration{0, twoMinutes, 2 * twoMinutes, 3*twoMinutes + time.Second}
				assert.Equal(t, want, a.at[:4])
				assert.Greater(t, len(a.at), 100, "and then all is well")
			})
		})
	}
}

// While a probe is under way in a long pause, other calls are refused. Its success ends the pause.
func TestProbeInALongPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, script(asks(429, "3000"), after(5*time.Second, gives(200, ""))))
		do(t.Context(), t, e, get)
		<-time.After(2 * time.Minute)
		var group sync.WaitGroup
		group.Go(func() { requireOK(t, e) })
		synctest.Wait()
		r := do(t.Context(), t, e, get)
		assert.EqualError(t, r.Err, "a wait of 48m0s is longer than MaxRetryAfter")
		group.Wait()
		start := time.Now()
		together(5, func() { requireOK(t, e) })
		assert.Zero(t, time.Since(start))
	})
}

// An hour after the answer the pause is over for those who would have waited longer, too.
func TestLongestPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		policy := usual
		policy.MaxRetryAfter = 1000 * time.Hour
		e := newEngine(t, script(asks(429, "7200")))
		var group sync.WaitGroup
		group.Go(func() {
			assert.Equal(t, 2*time.Hour, e.Do(t.Context(), get.call(t, address, &policy)).Attempts[1].Waited)
		})
		synctest.Wait()
		assert.Equal(t, time.Hour, e.Do(t.Context(), get.call(t, address, &policy)).Attempts[0].Waited)
		group.Wait()
	})
}

// Every wait of more than a second is logged before it begins.
func TestPauseIsLogged(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[string][]string{
		"1": nil,
		"2": {"INFO clicknps: waiting, as the server has asked operation=Surveys.X wait=2s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var lines []string
			quiet := usual
			quiet.MaxRetries = -1
			e := newEngine(t, script(asks(429, seconds)), logFunc(slog.LevelInfo, func(r slog.Record) {
				line := r.Level.String() + " " + r.Message
				r.Attrs(func(a slog.Attr) bool { line += fmt.Sprint(" ", a); return true })
				lines = append(lines, line)
			}))
			e.Do(t.Context(), get.call(t, address, &quiet))
			requireOK(t, e)
			assert.Equal(t, want, lines)
		})
	}
}

// oneByOne grants one permit at a time.
type oneByOne struct {
	free    chan struct{}
	granted int
	unsent  int
}

func (l *oneByOne) Acquire(ctx context.Context, _ ratelimit.Call) (func(ratelimit.Outcome), error) {
	select {
	case l.free <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	l.granted++
	return func(o ratelimit.Outcome) {
		if !o.Sent {
			l.unsent++
		}
		<-l.free
	}, nil
}

func (*oneByOne) Quotas(context.Context) ([]ratelimit.Quota, error) { return nil, nil }

// A pause holds for a call that was waiting for a permit when it began. The permit goes back
// unused.
func TestPauseHoldsForThoseWhoWaitedForAPermit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var a arrivals
		limiter := &oneByOne{free: make(chan struct{}, 1)}
		next := script(asks(429, "60"))
		e := newEngine(t, a.before(transport(after(time.Second/2, step(next)))),
			limitedBy(limiter))
		together(3, func() { requireOK(t, e) })
		assert.Equal(t, 1, a.until(time.Minute+time.Second/2))
		assert.Len(t, a.at, 4)
		assert.Equal(t, 4, limiter.granted-limiter.unsent)
		assert.Positive(t, limiter.unsent)
	})
}

// A probe that never gets to be sent makes room for another.
func TestProbeWithoutACredential(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		policy := usual
		policy.MaxRetries = -1
		e := newEngine(t, script(asks(429, "60")))
		e.Do(t.Context(), get.call(t, address, &policy))
		<-time.After(time.Minute)
		call := get.call(t, address, &usual)
		call.Header = func() http.Header { panic("header") }
		assert.Panics(t, func() { e.Do(t.Context(), call) })
		start := time.Now()
		requireOK(t, e)
		assert.Zero(t, time.Since(start))
	})
}
