package ratelimit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var free = []quota{{limit: 60, window: time.Minute}, {limit: 1000, window: time.Hour}}

func TestPlanKeepsQuotas(t *testing.T) {
	tests := []struct {
		name    string
		quotas  []quota
		windows time.Duration // ten of the longest
		full    int
		jitter  func(*rand.Rand) time.Duration
	}{
		{"a minute", free[:1], 10 * time.Minute, 600, jitter},
		{"a minute and an hour", free, 10 * time.Hour, 10_000, jitter},
		{"an hour first", []quota{free[1], free[0]}, 10 * time.Hour, 10_000, jitter},
		{"no jitter at all", free[:1], 10 * time.Minute, 600, func(*rand.Rand) time.Duration { return 0 }},
		{"one at a time", []quota{{limit: 1, window: time.Minute}}, 10 * time.Minute, 10, jitter},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, server, start, rng := newPlan(tt.quotas...), &arrivals{}, time.Now(), random(99)
				ctx, cancel := context.WithTimeout(t.Context(), tt.windows+time.Minute)
				defer cancel()
				var wg sync.WaitGroup
				for worker := range uint64(8) {
					rng := random(worker)
					wg.Go(func() {
						for {
							release, err := p.Acquire(ctx, Call{})
							if err != nil {
								return
							}
							travel(tt.jitter(rng))
							server.serve()
							travel(tt.jitter(rng))
							release(answered)
						}
					})
				}
				wg.Wait()
				for _, q := range tt.quotas {
					server.requireWithin(t, q)
					for range 10 {
						server.requireFixedWithin(t, q, start, time.Duration(rng.Int64N(int64(q.window))))
					}
				}
				used := server.before(start, tt.windows)
				t.Logf("used %d of %d", used, tt.full)
				assert.GreaterOrEqual(t, used, tt.full*98/100)
			})
		})
	}
}

// Whatever quotas, load, delays and the callers' patience are, no quota is exceeded and no permit
// is lost.
func TestPlanRandomSchedules(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := random(seed)
				quotas, limits := make([]quota, 1+rng.IntN(3)), []int{}
				for i := range quotas {
					limit := 1 + rng.IntN(20)
					limits = append(limits, limit)
					window := time.Duration(1 + rng.Int64N(int64(10*time.Second)))
					quotas[i] = quota{limit: limit, window: window, reserve: rng.IntN(limit)}
				}
				p, server := newPlan(quotas...), &arrivals{}
				var wg sync.WaitGroup
				for worker := range uint64(1 + rng.IntN(12)) {
					wg.Go(func() { randomCaller(t.Context(), p, server, random(seed<<8|worker)) })
				}
				wg.Wait()
				for _, q := range quotas {
					server.requireWithin(t, q)
				}
				travel(15 * time.Second)
				assert.Equal(t, limits, left(t, p), "all is free again")
				assert.False(t, alarmed(&p.queue), "nobody waits")
			})
		})
	}
}

// randomCaller makes 20 requests: some are given up while they wait, some are never sent, and some
// answers take long.
func randomCaller(parent context.Context, p *Plan, server *arrivals, rng *rand.Rand) {
	for range 20 {
		ctx, cancel := context.WithCancel(parent)
		if rng.IntN(3) == 0 {
			time.AfterFunc(time.Duration(rng.Int64N(int64(5*time.Second))), cancel)
		}
		if release, err := p.Acquire(ctx, Call{Bulk: rng.IntN(2) == 0}); err == nil {
			travel(jitter(rng))
			outcome := Outcome{Sent: rng.IntN(5) > 0}
			if outcome.Sent {
				server.serve()
				travel(time.Duration(rng.Int64N(int64(3 * time.Second))))
			}
			release(outcome)
			if rng.IntN(2) == 0 {
				release(answered)
			}
		}
		cancel()
		travel(jitter(rng))
	}
}

func TestPermitIsFreeOneWindowAfterItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, start := NewPlan(1, 0, 0), time.Now()
		release := acquire(t, p)
		travel(90 * time.Second) // a slow answer: the permit is taken all the time
		result := enqueue(t.Context(), p, Call{})
		release(Outcome{Sent: true}) // no answer, but it may have arrived
		require.NoError(t, <-result)
		assert.Equal(t, 150*time.Second+25*time.Millisecond, time.Since(start))
	})
}

func TestPermitThatWasNotUsedIsFreeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, start := NewPlan(1, 1, 0), time.Now()
		for range 5 {
			acquire(t, p)(Outcome{})
			assert.Equal(t, []int{1, 1}, left(t, p))
		}
		release := acquire(t, p)
		result := enqueue(t.Context(), p, Call{})
		travel(time.Second)
		release(Outcome{})
		require.NoError(t, <-result)
		assert.Equal(t, time.Second, time.Since(start))
		assert.Equal(t, []int{0, 0}, left(t, p), "and is used by the next call")
	})
}

func TestMarginIsKeptInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPlan(3, 0, 0)
		spend(t, p, 2)
		last := acquire(t, p)
		travel(time.Minute + margin - 1)
		last(answered)
		assert.Equal(t, []int{0}, left(t, p))
		travel(1)
		assert.Equal(t, []int{2}, left(t, p))
	})
}

func TestReleaseTwiceFreesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPlan(2, 0, 0)
		first := acquire(t, p)
		acquire(t, p)
		first(answered)
		travel(30 * time.Second)
		first(answered)
		assert.Equal(t, []int{0}, left(t, p))
		travel(30*time.Second + margin)
		assert.Equal(t, []int{1}, left(t, p), "the second request is still in flight")
		acquire(t, p)(answered)
		assert.Equal(t, []int{0}, left(t, p))
	})
}

func TestUnlimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPlan(0, -1, 5)
		spend(t, p, 10_000)
		quotas, err := p.Quotas(t.Context())
		require.NoError(t, err)
		assert.Nil(t, quotas)
		assert.Empty(t, p.answers, "nothing to remember")
	})
}

func TestMemoryIsBoundedByTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPlan(0, 10_000, 0)
		for range 5 {
			spend(t, p, 10_000)
			assert.Len(t, p.answers, 10_000)
			assert.Less(t, cap(p.answers), 20_000)
			travel(time.Hour + margin)
		}
		spend(t, p, 1)
		assert.Len(t, p.answers, 1)
	})
}

func TestPlanQuotas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPlan(60, 1000, 10)
		spend(t, p, 10)
		acquire(t, p)
		want := []Quota{{time.Minute, 60, 49}, {time.Hour, 1000, 989}}
		quotas, err := p.Quotas(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, quotas)
		travel(time.Minute + margin - 1)
		assert.Equal(t, []int{49, 989}, left(t, p))
		travel(1)
		assert.Equal(t, []int{59, 989}, left(t, p))
		travel(time.Hour)
		assert.Equal(t, []int{59, 999}, left(t, p))
	})
	quotas, err := NewPlan(0, 7, 0).Quotas(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []Quota{{time.Hour, 7, 7}}, quotas)
}

func TestReserveIsKeptForInteractiveCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPlan(20, 10, 3)
		for range 7 {
			release, err := p.Acquire(t.Context(), Call{Bulk: true})
			require.NoError(t, err)
			release(answered)
		}
		assert.Equal(t, []int{13, 3}, left(t, p))
		requireRefused(t, p, Call{Bulk: true}, time.Minute, time.Hour+margin)
		start, result := time.Now(), enqueue(t.Context(), p, Call{Bulk: true})
		spend(t, p, 3)
		requireRefused(t, p, Call{}, time.Minute, time.Hour+margin)
		require.NoError(t, <-result)
		assert.Equal(t, time.Hour+margin, time.Since(start))
	})
	for reserve, want := range map[int]int{-1: 0, 0: 0, 9: 9, 10: 9, 11: 9} {
		p := NewPlan(60, 10, reserve)
		assert.Equal(t, want, p.quotas[1].reserve, "a bulk call is never locked out")
		assert.Zero(t, p.quotas[0].reserve)
	}
}

// A wait that is predicted is what then comes true, to the nanosecond.
func TestPredictedWaitComesTrue(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			rng := random(seed)
			p := newPlan(
				quota{limit: 1 + rng.IntN(10), window: time.Minute, reserve: rng.IntN(5)},
				quota{limit: 1 + rng.IntN(50), window: time.Hour, reserve: rng.IntN(60)},
			)
			for range rng.IntN(30) {
				release, err := p.Acquire(t.Context(), Call{})
				require.NoError(t, err)
				release(answered)
				travel(time.Duration(rng.Int64N(int64(time.Minute))))
			}
			call, n, start := Call{Bulk: rng.IntN(2) == 0}, 1+rng.IntN(100), time.Now()
			predicted := p.earliest(start, slices.Repeat([]*waiter{{bulk: call.Bulk}}, n))
			for range n {
				release, err := p.Acquire(t.Context(), call)
				require.NoError(t, err)
				release(answered)
			}
			require.Equal(t, predicted, time.Since(start), "seed %d", seed)
		})
	}
}
