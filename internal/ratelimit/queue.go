package ratelimit

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/clicknps/go-sdk/internal/backoff"
)

// never is a wait that only the end of another attempt can end.
const never time.Duration = 1<<63 - 1

// rule decides when a call may go; the queue decides which one. Its methods are called with the
// queue locked.
type rule interface {
	// next returns how long the first waiting call must wait before it is worth asking again.
	// 0: it may go.
	next(now time.Time, bulk bool) time.Duration
	// earliest returns the shortest wait of the last of the first waiting calls.
	earliest(now time.Time, waiting []*waiter) time.Duration
	// take grants a permit. done, called with the queue locked, takes it back.
	take(now time.Time) (done func(now time.Time, outcome Outcome))
}

// queue holds the calls that wait for a permit.
type queue struct {
	rule    rule
	longest time.Duration // no wait is longer

	mu      sync.Mutex
	waiting []*waiter   // interactive calls before bulk calls
	alarm   *time.Timer // set while a call waits for a point in time; else nil
}

// waiter is a call in the queue.
type waiter struct {
	bulk    bool
	ready   chan struct{} // closed when release or err is set
	release func(Outcome)
	err     error
}

// Acquire implements [Limiter].
func (q *queue) Acquire(ctx context.Context, call Call) (release func(Outcome), err error) {
	if ctx.Err() != nil {
		return nil, backoff.Ended(ctx, "a permit")
	}
	w := &waiter{bulk: call.Bulk, ready: make(chan struct{})}
	if q.enter(ctx, w) {
		select {
		case <-w.ready:
		case <-ctx.Done():
			q.giveUp(w, backoff.Ended(ctx, "a permit"))
		case <-time.After(q.longest): // a server may put its reset off again and again
			q.giveUp(w, &backoff.RefusedError{Wait: q.longest})
		}
	}
	return w.release, w.err
}

// enter adds a call to the queue, and reports whether it must wait. It may get its permit at once,
// or be refused because its wait would be too long.
func (q *queue) enter(ctx context.Context, w *waiter) (waits bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now, place := time.Now(), len(q.waiting)
	if first := slices.IndexFunc(q.waiting, func(w *waiter) bool { return w.bulk }); first >= 0 && !w.bulk {
		place = first
	}
	q.waiting = slices.Insert(q.waiting, place, w)
	q.serve(now)
	place = slices.Index(q.waiting, w)
	if _, limited := ctx.Deadline(); place < 0 || !limited && q.longest == never {
		return place >= 0 // saves the work of predicting the wait
	}
	err := backoff.Check(ctx, q.rule.earliest(now, q.waiting[:place+1]), q.longest)
	if err != nil {
		q.finish(w, nil, err)
		q.serve(now)
	}
	return err == nil
}

// giveUp ends the wait of a call with err, unless it has ended.
func (q *queue) giveUp(w *waiter, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.serve(time.Now()) // its permit may become free at this very moment
	q.finish(w, nil, err)
	q.serve(time.Now())
}

// finish takes a call out of the queue, if it is still there.
func (q *queue) finish(w *waiter, release func(Outcome), err error) {
	if i := slices.Index(q.waiting, w); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
		w.release, w.err = release, err
		close(w.ready)
	}
}

// serve grants all permits that are free, and sets the alarm for the next one. It must be called
// with the queue locked, after everything that may free a permit or change who is first.
func (q *queue) serve(now time.Time) {
	if q.alarm != nil {
		q.alarm.Stop()
		q.alarm = nil
	}
	for len(q.waiting) > 0 {
		first := q.waiting[0]
		switch wait := q.rule.next(now, first.bulk); {
		case wait == never:
			return
		case wait > 0:
			q.alarm = time.AfterFunc(wait, func() {
				q.mu.Lock()
				defer q.mu.Unlock()
				q.serve(time.Now())
			})
			return
		}
		q.finish(first, q.permit(now), nil)
	}
}

// permit takes a permit, and returns the function that takes it back. Only its first call counts.
func (q *queue) permit(now time.Time) (release func(Outcome)) {
	done := q.rule.take(now)
	return func(outcome Outcome) {
		q.mu.Lock()
		defer q.mu.Unlock()
		if done != nil {
			now := time.Now()
			done(now, outcome)
			done = nil
			q.serve(now)
		}
	}
}
