package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// A failover of real Redis servers, in real time.

// pair is a master and its replica.
type pair struct {
	master, replica *redisServer
	promoted        atomic.Bool // clients are sent to the replica
}

func startPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{master: startRedis(t, "--repl-diskless-sync-delay", "0")}
	p.replica = startRedis(t, append([]string{"--replicaof"}, strings.Split(p.master.addr, ":")...)...)
	await(t, "the replica has a copy", func() bool {
		return strings.Contains(info(t, p.replica, "replication"), "master_link_status:up")
	})
	return p
}

func info(t *testing.T, s *redisServer, section string) string {
	t.Helper()
	text, err := s.client(t).Info(t.Context(), section).Result()
	require.NoError(t, err)
	return text
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 20*time.Second, 5*time.Millisecond, what)
}

// client returns a client as one process has it. It finds the master by a name, as that of a managed Redis.
func (p *pair) client(t *testing.T) redis.UniversalClient {
	client := redis.NewClient(&redis.Options{
		Addr: p.master.addr,
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if p.promoted.Load() {
				addr = p.replica.addr
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	})
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	return client
}

// cut makes the replica a master of its own: it does not hear of what the master is told from now on.
func (p *pair) cut(t *testing.T) {
	t.Helper()
	require.NoError(t, p.replica.client(t).ReplicaOf(t.Context(), "NO", "ONE").Err())
}

// failOver kills the master, and sends the clients to what was its replica.
func (p *pair) failOver() {
	p.promoted.Store(true)
	p.master.kill()
}

// replicated waits until the replica has so many slots.
func (p *pair) replicated(t *testing.T, slots int64) {
	t.Helper()
	client := p.replica.client(t)
	await(t, "the slots are replicated", func() bool { return client.ZCard(t.Context(), slotsKey).Val() == slots })
}

// settled waits until the replica knows of the answers of a whole window's requests. Nothing is granted for a while then,
// so nothing can be lost: Redis may have answered a client before it writes to a replica.
func (p *pair) settled(t *testing.T, r rule) {
	t.Helper()
	client := p.replica.client(t)
	await(t, "a window's requests are replicated", func() bool {
		now := time.Now()
		since := fmt.Sprint(now.Add(-r.window / 2).UnixMilli())
		return client.ZCount(t.Context(), slotsKey, since, fmt.Sprint(now.UnixMilli())).Val() == int64(r.limit)
	})
}

// startWorkers has each of the limiters make requests of the server, whatever happens, until the test ends.
func startWorkers(t *testing.T, server *arrivals, limiters ...*Limiter) {
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait) // t.Context ends before
	for _, l := range limiters {
		for range 3 { // so that each of eight limiters has its turn in each window
			wg.Go(func() {
				for t.Context().Err() == nil {
					work(t.Context(), l, server, 10*time.Millisecond)
					travel(jitter(50 * time.Millisecond)) // Redis is away
				}
			})
		}
	}
}

// eight returns the limiters of eight processes.
func eight(t *testing.T, client func(*testing.T) redis.UniversalClient, rules []rule) (limiters []*Limiter) {
	t.Helper()
	for range 8 {
		limiters = append(limiters, newTestLimiter(t, client(t), rules, WithAttemptTimeout(300*time.Millisecond)))
	}
	return limiters
}

// more waits until so many more requests have come.
func (a *arrivals) more(t *testing.T, n int) {
	t.Helper()
	n += a.count()
	await(t, "requests go on", func() bool { return a.count() >= n })
}

// leases returns how many slots Redis has granted to each limiter.
func leases(limiters []*Limiter) (leased []int) {
	for _, l := range limiters {
		l.mu.Lock()
		leased = append(leased, l.leased)
		l.mu.Unlock()
	}
	return leased
}

// noticed reports whether somebody has noticed that Redis lost something, and has not forgotten it yet.
func noticed(t *testing.T, s *redisServer) bool {
	t.Helper()
	err := s.client(t).ZScore(t.Context(), slotsKey, "lost:1").Err()
	if !errors.Is(err, redis.Nil) {
		require.NoError(t, err)
	}
	return err == nil
}

// startSentinel has a Sentinel watch the pair, and fail over within a second or two.
func startSentinel(t *testing.T, p *pair) *redisServer {
	t.Helper()
	port := freePort(t)
	path, err := exec.LookPath("redis-server")
	require.NoError(t, err)
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, "bind 127.0.0.1\nport %s\nsentinel monitor quota %s 1\n"+
		"sentinel down-after-milliseconds quota 300\nsentinel failover-timeout quota 2000\n",
		port, strings.ReplaceAll(p.master.addr, ":", " ")), 0o600))
	s := &redisServer{addr: "127.0.0.1:" + port, args: []string{path, config, "--sentinel"}}
	s.start(t)
	client := s.client(t)
	require.NoError(t, client.Do(t.Context(), "SENTINEL", "DEBUG", "INFO-PERIOD", "100").Err())
	await(t, "the Sentinel knows the replica", func() bool {
		replicas, err := client.Do(t.Context(), "SENTINEL", "REPLICAS", "quota").Slice()
		return err == nil && len(replicas) == 1
	})
	return s
}

