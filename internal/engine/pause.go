package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
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

// pause holds back every call to a service after a 429, so that one request learns of the limit and not a hundred.
type pause struct {
	mu    sync.Mutex
	until time.Time
}

func (p *pause) extend(wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(wait); until.After(p.until) {
		p.until = until
	}
}

func (p *pause) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.until)
}

func (p *pause) on() bool { return p.left() > 0 }

// wait returns when there is no pause, at once with a [RefusedError] if that would take too long, or when ctx ends.
func (p *pause) wait(ctx context.Context, longest time.Duration) error {
	for {
		left := p.left()
		if left <= 0 {
			return nil
		}
		if err := refusal(ctx, left, longest); err != nil {
			return err
		}
		if err := sleep(ctx, left); err != nil {
			return err
		}
	}
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil || d <= 0 {
		return cancellation(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return cancellation(ctx)
	case <-timer.C:
		return nil
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
