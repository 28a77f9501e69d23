package ratelimit

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// alarmed tells whether a timer of the queue is set.
func alarmed(q *queue) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.alarm != nil
}

func TestFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Rule{Limit: 2, Window: time.Minute})
		spend(t, l, 1)
		travel(time.Second) // so that no two turns come at once
		spend(t, l, 1)
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				release, err := l.Acquire(t.Context())
				if assert.NoError(t, err) {
					mu.Lock()
					order = append(order, i)
					mu.Unlock()
					travel(time.Duration(20-i) * time.Millisecond)
					release()
				}
			})
			travel(7 * time.Second) // places come free meanwhile: newcomers don't overtake
		}
		wg.Wait()
		assert.IsIncreasing(t, order)
		assert.Len(t, order, 20)
	})
}

func TestInteractiveGoesBeforeBulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Rule{Limit: 1, Window: time.Minute})
		spend(t, l, 1)
		order := make(chan string, 5)
		for _, name := range []string{"bulk 1", "bulk 2", "interactive 1", "bulk 3", "interactive 2"} {
			lane := Bulk
			if name[0] == 'i' {
				lane = Interactive
			}
			go func() {
				if release, err := l.Acquire(WithLane(t.Context(), lane)); assert.NoError(t, err) {
					order <- name
					release()
				}
			}()
			synctest.Wait()
		}
		for _, name := range []string{"interactive 1", "interactive 2", "bulk 1", "bulk 2", "bulk 3"} {
			assert.Equal(t, name, <-order)
		}
	})
}

func TestReserveIsKeptForInteractive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Rule{Limit: 10, Window: time.Minute, Reserve: 3})
		bulk := WithLane(t.Context(), Bulk)
		for range 7 {
			release, err := l.Acquire(bulk)
			require.NoError(t, err)
			release()
		}
		assert.Equal(t, 3, l.Remaining()[0].Left)
		assert.Equal(t, time.Minute+margin, l.Estimate(Bulk, 1))
		assert.Zero(t, l.Estimate(Interactive, 3))
		start, result := time.Now(), enqueue(bulk, l)
		spend(t, l, 3)
		require.NoError(t, <-result)
		assert.Equal(t, time.Minute+margin, time.Since(start))
	})
	assert.Equal(t, 9, New(Rule{Limit: 10, Window: time.Minute, Reserve: 10}).rules[0].Reserve, "bulk is never locked out")
	assert.Equal(t, 0, New(Rule{Limit: 10, Window: time.Minute, Reserve: -1}).rules[0].Reserve)
}

func TestWaitEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("the user went away")
		l := New(Rule{Limit: 1, Window: time.Minute})
		spend(t, l, 1)
		ctx, cancel := context.WithCancelCause(t.Context())
		start, result := time.Now(), enqueue(ctx, l)
		travel(time.Second)
		cancel(cause)
		require.ErrorIs(t, <-result, cause)
		assert.Equal(t, time.Second, time.Since(start))
		assert.False(t, alarmed(&l.queue), "no timer is left behind")

		travel(time.Minute)
		_, err := l.Acquire(ctx)
		require.ErrorIs(t, err, cause, "not even when there is room")
		assert.Equal(t, 1, l.Remaining()[0].Left)
	})
}

func TestWhoGivesUpFreesItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Rule{Limit: 1, Window: time.Minute})
		spend(t, l, 1)
		start := time.Now()
		first, cancelFirst := context.WithCancel(t.Context())
		middle, cancelMiddle := context.WithCancel(t.Context())
		defer cancelMiddle()
		results := []<-chan error{enqueue(first, l), enqueue(t.Context(), l), enqueue(middle, l), enqueue(t.Context(), l)}
		assert.Equal(t, 5*(time.Minute+margin), l.Estimate(Interactive, 1))
		cancelFirst()
		cancelMiddle()
		require.ErrorIs(t, <-results[0], context.Canceled)
		require.ErrorIs(t, <-results[2], context.Canceled)
		assert.Equal(t, 3*(time.Minute+margin), l.Estimate(Interactive, 1))
		require.NoError(t, <-results[1])
		assert.Equal(t, time.Minute+margin, time.Since(start))
		require.NoError(t, <-results[3])
		assert.Equal(t, 2*(time.Minute+margin), time.Since(start))
	})
}

// Newcomers don't even overtake in the moment in which a place comes free.
func TestNewcomerAtTheSameMoment(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			l := New(Rule{Limit: 1, Window: time.Minute})
			spend(t, l, 1)
			start, second := time.Now(), make(chan error, 1)
			time.AfterFunc(time.Minute+margin, func() {
				_, err := l.Acquire(t.Context())
				second <- err
			})
			require.NoError(t, <-enqueue(t.Context(), l))
			require.Equal(t, time.Minute+margin, time.Since(start))
			require.NoError(t, <-second)
			require.Equal(t, 2*(time.Minute+margin), time.Since(start))
		})
	}
}

