package ratelimit

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"
)

// WaitError refuses a wait that can't end before the context's deadline.
type WaitError struct {
	Wait time.Duration // the shortest wait that was possible
}

func (e *WaitError) Error() string {
	return fmt.Sprintf("rate limit: the wait of %v would outlive the deadline", e.Wait)
}

// Unwrap makes the error a [context.DeadlineExceeded].
func (e *WaitError) Unwrap() error { return context.DeadlineExceeded }

// never is the wait for a place that no clock frees, only an answer.
const never time.Duration = 1<<63 - 1

// quota decides when a request may go; a queue decides which one. Its methods are called with the queue locked.
type quota interface {
	// next returns how long the lane's first request has to wait before it is worth to ask again; 0: it may go now.
	next(now time.Time, lane Lane) time.Duration
	// earliest returns the shortest possible wait of the last of so many requests, which go in the lanes' order.
	earliest(now time.Time, waiting [lanes]int) time.Duration
	// take takes a place for a request that goes now.
	take()
	// giveBack returns a place whose request was not sent.
	giveBack()
}

// queue is the one line that requests wait in, whatever they wait for.
type queue struct {
	mu    sync.Mutex
	lanes [lanes]list.List // of chan struct{}, closed when it is that request's turn
	alarm *time.Timer      // set while somebody waits for a time, else nil
}

// acquire takes a place of quota, waiting for it if need be.
func (q *queue) acquire(ctx context.Context, quota quota) error {
	if ctx.Err() != nil {
		return gaveUp(ctx)
	}
	turn, leave, err := q.enter(ctx, quota)
	if turn == nil {
		return err
	}
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		leave()
		return gaveUp(ctx)
	}
}

// enter takes a place at once, or else gets in line. A nil turn means that there is nothing to wait for.
func (q *queue) enter(ctx context.Context, quota quota) (turn <-chan struct{}, leave func(), err error) {
	lane := LaneOf(ctx)
	q.mu.Lock()
	defer q.mu.Unlock()

	now := time.Now()
	waiting := q.upTo(lane)
	if waiting == [lanes]int{} && quota.next(now, lane) == 0 {
		quota.take()
		return nil, nil, nil
	}
	waiting[lane]++
	if deadline, ok := ctx.Deadline(); ok {
		if wait := quota.earliest(now, waiting); wait >= deadline.Sub(now) {
			return nil, nil, &WaitError{Wait: wait}
		}
	}
	ch := make(chan struct{})
	place := q.lanes[lane].PushBack(ch)
	q.serve(now, quota)
	return ch, func() { q.leave(lane, place, quota) }, nil
}

// leave gives up a place in line, or the turn that came at the same moment.
func (q *queue) leave(lane Lane, place *list.Element, quota quota) {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-place.Value.(chan struct{}):
		quota.giveBack()
	default:
		q.lanes[lane].Remove(place)
	}
	q.serve(time.Now(), quota)
}

// serve lets everybody go whose turn it is, and sets the alarm for who is next.
// It runs when the alarm goes off, and after everything else that can free a place; the queue is locked.
func (q *queue) serve(now time.Time, quota quota) {
	if q.alarm != nil {
		q.alarm.Stop()
		q.alarm = nil
	}
	for lane := range q.lanes {
		line := &q.lanes[lane]
		for line.Len() > 0 {
			if wait := quota.next(now, Lane(lane)); wait > 0 {
				q.serveAfter(wait, quota)
				return
			}
			quota.take()
			close(line.Remove(line.Front()).(chan struct{}))
		}
	}
}

func (q *queue) serveAfter(wait time.Duration, quota quota) {
	if wait == never {
		return
	}
	q.alarm = time.AfterFunc(wait, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.serve(time.Now(), quota)
	})
}

// upTo counts the requests that go before a newcomer to lane.
func (q *queue) upTo(lane Lane) (waiting [lanes]int) {
	for i := range q.lanes[:lane+1] {
		waiting[i] = q.lanes[i].Len()
	}
	return waiting
}

func gaveUp(ctx context.Context) error {
	return fmt.Errorf("waiting for the rate limit: %w", context.Cause(ctx))
}
