package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// requireLeft checks what is left of each window.
func requireLeft(t *testing.T, l *Limiter, left ...int) {
	t.Helper()
	quotas, err := l.Quotas(t.Context())
	require.NoError(t, err)
	require.Len(t, quotas, len(left))
	for i, q := range quotas {
		assert.Equal(t, clicknps.Quota{Window: l.rules[i].window, Limit: l.rules[i].limit, Left: left[i]}, q)
	}
}

func estimate(t *testing.T, l *Limiter, requests int) time.Duration {
	t.Helper()
	wait, err := l.EstimateWait(t.Context(), requests)
	require.NoError(t, err)
	return wait
}

func TestQuotasAreTheFleets(t *testing.T) {
	rules := []rule{{60, time.Minute}, {1000, time.Hour}}
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		one := newTestLimiter(t, connect(t, m), rules)
		other := newTestLimiter(t, connect(t, m), rules)
		requireLeft(t, one, 60, 1000)
		spend(t, one, 10)
		release, err := other.Acquire(t.Context())
		require.NoError(t, err)
		travel(time.Second)
		requireLeft(t, one, 49, 989)
		w := other.enter(t.Context())
		<-w.done
		other.leave(w) // leased, and not used
		requireLeft(t, one, 48, 988)
		requireLeft(t, one, 48, 988)
		travel(time.Second)
		requireLeft(t, one, 49, 989)
		travel(time.Minute)
		requireLeft(t, one, 59, 989)
		release()
		travel(time.Hour + time.Second)
		requireLeft(t, one, 60, 1000)
		requireIdle(t, one)
	})
}

func TestQuotasAreToldWhatIsGrantedInTheSameVisit(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := held(t, m, tenAnHour)
		for range 4 {
			enqueue(t.Context(), l)
		}
		requireLeft(t, l, 596, 6)
		travel(time.Minute)
	})
}

func TestQuotasDoNotWaitLikeRequests(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := newTestLimiter(t, connect(t, m), tenAnHour)
		spend(t, l, 10)
		result := enqueue(t.Context(), l)
		travel(2 * time.Minute)
		start := time.Now()
		requireLeft(t, l, 600, 0)
		assert.Zero(t, time.Since(start))
		require.NoError(t, <-result)
	})
}

// A process that only looks must not have Redis forget what others do, nor keep it forever.
func TestQuotasLeaveTheExpiryAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		_, err := newTestLimiter(t, connect(t, m), free, WithAttemptTimeout(time.Hour)).Acquire(t.Context())
		require.NoError(t, err)
		l := newTestLimiter(t, connect(t, m), free)
		requireLeft(t, l, 2, 9)
		assert.Equal(t, 2*time.Hour+patience+hold+margin, m.TTL(slotsKey))
		for range 61 {
			travel(time.Minute)
			requireLeft(t, l, 2, 9)
		}
		for range 58 {
			travel(time.Minute)
			requireLeft(t, l, 3, 9)
		}
		travel(time.Minute + patience + hold + margin)
		assert.Empty(t, m.Keys())
		requireLeft(t, l, 3, 10)
	})
}

func TestQuotasKnowOfALoss(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := newTestLimiter(t, connect(t, m), []rule{{60, time.Minute}, {100, time.Hour}})
		spend(t, newTestLimiter(t, connect(t, m), l.rules), 20)
		spend(t, l, 1)
		travel(time.Second)
		requireLeft(t, l, 39, 79)
		require.NoError(t, connect(t, m).ZRem(t.Context(), slotsKey, l.witness.ID).Err())
		requireLeft(t, l, 0, 19)
	})
}

// What is estimated is what it takes.
func TestEstimateWait(t *testing.T) {
	rules := []rule{{6, time.Minute}, {40, time.Hour}}
	for _, reserve := range []int{0, 15} {
		inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
			spend(t, newTestLimiter(t, connect(t, m), rules), 10)
			l := newTestLimiter(t, connect(t, m), rules, WithReserve(reserve))
			assert.Zero(t, estimate(t, l, -1))
			assert.Zero(t, estimate(t, l, 2))
			travel(20 * time.Second)
			var wg sync.WaitGroup
			for i := range 40 {
				ctx := t.Context()
				if i%3 == 0 {
					ctx = inBulk(ctx)
				}
				wg.Go(func() {
					release, err := l.Acquire(ctx)
					if assert.NoError(t, err) {
						release()
					}
				})
			}
			synctest.Wait()
			assert.Zero(t, estimate(t, l, 0), "there is nothing to send")
			want, start := estimate(t, l, 60), time.Now()
			for range 60 {
				wg.Go(func() {
					release, err := l.Acquire(inBulk(t.Context()))
					if assert.NoError(t, err) {
						release()
					}
				})
			}
			wg.Wait()
			t.Logf("reserve %d: estimated %v, took %v", reserve, want, time.Since(start))
			assert.InDelta(t, want, time.Since(start), float64(time.Second))
			assert.GreaterOrEqual(t, time.Since(start), want)
			assert.Greater(t, want, 2*time.Hour)
		})
	}
}

