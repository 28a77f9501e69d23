package redisstore

import (
	"context"
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

func TestStopFailsWhileRedisIsAway(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := newTestLimiter(t, connect(t, m), aMinute, WhenAway(Stop))
		release, err := l.Acquire(t.Context(), interactiveCall)
		require.NoError(t, err)
		m.SetError(loading)
		for range 2 {
			_, err = l.Acquire(t.Context(), interactiveCall)
			require.EqualError(t, err, "redisstore: asking Redis for the rate limit: "+loading)
		}
		release(outcomeSent)
		synctest.Wait() // it can't be told
		m.SetError("")
		start := time.Now()
		spend(t, l, interactiveCall, 59)
		assert.Zero(t, time.Since(start))
		assert.Equal(t, []int{0}, left(t, l), "the first counts until its lease ends")
		pass(time.Minute + margin)
		assert.Equal(t, []int{59}, left(t, l))
		pass(30*time.Second + slack)
		assert.Equal(t, []int{60}, left(t, l))
	})
}

// A client may take long to say that Redis is away. All that wait hear of it at the same time.
func TestSilenceIsAway(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		var silent atomic.Bool
		client := between{connect(t, m), func(ask func() *redis.Cmd) *redis.Cmd {
			if silent.Load() {
				pass(20 * time.Second)
				return failed("i/o timeout")
			}
			return ask()
		}}
		l := newTestLimiter(t, client, oneAtOnce)
		spend(t, l, interactiveCall, 1)
		requireIdle(t, l)
		var waiting []<-chan error
		for range 5 {
			waiting = append(waiting, enqueue(t.Context(), l, interactiveCall))
		}
		silent.Store(true)
		start := time.Now()
		_, err := l.Acquire(t.Context(), interactiveCall)
		require.ErrorIs(t, err, errNoAnswer)
		assert.Equal(t, patience, time.Since(start))
		for _, result := range waiting {
			require.ErrorIs(t, <-result, errNoAnswer)
		}
		assert.LessOrEqual(t, time.Since(start), patience+lookAgain+spread)
		silent.Store(false)
		pass(time.Minute)
	})
}

func TestQuotasWhileRedisIsAway(t *testing.T) {
	for _, away := range []Away{Stop, FairShare(2)} {
		inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
			l := newTestLimiter(t, connect(t, m), aMinute, WhenAway(away))
			m.SetError(loading)
			for range 2 {
				_, err := l.Quotas(t.Context())
				require.ErrorContains(t, err, loading)
			}
			m.SetError("")
			assert.Equal(t, []int{60}, left(t, l), "Redis is asked each time")
		})
	}
}

func TestFairShareKeepsQuotas(t *testing.T) {
	rules := []rule{{24, 10 * time.Second}, {100, 2 * time.Minute}}
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		server := &arrivals{}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 4 {
			l := newTestLimiter(t, connect(t, m), rules, WhenAway(FairShare(4)))
			for range 3 {
				wg.Go(func() { work(ctx, l, interactiveCall, server, 200*time.Millisecond) })
			}
		}
		pass(15 * time.Second)
		before := server.count()
		assert.Equal(t, 48, before)
		m.SetError(loading)
		pass(3 * time.Minute)
		alone := server.count() - before
		t.Logf("%d requests before, %d in the three minutes without Redis", before, alone)
		assert.GreaterOrEqual(t, alone, 100)
		m.SetError("")
		pass(4 * time.Minute)
		t.Logf("%d in the four minutes after", server.count()-before-alone)
		assert.GreaterOrEqual(t, server.count()-before-alone, 100)
		cancel()
		wg.Wait()
		server.requireWithin(t, rules...)
	})
}

