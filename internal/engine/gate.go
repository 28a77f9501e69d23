package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/clicknps/go-sdk/internal/ratelimit"
)

// RefusedError is a wait that is not begun.
type RefusedError struct {
	Wait  time.Duration
	Cause error // context.DeadlineExceeded, or nil if the wait is longer than the policy allows
}

func (e *RefusedError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("a wait of %v would outlive the deadline", e.Wait)
	}
	return fmt.Sprintf("a wait of %v is longer than MaxRetryAfter", e.Wait)
}

func (e *RefusedError) Unwrap() error { return e.Cause }

// refusal says whether a wait must not be begun. It is nil if it may.
func refusal(ctx context.Context, wait, longest time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && wait > time.Until(deadline) {
		return &RefusedError{Wait: wait, Cause: context.DeadlineExceeded}
	}
	if wait > longest {
		return &RefusedError{Wait: wait}
	}
	return nil
}

// How long the others wait for a scout at most.
const (
	scoutingAtStart  = 200 * time.Millisecond
	scoutingAfter429 = time.Second
)

// gate holds back every call to a service after a 429, so that one request learns of the limit and not a hundred. For the
// same reason one request, the scout, goes first when it is not known whether requests are let in: at the start, and after
// a pause.
type gate struct {
	mu      sync.Mutex
	until   time.Time         // the pause's end
	open    bool              // a scout was let in since the start, or the last pause
	scout   chan struct{}     // closed when the scout is back; nil: none is out
	sent    time.Time         // when it left; zero: before the pause
	learner ratelimit.Learner // of how many are let in at a time
}

// enter returns when a request may be made, at once with a [RefusedError] if the pause would take too long, or when ctx ends.
// scout is not nil if the request goes first: it is to be called when its outcome is known, or it is not made.
func (g *gate) enter(ctx context.Context, longest time.Duration) (scout func(), passed pauseEnd, err error) {
	for {
		g.mu.Lock()
		left, out, passed := g.left(), g.scout, pauseEnd(g.until)
		switch {
		case left <= 0 && g.open:
			g.mu.Unlock()
			return nil, passed, nil
		case left <= 0 && out == nil:
			defer g.mu.Unlock()
			g.scout, g.sent = make(chan struct{}), time.Now()
			return g.scouted, passed, nil
		}
		g.mu.Unlock()
		if left <= 0 {
			waited, err := wait(ctx, g.scouting(ctx), out)
			if err != nil || (waited && !g.pausedAgain(passed)) {
				return nil, passed, err
			}
			continue
		}
		if err := refusal(ctx, left, longest); err != nil {
			return nil, passed, err
		}
		if err := sleep(ctx, left); err != nil {
			return nil, passed, err
		}
	}
}

// pauseEnd is when the latest pause ends that a request has passed.
type pauseEnd time.Time

// pausedAgain reports whether a pause has begun since, from whose end no scout is back.
func (g *gate) pausedAgain(passed pauseEnd) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.open && !g.until.Equal(time.Time(passed))
}

func (g *gate) paused() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.left() > 0
}

// scouting is how long to wait for a scout: half the time that there is must be left for the request.
func (g *gate) scouting(ctx context.Context) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	longest := scoutingAfter429
	if g.until.IsZero() {
		longest = scoutingAtStart
	}
	if deadline, ok := ctx.Deadline(); ok {
		return min(longest, time.Until(deadline)/2)
	}
	return longest
}

func (g *gate) scouted() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.scout)
	g.scout = nil
}

// left is how long the pause lasts. The caller holds the lock.
func (g *gate) left() time.Duration {
	if g.until.IsZero() { // as it mostly is, and the clock costs time
		return 0
	}
	return time.Until(g.until)
}

// admitted is told of every attempt that was not answered 429, and when it ended.
func (g *gate) admitted(scout bool, at time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if scout && !g.sent.IsZero() {
		g.open = true
		g.learner.Begin(g.sent)
	}
	g.learner.LetIn(at)
}

// pause closes the gate.
func (g *gate) pause(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open, g.sent = false, time.Time{}
	g.learner.Refused(d)
	if until := time.Now().Add(d); until.After(g.until) {
		g.until = until
	}
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return cancellation(ctx)
	}
	_, err := wait(ctx, d, nil)
	return err
}

// wait waits for d, until done is closed, or until ctx ends. It reports whether all of d has passed.
func wait(ctx context.Context, d time.Duration, done <-chan struct{}) (bool, error) {
	if ctx.Err() != nil {
		return false, cancellation(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, cancellation(ctx)
	case <-done:
		return false, nil
	case <-timer.C:
		return true, nil
	}
}

// cancellation is ctx's error together with its cause, or nil while ctx lasts.
func cancellation(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return explained(ctx, ctx.Err())
}

// explained is err with ctx's error and its cause in the chain, if ctx has ended: not everybody who waits names both.
func explained(ctx context.Context, err error) error {
	for _, reason := range []error{ctx.Err(), context.Cause(ctx)} {
		if reason != nil && !errors.Is(err, reason) {
			err = fmt.Errorf("%w: %w", err, reason)
		}
	}
	return err
}
