package clicknpstest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/clicknps/go-sdk"
)

// patience is how long a check waits for what must come at once.
const patience = 10 * time.Second

// RateLimiterSuite describes an implementation of [clicknps.RateLimiter] to [TestRateLimiter].
type RateLimiterSuite struct {
	// New returns a limiter of plan that has granted nothing. Each check uses one of its own.
	New func(plan clicknps.Plan) clicknps.RateLimiter
	// Advance moves the limiter's time forward. If it is nil, the checks that need a minute to
	// pass are left out.
	Advance func(time.Duration)
}

// TestRateLimiter tests that a [clicknps.RateLimiter] keeps its contract and its plan, like
// [testing/fstest.TestFS]. It calls t.Errorf for each promise that is broken. A limiter must grant
// what the plan has left at once, and must refuse a wait that would outlive the context's deadline
// at once.
func TestRateLimiter(t TB, s RateLimiterSuite) {
	t.Helper()
	if s.New == nil {
		t.Fatalf("clicknpstest: RateLimiterSuite.New is nil")
	}
	answered := clicknps.RateOutcome{Sent: true, StatusCode: 200}
	failed := clicknps.RateOutcome{Sent: true, StatusCode: 500}
	cut, unsent := clicknps.RateOutcome{Sent: true}, clicknps.RateOutcome{}
	type steps = []limiterStep
	pass := func(d time.Duration) limiterStep {
		return func(context.Context, clicknps.RateLimiter) error { s.Advance(d); return nil }
	}
	minute, hour := pass(2*time.Minute), pass(2*time.Hour) // and more, as a limiter may add a margin
	checks := []struct {
		promise            string
		perMinute, perHour int
		steps              steps
	}{
		{"an unlimited plan grants all", 0, 0, steps{grant(200, answered)}},
		{"a minute has its limit", 3, 0, steps{grant(3, answered), refuse}},
		{"an hour has its limit", 0, 3, steps{grant(3, answered), refuse}},
		{"what was sent counts, whatever came of it", 2, 0, steps{grant(1, failed), grant(1, cut), refuse}},
		{"what was not sent does not count", 2, 2, steps{grant(5, unsent), grant(2, answered), refuse}},
		{"a context that has ended gets no permit", 1, 0, steps{cancelAfter(0), grant(1, answered), refuse}},
		{"a wait ends with its context", 1, 0, steps{grant(1, answered), cancelAfter(50 * time.Millisecond)}},
		{"release works after the context has ended", 1, 0, steps{releaseLate, grant(1, answered), refuse}},
		{"concurrent calls keep the limit", 5, 0, steps{acquireConcurrently, grant(5, answered), refuse}},
		// With Advance only:
		{"a permit is granted again after a minute", 2, 0, steps{
			grant(2, answered), refuse, minute, grant(2, answered), refuse,
		}},
		{"a permit is granted again after an hour", 0, 2, steps{
			grant(2, answered), minute, refuse, hour, grant(2, answered), refuse,
		}},
		{"both limits hold", 2, 3, steps{grant(2, answered), refuse, minute, grant(1, answered), refuse}},
	}
	if s.Advance == nil {
		t.Logf("clicknpstest: RateLimiter: without Advance it is not tested that permits are granted again")
		checks = checks[:len(checks)-3]
	}
	for _, check := range checks {
		l := s.New(clicknps.Plan{PerMinute: check.perMinute, PerHour: check.perHour})
		for i, step := range check.steps {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			err := step(ctx, l)
			cancel()
			if err != nil {
				t.Errorf("clicknpstest: RateLimiter: %s: step %d: %v", check.promise, i+1, err)
				break
			}
		}
	}
}

// limiterStep is one step of a check. An error is a broken promise. ctx ends after patience.
type limiterStep func(ctx context.Context, l clicknps.RateLimiter) error

var errStuck = errors.New("an Acquire does not return when its context ends")

// acquire calls l.Acquire, and gives it up if it does not return.
func acquire(ctx context.Context, l clicknps.RateLimiter) (func(clicknps.RateOutcome), error) {
	returned := make(chan struct{})
	var release func(clicknps.RateOutcome)
	var err error
	go func() {
		defer close(returned)
		release, err = l.Acquire(ctx, clicknps.Call{
			Service: "clicknps", Operation: "Surveys.Get", Method: "GET", Route: "/surveys/{id}", Attempt: 1,
		})
	}()
	select {
	case <-returned:
	case <-time.After(2 * patience): // the contexts of all checks have ended
		return nil, errStuck
	}
	if err == nil && release == nil {
		return nil, errors.New("an Acquire returned neither a release function nor an error")
	}
	return release, err
}

// grant wants n permits, one after the other, each with this outcome.
func grant(n int, outcome clicknps.RateOutcome) limiterStep {
	return func(ctx context.Context, l clicknps.RateLimiter) error {
		for i := range n {
			release, err := acquire(ctx, l)
			if err != nil {
				return fmt.Errorf("permit %d of %d was not granted: %w", i+1, n, err)
			}
			release(outcome)
		}
		return nil
	}
}

// refuse wants a refusal, at once and with the time to wait.
func refuse(ctx context.Context, l clicknps.RateLimiter) error {
	begin := time.Now()
	_, err := acquire(ctx, l)
	took := time.Since(begin)
	limited, ok := errors.AsType[*clicknps.Error](err)
	switch {
	case err == nil:
		return errors.New("a permit over the limit was granted")
	case errors.Is(err, errStuck):
		return err
	case took >= patience/2:
		return fmt.Errorf("the refusal came after %v, not at once", took.Round(time.Second))
	case !errors.Is(err, clicknps.ErrRateLimited):
		return fmt.Errorf("the refusal does not wrap ErrRateLimited: %w", err)
	case !ok || limited.RetryAfter <= 0:
		return fmt.Errorf("the refusal is no *clicknps.Error with a RetryAfter: %w", err)
	}
	return nil
}

// cancelAfter wants an Acquire without a deadline to end with its context, after d.
func cancelAfter(d time.Duration) limiterStep {
	return func(_ context.Context, l clicknps.RateLimiter) error {
		ctx, cancel := context.WithCancel(context.Background())
		if d == 0 {
			cancel()
		}
		defer time.AfterFunc(d, cancel).Stop()
		if _, err := acquire(ctx, l); !errors.Is(err, context.Canceled) {
			return fmt.Errorf("want context.Canceled, got: %v", err)
		}
		return nil
	}
}

func releaseLate(ctx context.Context, l clicknps.RateLimiter) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	release, err := acquire(ctx, l)
	if err == nil {
		cancel()
		release(clicknps.RateOutcome{})
	}
	return err
}

// acquireConcurrently wants 5 permits of 20 calls, and gives them back.
func acquireConcurrently(ctx context.Context, l clicknps.RateLimiter) error {
	releases := make(chan func(clicknps.RateOutcome), 20)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if release, err := acquire(ctx, l); err == nil {
				releases <- release
			}
		})
	}
	wg.Wait()
	close(releases)
	granted := len(releases)
	for release := range releases {
		release(clicknps.RateOutcome{})
	}
	if granted != 5 {
		return fmt.Errorf("%d of 20 calls were granted a permit, want 5", granted)
	}
	return nil
}