// The wait that is estimated is the one that a deadline is judged by.
func TestEstimateAndRefusalAgree(t *testing.T) {
	refusals := 0
	for seed := range uint64(40) {
		inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
			rng := rand.New(rand.NewPCG(seed, 42))
			limit := 2 + rng.IntN(12)
			rules := []rule{{limit, time.Hour}}
			l := newTestLimiter(t, connect(t, m), rules, WithReserve(rng.IntN(limit)))
			for range rng.IntN(limit + 1) {
				spend(t, l, 1)
				travel(rand.N(4 * time.Minute))
			}
			ctx, cancel := context.WithCancel(t.Context())
			for range rng.IntN(3 * limit) {
				enqueue(ctx, l)
			}
			for range rng.IntN(3 * limit) {
				enqueue(inBulk(ctx), l)
			}
			if want := estimate(t, l, 1); want > 0 {
				requireRefused(inBulk(t.Context()), t, l, want, want)
				refusals++
			}
			cancel()
			synctest.Wait()
			travel(time.Second)
		})
	}
	assert.Greater(t, refusals, 20)
}

func TestEstimateCountsOnSlotsLeasedAhead(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := newTestLimiter(t, connect(t, m), []rule{{400, time.Hour}})
		spend(t, l, 150)
		l.mu.Lock()
		spare := len(l.spare)
		l.mu.Unlock()
		require.Positive(t, spare)
		assert.Equal(t, 150+spare, used(t, m))
		assert.Zero(t, estimate(t, l, 250))
		assert.Equal(t, time.Hour+margin, estimate(t, l, 251))
		travel(time.Second)
	})
}

func TestEstimateOutlivesSlotsThatRedisHasForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := newTestLimiter(t, connect(t, m), aMinute)
		w := l.enter(t.Context())
		<-w.done
		l.leave(w) // leased, and not used
		m.FlushAll()
		assert.Zero(t, estimate(t, l, 60))
		travel(time.Second)
	})
}

func TestReadingsAreSharedAndDoNotWaitForALull(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		var visits atomic.Int64
		l := newTestLimiter(t, between{connect(t, m), func(ask func() *redis.Cmd) *redis.Cmd {
			visits.Add(1)
			travel(time.Second)
			return ask()
		}}, aMinute)
		for range 100 {
			enqueue(t.Context(), l) // the visits follow each other
		}
		start := time.Now()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { assert.Equal(t, 2*(time.Minute+margin), estimate(t, l, 21)) })
			synctest.Wait()
			wg.Go(func() { requireLeft(t, l, 60-1-maxWaiting) })
			synctest.Wait()
		}
		wg.Wait()
		assert.Equal(t, 2*time.Second, time.Since(start))
		synctest.Wait()
		assert.EqualValues(t, 3, visits.Load(), "one was under way, one told, one follows")
		travel(time.Hour)
	})
}

func TestQuotasWhileRedisIsAway(t *testing.T) {
	for _, away := range []Away{Stop, FairShare(2)} {
		inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
			l := newTestLimiter(t, connect(t, m), aMinute, WhenAway(away))
			m.SetError(loading)
			start := time.Now()
			for range 2 {
				_, err := l.Quotas(t.Context())
				require.ErrorContains(t, err, loading)
				_, err = l.EstimateWait(t.Context(), 1)
				require.ErrorContains(t, err, loading)
			}
			m.SetError("")
			requireLeft(t, l, 60)
			assert.Zero(t, time.Since(start), "Redis was tried each time")
			requireIdle(t, l)
		})
	}
}

func TestQuotasEndWithTheContext(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := held(t, m, aMinute)
		cause := errors.New("the user went away")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second/2, func() { cancel(cause) })
		start := time.Now()
		for range 2 {
			quotas, err := l.Quotas(ctx)
			require.ErrorIs(t, err, cause)
			assert.Empty(t, quotas)
			_, err = l.EstimateWait(ctx, 1)
			require.ErrorIs(t, err, cause)
		}
		assert.Equal(t, time.Second/2, time.Since(start))
		travel(time.Second)
		requireIdle(t, l)
	})
}

func TestUnlimitedPlanHasNoQuotas(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer client.Close()
	l, err := NewLimiter(client, "account", clicknps.PlanEnterprise)
	require.NoError(t, err)
	requireLeft(t, l)
	assert.Zero(t, estimate(t, l, 1000))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = l.Quotas(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestRealRedisTellsTheQuotas(t *testing.T) {
	t.Parallel()
	client := startRedis(t).client(t)
	l, err := NewLimiter(client, "account", clicknps.PlanPro, WithReserve(1000))
	require.NoError(t, err)
	requireLeft(t, l, 600, 10_000)
	assert.Zero(t, estimate(t, l, 600))
	now, err := client.Time(t.Context()).Result()
	require.NoError(t, err)
	slots := make([]redis.Z, 9_000)
	for i := range slots { // the oldest is of 55 minutes ago
		age := 10*time.Minute + time.Duration(i)*300*time.Millisecond
		slots[i] = redis.Z{Member: fmt.Sprint("earlier:", i), Score: float64(now.Add(-age).UnixMilli())}
	}
	require.NoError(t, client.ZAdd(t.Context(), slotsKey, slots...).Err())
	spend(t, l, 1)
	requireLeft(t, l, 599, 999)
	start := time.Now()
	wait := estimate(t, l, 8999)
	t.Logf("an estimate of 8999 requests takes %v", time.Since(start))
	assert.InDelta(t, 50*time.Minute+margin, wait, float64(5*time.Second))
}