// A turn that comes at the very moment in which its request is given up is handed on.
func TestTurnAndCancelAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p := New(Rule{Limit: 1, Window: time.Minute}), new(HeaderPacer)
		spend(t, l, 1)
		attempts(t, p, 1)[0](quotaHeader(1, 0, time.Now().Add(time.Minute).Unix()))
		for _, line := range []struct {
			queue *queue
			quota quota
		}{{&l.queue, l}, {&p.queue, p}} {
			first, leave, err := line.queue.enter(t.Context(), line.quota)
			require.NoError(t, err)
			second, _, err := line.queue.enter(t.Context(), line.quota)
			require.NoError(t, err)
			defer func() {
				<-first
				select {
				case <-second:
					require.Fail(t, "one place, two turns")
				default:
				}
				leave()
				<-second // at once: nothing else could wake it, for no answer comes
			}()
		}
	})
}

// A request that is never answered lets nobody go, and wakes nobody up: in a bubble, that is a deadlock one can see.
func TestNoAlarmForPlacesInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Rule{Limit: 1, Window: time.Minute})
		release := acquire(t, l)
		result := enqueue(t.Context(), l)
		assert.False(t, alarmed(&l.queue))
		release()
		assert.True(t, alarmed(&l.queue))
		require.NoError(t, <-result)
	})
}

func TestDeadlineIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Rule{Limit: 2, Window: time.Minute})
		spend(t, l, 1)
		travel(10 * time.Second)
		acquire(t, l) // in flight: free in a minute at the earliest
		travel(10 * time.Second)
		start := time.Now()

		refuse := func(timeout, wait time.Duration) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			_, err := l.Acquire(ctx)
			refusal, ok := errors.AsType[*WaitError](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, wait, refusal.Wait)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Contains(t, err.Error(), wait.String())
			assert.Zero(t, time.Since(start), "at once")
		}
		refuse(time.Second, 40*time.Second+margin)
		refuse(40*time.Second+margin, 40*time.Second+margin)
		result := enqueue(t.Context(), l)
		refuse(50*time.Second, time.Minute+margin) // second in line, for the place in flight
		cancelled := enqueue(t.Context(), l)
		refuse(100*time.Second, 100*time.Second+2*margin) // third, after the first one's answer

		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second+2*margin+1)
		defer cancel()
		last := enqueue(ctx, l) // just in time, if the answer were prompt, but it never comes
		require.NoError(t, <-result)
		assert.Equal(t, 40*time.Second+margin, time.Since(start))
		require.NoError(t, <-cancelled)
		require.ErrorIs(t, <-last, context.DeadlineExceeded)
	})
}

func TestBulkDeadlineCountsInteractiveAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Rule{Limit: 1, Window: time.Minute})
		spend(t, l, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		bulk := enqueue(WithLane(t.Context(), Bulk), l)
		interactive := enqueue(ctx, l) // the bulk request is not in its way
		_, err := l.Acquire(WithLane(ctx, Bulk))
		refusal, ok := errors.AsType[*WaitError](err)
		require.True(t, ok)
		assert.Equal(t, 3*(time.Minute+margin), refusal.Wait)
		require.NoError(t, <-interactive)
		require.NoError(t, <-bulk)
	})
}

func BenchmarkLimiterUncontended(b *testing.B) {
	l := New(Rule{Limit: 1 << 20, Window: 50 * time.Millisecond}, Rule{Limit: 1 << 20, Window: 60 * time.Millisecond})
	b.ReportAllocs()
	for b.Loop() {
		release, err := l.Acquire(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		release()
	}
}

func BenchmarkLimiter64Goroutines(b *testing.B) {
	l := New(Rule{Limit: 1 << 20, Window: 50 * time.Millisecond}, Rule{Limit: 1 << 20, Window: 60 * time.Millisecond})
	b.ReportAllocs()
	b.SetParallelism(max(1, 64/runtime.GOMAXPROCS(0)))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			release, err := l.Acquire(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			release()
		}
	})
}

func BenchmarkHeaderPacerUncontended(b *testing.B) {
	var p HeaderPacer
	answer := quotaHeader(100, 99, time.Now().Add(time.Hour).Unix())
	answer.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	b.ReportAllocs()
	for b.Loop() {
		done, err := p.Acquire(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		done(answer)
	}
}