func TestFairShareRefusesAndForgets(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		m.SetError(loading)
		l := newTestLimiter(t, connect(t, m), aMinute, WhenAway(FairShare(30)))
		start := time.Now()
		assert.Equal(t, time.Minute+margin, refusal(t, l, interactiveCall, 30*time.Second), "nothing goes for a minute")
		release, err := l.Acquire(t.Context(), interactiveCall)
		require.NoError(t, err)
		assert.InDelta(t, time.Minute+margin, time.Since(start), float64(spread))
		spend(t, l, interactiveCall, 1)
		assert.InDelta(t, time.Minute+margin, time.Since(start), float64(spread), "two are its share")
		waiting := enqueue(t.Context(), l, interactiveCall)
		pass(10 * time.Second)
		release(clicknps.RateOutcome{Sent: false})
		require.NoError(t, <-waiting, "an unsent one goes to the next")
		assert.InDelta(t, 70*time.Second+margin, time.Since(start), float64(lookAgain+2*spread))
	})
}

// A blip of one process does not stop the others, who were granted something meanwhile.
func TestProcessThatReturnsFromABlip(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		var away atomic.Bool
		one := newTestLimiter(t, between{connect(t, m), func(ask func() *redis.Cmd) *redis.Cmd {
			if away.Load() {
				return failed("no route to host")
			}
			return ask()
		}}, aMinute, WhenAway(FairShare(2)))
		other := newTestLimiter(t, connect(t, m), aMinute, WhenAway(FairShare(2)))
		spend(t, one, interactiveCall, 1)
		pass(5 * time.Minute)
		away.Store(true)
		waiting := enqueue(t.Context(), one, interactiveCall)
		pass(30 * time.Second)
		spend(t, other, interactiveCall, 1)
		away.Store(false)
		start := time.Now()
		require.NoError(t, <-waiting)
		assert.LessOrEqual(t, time.Since(start), 2*lookAgain+spread)
		requireIdle(t, one)
		assert.Equal(t, []int{58}, left(t, other))
	})
}

// After an outage for all, the first process that returns has the others' shares counted.
func TestFirstProcessThatReturnsFromAnOutage(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		rules := []rule{{60, time.Minute}, {1000, time.Hour}}
		one := newTestLimiter(t, connect(t, m), rules, WhenAway(FairShare(2)))
		other := newTestLimiter(t, connect(t, m), rules, WhenAway(FairShare(2)))
		spend(t, one, interactiveCall, 5)
		requireIdle(t, one)
		m.SetError(loading)
		spend(t, one, interactiveCall, 10) // a minute later
		spend(t, other, interactiveCall, 1)
		synctest.Wait() // nobody can tell
		m.SetError("")
		assert.Equal(t, []int{0, 1000 - 60 - 5 - 10}, left(t, one), "it tells what it sent")
		pass(2 * lookAgain)
		requireIdle(t, one)
		assert.Equal(t, []int{0, 1000 - 60 - 5 - 10 - 1}, left(t, other), "the other has told, though nobody calls it")
		start := time.Now()
		spend(t, other, interactiveCall, 1)
		assert.InDelta(t, time.Minute, time.Since(start), float64(3*lookAgain))
	})
}

func TestFairShareKeepsItsPartOfTheReserve(t *testing.T) {
	now := time.Now()
	s := newShare([]rule{{100, time.Minute + margin}, {20, time.Hour + margin}}, 5, 4, 0, now)
	assert.Equal(t, 2, s.reserve, "rounded up")
	assert.Len(t, s.counts, 25, "a minute's share is used")
	later := now.Add(time.Hour + margin)
	for _, id := range []string{"1", "2", "3"} {
		assert.Zero(t, s.acquire(id, true, 30*time.Second, later))
	}
	assert.Equal(t, time.Hour+margin, s.acquire("4", true, 30*time.Second, later))
	assert.Zero(t, s.acquire("5", false, 30*time.Second, later))
	assert.Zero(t, s.acquire("6", false, 30*time.Second, later))
	assert.Equal(t, time.Hour+margin, s.acquire("7", false, 30*time.Second, later))
	delete(s.counts, "2") // unsent
	assert.Zero(t, s.acquire("8", false, 30*time.Second, later))

	s = newShare([]rule{{4, time.Minute + margin}}, 1, 4, 0, now)
	assert.Equal(t, time.Minute+margin, s.acquire("1", true, 0, now.Add(time.Hour)), "all of a share may be reserve")
	s = newShare([]rule{{4, time.Minute}, {40, time.Hour}}, 0, 4, 37, now)
	assert.Len(t, s.counts, 10, "its part of what may be used, rounded up")
}
