package redisstore

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// limiterEnv makes the test's binary a process of a fleet.
const limiterEnv = "REDISSTORE_TEST_LIMITER"

// workerConfig is what a process of a fleet is told.
type workerConfig struct {
	Redis, Server string
	Rules         [][2]int64 // limits and windows
}

// runLimiter makes requests of four goroutines until its standard input ends.
func runLimiter(config string) {
	var c workerConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		panic(err)
	}
	var rules []rule
	for _, r := range c.Rules {
		rules = append(rules, rule{int(r[0]), time.Duration(r[1])})
	}
	client := redis.NewClient(&redis.Options{Addr: c.Redis})
	l, err := newLimiter(client, "account", rules, WithAttemptTimeout(300*time.Millisecond))
	if err != nil {
		panic(err)
	}
	for range 4 {
		go func() {
			for {
				release, err := l.Acquire(context.Background(), interactiveCall)
				if err != nil { // Redis is away
					pass(50 * time.Millisecond)
					continue
				}
				resp, err := http.Get(c.Server)
				if err == nil {
					resp.Body.Close()
				}
				release(outcomeSent)
			}
		}()
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
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
	pass(jitter(10 * time.Millisecond))
	a.serve()
	if a.over() {
		w.WriteHeader(http.StatusTooManyRequests)
	}
	pass(jitter(10 * time.Millisecond))
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

// requireKept checks that nothing was refused, nor should have been.
func (a *api) requireKept(t *testing.T) {
	t.Helper()
	assert.Zero(t, a.refused)
	a.requireWithin(t, a.rules...)
}

// startFleet starts n processes that share a quota.
func startFleet(t *testing.T, n int, r *redisServer, url string, rules []rule) (start func() *exec.Cmd, fleet []*exec.Cmd) {
	t.Helper()
	c := workerConfig{Redis: r.addr, Server: url}
	for _, r := range rules {
		c.Rules = append(c.Rules, [2]int64{int64(r.limit), int64(r.window)})
	}
	config, err := json.Marshal(c)
	require.NoError(t, err)
	start = func() *exec.Cmd { return spawn(t, limiterEnv, string(config)) }
	for range n {
		fleet = append(fleet, start())
	}
	return start, fleet
}

func TestEightProcessesKeepTheQuota(t *testing.T) {
	t.Parallel()
	rules := []rule{{60, 2 * time.Second}}
	server, url := startAPI(t, rules)
	startFleet(t, 8, startRedis(t), url, rules)
	server.more(t, 5*60)
	server.requireKept(t)
}

func TestKilledProcessesBreakNoQuota(t *testing.T) {
	t.Parallel()
	rules := []rule{{30, time.Second}, {150, 8 * time.Second}}
	server, url := startAPI(t, rules)
	start, fleet := startFleet(t, 8, startRedis(t), url, rules)
	for i := range 16 {
		pass(400 * time.Millisecond)
		kill(fleet[i%8])
		fleet[i%8] = start()
	}
	server.more(t, 160) // no permit is lost for good
	server.requireKept(t)
}

// Redis forgets everything three times. New processes join each time, who know nothing.
func TestRedisRestartBreaksNoQuota(t *testing.T) {
	t.Parallel()
	rules := []rule{{30, time.Second}, {400, 20 * time.Second}}
	server, url := startAPI(t, rules)
	r := startRedis(t)
	start, _ := startFleet(t, 8, r, url, rules)
	for range 3 {
		server.more(t, 45)
		r.kill()
		r.start(t)
		start()
	}
	server.more(t, 45)
	server.requireKept(t)
}

func TestFleetKeepsQuotas(t *testing.T) {
	tests := []struct {
		name   string
		rules  []rule
		period time.Duration // five of the longest window
		quota  int
		jitter time.Duration
	}{
		{"one window", []rule{{12, 6 * time.Second}}, 30 * time.Second, 60, 50 * time.Millisecond},
		{"two windows", []rule{{3, 2 * time.Second}, {10, 20 * time.Second}}, 100 * time.Second, 50, 20 * time.Millisecond},
		{"no jitter at all", []rule{{12, 6 * time.Second}}, 30 * time.Second, 60, 0},
		{"one at a time", []rule{{1, 6 * time.Second}}, 30 * time.Second, 5, 50 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
				server, start := &arrivals{}, time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), tt.period)
				defer cancel()
				var wg sync.WaitGroup
				for range 8 {
					l := newTestLimiter(t, connect(t, m), tt.rules)
					for range 2 {
						wg.Go(func() { work(ctx, l, interactiveCall, server, tt.jitter) })
					}
				}
				wg.Wait()
				server.requireWithin(t, tt.rules...)
				used := server.within(start, start.Add(tt.period))
				t.Logf("used %d of %d; %d commands", used, tt.quota, m.CommandCount())
				assert.GreaterOrEqual(t, used, tt.quota*95/100)
			})
		})
	}
}

// Interactive calls within the reserve never wait, however much the rest of the fleet has to do.
func TestFleetKeepsItsReserve(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		rules := []rule{{20, time.Minute}}
		server, start := &arrivals{}, time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		var fleet []*Limiter
		var wg sync.WaitGroup
		for range 4 {
			l := newTestLimiter(t, connect(t, m), rules, WithReserve(5))
			fleet = append(fleet, l)
			for range 2 {
				wg.Go(func() { work(ctx, l, bulkCall, server, 200*time.Millisecond) })
			}
		}
		for i := range 12 {
			pass(15 * time.Second)
			asked := time.Now()
			release, err := fleet[i%len(fleet)].Acquire(t.Context(), interactiveCall)
			require.NoError(t, err)
			require.Zero(t, time.Since(asked), "interactive request %d", i)
			server.serve()
			release(outcomeSent)
		}
		wg.Wait()
		server.requireWithin(t, rules...)
		used := server.within(start, start.Add(3*time.Minute))
		t.Logf("used %d of the 45 that are not reserved", used)
		assert.GreaterOrEqual(t, used, 45*95/100)
	})
}
