package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"
)

// queueDelays are the waits before each attempt to handle an accepted event.
var queueDelays = [...]time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}

var (
	errQueueFull = errors.New("webhook: the queue is full or shut down")
	errShutdown  = fmt.Errorf("webhook: the queue was shut down: %w", context.Canceled)
)

// QueueOptions bounds a [Queue]. Values below 1 mean the defaults.
type QueueOptions struct {
	Size    int // events that may wait; the default is 1,000
	Workers int // concurrent calls of fn; the default is 4, and 1 keeps the order of arrival
}

// Queue is what [Verifier.Queue] returns. It is safe for concurrent use.
type Queue struct {
	verifier *Verifier
	handler  http.Handler
	fn       func(context.Context, *Event) error
	ctx      context.Context // of all calls of fn
	cancel   context.CancelCauseFunc
	workers  sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	waiting chan *claim
	pending map[*claim]error // what is neither handled nor reported, with the last attempt's error
}

// Queue returns a handler like that of [Verifier.Handler] for a slow fn. It claims each event,
// puts it into a queue in memory and answers 202; its workers call fn later. If the queue is full
// it answers 503, and the sender tries again.
//
// The sender does not repeat what was accepted, so the queue does: after an error or a panic, it
// calls fn again after 1, 2, 4 and 8 seconds. After five failures it calls the error handler and
// releases the event, so that a delivery by hand is accepted.
//
// A program that ends without [Queue.Shutdown], or crashes, loses the events in the queue. If that
// must not happen, use Handler, and let fn store the event before it returns.
func (v *Verifier) Queue(fn func(context.Context, *Event) error, opts QueueOptions) *Queue {
	q := &Queue{verifier: v, fn: fn, pending: make(map[*claim]error)}
	q.ctx, q.cancel = context.WithCancelCause(context.Background())
	q.waiting = make(chan *claim, cmp.Or(max(opts.Size, 0), 1_000))
	q.handler = v.serve(q.accept, answer{http.StatusAccepted, "accepted", ""})
	if fn == nil {
		q.handler = v.Handler(nil)
	}
	for range cmp.Or(max(opts.Workers, 0), 4) {
		q.workers.Go(q.work)
	}
	return q
}

// ServeHTTP accepts one delivery. After [Queue.Shutdown] it answers 503.
func (q *Queue) ServeHTTP(w http.ResponseWriter, r *http.Request) { q.handler.ServeHTTP(w, r) }

// Shutdown stops accepting events and waits until those that were accepted are handled, including
// their retries. It returns nil if none is left. Call it after [http.Server.Shutdown].
//
// If ctx ends first, Shutdown ends the context of the running calls of fn, and hands each event that
// is not handled to the error handler, concurrently and for at most 5 seconds. It does not wait for
// fn or the [Deduper] then. The error wraps ctx.Err() and says how many events there are.
func (q *Queue) Shutdown(ctx context.Context) error {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.waiting)
	}
	q.mu.Unlock()
	drained := make(chan struct{})
	go func() {
		q.workers.Wait()
		close(drained)
	}()
	select {
	case <-drained:
	case <-ctx.Done():
	}
	q.mu.Lock()
	left := maps.Clone(q.pending)
	q.mu.Unlock()
	q.cancel(errShutdown)
	if len(left) == 0 {
		return nil
	}
	var reports sync.WaitGroup
	for c, last := range left {
		reports.Go(func() { q.verifier.report(q.ctx, c.event, c.failure(last)) })
	}
	reports.Wait()
	return fmt.Errorf("webhook: %d accepted events were not handled: %w", len(left), ctx.Err())
}

// accept claims an event and puts it into the queue.
func (q *Queue) accept(ctx context.Context, e *Event) error {
	c, err := q.verifier.claim(ctx, q.ctx, e)
	if err != nil {
		return err
	}
	q.mu.Lock()
	accepted := !q.closed && len(q.waiting) < cap(q.waiting)
	if accepted {
		q.pending[c] = nil
		q.waiting <- c // does not wait: nothing else sends, and the queue is not full
	}
	q.mu.Unlock()
	if accepted {
		c.settle(errDuplicate)
		return nil
	}
	q.verifier.report(ctx, e, errQueueFull)
	return c.end(errQueueFull)
}

// work handles events until the queue is shut down and empty.
func (q *Queue) work() {
	for c := range q.waiting {
		err := q.try(c)
		if err != nil && q.ctx.Err() == nil { // else Shutdown reports it
			q.verifier.report(q.ctx, c.event, err)
		}
		q.mu.Lock()
		delete(q.pending, c)
		q.mu.Unlock()
		if recordErr := c.end(err); err == nil && recordErr != nil {
			q.verifier.report(q.ctx, c.event, recordErr)
		}
	}
}

// try calls fn until it succeeds, has failed often enough, or its context ends.
func (q *Queue) try(c *claim) error {
	var err error
	for _, delay := range queueDelays {
		select {
		case <-time.After(delay):
		case <-c.ctx.Done():
		}
		if c.ctx.Err() != nil {
			break
		}
		if err = c.call(q.fn); err == nil {
			return nil
		}
		q.mu.Lock()
		q.pending[c] = err
		q.mu.Unlock()
	}
	return c.failure(err)
}

// failure returns the error of the last attempt or, if there was none, why.
func (c *claim) failure(last error) error {
	return fmt.Errorf("webhook: an accepted event was not handled: %w", cmp.Or(last, context.Cause(c.ctx)))
}
