package redisstore

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/internal/ratelimit"
)

// inBulk makes the requests of ctx some of many.
func inBulk(ctx context.Context) context.Context { return ratelimit.WithLane(ctx, ratelimit.Bulk) }

// roll writes down who was served, in order.
type roll struct {
	mu    sync.Mutex
	names []string
	wg    sync.WaitGroup
}

func (r *roll) enqueue(ctx context.Context, t *testing.T, l *Limiter, name string) {
	r.wg.Go(func() {
		release, err := l.Acquire(ctx)
		if assert.NoError(t, err) {
			r.mu.Lock()
			r.names = append(r.names, name)
			r.mu.Unlock()
			release()
		}
	})
	synctest.Wait()
}

func (r *roll) served() []string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.names...)
}

// enqueueAll has a, b and c get in line, d and e before them.
func (r *roll) enqueueAll(t *testing.T, l *Limiter) {
	for _, name := range []string{"a", "b"} {
		r.enqueue(inBulk(t.Context()), t, l, name)
	}
	r.enqueue(t.Context(), t, l, "d")
	r.enqueue(inBulk(t.Context()), t, l, "c")
	r.enqueue(t.Context(), t, l, "e")
}

func TestInteractiveRequestsGoFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := newTestLimiter(t, connect(t, m), oneAtOnce)
		spend(t, l, 1)
		var r roll
		r.enqueueAll(t, l)
		r.wg.Wait()
		assert.Equal(t, []string{"d", "e", "a", "b", "c"}, r.names)
	})
}

func TestInteractiveRequestsGoFirstInAFairShare(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		m.SetError(loading)
		l := newTestLimiter(t, connect(t, m), oneAtOnce, WhenAway(FairShare(1)))
		var r roll
		r.enqueueAll(t, l)
		r.wg.Wait()
		assert.Equal(t, []string{"d", "e", "a", "b", "c"}, r.names)
	})
}

// held has a limiter whose visits take a second.
func held(t *testing.T, m *miniredis.Miniredis, rules []rule, opts ...Option) *Limiter {
	return newTestLimiter(t, between{connect(t, m), func(ask func() *redis.Cmd) *redis.Cmd {
		travel(time.Second)
		return ask()
	}}, rules, opts...)
}

func TestInteractiveRequestTakesASlotThatComesForABulkOne(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := held(t, m, []rule{{maxWaiting, time.Minute}})
		var r roll
		for range 2 * maxWaiting {
			r.enqueue(inBulk(t.Context()), t, l, "bulk")
		}
		r.enqueue(t.Context(), t, l, "interactive")
		travel(2 * time.Second)
		served := r.served()
		assert.Len(t, served, maxWaiting)
		assert.Contains(t, served, "interactive")
		r.wg.Wait()
	})
}

func TestSlotOfAnInteractiveRequestThatLeavesGoesToABulkOne(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := held(t, m, oneAtOnce)
		ctx, cancel := context.WithCancel(t.Context())
		first := enqueue(ctx, l)
		result := enqueue(inBulk(t.Context()), l)
		start := time.Now()
		cancel()
		require.ErrorIs(t, <-first, context.Canceled)
		require.NoError(t, <-result)
		assert.Equal(t, time.Second, time.Since(start), "the slot that was on its way")
	})
}

func TestDeadlineIsJudgedByThePlaceAmongBothLanes(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := newTestLimiter(t, connect(t, m), aMinute)
		spend(t, l, 60)
		for range 58 {
			enqueue(inBulk(t.Context()), l)
		}
		enqueue(t.Context(), l)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Second)
		defer cancel()
		last := enqueue(inBulk(ctx), l)
		assert.Empty(t, last, "the 60th")
		start := time.Now()
		require.ErrorIs(t, <-enqueue(inBulk(ctx), l), clicknps.ErrRateLimited, "the 61st")
		assert.Zero(t, time.Since(start))
		require.NoError(t, <-enqueue(ctx, l), "the second")
		assert.InDelta(t, time.Minute+margin, time.Since(start), float64(askSeldom))
		travel(time.Hour)
	})
}

func TestDeadlineIsJudgedByThePlaceAmongBothLanesInAFairShare(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		m.SetError(loading)
		l := newTestLimiter(t, connect(t, m), []rule{{2, time.Minute}}, WhenAway(FairShare(1)))
		spend(t, l, 1)
		travel(5 * time.Second)
		spend(t, l, 1) // the share's slots are free again one after the other
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute-2*time.Second)
		defer cancel()
		last := enqueue(inBulk(t.Context()), l)
		start := time.Now()
		require.ErrorIs(t, <-enqueue(inBulk(ctx), l), clicknps.ErrRateLimited)
		assert.Zero(t, time.Since(start))
		require.NoError(t, <-enqueue(ctx, l))
		assert.Equal(t, 55*time.Second+margin, time.Since(start))
		require.NoError(t, <-last)
		assert.Equal(t, time.Minute+margin, time.Since(start))
	})
}

func TestWhoComesDuringAVisitIsAskedForAfterIt(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := held(t, m, oneAtOnce)
		spend(t, l, 1)
		enqueue(inBulk(t.Context()), l) // its visit begins
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, <-enqueue(ctx, l), clicknps.ErrRateLimited)
		assert.Equal(t, 2*time.Second, time.Since(start))
		travel(time.Hour)
	})
}

// A process whose interactive request comes while bulk ones wait for an hour asks for it at once.
func TestInteractiveRequestIsAskedForAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		rules := []rule{{10, time.Hour}}
		other := newTestLimiter(t, connect(t, m), rules)
		var kept []slot
		for range 10 {
			w := other.enter(t.Context())
			<-w.done
			kept = append(kept, w.slot)
		}
		l := newTestLimiter(t, connect(t, m), rules)
		enqueue(inBulk(t.Context()), l)
		travel(time.Second)
		other.mu.Lock()
		other.giveBack(kept[0].id)
		other.step()
		other.mu.Unlock()
		require.NoError(t, other.Flush(t.Context()))
		start := time.Now()
		require.NoError(t, <-enqueue(t.Context(), l))
		assert.Zero(t, time.Since(start))
	})
}
