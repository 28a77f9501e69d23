package clicknpstest_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/clicknps/go-sdk/internal/backoff"
	"github.com/clicknps/go-sdk/internal/ratelimit"
	"github.com/stretchr/testify/assert"
)

// limiter is a [clicknps.RateLimiter] in memory, right but for its bug.
type limiter struct {
	bug  string
	plan clicknps.Plan
	mu   sync.Mutex
	sent []time.Time // permits that were not given back
}

func newLimiter(bug string) func(clicknps.Plan) clicknps.RateLimiter {
	return func(p clicknps.Plan) clicknps.RateLimiter { return &limiter{bug: bug, plan: p} }
}

func (l *limiter) Acquire(ctx context.Context, _ clicknps.Call) (func(clicknps.RateOutcome), error) {
	if l.bug == "no release" {
		return nil, nil
	}
	if err := ctx.Err(); err != nil && l.bug != "grants ended contexts" {
		return nil, err
	}
	for {
		wait := l.take()
		deadline, ok := ctx.Deadline()
		switch {
		case wait == 0:
			return l.release(ctx), nil
		case l.bug == "refuses without a word":
			return nil, errors.New("no")
		case l.bug == "refuses without RetryAfter":
			return nil, clicknps.ErrRateLimited
		case l.bug == "hangs":
			<-time.After(time.Hour)
			return nil, errors.New("after an hour")
		case ok && l.bug != "refuses late" && time.Now().Add(wait).After(deadline):
			return nil, &clicknps.Error{StatusCode: 429, RetryAfter: wait}
		}
		timer := time.NewTimer(wait)
		if l.bug == "ignores its context" {
			<-timer.C
			continue
		}
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}

// take takes a permit, or returns how long to wait.
func (l *limiter) take() (wait time.Duration) {
	if l.bug == "does not lock" {
		if wait = l.wait(); wait == 0 {
			<-time.After(1) // all others do so, too
			l.add()
		}
		return wait
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait = l.waitLocked(); wait == 0 || l.bug == "counts refusals" {
		l.sent = append(l.sent, time.Now())
	}
	return wait
}

func (l *limiter) add() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, time.Now())
}

func (l *limiter) wait() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waitLocked()
}

func (l *limiter) waitLocked() (wait time.Duration) {
	for _, w := range []struct {
		limit  int
		length time.Duration
		bug    string
	}{{l.plan.PerMinute, time.Minute, "no minute"}, {l.plan.PerHour, time.Hour, "no hour"}} {
		limit := w.limit
		if limit > 0 && l.bug == "one too many" {
			limit++
		}
		if w.limit == 0 && l.bug == "an unlimited plan grants 100" {
			limit = 100
		}
		if l.bug == w.bug || limit == 0 || len(l.sent) < limit {
			continue
		}
		free := l.sent[len(l.sent)-limit].Add(w.length)
		if l.bug == "never expires" {
			free = free.Add(1000 * time.Hour)
		}
		wait = max(wait, time.Until(free))
	}
	return wait
}

func (l *limiter) release(ctx context.Context) func(clicknps.RateOutcome) {
	return func(o clicknps.RateOutcome) {
		l.mu.Lock()
		defer l.mu.Unlock()
		n := len(l.sent)
		switch {
		case o.Sent && l.bug == "frees failures" && o.StatusCode == 500, o.Sent && l.bug == "frees cuts" && o.StatusCode == 0:
		case o.Sent, l.bug == "counts what was not sent", n == 0, l.bug == "needs the context" && ctx.Err() != nil:
			return
		}
		l.sent = l.sent[:n-1]
	}
}

// planLimiter is the limiter of [clicknps.WithPlan].
type planLimiter struct{ *ratelimit.Plan }

func (p planLimiter) Acquire(ctx context.Context, call clicknps.Call) (func(clicknps.RateOutcome), error) {
	release, err := p.Plan.Acquire(ctx, ratelimit.Call(call))
	if refused, ok := errors.AsType[*backoff.RefusedError](err); ok {
		err = &clicknps.Error{StatusCode: 429, RetryAfter: refused.Wait}
	}
	return func(o clicknps.RateOutcome) { release(ratelimit.Outcome(o)) }, err
}

func TestWithPlansLimiterKeepsTheContract(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clicknpstest.TestRateLimiter(t, clicknpstest.RateLimiterSuite{
			New: func(p clicknps.Plan) clicknps.RateLimiter {
				return planLimiter{ratelimit.NewPlan(p.PerMinute, p.PerHour, 0)}
			},
			Advance: func(d time.Duration) { until(time.Now().Add(d)) },
		})
	})
}

func TestTheRateLimiterSuitePassesWhatIsRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		right := &recordingTB{}
		clicknpstest.TestRateLimiter(right, clicknpstest.RateLimiterSuite{
			New:     newLimiter(""),
			Advance: func(d time.Duration) { until(time.Now().Add(d)) },
		})
		assert.Empty(t, right.errors)
		assert.Empty(t, right.logs)
		begin := time.Now()
		clicknpstest.TestRateLimiter(right, clicknpstest.RateLimiterSuite{New: newLimiter("")})
		assert.Equal(t, 50*time.Millisecond, time.Since(begin))
		assert.Empty(t, right.errors)
		assert.Len(t, right.logs, 1, "what is left out is said")
	})
}

func TestTheRateLimiterSuiteNamesWhatIsWrong(t *testing.T) {
	for bug, promise := range map[string]string{
		"no release":                   "an unlimited plan grants all: step 1: permit 1 of 200 was not granted: an Acquire returned neither",
		"an unlimited plan grants 100": "an unlimited plan grants all: step 1: permit 101 of 200",
		"no minute":                    "a minute has its limit: step 2: a permit over the limit was granted",
		"no hour":                      "an hour has its limit",
		"one too many":                 "concurrent calls keep the limit: step 1: 6 of 20",
		"does not lock":                "concurrent calls keep the limit",
		"never expires":                "a permit is granted again after a minute: step 4",
		"counts refusals":              "both limits hold",
		"frees failures":               "what was sent counts, whatever came of it",
		"frees cuts":                   "what was sent counts, whatever came of it",
		"counts what was not sent":     "what was not sent does not count",
		"needs the context":            "release works after the context has ended",
		"grants ended contexts":        "a context that has ended gets no permit: step 1: want context.Canceled, got: <nil>",
		"ignores its context":          "a wait ends with its context: step 2: want context.Canceled, got: an Acquire does not return",
		"hangs":                        "a minute has its limit: step 2: an Acquire does not return when its context ends",
		"refuses late":                 "a minute has its limit: step 2: the refusal came after 10s, not at once",
		"refuses without a word":       "a minute has its limit: step 2: the refusal does not wrap ErrRateLimited: no",
		"refuses without RetryAfter":   "a minute has its limit: step 2: the refusal is no *clicknps.Error with a RetryAfter",
	} {
		synctest.Test(t, func(t *testing.T) {
			failed := &recordingTB{}
			clicknpstest.TestRateLimiter(failed, clicknpstest.RateLimiterSuite{
				New:     newLimiter(bug),
				Advance: func(d time.Duration) { until(time.Now().Add(d)) },
			})
			assert.Contains(t, strings.Join(failed.errors, "\n"), "clicknpstest: RateLimiter: "+promise, bug)
			until(time.Now().Add(2 * time.Hour)) // those that hang end
		})
	}
	failed := &recordingTB{}
	assert.Panics(t, func() { clicknpstest.TestRateLimiter(failed, clicknpstest.RateLimiterSuite{}) })
	assert.Equal(t, "clicknpstest: RateLimiterSuite.New is nil", failed.message)
}
