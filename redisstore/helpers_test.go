package redisstore

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

const (
	permitsKey = "{account}:permits"
	grantsKey  = "{account}:grants"
	loading    = "LOADING Redis is loading the dataset in memory"
)

var (
	aMinute   = []rule{{60, time.Minute}}
	oneAtOnce = []rule{{1, time.Minute}}
	twoRules  = []rule{{600, time.Second}, {10, time.Minute}}

	interactiveCall = clicknps.Call{}
	bulkCall        = clicknps.Call{Bulk: true}
	outcomeSent     = clicknps.RateOutcome{Sent: true}
)

func TestMain(m *testing.M) {
	logging.Disable()
	for name, run := range map[string]func(config string){limiterEnv: runLimiter, deduperEnv: runDeduper} {
		if config := os.Getenv(name); config != "" {
			run(config)
			return
		}
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // tests in real time do little but wait
		panic(err)
	}
	os.Exit(m.Run())
}

// inBubble runs test in virtual time, with a Redis that runs the real scripts there. It has no uptime.
func inBubble(t *testing.T, test func(t *testing.T, m *miniredis.Miniredis)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := miniredis.NewMiniRedis()
		m.ClockTTL(true)
		t.Cleanup(m.Close)
		test(t, m)
		m.SetError("")
		pass(2 * lookAgain) // all is told
	})
}

// connect returns a client as one process has it.
func connect(t *testing.T, m *miniredis.Miniredis) *redis.Client {
	client := redis.NewClient(&redis.Options{
		Addr:       "127.0.0.1:6379", // is not looked up; Dialer ignores it
		Dialer:     func(context.Context, string, string) (net.Conn, error) { return m.Dial() },
		MaxRetries: -1,
	})
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	return client
}

// between stands between a limiter and its client. (A go-redis hook that takes its time holds a lock of the client.)
type between struct {
	redis.UniversalClient
	fault func(ask func() *redis.Cmd) *redis.Cmd
}

func (b between) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	return b.fault(func() *redis.Cmd { return b.UniversalClient.EvalSha(context.WithoutCancel(ctx), sha, keys, args...) })
}

func failed(problem string) *redis.Cmd { return redis.NewCmdResult(nil, errors.New(problem)) }

func newTestLimiter(t *testing.T, client redis.UniversalClient, rules []rule, opts ...Option) *Limiter {
	t.Helper()
	l, err := newLimiter(client, "account", rules, opts...)
	require.NoError(t, err)
	return l
}

// pass lets time pass.
func pass(d time.Duration) { <-time.After(d) }

func jitter(longest time.Duration) time.Duration { return rand.N(longest + 1) }

// spend makes n requests, with prompt answers.
func spend(t *testing.T, l *Limiter, call clicknps.Call, n int) {
	t.Helper()
	for range n {
		release, err := l.Acquire(t.Context(), call)
		require.NoError(t, err)
		release(outcomeSent)
	}
}

// enqueue starts an Acquire that has to wait. Its error, or nil, comes with the channel.
func enqueue(ctx context.Context, l *Limiter, call clicknps.Call) <-chan error {
	result := make(chan error, 1)
	go func() {
		release, err := l.Acquire(ctx, call)
		if err == nil {
			release(outcomeSent)
		}
		result <- err
	}()
	synctest.Wait()
	return result
}

// refusal returns the wait of a call that is refused at once because of its deadline.
func refusal(t *testing.T, l *Limiter, call clicknps.Call, deadline time.Duration) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	_, err := l.Acquire(ctx, call)
	require.NoError(t, ctx.Err(), "at once")
	require.ErrorIs(t, err, clicknps.ErrRateLimited)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	refused, ok := errors.AsType[*clicknps.Error](err)
	require.True(t, ok)
	assert.Equal(t, clicknps.ErrorTypeRateLimitExceeded, refused.Type)
	assert.Contains(t, err.Error(), "would outlive the deadline")
	return refused.RetryAfter
}

// left returns what is left of each window.
func left(t *testing.T, l *Limiter) (left []int) {
	t.Helper()
	quotas, err := l.Quotas(t.Context())
	require.NoError(t, err)
	for i, q := range quotas {
		require.Equal(t, clicknps.Quota{Window: l.rules[i].window - margin, Limit: l.rules[i].limit, Left: q.Left}, q)
		left = append(left, q.Left)
	}
	return left
}

// requireIdle checks that l has nothing left to tell.
func requireIdle(t *testing.T, l *Limiter) {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Nil(t, l.share)
	require.Empty(t, l.turn[false])
	require.Empty(t, l.turn[true])
}

