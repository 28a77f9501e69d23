package clicknps

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultQueueSize    = 1_000
	defaultQueueWorkers = 4
	queueAttempts       = 5
	queueBackoff        = time.Second // before the second attempt, then twice as long each time
)

var errQueueFull = errors.New("clicknps: webhook: the queue takes no more events")

// QueueOptions bounds a [WebhookQueue]. Values below 1 mean the defaults.
type QueueOptions struct {
	Size    int // events that may wait; 0 means 1,000
	Workers int // calls of the handler function at a time; 0 means 4, 1 keeps the order of arrival
}

// WebhookQueue is an [http.Handler] that acknowledges events first and handles them later. [WebhookVerifier.Queue] makes
// one. It is safe for concurrent use.
type WebhookQueue struct {
	verifier *WebhookVerifier
	handler  http.Handler
	fn       func(ctx context.Context, e *Event) error
	ctx      context.Context // of every call of fn
	cancel   context.CancelFunc
	drained  chan struct{} // closed when the workers have ended
	pending  atomic.Int64  // events that were taken in and not dealt with yet

	mu     sync.Mutex // for sending on events and closing it
	closed bool
	events chan *Event
}

// Queue returns a handler like [WebhookVerifier.Handler]'s for a slow fn: it answers 202 as soon as the event has a place
// in a queue in memory, and calls fn later. When the queue is full it answers 503, and the sender delivers the event again.
//
// The sender won't repeat what was accepted, so the queue does: after an error or a panic of fn it calls fn again, 1, 2, 4
// and 8 seconds later. An event that fails five times is given up: [WithErrorHandler] is told, and the event is let
// in again should it be redelivered by hand.
//
// [WebhookQueue.Shutdown] waits until all that was accepted is handled. A program that ends without it, or crashes, loses
// the events that wait. Where that must not happen, use Handler, and let fn put the event into a database or a durable
// queue before it returns.
func (v *WebhookVerifier) Queue(fn func(ctx context.Context, e *Event) error, opts QueueOptions) *WebhookQueue {
	q := &WebhookQueue{verifier: v, fn: fn, drained: make(chan struct{})}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	q.events = make(chan *Event, cmp.Or(max(opts.Size, 0), defaultQueueSize))
	accept := q.accept
	if fn == nil {
		accept = nil // answered as in Handler
	}
	q.handler = v.handler(accept, answer{status: http.StatusAccepted, result: "accepted"})

	var workers sync.WaitGroup
	for range cmp.Or(max(opts.Workers, 0), defaultQueueWorkers) {
		workers.Go(func() {
			for e := range q.events {
				q.handle(e)
			}
		})
	}
	go func() {
		workers.Wait()
		close(q.drained)
	}()
	return q
}

// ServeHTTP takes in one delivery. After Shutdown it answers 503.
func (q *WebhookQueue) ServeHTTP(w http.ResponseWriter, r *http.Request) { q.handler.ServeHTTP(w, r) }

// Shutdown takes in no more events and waits until those that were accepted are handled, repeats and all. It returns nil
// if none is left. When ctx ends first, the contexts of the running calls of fn end too, [WithErrorHandler] is given each
// event that is not handled, so that it can be kept, and the error says how many there were.
//
// Call it after [http.Server.Shutdown].
func (q *WebhookQueue) Shutdown(ctx context.Context) error {
	q.close()
	select {
	case <-q.drained:
	case <-ctx.Done():
	}
	left := q.pending.Load()
	q.cancel()
	for e := range q.events {
		q.handle(e) // fails at once, as its context has ended
	}
	if left > 0 {
		return fmt.Errorf("clicknps: webhook: %d accepted events were not handled: %w", left, cmp.Or(ctx.Err(), errUnfinished))
	}
	return nil
}

func (q *WebhookQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.events)
	}
}

func (q *WebhookQueue) accept(_ context.Context, e *Event) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return errQueueFull
	}
	q.pending.Add(1)
	select {
	case q.events <- e:
		return nil
	default:
		q.pending.Add(-1)
		return errQueueFull
	}
}

// handle deals with an event: fn succeeds, or the error handler has it.
func (q *WebhookQueue) handle(e *Event) {
	err := errUnfinished
	defer func() {
		if err != nil {
			q.verifier.release(q.ctx, e)
			q.verifier.onError(q.ctx, e, fmt.Errorf("clicknps: webhook: an accepted event was not handled: %w", err))
		}
		q.pending.Add(-1)
	}()
	err = q.try(e)
}

// try calls fn until it succeeds, has failed often enough or the queue is shut down.
func (q *WebhookQueue) try(e *Event) (err error) {
	var delay time.Duration
	for range queueAttempts {
		select {
		case <-time.After(delay):
		case <-q.ctx.Done():
		}
		if stop := q.ctx.Err(); stop != nil {
			return errors.Join(err, stop)
		}
		if err = callHandler(q.ctx, q.fn, e); err == nil {
			return nil
		}
		delay = max(queueBackoff, 2*delay)
	}
	return err
}
