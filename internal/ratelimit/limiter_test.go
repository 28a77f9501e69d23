package ratelimit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var free = []Rule{{Limit: 60, Window: time.Minute}, {Limit: 1000, Window: time.Hour}}

// acquire takes a place that must be free at once.
func acquire(t *testing.T, l *Limiter) (release func()) {
	t.Helper()
	start := time.Now()
	release, err := l.Acquire(t.Context())
	require.NoError(t, err)
	require.Zero(t, time.Since(start))
	return release
}

// spend uses n places up, with prompt answers.
func spend(t *testing.T, l *Limiter, n int) {
	t.Helper()
	for range n {
		acquire(t, l)()
	}
}

// enqueue starts an Acquire that has to wait, and returns when it does. Its error, or nil, comes with the channel.
func enqueue(ctx context.Context, l *Limiter) <-chan error {
	result := make(chan error, 1)
	go func() {
		release, err := l.Acquire(ctx)
		if err == nil {
			release()
		}
		result <- err
	}()
	synctest.Wait()
	return result
}

func TestLimiterKeepsQuotas(t *testing.T) {
	tests := []struct {
		name    string
		rules   []Rule
		windows time.Duration // ten of the longest
		quota   int
		jitter  func(*rand.Rand) time.Duration
	}{
		{"a minute", free[:1], 10 * time.Minute, 600, jitter},
		{"a minute and an hour", free, 10 * time.Hour, 10_000, jitter},
		{"an hour first", []Rule{free[1], free[0]}, 10 * time.Hour, 10_000, jitter},
		{"no jitter at all", free[:1], 10 * time.Minute, 600, func(*rand.Rand) time.Duration { return 0 }},
		{"one at a time", []Rule{{Limit: 1, Window: time.Minute}}, 10 * time.Minute, 10, jitter},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, server, start, rng := New(tt.rules...), &arrivals{}, time.Now(), random(99)
				ctx, cancel := context.WithTimeout(t.Context(), tt.windows+time.Minute)
				defer cancel()
				var wg sync.WaitGroup
				for worker := range uint64(8) {
					rng := random(worker)
					wg.Go(func() {
						for {
							release, err := l.Acquire(ctx)
							if err != nil {
								return
							}
							travel(tt.jitter(rng))
							server.serve()
							travel(tt.jitter(rng))
							release()
						}
					})
				}
				wg.Wait()
				for _, r := range tt.rules {
					server.requireWithin(t, r)
					for range 10 {
						server.requireFixedWithin(t, r, start, time.Duration(rng.Int64N(int64(r.Window))))
					}
				}
				used := server.before(start, tt.windows)
				t.Logf("used %d of %d", used, tt.quota)
				assert.GreaterOrEqual(t, used, tt.quota*98/100)
			})
		})
	}
}

// Whatever the rules, the load, the delays and the callers' patience are, no rule is broken and no place is lost.
func TestLimiterRandomSchedules(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := random(seed)
				rules := make([]Rule, 1+rng.IntN(3))
				for i := range rules {
					limit := 1 + rng.IntN(20)
					rules[i] = Rule{Limit: limit, Window: time.Duration(1 + rng.Int64N(int64(10*time.Second))), Reserve: rng.IntN(limit)}
				}
				l, server := New(rules...), &arrivals{}
				var wg sync.WaitGroup
				for worker := range uint64(1 + rng.IntN(12)) {
					wg.Go(func() { randomCaller(t.Context(), l, server, random(seed<<8|worker)) })
				}
				wg.Wait()
				for _, r := range rules {
					server.requireWithin(t, r)
				}
				travel(15 * time.Second)
				for i, b := range l.Remaining() {
					assert.Equal(t, rules[i].Limit, b.Left, "all is free again")
				}
				assert.False(t, alarmed(&l.queue), "nobody waits")
			})
		})
	}
}

// randomCaller makes 20 requests, some of which are given up while they wait or whose answers take long.
func randomCaller(parent context.Context, l *Limiter, server *arrivals, rng *rand.Rand) {
	for range 20 {
		ctx, cancel := context.WithCancel(WithLane(parent, Lane(rng.IntN(lanes))))
		if rng.IntN(3) == 0 {
			time.AfterFunc(time.Duration(rng.Int64N(int64(5*time.Second))), cancel)
		}
		if release, err := l.Acquire(ctx); err == nil {
			travel(jitter(rng))
			server.serve()
			travel(time.Duration(rng.Int64N(int64(3 * time.Second))))
			release()
			if rng.IntN(2) == 0 {
				release()
			}
		}
		cancel()
		travel(jitter(rng))
	}
}

func TestSlotIsFreeOneWindowAfterItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, start := New(Rule{Limit: 1, Window: time.Minute}), time.Now()
		release := acquire(t, l)
		travel(90 * time.Second) // a slow answer: the place is taken all the time
		result := enqueue(t.Context(), l)
		release()
		require.NoError(t, <-result)
		assert.Equal(t, 150*time.Second+margin, time.Since(start))
	})
}

func TestMarginIsKeptInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Rule{Limit: 3, Window: time.Minute})
		spend(t, l, 2)
		last := acquire(t, l)
		travel(time.Minute + margin - 1)
		last()
		assert.Equal(t, 0, l.Remaining()[0].Left)
		travel(1)
		assert.Equal(t, 2, l.Remaining()[0].Left)
	})
}

func TestReleaseTwiceFreesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Rule{Limit: 2, Window: time.Minute})
		first := acquire(t, l)
		acquire(t, l)
		first()
		travel(30 * time.Second)
		first()
		assert.Equal(t, 0, l.Remaining()[0].Left)
		travel(30*time.Second + margin)
		assert.Equal(t, 1, l.Remaining()[0].Left, "the second request is still in flight")
		acquire(t, l)()
		assert.Equal(t, 0, l.Remaining()[0].Left)
	})
}

func TestUnlimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Rule{Window: time.Minute}, Rule{Limit: -1, Window: time.Hour})
		spend(t, l, 10_000)
		assert.Empty(t, l.Remaining())
		assert.Zero(t, l.Estimate(Bulk, 1_000_000))
		assert.Empty(t, l.answers.ring, "nothing to remember")
	})
}

func TestMemoryGrowsWithUseUpToTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Rule{Limit: 10_000, Window: time.Hour})
		assert.Zero(t, len(l.answers.ring))
		spend(t, l, 5)
		assert.Equal(t, 8, len(l.answers.ring))
		for range 5 {
			spend(t, l, l.Remaining()[0].Left)
			assert.Equal(t, 1<<14, len(l.answers.ring), "the power of two over 10,000")
			travel(time.Hour + margin)
		}
	})
}

func TestRemaining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(free...)
		spend(t, l, 10)
		acquire(t, l)
		assert.Equal(t, []Budget{{free[0], 49}, {free[1], 989}}, l.Remaining())
		travel(time.Minute + margin)
		assert.Equal(t, []Budget{{free[0], 59}, {free[1], 989}}, l.Remaining())
		travel(time.Hour)
		assert.Equal(t, []Budget{{free[0], 59}, {free[1], 999}}, l.Remaining())
	})
}

func TestEstimate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(free...)
		assert.Zero(t, l.Estimate(Interactive, 0))
		assert.Zero(t, l.Estimate(Interactive, -1))
		assert.Zero(t, l.Estimate(Interactive, 60))
		assert.Equal(t, time.Minute+margin, l.Estimate(Interactive, 61))
		assert.Equal(t, 6*(time.Minute+margin), l.Estimate(Interactive, 412))
		assert.Equal(t, 16*(time.Minute+margin), l.Estimate(Interactive, 1000))
		assert.Equal(t, time.Hour+margin, l.Estimate(Interactive, 1001))
		release := acquire(t, l) // assumed to be answered now
		travel(time.Second)
		assert.Equal(t, time.Minute+margin, l.Estimate(Interactive, 60))
		release()
	})
}

// An estimate is what then comes true, to the nanosecond.
func TestEstimateComesTrue(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			rng := random(seed)
			l := New(
				Rule{Limit: 1 + rng.IntN(10), Window: time.Minute, Reserve: rng.IntN(5)},
				Rule{Limit: 1 + rng.IntN(50), Window: time.Hour, Reserve: rng.IntN(60)},
			)
			for range rng.IntN(30) {
				release, err := l.Acquire(t.Context())
				require.NoError(t, err)
				release()
				travel(time.Duration(rng.Int64N(int64(time.Minute))))
			}
			lane, n, start := Lane(rng.IntN(lanes)), 1+rng.IntN(100), time.Now()
			estimate := l.Estimate(lane, n)
			for range n {
				release, err := l.Acquire(WithLane(t.Context(), lane))
				require.NoError(t, err)
				release()
			}
			require.Equal(t, estimate, time.Since(start), "seed %d", seed)
		})
	}
}
