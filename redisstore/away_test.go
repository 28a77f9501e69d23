package redisstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const loading = "LOADING Redis is loading the dataset in memory"

func TestStopFailsWhileRedisIsAway(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := newTestLimiter(t, connect(t, m), aMinute, WhenAway(Stop))
		release, err := l.Acquire(t.Context())
		require.NoError(t, err)
		m.SetError(loading)
		_, err = l.Acquire(t.Context())
		require.ErrorContains(t, err, loading)
		release()
		require.ErrorContains(t, l.Flush(t.Context()), loading)
		travel(10 * time.Second)
		m.SetError("")
		travel(2 * retryEvery)
		requireIdle(t, l) // what could not be told is told later
		spend(t, l, 59)
		start := time.Now()
		spend(t, l, 1)
		assert.InDelta(t, 48*time.Second+margin, time.Since(start), float64(askSeldom))
	})
}

// A client may take long to say that Redis is away.
func TestSilenceIsAway(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		client := between{connect(t, m), func(func() *redis.Cmd) *redis.Cmd {
			travel(20 * time.Second)
			return failed("i/o timeout")
		}}
		start := time.Now()
		_, err := newTestLimiter(t, client, aMinute).Acquire(t.Context())
		require.ErrorIs(t, err, errNoAnswer)
		assert.Equal(t, patience, time.Since(start))
		travel(time.Minute)
	})
}

func TestFairShareKeepsQuotas(t *testing.T) {
	rules := []rule{{24, time.Minute}, {240, time.Hour}}
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		server := &arrivals{}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 4 {
			l := newTestLimiter(t, connect(t, m), rules, WhenAway(FairShare(4)))
			for range 3 {
				wg.Go(func() { work(ctx, l, server, 200*time.Millisecond) })
			}
		}
		travel(3*time.Minute + 30*time.Second)
		before := server.count()
		assert.GreaterOrEqual(t, before, 3*24)
		m.SetError(loading)
		travel(4*time.Minute + 30*time.Second)
		alone := server.count() - before
		t.Logf("%d requests before, %d of at most %d in the four minutes and a half without Redis", before, alone, 5*24)
		assert.GreaterOrEqual(t, alone, 3*24)
		m.SetError("")
		travel(3 * time.Minute)
		t.Logf("%d in the three minutes after", server.count()-before-alone)
		assert.GreaterOrEqual(t, server.count()-before-alone, 24)
		travel(2 * time.Hour)
		cancel()
		wg.Wait()
		server.requireWithin(t, rules...)
	})
}

func TestFairShareRefusesAndForgets(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		m.SetError(loading)
		l := newTestLimiter(t, connect(t, m), aMinute, WhenAway(FairShare(30)))
		first := enqueue(t.Context(), l)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start := time.Now()
		_, err := l.Acquire(ctx)
		require.ErrorContains(t, err, "would outlive")
		assert.Zero(t, time.Since(start))
		require.NoError(t, <-first)
		assert.Equal(t, time.Minute+margin, time.Since(start))
		spend(t, l, 1)
		third, cancelThird := context.WithCancel(t.Context())
		waiting := enqueue(third, l)
		cancelThird()
		require.ErrorIs(t, <-waiting, context.Canceled)
		spend(t, l, 1)
		assert.Equal(t, 2*(time.Minute+margin), time.Since(start))
	})
}

// Redis forgets everything, twice; its script too.
func TestLostMemoryIsNoticed(t *testing.T) {
	rules := []rule{{20, time.Minute}, {200, time.Hour}}
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		server := &arrivals{}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		for range 4 {
			l := newTestLimiter(t, connect(t, m), rules)
			for range 3 {
				wg.Go(func() { stubborn(ctx, l, server) })
			}
		}
		for range 2 {
			travel(72 * time.Second)
			m.FlushAll()
			require.NoError(t, connect(t, m).ScriptFlush(t.Context()).Err())
		}
		wg.Wait()
		server.requireWithin(t, rules...)
		t.Logf("%d requests", server.count())
		assert.GreaterOrEqual(t, server.count(), 100, "a loss costs about a minute, and two minutes' requests")
	})
}

// Whatever becomes of the questions and the answers, no rule is broken, and no slot is lost for good.
func TestFaultyLine(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
				rng := rand.New(rand.NewPCG(seed, 4711))
				rules := []rule{{5 + rng.IntN(10), 20 * time.Second}, {20 + rng.IntN(20), 2 * time.Minute}}
				server := &arrivals{}
				ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
				defer cancel()
				var wg sync.WaitGroup
				for range 3 {
					l := newTestLimiter(t, between{connect(t, m), faulty}, rules, WithAttemptTimeout(time.Second),
						WithReserve(rng.IntN(10)))
					for range 2 {
						wg.Go(func() { stubborn(ctx, l, server) })
						wg.Go(func() { stubborn(inBulk(ctx), l, server) })
					}
				}
				wg.Wait()
				server.requireWithin(t, rules...)
				travel(3 * time.Minute)
				l := newTestLimiter(t, connect(t, m), rules)
				start := time.Now()
				spend(t, l, min(rules[0].limit, rules[1].limit))
				assert.Less(t, time.Since(start), time.Second, "all is free again")
			})
		})
	}
}

// faulty loses a question in ten, loses an answer in ten, and delays one in ten, often beyond all patience.
func faulty(ask func() *redis.Cmd) *redis.Cmd {
	switch rand.IntN(10) {
	case 0:
		return failed("the question was lost")
	case 1:
		ask()
		return failed("the answer was lost")
	case 2:
		travel(jitter(3 * patience))
	}
	return ask()
}

// stubborn makes requests until ctx ends, whatever happens. Some are given up while they wait, some never released.
func stubborn(parent context.Context, l *Limiter, server *arrivals) {
	for parent.Err() == nil {
		ctx, cancel := context.WithTimeout(parent, jitter(2*time.Minute))
		release, err := l.Acquire(ctx)
		cancel()
		if err != nil {
			travel(jitter(10 * time.Second))
			continue
		}
		travel(jitter(500 * time.Millisecond))
		server.serve()
		travel(jitter(500 * time.Millisecond))
		if rand.IntN(10) > 0 {
			release()
		}
	}
}
