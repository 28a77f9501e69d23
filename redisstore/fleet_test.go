package redisstore

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// workerEnv makes the test's binary a process of a fleet.
const workerEnv = "REDISSTORE_TEST_WORKER"

func TestMain(m *testing.M) {
	if config := os.Getenv(workerEnv); config != "" {
		runWorker(config)
		return
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // tests in real time do little but wait
		panic(err)
	}
	os.Exit(m.Run())
}

// workerConfig is what a process of a fleet is told.
type workerConfig struct {
	Redis, Server string
	Rules         []workerRule
}

type workerRule struct {
	Limit  int
	Window time.Duration
}

// runWorker makes requests of four goroutines until its standard input ends.
func runWorker(config string) {
	var c workerConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		panic(err)
	}
	var rules []rule
	for _, r := range c.Rules {
		rules = append(rules, rule{r.Limit, r.Window})
	}
	client := redis.NewClient(&redis.Options{Addr: c.Redis})
	l, err := newLimiter(client, "fleet", rules, WithAttemptTimeout(300*time.Millisecond))
	if err != nil {
		panic(err)
	}
	for range 4 {
		go func() {
			for {
				release, err := l.Acquire(context.Background())
				if err != nil { // Redis is away
					<-time.After(50 * time.Millisecond)
					continue
				}
				if resp, err := http.Get(c.Server); err == nil {
					resp.Body.Close()
				}
				release()
			}
		}()
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// redisServer is a real Redis that keeps nothing on disk.
type redisServer struct {
	addr string
	args []string
	cmd  *exec.Cmd
}

func startRedis(t *testing.T, args ...string) *redisServer {
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
	require.Eventually(t, func() bool { return client.Ping(t.Context()).Err() == nil }, 10*time.Second, 10*time.Millisecond)
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

// api is a server that keeps its quota as strictly as it can: in fixed and in sliding windows.
type api struct {
	arrivals
	rules   []rule
	refused int
}

func startAPI(t *testing.T, rules []rule) (*api, string) {
	a := &api{rules: rules}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return a, server.URL
}

func (a *api) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	<-time.After(jitter(10 * time.Millisecond))
	a.serve()
	if a.over() {
		w.WriteHeader(http.StatusTooManyRequests)
	}
	<-time.After(jitter(10 * time.Millisecond))
}

// over reports whether the request that came last is one too many.
func (a *api) over() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.times[len(a.times)-1]
	for _, r := range a.rules {
		sliding, fixed, begin := 0, 0, now.Truncate(r.window)
		for _, at := range slices.Backward(a.times) {
			if now.Sub(at) > 2*r.window {
				break
			}
			if now.Sub(at) <= r.window {
				sliding++
			}
			if !at.Before(begin) {
				fixed++
			}
		}
		if max(sliding, fixed) > r.limit {
			a.refused++
			return true
		}
	}
	return false
}

// fleet is processes that share a quota.
type fleet struct {
	config string
	procs  []*exec.Cmd
}

func startFleet(t *testing.T, n int, redis *redisServer, url string, rules []rule) *fleet {
	t.Helper()
	c := workerConfig{Redis: redis.addr, Server: url}
	for _, r := range rules {
		c.Rules = append(c.Rules, workerRule{r.limit, r.window})
	}
	config, err := json.Marshal(c)
	require.NoError(t, err)
	f := &fleet{config: string(config)}
	for range n {
		f.procs = append(f.procs, f.spawn(t))
	}
	t.Cleanup(func() {
		for _, p := range f.procs {
			_ = p.Process.Kill()
			_ = p.Wait()
		}
	})
	return f
}

func (f *fleet) spawn(t *testing.T) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s", workerEnv, f.config))
	_, err := cmd.StdinPipe() // ends when this process does
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	return cmd
}

// replace kills one process in the middle of whatever it does, and starts another.
func (f *fleet) replace(t *testing.T, i int) {
	require.NoError(t, f.procs[i].Process.Kill())
	_ = f.procs[i].Wait()
	f.procs[i] = f.spawn(t)
}
