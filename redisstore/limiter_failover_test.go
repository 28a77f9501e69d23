package redisstore

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// Redis comes back without its memory, or without its last writes.

// lost counts the permits that stand for lost ones.
func lost(t *testing.T, client redis.UniversalClient) (n int) {
	t.Helper()
	ids, err := client.ZRange(t.Context(), permitsKey, 0, -1).Result()
	require.NoError(t, err)
	for _, id := range ids {
		if strings.HasPrefix(id, "lost:") {
			n++
		}
	}
	return n
}

// eight returns the limiters of eight processes.
func eight(t *testing.T, client func(*testing.T) redis.UniversalClient, rules []rule) (limiters []*Limiter) {
	t.Helper()
	for range 8 {
		limiters = append(limiters, newTestLimiter(t, client(t), rules, WithAttemptTimeout(300*time.Millisecond)))
	}
	return limiters
}

// atOnce makes a request if it need not wait for it.
func atOnce(t *testing.T, l *Limiter) error {
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	release, err := l.Acquire(ctx, interactiveCall)
	if err == nil {
		release(outcomeSent)
	}
	return err
}

// Twenty processes have used all and wait, Redis forgets everything, and five new processes join before and after them.
func TestNewProcessesAfterARestart(t *testing.T) {
	t.Parallel()
	rules := []rule{{240, 2 * time.Second}, {2000, time.Minute}}
	r := startRedis(t)
	server := &arrivals{}
	var old []*Limiter
	for range 20 {
		old = append(old, newTestLimiter(t, r.client(t), rules, WithAttemptTimeout(300*time.Millisecond)))
	}
	startWorkers(t, server, old...)
	server.more(t, 240)
	r.kill()
	var joined []*Limiter
	for range 5 {
		joined = append(joined, newTestLimiter(t, r.client(t), rules, WithAttemptTimeout(300*time.Millisecond)))
	}
	startWorkers(t, server, joined...)
	r.start(t)
	server.more(t, 300)
	server.requireWithin(t, rules...)
}

// Only processes that know nothing ask a Redis that has just started. Nothing is sent for a window, once.
func TestRedisThatHasJustStarted(t *testing.T) {
	t.Parallel()
	rules := []rule{{10, 2 * time.Second}, {100, time.Hour}}
	started := time.Now()
	r := newRedis(t)
	one, other := newTestLimiter(t, r.client(t), rules), newTestLimiter(t, r.client(t), rules)
	require.Equal(t, []int{0, 90}, left(t, one))
	spend(t, one, interactiveCall, 1)
	waited := time.Since(started)
	assert.GreaterOrEqual(t, waited, 2*time.Second+margin)
	await(t, "the other process, too", func() bool { return atOnce(t, other) == nil })
	assert.Equal(t, 10, lost(t, r.client(t)), "counted by one is counted for all")
	r.mature(t)
	require.NoError(t, r.client(t).Del(t.Context(), permitsKey, grantsKey).Err())
	require.NoError(t, atOnce(t, newTestLimiter(t, r.client(t), rules)))
}

func TestLossIsCountedOnce(t *testing.T) {
	rules := []rule{{20, time.Minute}, {200, time.Hour}}
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		one, other := newTestLimiter(t, connect(t, m), rules), newTestLimiter(t, connect(t, m), rules)
		spend(t, one, interactiveCall, 10)
		spend(t, other, interactiveCall, 8)
		requireIdle(t, one)
		requireIdle(t, other)
		require.Equal(t, []int{2, 182}, left(t, other))
		m.FlushAll()
		assert.Equal(t, []int{20, 200}, left(t, newTestLimiter(t, connect(t, m), rules)), "it can't know")
		pass(time.Second)
		assert.Equal(t, []int{0, 200 - 38}, left(t, other), "the 18 that it knew of, and a minute's")
		assert.Equal(t, []int{0, 200 - 38}, left(t, other))
		pass(time.Second)
		assert.Equal(t, []int{0, 200 - 38}, left(t, one))
		pass(time.Minute + margin - time.Second)
		spend(t, one, interactiveCall, 1)
		requireIdle(t, one)
		assert.Equal(t, []int{19, 200 - 39}, left(t, other))
		m.FlushAll()
		assert.Equal(t, 0, left(t, one)[0], "and again")
	})
}

