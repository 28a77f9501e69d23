package webhook

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
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
	errDuplicate  = errors.New("the event was handled before")
	errHeld       = errors.New("the event is being handled by another delivery")
	errNoFunction = errors.New("webhook: the handler function is nil")
	// errClaimLost is the cause of the end of a handler function's context.
	errClaimLost = errors.New("webhook: the claim of the event is another delivery's now")
)

// claim is the claim of one event by one delivery. Its lease is extended until it ends.
type claim struct {
	verifier *Verifier
	event    *Event
	holder   string
	ctx      context.Context // of the handler function
	cancel   context.CancelCauseFunc
	settled  context.Context // its cause is the error for duplicates in this process
	settle   context.CancelCauseFunc
	ended    chan struct{} // closed when no lease is wanted any more
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
	c := &claim{verifier: v, event: e, holder: rand.Text(), ended: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancelCause(base)
	c.settled, c.settle = context.WithCancelCause(context.Background())
	v.claims[e.Key] = c
	v.mu.Unlock()

	err := c.ask()
	if err == nil {
		go c.extend()
		return c, nil
	}
	close(c.ended)
	c.forget(err)
	if !errors.Is(err, errDuplicate) {
		v.report(ctx, e, err)
	}
	return nil, err
}

// ask claims the event, or extends the claim. The error is errHeld or errDuplicate if the claim is
// another delivery's. A grant that comes when the claim has ended is released.
func (c *claim) ask() error {
	return bounded(c.ctx, "Deduper.Claim", func(ctx context.Context) error {
		result, err := c.verifier.deduper.Claim(ctx, c.event.Key, c.holder, lease)
		switch {
		case err != nil:
			return err
		case result == ClaimHeld:
			return errHeld
		case result == ClaimDone:
			return errDuplicate
		case result != ClaimGranted:
			return fmt.Errorf("%d is no ClaimResult", result)
		}
		select {
		case <-c.ended:
			c.release()
		default:
		}
		return nil
	})
}

// extend extends the lease until the claim ends or is another delivery's.
func (c *claim) extend() {
	for {
		select {
		case <-time.After(extendInterval):
		case <-c.ended:
			return
		}
		switch err := c.ask(); {
		case errors.Is(err, errHeld), errors.Is(err, errDuplicate):
			c.cancel(errClaimLost)
			return
		case err != nil:
			c.verifier.report(c.ctx, c.event, err)
		}
	}
}

// call calls fn with the event, and waits until it has ended.
func (c *claim) call(fn func(context.Context, *Event) error) error {
	if fn == nil {
		return errNoFunction
	}
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
	close(c.ended)
	if err != nil {
		c.release()
	} else {
		err = bounded(c.ctx, "Deduper.Complete", func(ctx context.Context) error {
			return c.verifier.deduper.Complete(ctx, c.event.Key, c.holder, c.verifier.remember())
		})
	}
	c.forget(err)
	return err
}

func (c *claim) release() {
	err := bounded(c.ctx, "Deduper.Release", func(ctx context.Context) error {
		return c.verifier.deduper.Release(ctx, c.event.Key, c.holder)
	})
	if err != nil {
		c.verifier.report(c.ctx, c.event, err)
	}
}

// forget makes way for the next claim of the event in this process.
func (c *claim) forget(err error) {
	c.cancel(nil)
	c.settle(cmp.Or(err, errDuplicate)) // has no effect on a claim that a queue has settled
	c.verifier.mu.Lock()
	defer c.verifier.mu.Unlock()
	delete(c.verifier.claims, c.event.Key)
}

// bounded calls fn and waits for at most callTimeout, whether or not fn respects its context. The
// call does not end with ctx: it would be unknown whether a claim was granted, and a handler
// function has often failed because the sender hung up.
func bounded(ctx context.Context, what string, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	if err := await(ctx, "the method", func() error { return fn(ctx) }); err != nil {
		return fmt.Errorf("webhook: %s: %w", what, err)
	}
	return nil
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