// The plan's shorter window is over before the replica is promoted; the longer one is not.
func TestSentinelFailoverBreaksNoQuota(t *testing.T) {
	t.Parallel()
	rules := []rule{{30, time.Second}, {90, 4 * time.Second}}
	p := startPair(t)
	sentinel := startSentinel(t, p)
	server := &arrivals{}
	startWorkers(t, server, eight(t, func(t *testing.T) redis.UniversalClient {
		client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "quota", SentinelAddrs: []string{sentinel.addr}})
		t.Cleanup(func() { assert.NoError(t, client.Close()) })
		return client
	}, rules)...)
	server.more(t, 45)
	p.settled(t, rules[0])
	p.master.kill()
	server.more(t, 15)
	assert.False(t, noticed(t, p.replica), "nothing was lost")
	server.more(t, 60)
	server.requireWithin(t, rules...)
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
	assert.False(t, noticed(t, p.replica), "nothing was lost")
	server.requireWithin(t, rules...)
}

func TestFailoverWithoutTheLastWritesBreaksNoQuota(t *testing.T) {
	t.Parallel()
	rules := []rule{{30, time.Second}, {400, 20 * time.Second}}
	p := startPair(t)
	limiters := eight(t, p.client, rules)
	server := &arrivals{}
	startWorkers(t, server, limiters...)
	server.more(t, 45)
	p.settled(t, rules[0])
	p.cut(t)
	before := leases(limiters)
	await(t, "everybody has slots that the replica knows nothing of", func() bool {
		for i, n := range leases(limiters) {
			if n == before[i] {
				return false
			}
		}
		return true
	})
	p.failOver()
	server.more(t, 60)
	server.requireWithin(t, rules...)
	assert.True(t, noticed(t, p.replica))
}

// atOnce makes a request if it need not wait for it.
func atOnce(t *testing.T, l *Limiter) error {
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	release, err := l.Acquire(ctx)
	if err == nil {
		release()
	}
	return err
}

// A process misses the slots of its own requests that are still under way.
func TestFailoverWithoutSlotsInUse(t *testing.T) {
	t.Parallel()
	rules := []rule{{10, 2 * time.Second}, {100, 20 * time.Second}}
	p := startPair(t)
	l := newTestLimiter(t, p.client(t), rules)
	spend(t, l, 3)
	require.NoError(t, l.Flush(t.Context()))
	p.replicated(t, 3)
	p.cut(t)
	for range 5 {
		release, err := l.Acquire(t.Context())
		require.NoError(t, err)
		defer release()
	}
	p.failOver()
	start := time.Now()
	require.ErrorIs(t, atOnce(t, l), clicknps.ErrRateLimited)
	spend(t, l, 1)
	assert.Greater(t, time.Since(start), rules[0].window, "nothing is sent for a window")
}

// What only others told Redis is missed by nobody until they come.
func TestFailoverWithoutWhatOthersTold(t *testing.T) {
	t.Parallel()
	rules := []rule{{20, 2 * time.Second}, {100, 20 * time.Second}}
	p := startPair(t)
	one, other := newTestLimiter(t, p.client(t), rules), newTestLimiter(t, p.client(t), rules)
	spend(t, one, 5)
	require.NoError(t, one.Flush(t.Context()))
	p.replicated(t, 5)
	p.cut(t)
	spend(t, other, 10)
	require.NoError(t, other.Flush(t.Context()))
	p.failOver()
	for range 15 {
		require.NoError(t, atOnce(t, one))
	}
	require.ErrorIs(t, atOnce(t, one), clicknps.ErrRateLimited, "as many too many as were lost, and no more")
	assert.False(t, noticed(t, p.replica))
	start := time.Now()
	spend(t, other, 1)
	assert.Greater(t, time.Since(start), rules[0].window, "nothing is sent for a window")
	assert.True(t, noticed(t, p.replica))
}

func TestMasterWithoutItsReplicaRefuses(t *testing.T) {
	t.Parallel()
	r := startRedis(t, "--min-replicas-to-write", "1")
	_, err := newTestLimiter(t, r.client(t), aMinute).Acquire(t.Context())
	require.ErrorContains(t, err, "NOREPLICAS")
	_, err = newTestDeduper(t, r.client(t)).Claim(t.Context(), "a", time.Hour)
	require.ErrorContains(t, err, "NOREPLICAS")
}

func TestClaimsAfterAFailover(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	one, other := newTestDeduper(t, p.client(t)), newTestDeduper(t, p.client(t))
	require.True(t, mustClaim(t, one, "replicated"))
	replica := p.replica.client(t)
	await(t, "the claim is replicated", func() bool { return replica.Exists(t.Context(), "events:replicated").Val() == 1 })
	p.cut(t)
	require.True(t, mustClaim(t, one, "lost"))
	p.failOver()
	assert.False(t, mustClaim(t, other, "replicated"))
	assert.True(t, mustClaim(t, other, "lost"), "it can be made twice")
	require.NoError(t, one.Release(t.Context(), "lost"))
	assert.False(t, mustClaim(t, one, "lost"), "it is other's now")
	require.NoError(t, one.Release(t.Context(), "replicated"))
	assert.True(t, mustClaim(t, other, "replicated"))
}

// A slot that came too late for its request is given back: that Redis does not have it is no loss.
func TestSlotThatWasGivenBackIsNotMissed(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := newTestLimiter(t, connect(t, m), aMinute)
		w := l.enter(t.Context())
		<-w.done
		l.leave(w)
		travel(time.Second)
		start := time.Now()
		spend(t, l, 1)
		assert.Zero(t, time.Since(start))
	})
}
