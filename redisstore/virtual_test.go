package redisstore

import (
	"context"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// inBubble runs test in virtual time, with a Redis that runs the real script there.
func inBubble(t *testing.T, test func(t *testing.T, m *miniredis.Miniredis)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := miniredis.NewMiniRedis()
		m.ClockTTL(true)
		t.Cleanup(m.Close)
		test(t, m)
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

// travel lets a bubble's time pass.
func travel(d time.Duration) { <-time.After(d) }

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

func (a *arrivals) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.times)
}

// requireWithin checks that no window of r, both ends included, saw more than its limit. A fixed window is one of these.
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

// before counts the arrivals until a time.
func (a *arrivals) before(end time.Time) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, at := range a.times {
		if at.Before(end) {
			n++
		}
	}
	return n
}

func jitter(longest time.Duration) time.Duration { return rand.N(longest + 1) }

// work makes requests until ctx ends.
func work(ctx context.Context, l *Limiter, server *arrivals, longest time.Duration) {
	for {
		release, err := l.Acquire(ctx)
		if err != nil {
			return
		}
		travel(jitter(longest))
		server.serve()
		travel(jitter(longest))
		release()
	}
}

var (
	free      = []rule{{3, time.Minute}, {10, time.Hour}} // miniredis is slow
	aMinute   = []rule{{60, time.Minute}}
	oneAtOnce = []rule{{1, time.Minute}}
)

func newTestLimiter(t *testing.T, client redis.UniversalClient, rules []rule, opts ...Option) *Limiter {
	t.Helper()
	l, err := newLimiter(client, "account", rules, opts...)
	require.NoError(t, err)
	return l
}

// spend uses n slots up, with prompt answers.
func spend(t *testing.T, l *Limiter, n int) {
	t.Helper()
	for range n {
		release, err := l.Acquire(t.Context())
		require.NoError(t, err)
		release()
	}
}

func TestFleetKeepsQuotas(t *testing.T) {
	tests := []struct {
		name   string
		rules  []rule
		period time.Duration // ten of the longest window
		quota  int
		jitter time.Duration
	}{
		{"a minute", aMinute, 10 * time.Minute, 600, 200 * time.Millisecond},
		{"a minute and an hour", free, 10 * time.Hour, 100, 200 * time.Millisecond},
		{"no jitter at all", aMinute, 10 * time.Minute, 600, 0},
		{"one at a time", oneAtOnce, 10 * time.Minute, 10, 200 * time.Millisecond},
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
						wg.Go(func() { work(ctx, l, server, tt.jitter) })
					}
				}
				wg.Wait()
				server.requireWithin(t, tt.rules...)
				used := server.before(start.Add(tt.period))
				t.Logf("used %d of %d; %d commands", used, tt.quota, m.CommandCount())
				assert.GreaterOrEqual(t, used, tt.quota*95/100)
			})
		})
	}
}
