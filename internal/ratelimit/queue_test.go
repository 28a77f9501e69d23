package ratelimit

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPlan(2, 0, 0)
		spend(t, p, 1)
		travel(time.Second) // so that no two permits are free at once
		spend(t, p, 1)
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				release, err := p.Acquire(t.Context(), Call{})
				if assert.NoError(t, err) {
					mu.Lock()
					order = append(order, i)
					mu.Unlock()
					travel(time.Duration(20-i) * time.Millisecond)
					release(answered)
				}
			})
			travel(7 * time.Second) // permits become free meanwhile: newcomers don't overtake
		}
		wg.Wait()
		assert.IsIncreasing(t, order)
		assert.Len(t, order, 20)
	})
}

func TestInteractiveGoesBeforeBulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPlan(1, 0, 0)
		spend(t, p, 1)
		order := make(chan string, 5)
		for _, name := range []string{"bulk 1", "bulk 2", "interactive 1", "bulk 3", "interactive 2"} {
			go func() {
				release, err := p.Acquire(t.Context(), Call{Bulk: name[0] == 'b'})
				if assert.NoError(t, err) {
					order <- name
					release(answered)
				}
			}()
			synctest.Wait()
		}
		for _, name := range []string{"interactive 1", "interactive 2", "bulk 1", "bulk 2", "bulk 3"} {
			assert.Equal(t, name, <-order)
		}
	})
}

func TestWaitEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("the user went away")
		p := NewPlan(1, 0, 0)
		spend(t, p, 1)
		ctx, cancel := context.WithCancelCause(t.Context())
		start, result := time.Now(), enqueue(ctx, p, Call{})
		travel(time.Second)
		alarm := p.alarm
		cancel(cause)
		err := <-result
		require.ErrorIs(t, err, cause)
		require.ErrorIs(t, err, context.Canceled)
		require.EqualError(t, err, "waiting for a permit: context canceled: the user went away")
		assert.Equal(t, time.Second, time.Since(start))
		assert.False(t, alarmed(&p.queue), "no timer is left behind")
		assert.False(t, alarm.Stop(), "not even one that runs on unseen")

		travel(time.Minute)
		release, err := p.Acquire(ctx, Call{})
		require.Nil(t, release)
		require.ErrorIs(t, err, cause, "not even when a permit is free")
		assert.Equal(t, []int{1}, left(t, p))

		ended, end := context.WithCancel(t.Context())
		end()
		_, err = p.Acquire(ended, Call{})
		require.EqualError(t, err, "waiting for a permit: context canceled")
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestWhoGivesUpIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPlan(1, 0, 0)
		spend(t, p, 1)
		start := time.Now()
		first, cancelFirst := context.WithCancel(t.Context())
		middle, cancelMiddle := context.WithCancel(t.Context())
		defer cancelMiddle()
		results := []<-chan error{
			enqueue(first, p, Call{}), enqueue(t.Context(), p, Call{}),
			enqueue(middle, p, Call{}), enqueue(t.Context(), p, Call{}),
		}
		requireRefused(t, p, Call{}, time.Minute, 5*(time.Minute+margin))
		cancelFirst()
		cancelMiddle()
		require.ErrorIs(t, <-results[0], context.Canceled)
		require.ErrorIs(t, <-results[2], context.Canceled)
		requireRefused(t, p, Call{}, time.Minute, 3*(time.Minute+margin))
		require.NoError(t, <-results[1])
		assert.Equal(t, time.Minute+margin, time.Since(start))
		require.NoError(t, <-results[3])
		assert.Equal(t, 2*(time.Minute+margin), time.Since(start))
	})
}

// Newcomers don't even overtake in the moment in which a permit becomes free.
func TestNewcomerAtTheSameMoment(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			p := NewPlan(1, 0, 0)
			spend(t, p, 1)
			start, second := time.Now(), make(chan error, 1)
			time.AfterFunc(time.Minute+margin, func() {
				_, err := p.Acquire(t.Context(), Call{})
				second <- err
			})
			require.NoError(t, <-enqueue(t.Context(), p, Call{}))
			require.Equal(t, time.Minute+margin, time.Since(start))
			require.NoError(t, <-second)
			require.Equal(t, 2*(time.Minute+margin), time.Since(start))
		})
	}
}

// A permit that comes at the very moment in which its call gives up is used.
func TestPermitAndCancelAtOnce(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			p, start := NewPlan(1, 0, 0), time.Now()
			spend(t, p, 1)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Minute+margin, cancel)
			first, second := enqueue(ctx, p, Call{}), enqueue(t.Context(), p, Call{})
			require.NoError(t, <-first)
			require.NoError(t, <-second)
			require.Equal(t, 2*(time.Minute+margin), time.Since(start))
		})
	}
}

// An attempt that is never answered frees no permit, and wakes nobody.
func TestNoAlarmForPermitsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPlan(1, 0, 0)
		release := acquire(t, p)
		result := enqueue(t.Context(), p, Call{})
		assert.False(t, alarmed(&p.queue))
		release(answered)
		assert.True(t, alarmed(&p.queue))
		require.NoError(t, <-result)
		assert.False(t, alarmed(&p.queue))
	})
}

func TestWaitBeyondTheDeadlineIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPlan(2, 0, 0)
		spend(t, p, 1)
		travel(10 * time.Second)
		acquire(t, p) // in flight: free in a minute at the earliest
		travel(10 * time.Second)
		start := time.Now()

		requireRefused(t, p, Call{}, time.Second, 40*time.Second+margin)
		assert.False(t, alarmed(&p.queue))
		requireRefused(t, p, Call{}, 40*time.Second+margin, 40*time.Second+margin)
		result := enqueue(t.Context(), p, Call{})
		requireRefused(t, p, Call{}, 50*time.Second, time.Minute+margin) // second, for the permit in flight
		assert.True(t, alarmed(&p.queue), "the first still waits")
		second := enqueue(t.Context(), p, Call{})
		requireRefused(t, p, Call{}, 100*time.Second, 100*time.Second+2*margin) // third

		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second+2*margin+1)
		defer cancel()
		last := enqueue(ctx, p, Call{}) // just in time, if the answer were prompt, but it never comes
		require.NoError(t, <-result)
		assert.Equal(t, 40*time.Second+margin, time.Since(start))
		require.NoError(t, <-second)
		require.ErrorIs(t, <-last, context.DeadlineExceeded)
	})
}

func TestBulkDeadlineCountsInteractiveCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPlan(1, 0, 0)
		spend(t, p, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		waiting := enqueue(t.Context(), p, Call{Bulk: true})
		first := enqueue(ctx, p, Call{}) // the bulk call is not in its way
		requireRefused(t, p, Call{Bulk: true}, 90*time.Second, 3*(time.Minute+margin))
		require.NoError(t, <-first)
		require.NoError(t, <-waiting)
	})
}
