package redisstore

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// These tests run in real time against a real Redis, all at once.

func TestEightProcessesKeepTheQuota(t *testing.T) {
	t.Parallel()
	rules := []rule{{60, 2 * time.Second}}
	server, url := startAPI(t, rules)
	startFleet(t, 8, startRedis(t), url, rules)
	require.Eventually(t, func() bool { return server.count() > 0 }, 10*time.Second, time.Millisecond)
	start := time.Now()
	<-time.After(10 * rules[0].window)
	used := server.before(start.Add(10 * rules[0].window))
	t.Logf("used %d of 600, %d refused", used, server.refused)
	assert.GreaterOrEqual(t, used, 570)
	assert.Zero(t, server.refused)
	server.requireWithin(t, rules...)
}

func TestKilledProcessesBreakNoQuota(t *testing.T) {
	t.Parallel()
	rules := []rule{{30, time.Second}, {150, 8 * time.Second}}
	server, url := startAPI(t, rules)
	f := startFleet(t, 8, startRedis(t), url, rules)
	for i := range 16 {
		<-time.After(400 * time.Millisecond)
		f.replace(t, i%8)
	}
	killing := server.count()
	<-time.After(8 * time.Second)
	t.Logf("%d requests while 16 processes were killed, %d in eight seconds after", killing, server.count()-killing)
	assert.GreaterOrEqual(t, server.count()-killing, 75, "no slot is lost for good")
	assert.Zero(t, server.refused)
	server.requireWithin(t, rules...)
}

func TestRedisRestartBreaksNoQuota(t *testing.T) {
	t.Parallel()
	rules := []rule{{30, time.Second}, {400, 20 * time.Second}}
	server, url := startAPI(t, rules)
	r := startRedis(t)
	startFleet(t, 8, r, url, rules)
	for range 3 {
		before := server.count()
		require.Eventually(t, func() bool { return server.count() >= before+45 }, 20*time.Second, time.Millisecond)
		r.kill()
		r.start(t) // it has forgotten everything
	}
	before := server.count()
	require.Eventually(t, func() bool { return server.count() >= before+45 }, 20*time.Second, time.Millisecond)
	t.Logf("%d requests, 3 restarts", server.count())
	assert.Zero(t, server.refused)
	server.requireWithin(t, rules...)
}

func TestRealRedisExpiresTheQuota(t *testing.T) {
	t.Parallel()
	client := startRedis(t).client(t)
	l, err := NewLimiter(client, "account", clicknps.PlanFree)
	require.NoError(t, err)
	spend(t, l, 3)
	require.NoError(t, l.Flush(t.Context()))
	ttl, err := client.PTTL(t.Context(), slotsKey).Result()
	require.NoError(t, err)
	assert.InDelta(t, time.Hour+defaultAttemptTimeout+patience+hold, ttl, float64(time.Second))
	scores, err := client.ZRangeWithScores(t.Context(), slotsKey, 0, -1).Result()
	require.NoError(t, err)
	require.Len(t, scores, 3)
	for _, slot := range scores {
		assert.InDelta(t, time.Now().UnixMilli(), slot.Score, 1000, "answered, by Redis' clock")
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	r := startRedis(t, "--cluster-enabled", "yes", "--cluster-require-full-coverage", "no")
	require.NoError(t, r.client(t).ClusterAddSlotsRange(t.Context(), 0, 16383).Err())
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{r.addr}})
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	require.Eventually(t, func() bool {
		return client.Set(t.Context(), "ready", 1, 0).Err() == nil
	}, 20*time.Second, 20*time.Millisecond)

	l, err := NewLimiter(client, "account", clicknps.PlanFree, WhenAway(Stop))
	require.NoError(t, err)
	spend(t, l, 5)
	require.NoError(t, l.Flush(t.Context()))
	n, err := client.ZCard(t.Context(), slotsKey).Result()
	require.NoError(t, err)
	assert.EqualValues(t, 5, n)

	node := r.client(t)
	want, err := node.ClusterKeySlot(t.Context(), "account").Result()
	require.NoError(t, err)
	keys, err := node.Keys(t.Context(), "*account*").Result()
	require.NoError(t, err)
	require.NotEmpty(t, keys)
	for _, key := range keys {
		got, err := node.ClusterKeySlot(t.Context(), key).Result()
		require.NoError(t, err)
		assert.Equal(t, want, got, "%s is in its quota's hash slot", key)
	}

	d, err := NewDeduper(client, "events:")
	require.NoError(t, err)
	for _, key := range []string{"a", "b", "c"} {
		claimed, err := d.Claim(t.Context(), key, time.Minute)
		require.NoError(t, err)
		assert.True(t, claimed)
		require.NoError(t, d.Release(t.Context(), key))
	}
}