// arrivals is a server that writes down when its requests come.
type arrivals struct {
	mu    sync.Mutex
	times []time.Time
}

func (a *arrivals) serve() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.times = append(a.times, time.Now())
}

// within counts the arrivals from one time to another.
func (a *arrivals) within(from, to time.Time) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, at := range a.times {
		if !at.Before(from) && at.Before(to) {
			n++
		}
	}
	return n
}

func (a *arrivals) count() int { return a.within(time.Time{}, time.Now().Add(time.Hour)) }

// more waits until so many more requests have come.
func (a *arrivals) more(t *testing.T, n int) {
	t.Helper()
	n += a.count()
	await(t, "requests go on", func() bool { return a.count() >= n })
}

// requireWithin checks that no window, both ends included, saw more than its limit. A fixed window is one of these.
func (a *arrivals) requireWithin(t *testing.T, rules ...rule) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	slices.SortFunc(a.times, time.Time.Compare)
	for _, r := range rules {
		for i := r.limit; i < len(a.times); i++ {
			require.Greater(t, a.times[i].Sub(a.times[i-r.limit]), r.window,
				"arrivals %d to %d: more than %d in %v", i-r.limit, i, r.limit, r.window)
		}
	}
}

// work makes requests until ctx ends, whatever happens.
func work(ctx context.Context, l *Limiter, call clicknps.Call, server *arrivals, longest time.Duration) {
	for ctx.Err() == nil {
		release, err := l.Acquire(ctx, call)
		if err != nil { // Redis is away
			pass(50 * time.Millisecond)
			continue
		}
		pass(jitter(longest))
		server.serve()
		pass(jitter(longest))
		release(outcomeSent)
	}
}

// startWorkers has each of the limiters make requests until the test ends.
func startWorkers(t *testing.T, server *arrivals, limiters ...*Limiter) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	for _, l := range limiters {
		for range 3 {
			wg.Go(func() { work(ctx, l, interactiveCall, server, 10*time.Millisecond) })
		}
	}
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 30*time.Second, 5*time.Millisecond, what)
}

// redisServer is a real Redis that keeps nothing on disk.
type redisServer struct {
	addr string
	args []string
	cmd  *exec.Cmd
}

// startRedis starts a Redis, and waits until it is older than a window of two seconds.
func startRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	s := newRedis(t, args...)
	s.mature(t)
	return s
}

func (s *redisServer) mature(t *testing.T) {
	t.Helper()
	client := s.client(t)
	await(t, "Redis is old enough", func() bool {
		uptime := client.InfoMap(t.Context(), "server").Item("Server", "uptime_in_seconds")
		return len(uptime) > 1 || uptime >= "4"
	})
}

func newRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	require.NoError(t, err, "these tests need a Redis of version 7 or newer: apt-get install redis-server, or run .ci/redis")
	port := freePort(t)
	s := &redisServer{addr: "127.0.0.1:" + port}
	s.args = append([]string{
		path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir(),
	}, args...)
	s.start(t)
	return s
}

// freePort returns a port that nobody else is given for a while: its last connection was closed at this end first, so
// that it is in TIME-WAIT. Who asks for it by its number may listen there.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	server, err := listener.Accept()
	require.NoError(t, err)
	require.NoError(t, server.Close())
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}

func (s *redisServer) start(t *testing.T) {
	t.Helper()
	s.cmd = exec.Command(s.args[0], s.args[1:]...)
	require.NoError(t, s.cmd.Start())
	t.Cleanup(s.kill)
	client := s.client(t)
	await(t, "Redis is up", func() bool { return client.Ping(t.Context()).Err() == nil })
}

// kill ends Redis in the middle of whatever it does.
func (s *redisServer) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *redisServer) client(t *testing.T) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: s.addr})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func info(t *testing.T, s *redisServer, section string) string {
	t.Helper()
	text, err := s.client(t).Info(t.Context(), section).Result()
	require.NoError(t, err)
	return text
}

// pair is a master and its replica.
type pair struct {
	master, replica *redisServer
	promoted        atomic.Bool // clients are sent to the replica
}

func startPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{master: newRedis(t, "--repl-diskless-sync-delay", "0")}
	p.replica = startRedis(t, append([]string{"--replicaof"}, strings.Split(p.master.addr, ":")...)...)
	await(t, "the replica has a copy", func() bool {
		return strings.Contains(info(t, p.replica, "replication"), "master_link_status:up")
	})
	return p
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

// spawn runs the test's binary again, as a process that does what the variable says.
func spawn(t *testing.T, name, config string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), name+"="+config)
	_, err := cmd.StdinPipe() // ends when this process does
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { kill(cmd) })
	return cmd
}

func kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}
