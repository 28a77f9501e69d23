package redisstore

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/webhook"
)

// A cluster of three real Redis servers, in real time.

// cluster is nodes with a third of the hash slots each.
type cluster []*redisServer

const hashSlots = 16384

func startCluster(t *testing.T) cluster {
	t.Helper()
	var c cluster
	for i := range 3 {
		bus := freePort(t)
		node := newRedis(t, "--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-require-full-coverage", "no")
		c = append(c, node)
		client := node.client(t)
		require.NoError(t, client.ClusterAddSlotsRange(t.Context(), i*hashSlots/3, (i+1)*hashSlots/3-1).Err())
		host, port, err := net.SplitHostPort(node.addr)
		require.NoError(t, err)
		require.NoError(t, c[0].client(t).Do(t.Context(), "CLUSTER", "MEET", host, port, bus).Err())
	}
	for _, node := range c {
		node.mature(t)
		client := node.client(t)
		await(t, "the node knows the cluster", func() bool {
			text := client.ClusterInfo(t.Context()).Val()
			return strings.Contains(text, "cluster_state:ok") && strings.Contains(text, "cluster_slots_ok:16384")
		})
	}
	return c
}

// client returns a client as one process has it.
func (c cluster) client(t *testing.T) redis.UniversalClient {
	var addrs []string
	for _, node := range c {
		addrs = append(addrs, node.addr)
	}
	client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: addrs})
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	return client
}

// keyOn returns a key with that prefix whose hash slot is on a node.
func (c cluster) keyOn(t *testing.T, node int, prefix string) string {
	t.Helper()
	client := c[0].client(t)
	for i := 0; ; i++ {
		key := fmt.Sprint(prefix, i)
		slot, err := client.ClusterKeySlot(t.Context(), key).Result()
		require.NoError(t, err)
		if slot >= int64(node*hashSlots/3) && slot < int64((node+1)*hashSlots/3) {
			return key
		}
	}
}

// holders returns which of the nodes hold a quota.
func (c cluster) holders(t *testing.T, key string) (nodes []int) {
	t.Helper()
	for i, node := range c {
		keys, err := node.client(t).Keys(t.Context(), "{"+key+"}:permits").Result()
		require.NoError(t, err)
		if len(keys) > 0 {
			nodes = append(nodes, i)
		}
	}
	return nodes
}

// fleet returns the limiters of so many processes that share a quota.
func (c cluster) fleet(t *testing.T, n int, key string, rules []rule, opts ...Option) (limiters []*Limiter) {
	t.Helper()
	for range n {
		l, err := newLimiter(c.client(t), key, rules, append(opts, WithAttemptTimeout(300*time.Millisecond))...)
		require.NoError(t, err)
		limiters = append(limiters, l)
	}
	return limiters
}

// id returns what a node is called in the cluster.
func (c cluster) id(t *testing.T, node int) string {
	t.Helper()
	id, err := c[node].client(t).ClusterMyID(t.Context()).Result()
	require.NoError(t, err)
	return id
}

// move moves a quota with its hash slot to another node. In the middle, when the one has given it away and the other
// does not own it yet, it calls between.
func (c cluster) move(t *testing.T, key string, from, to int, between func()) {
	t.Helper()
	clients := []*redis.Client{c[0].client(t), c[1].client(t), c[2].client(t)}
	slot, err := clients[0].ClusterKeySlot(t.Context(), key).Result()
	require.NoError(t, err)
	setSlot := func(node int, args ...any) {
		t.Helper()
		require.NoError(t, clients[node].Do(t.Context(), append([]any{"CLUSTER", "SETSLOT", slot}, args...)...).Err())
	}
	setSlot(to, "IMPORTING", c.id(t, from))
	setSlot(from, "MIGRATING", c.id(t, to))
	host, port, err := net.SplitHostPort(c[to].addr)
	require.NoError(t, err)
	require.NoError(t, clients[from].Do(t.Context(), "MIGRATE", host, port, "", 0, 1000,
		"KEYS", "{"+key+"}:permits", "{"+key+"}:grants").Err())
	between()
	setSlot(to, "NODE", c.id(t, to))
	setSlot(from, "NODE", c.id(t, to))
}

func TestClusterOfThree(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	rules := []rule{{60, 2 * time.Second}}
	t.Run("a quota on a node", func(t *testing.T) {
		t.Parallel()
		key, server := c.keyOn(t, 2, "account"), &arrivals{}
		startWorkers(t, server, c.fleet(t, 8, key, rules)...)
		server.more(t, 3*60)
		server.requireWithin(t, rules...)
		assert.Equal(t, []int{2}, c.holders(t, key))
	})
	t.Run("a quota that moves", func(t *testing.T) {
		t.Parallel()
		key, server := c.keyOn(t, 0, "moving"), &arrivals{}
		startWorkers(t, server, c.fleet(t, 8, key, rules)...)
		server.more(t, 75)
		c.move(t, key, 0, 1, func() { server.more(t, 60) })
		server.more(t, 75)
		server.requireWithin(t, rules...)
		assert.Equal(t, []int{1}, c.holders(t, key))
	})
	t.Run("claims", func(t *testing.T) {
		t.Parallel()
		d := newTestDeduper(t, c.client(t))
		for i := range 20 { // on all nodes
			key := fmt.Sprint(i)
			assert.Equal(t, webhook.ClaimGranted, claim(t, d, key, "h1", time.Minute))
			assert.Equal(t, webhook.ClaimHeld, claim(t, d, key, "h2", time.Minute))
			require.NoError(t, d.Complete(t.Context(), key, "h1", time.Minute))
			assert.Equal(t, webhook.ClaimDone, claim(t, d, key, "h2", time.Minute))
		}
		for i, node := range c {
			keys, err := node.client(t).Keys(t.Context(), "events:*").Result()
			require.NoError(t, err)
			assert.NotEmpty(t, keys, "node %d", i)
		}
	})
}

// The node has no replica, and comes back without its memory.
func TestClusterNodeDies(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	rules := []rule{{40, 2 * time.Second}}
	stop := c.fleet(t, 1, c.keyOn(t, 2, "stop"), rules)[0]
	elsewhere := c.fleet(t, 1, c.keyOn(t, 1, "elsewhere"), rules)[0]
	server := &arrivals{}
	startWorkers(t, server, c.fleet(t, 8, c.keyOn(t, 2, "share"), rules, WhenAway(FairShare(8)))...)
	server.more(t, 10)
	spend(t, stop, interactiveCall, 1)
	spend(t, elsewhere, interactiveCall, 1)
	c[2].kill()
	_, err := stop.Acquire(t.Context(), interactiveCall)
	require.ErrorContains(t, err, "asking Redis")
	spend(t, elsewhere, interactiveCall, 1)
	server.more(t, 60) // 30 of them at most were let go before
	c[2].start(t)
	await(t, "the node is back", func() bool { return atOnce(t, stop) == nil })
	server.more(t, 60)
	server.requireWithin(t, rules...)
}