// Redis forgets everything, twice; its scripts too.
func TestLostMemoryIsNoticed(t *testing.T) {
	rules := []rule{{20, 10 * time.Second}, {200, 2 * time.Minute}}
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		server := &arrivals{}
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		for range 4 {
			l := newTestLimiter(t, connect(t, m), rules)
			for range 3 {
				wg.Go(func() { work(ctx, l, interactiveCall, server, time.Second) })
			}
		}
		for range 2 {
			pass(12 * time.Second)
			m.FlushAll()
			require.NoError(t, connect(t, m).ScriptFlush(t.Context()).Err())
		}
		wg.Wait()
		server.requireWithin(t, rules...)
		t.Logf("%d requests", server.count())
		assert.GreaterOrEqual(t, server.count(), 100, "a loss costs a window, and the requests of two")
	})
}

// The old master stays, as a replica that refuses every write.
func TestPlannedFailoverBreaksNoQuota(t *testing.T) {
	t.Parallel()
	rules := []rule{{30, time.Second}, {90, 4 * time.Second}}
	p := startPair(t)
	server := &arrivals{}
	startWorkers(t, server, eight(t, p.client, rules)...)
	server.more(t, 50)
	require.NoError(t, p.master.client(t).Do(t.Context(), "FAILOVER").Err())
	await(t, "the replica is the master", func() bool {
		return strings.Contains(info(t, p.replica, "replication"), "role:master")
	})
	p.promoted.Store(true)
	server.more(t, 100)
	assert.Zero(t, lost(t, p.replica.client(t)), "nothing was lost")
	server.requireWithin(t, rules...)
}

func TestFailoverWithoutTheLastWritesBreaksNoQuota(t *testing.T) {
	t.Parallel()
	rules := []rule{{30, time.Second}, {400, 20 * time.Second}}
	p := startPair(t)
	server := &arrivals{}
	startWorkers(t, server, eight(t, p.client, rules)...)
	server.more(t, 45)
	p.cut(t)
	before := grants(t, p.master.client(t))
	await(t, "everybody has permits that the replica knows nothing of", func() bool {
		for process, at := range grants(t, p.master.client(t)) {
			if at <= before[process] {
				return false
			}
		}
		return true
	})
	p.failOver()
	server.more(t, 60)
	server.requireWithin(t, rules...)
	assert.NotZero(t, lost(t, p.replica.client(t)))
}

// grants returns when each process was granted something.
func grants(t *testing.T, client redis.UniversalClient) map[string]float64 {
	t.Helper()
	latest := map[string]float64{}
	members, err := client.ZRangeWithScores(t.Context(), grantsKey, 0, -1).Result()
	require.NoError(t, err)
	for _, m := range members {
		latest[fmt.Sprint(m.Member)] = m.Score
	}
	return latest
}

// What only others were granted is missed by nobody until they come.
func TestFailoverWithoutWhatOthersWereGranted(t *testing.T) {
	t.Parallel()
	rules := []rule{{20, 2 * time.Second}, {100, 20 * time.Second}}
	p := startPair(t)
	one, other := newTestLimiter(t, p.client(t), rules), newTestLimiter(t, p.client(t), rules)
	spend(t, one, interactiveCall, 5)
	replica := p.replica.client(t)
	await(t, "the permits are replicated", func() bool {
		return replica.ZCount(t.Context(), permitsKey, "-inf", fmt.Sprint(time.Now().UnixMilli())).Val() == 5
	})
	p.cut(t)
	spend(t, other, interactiveCall, 10)
	p.failOver()
	pass(rules[0].window)
	await(t, "the replica is the master", func() bool { return atOnce(t, one) == nil })
	assert.Zero(t, lost(t, replica))
	start := time.Now()
	require.ErrorIs(t, atOnce(t, other), clicknps.ErrRateLimited)
	spend(t, other, interactiveCall, 1)
	assert.Greater(t, time.Since(start), rules[0].window, "nothing is sent for a window")
	assert.GreaterOrEqual(t, lost(t, replica), 20)
}

func TestMasterWithoutItsReplicaRefuses(t *testing.T) {
	t.Parallel()
	r := newRedis(t, "--min-replicas-to-write", "1")
	_, err := newTestLimiter(t, r.client(t), aMinute).Acquire(t.Context(), interactiveCall)
	require.ErrorContains(t, err, "NOREPLICAS")
	_, err = newTestDeduper(t, r.client(t)).Claim(t.Context(), "a", "h1", time.Hour)
	require.ErrorContains(t, err, "NOREPLICAS")
}
