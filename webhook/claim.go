package webhook

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// lease is how long a claim lasts if it is not extended. If its process dies, the event can be
	// handled after that.
	lease          = 15 * time.Minute
	extendInterval = lease / 3
	// callTimeout bounds a call of the Deduper or the error handler.
	callTimeout = 5 * time.Second
)

var (
	errDuplicate = errors.New("webhook: the event was handled before")
	errHeld      = errors.New("webhook: the event is being handled by another delivery")
	// errClaimLost is the cause of the end of a handler function's context when another delivery
	// has the claim.
	errClaimLost = errors.New("webhook: the claim of the event is another delivery's now")
)

// claim is the claim of one event by one delivery. Its lease is extended until it ends.
type claim struct {
	verifier *Verifier
	event    *Event
	holder   string
	ctx      context.Context // of the handler function
	cancel   context.CancelCauseFunc
	settled  context.Context // ends with the error for duplicates in this process as its cause
	settle   context.CancelCauseFunc

	mu      sync.Mutex
	granted bool
	ended   bool
	timer   *time.Timer // of the next extension
}

// claim claims e for the delivery whose context is ctx. base is the parent of the handler
// function's context. If this process already has a claim of the event, claim waits until that is
// settled or ctx ends. The error is errDuplicate if the event was acknowledged, and errHeld if its
// outcome is not known.
func (v *Verifier) claim(ctx, base context.Context, e *Event) (*claim, error) {
	v.mu.Lock()
	if other := v.claims[e.Key]; other != nil {
		v.mu.Unlock()
		select {
		case <-other.settled.Done():
			return nil, context.Cause(other.settled)
		case <-ctx.Done():
			return nil, errHeld
		}
	}
	c := &claim{verifier: v, event: e, holder: rand.Text()}
	c.ctx, c.cancel = context.WithCancelCause(base)
	c.settled, c.settle = context.WithCancelCause(context.Background())
	c.timer = time.AfterFunc(extendInterval, c.extend)
	v.claims[e.Key] = c
	v.mu.Unlock()

	err := c.ask()
	if err == nil {
		return c, nil
	}
	if err = c.end(err); err != errDuplicate {
		v.report(ctx, e, err)
	}
	return nil, err
}

// ask claims the event, or extends the claim. The error is errHeld or errDuplicate if the claim is
// another delivery's. A grant that comes when the claim has ended is released.
func (c *claim) ask() error {
	err := bounded(c.ctx, "Deduper.Claim", func(ctx context.Context) error {
		result, err := c.verifier.deduper.Claim(ctx, c.event.Key, c.holder, lease)
		switch {
		case err != nil:
			return err
		case result == ClaimHeld:
			return errHeld
		case result == ClaimDone:
			return errDuplicate
		case result != ClaimGranted:
			return fmt.Errorf("Deduper.Claim returned %d, which is no ClaimResult", result)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.granted = true; c.ended {
			go c.release()
		}
		return nil
	})
	if err == nil || err == errHeld || err == errDuplicate {
		return err
	}
	return fmt.Errorf("webhook: claiming an event: %w", err)
}

// extend extends the lease, and ends the handler function's context if the claim is another
// delivery's now.
func (c *claim) extend() {
	err := c.ask()
	lost := err == errHeld || err == errDuplicate
	c.mu.Lock()
	ended := c.ended
	if !ended && !lost {
		c.timer.Reset(extendInterval)
	}
	c.mu.Unlock()
	switch {
	case ended || err == nil:
	case lost:
		c.cancel(errClaimLost)
	default:
		c.verifier.report(c.ctx, c.event, err)
	}
}

// call calls fn with the event, and waits until it has ended.
func (c *claim) call(fn func(context.Context, *Event) error) error {
	err := await(context.Background(), "webhook: the handler function", func() error {
		return fn(c.ctx, c.event)
	})
	if err != nil && context.Cause(c.ctx) == errClaimLost {
		err = fmt.Errorf("%w: %w", errClaimLost, err)
	}
	return err
}

// end completes the claim, or releases it if err is not nil: why the event was not handled. It
// returns err, or why the claim could not be completed.
func (c *claim) end(err error) error {
	c.mu.Lock()
	c.ended = true
	c.timer.Stop()
	granted := c.granted
	c.mu.Unlock()
	switch {
	case err == nil:
		err = bounded(c.ctx, "Deduper.Complete", func(ctx context.Context) error {
			return c.verifier.deduper.Complete(ctx, c.event.Key, c.holder, c.verifier.remember())
		})
		if err != nil {
			err = fmt.Errorf("webhook: recording that an event was handled: %w", err)
		}
	case granted:
		c.release()
	}
	c.cancel(nil)
	c.settle(cmp.Or(err, errDuplicate)) // has no effect on a claim that a queue has settled
	c.verifier.mu.Lock()
	defer c.verifier.mu.Unlock()
	delete(c.verifier.claims, c.event.Key)
	return err
}

func (c *claim) release() {
	err := bounded(c.ctx, "Deduper.Release", func(ctx context.Context) error {
		return c.verifier.deduper.Release(ctx, c.event.Key, c.holder)
	})
	if err != nil {
		c.verifier.report(c.ctx, c.event, fmt.Errorf("webhook: releasing an event: %w", err))
	}
}

// bounded calls fn and waits for at most callTimeout, whether or not fn respects its context. The
// call does not end with ctx: it would be unknown whether a claim was granted, and a handler
// function has often failed because the sender hung up.
func bounded(ctx context.Context, what string, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	return await(ctx, what, func() error { return fn(ctx) })
}

// await calls fn in a goroutine of its own, so that neither a panic nor runtime.Goexit ends the
// caller's, and waits until fn or ctx ends. what names fn in errors.
func await(ctx context.Context, what string, fn func() error) error {
	outcome := make(chan error, 1)
	go func() {
		err := fmt.Errorf("%s called runtime.Goexit", what) // as FailNow of a test does
		defer func() {
			if p := recover(); p != nil {
				cause, ok := p.(error)
				if !ok {
					cause = fmt.Errorf("%v", p)
				}
				err = fmt.Errorf("%s panicked: %w\n%s", what, cause, debug.Stack())
			}
			outcome <- err
		}()
		err = fn()
	}()
	select {
	case err := <-outcome:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%s did not return within %s: %w", what, callTimeout, ctx.Err())
	}
}
