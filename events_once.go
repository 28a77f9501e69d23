package clicknps

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// deduperTimeout bounds a call of the Deduper. Nothing else cuts it short: a claim that is given up when the sender hangs
// up may have been made or not, and a handler has often failed because of that.
const deduperTimeout = 5 * time.Second

// errUnfinished is what a handler function leaves behind that ended its goroutine, as a test's FailNow does.
var errUnfinished = errors.New("clicknps: webhook: the handler function did not return")

// handling is one event in the hands of its handler function.
type handling struct {
	done chan struct{} // closed when err is set for good
	err  error
}

// handleOnce calls fn unless the event was handled before. While it is being handled, others wait for its outcome:
// a duplicate that is acknowledged too early would be lost if fn then failed.
func (v *WebhookVerifier) handleOnce(ctx context.Context, e *Event, fn func(context.Context, *Event) error) (duplicate bool, err error) {
	h, first := v.begin(e.Key)
	if !first {
		select {
		case <-h.done:
			return true, h.err
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	defer v.end(e.Key, h)
	claimed := false
	defer func() {
		if claimed && h.err != nil {
			v.release(ctx, e)
		}
		if h.err != nil {
			v.onError(ctx, e, h.err)
		}
	}()
	claimed, err = v.claim(ctx, e)
	switch {
	case err != nil:
		h.err = fmt.Errorf("clicknps: webhook: claiming an event: %w", err)
	case claimed:
		h.err = callHandler(ctx, fn, e)
	default:
		h.err = nil
	}
	return !claimed, h.err
}

func (v *WebhookVerifier) begin(key string) (h *handling, first bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if h, ok := v.underway[key]; ok {
		return h, false
	}
	h = &handling{done: make(chan struct{}), err: errUnfinished}
	v.underway[key] = h
	return h, true
}

func (v *WebhookVerifier) end(key string, h *handling) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.underway, key)
	close(h.done)
}

func (v *WebhookVerifier) claim(ctx context.Context, e *Event) (bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deduperTimeout)
	defer cancel()
	return v.deduper.Claim(ctx, e.Key, claimTTL)
}

// release lets the next delivery of an event in.
func (v *WebhookVerifier) release(ctx context.Context, e *Event) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deduperTimeout)
	defer cancel()
	if err := v.deduper.Release(ctx, e.Key); err != nil {
		v.onError(ctx, e, fmt.Errorf("clicknps: webhook: releasing an event: %w", err))
	}
}

// callHandler returns a panic of fn as an error.
func callHandler(ctx context.Context, fn func(context.Context, *Event) error, e *Event) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("clicknps: webhook: the handler function panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return fn(ctx, e)
}
