package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

var _ clicknps.RateLimiter = (*Limiter)(nil)

func TestPermitCountsOneWindowFromItsAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		one := newTestLimiter(t, connect(t, m), oneAtOnce)
		other := newTestLimiter(t, connect(t, m), oneAtOnce)
		start := time.Now()
		release, err := one.Acquire(t.Context(), interactiveCall)
		require.NoError(t, err)
		pass(20 * time.Second) // a slow answer
		result := enqueue(t.Context(), other, interactiveCall)
		release(outcomeSent)
		pass(time.Second)
		release(clicknps.RateOutcome{}) // does nothing
		require.NoError(t, <-result)
		assert.GreaterOrEqual(t, time.Since(start), 80*time.Second+margin)
		assert.Less(t, time.Since(start), 80*time.Second+margin+2*spread)
		requireIdle(t, one)
		requireIdle(t, other)
	})
}

func TestPermitOfADeadProcessCountsUntilItsLeaseEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		start := time.Now()
		dead := newTestLimiter(t, connect(t, m), oneAtOnce, WithAttemptTimeout(10*time.Second))
		_, err := dead.Acquire(t.Context(), interactiveCall)
		require.NoError(t, err) // never released
		l := newTestLimiter(t, connect(t, m), oneAtOnce)
		spend(t, l, interactiveCall, 1)
		assert.GreaterOrEqual(t, time.Since(start), 73*time.Second+margin)
		assert.Less(t, time.Since(start), 73*time.Second+margin+2*spread)
		_, err = l.Acquire(t.Context(), interactiveCall) // the lease is 33 seconds by default
		require.NoError(t, err)
		start = time.Now()
		spend(t, l, interactiveCall, 1)
		assert.GreaterOrEqual(t, time.Since(start), 93*time.Second+margin)
		assert.Less(t, time.Since(start), 93*time.Second+margin+2*spread)
	})
}

func TestUnsentPermitIsGivenBackAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		one := newTestLimiter(t, connect(t, m), oneAtOnce)
		release, err := one.Acquire(t.Context(), interactiveCall)
		require.NoError(t, err)
		result := enqueue(t.Context(), newTestLimiter(t, connect(t, m), oneAtOnce), interactiveCall)
		pass(10 * time.Second)
		start := time.Now()
		release(clicknps.RateOutcome{Sent: false})
		require.NoError(t, <-result)
		assert.LessOrEqual(t, time.Since(start), lookAgain+spread)
		pass(2 * time.Minute)
		spend(t, one, interactiveCall, 1) // that Redis does not have it any more is no loss
		assert.LessOrEqual(t, time.Since(start), 2*time.Minute+lookAgain+spread)
	})
}

func TestDeadlineIsRefusedAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := newTestLimiter(t, connect(t, m), []rule{{2, time.Minute}, {3, 3 * time.Minute}}, WithReserve(1))
		spend(t, l, interactiveCall, 1)
		pass(20 * time.Second)
		spend(t, l, interactiveCall, 1)
		pass(10 * time.Second)
		assert.Equal(t, 30*time.Second+margin, refusal(t, l, interactiveCall, 30*time.Second+margin-1))
		assert.Equal(t, 150*time.Second+margin, refusal(t, l, bulkCall, time.Minute))
		first := enqueue(t.Context(), l, interactiveCall)
		assert.Equal(t, 30*time.Second+margin, refusal(t, l, interactiveCall, time.Second), "while another waits")
		require.NoError(t, <-first)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute+margin+2*spread)
		defer cancel()
		require.NoError(t, <-enqueue(ctx, l, interactiveCall), "in time")
	})
}

func TestWaitEndsWithTheContext(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := newTestLimiter(t, connect(t, m), oneAtOnce)
		spend(t, l, interactiveCall, 1)
		cause := errors.New("the user went away")
		ctx, cancel := context.WithCancelCause(t.Context())
		first, second := enqueue(ctx, l, interactiveCall), enqueue(ctx, l, interactiveCall)
		third := enqueue(t.Context(), l, interactiveCall)
		pass(time.Second / 2)
		start := time.Now()
		cancel(cause)
		for _, result := range []<-chan error{first, second} {
			err := <-result
			require.ErrorIs(t, err, cause)
			require.ErrorIs(t, err, context.Canceled)
		}
		assert.Zero(t, time.Since(start))
		require.NoError(t, <-third, "its turn comes")
		release, err := l.Acquire(ctx, interactiveCall)
		assert.EqualError(t, err, "redisstore: waiting for the rate limit: context canceled: the user went away")
		assert.Nil(t, release)
		_, err = l.Quotas(ctx)
		require.ErrorIs(t, err, cause)
		expired, cancelExpired := context.WithTimeout(t.Context(), 0)
		defer cancelExpired()
		_, err = l.Acquire(expired, interactiveCall)
		assert.EqualError(t, err, "redisstore: waiting for the rate limit: context deadline exceeded")
	})
}

// The context ends while Redis is asked: what it grants is given back.
func TestGrantThatComesTooLate(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		slow := newTestLimiter(t, between{connect(t, m), func(ask func() *redis.Cmd) *redis.Cmd {
			cmd := ask()
			pass(time.Second)
			return cmd
		}}, oneAtOnce)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second/2, cancel)
		start := time.Now()
		_, err := slow.Acquire(ctx, interactiveCall)
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, time.Second/2, time.Since(start))
		pass(3 * time.Second)
		assert.Equal(t, []int{1}, left(t, newTestLimiter(t, connect(t, m), oneAtOnce)))
		requireIdle(t, slow)
		pass(time.Minute)
	})
}

// One of all waiting calls of a process asks for them, once a second.
func TestWaitingCallsDoNotCrowdRedis(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := newTestLimiter(t, connect(t, m), oneAtOnce)
		spend(t, l, interactiveCall, 1)
		ctx, cancel := context.WithCancel(t.Context())
		for range 20 {
			enqueue(ctx, l, interactiveCall)
		}
		before := m.CommandCount()
		pass(20 * time.Second)
		assert.LessOrEqual(t, m.CommandCount()-before, 21*25, "a script makes up to 20 commands")
		cancel()
		pass(time.Second)
	})
}

func TestReserveIsForInteractiveCallsOfAllProcesses(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		one := newTestLimiter(t, connect(t, m), twoRules, WithReserve(3))
		other := newTestLimiter(t, connect(t, m), twoRules, WithReserve(3))
		start := time.Now()
		spend(t, one, bulkCall, 4)
		spend(t, other, bulkCall, 3)
		assert.Equal(t, time.Minute+margin, refusal(t, one, bulkCall, time.Second))
		assert.Equal(t, time.Minute+margin, refusal(t, other, bulkCall, time.Second))
		waiting := enqueue(t.Context(), one, bulkCall)
		spend(t, one, interactiveCall, 2)
		spend(t, other, interactiveCall, 1)
		assert.Zero(t, time.Since(start))
		assert.Equal(t, time.Minute+margin, refusal(t, one, interactiveCall, time.Second))
		interactive := enqueue(t.Context(), other, interactiveCall)
		require.NoError(t, <-interactive, "looks earlier")
		assert.Empty(t, waiting)
		require.NoError(t, <-waiting)
		assert.LessOrEqual(t, time.Since(start), time.Minute+margin+3*spread)
	})
}

func TestQuotas(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		rules := []rule{{60, time.Minute}, {1000, time.Hour}}
		one, other := newTestLimiter(t, connect(t, m), rules), newTestLimiter(t, connect(t, m), rules)
		assert.Equal(t, []int{60, 1000}, left(t, one))
		assert.Empty(t, m.Keys(), "it was only asked")
		spend(t, one, interactiveCall, 10)
		release, err := other.Acquire(t.Context(), bulkCall)
		require.NoError(t, err)
		requireIdle(t, one)
		assert.Equal(t, []int{49, 989}, left(t, one))
		pass(time.Minute + margin - time.Millisecond)
		assert.Equal(t, []int{49, 989}, left(t, one))
		pass(time.Millisecond)
		assert.Equal(t, []int{59, 989}, left(t, one), "the latter is under way")
		release(outcomeSent)
		pass(time.Hour + margin)
		assert.Equal(t, []int{60, 1000}, left(t, one))
	})
}

func TestKeysExpire(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := newTestLimiter(t, connect(t, m), twoRules)
		long := newTestLimiter(t, connect(t, m), twoRules, WithAttemptTimeout(time.Hour))
		for range 3 {
			_, err := long.Acquire(t.Context(), interactiveCall)
			require.NoError(t, err)
		}
		spend(t, l, interactiveCall, 1)
		requireIdle(t, l)
		assert.Equal(t, []string{grantsKey, permitsKey}, m.Keys())
		ttl := time.Minute + margin + time.Hour + slack
		assert.Equal(t, ttl, m.TTL(permitsKey), "not shortened by the other")
		assert.Equal(t, ttl, m.TTL(grantsKey))
		pass(ttl)
		assert.Empty(t, m.Keys())
		spend(t, l, interactiveCall, 1)
		requireIdle(t, l)
		assert.Equal(t, time.Minute+margin+30*time.Second+slack, m.TTL(permitsKey))
	})
}

// The clock of Redis is set back by an hour: no permit counts longer than a lease and a window from then on.
func TestClockThatIsSetBack(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		rules := []rule{{3, time.Minute}, {100, time.Hour}}
		one := newTestLimiter(t, connect(t, m), rules)
		long := newTestLimiter(t, connect(t, m), rules, WithAttemptTimeout(10*time.Minute))
		spend(t, one, interactiveCall, 2)
		_, err := long.Acquire(t.Context(), interactiveCall)
		require.NoError(t, err)
		requireIdle(t, one)
		_, err = m.ZAdd(grantsKey, float64(time.Now().UnixMilli()), "lost")
		require.NoError(t, err)
		client := connect(t, m)
		for _, key := range []string{permitsKey, grantsKey} {
			members, err := client.ZRangeWithScores(t.Context(), key, 0, -1).Result()
			require.NoError(t, err)
			for _, z := range members {
				require.NoError(t, client.ZIncrBy(t.Context(), key, float64(time.Hour.Milliseconds()), z.Member.(string)).Err())
			}
		}
		one.last += time.Hour.Milliseconds()
		long.last += time.Hour.Milliseconds()

		start := time.Now()
		assert.Equal(t, time.Minute+margin, refusal(t, one, interactiveCall, time.Second))
		scores, err := m.SortedSet(permitsKey)
		require.NoError(t, err)
		assert.Equal(t, map[string]float64{
			one.process + ":1":  float64(start.Add(30*time.Second + slack).UnixMilli()),
			one.process + ":2":  float64(start.Add(30*time.Second + slack).UnixMilli()),
			long.process + ":1": float64(start.Add(10*time.Minute + slack).UnixMilli()),
		}, scores, "each has its own lease")
		spend(t, one, interactiveCall, 2)
		assert.InDelta(t, 30*time.Second+slack+time.Minute+margin, time.Since(start), float64(2*spread))
		requireIdle(t, one)
		assert.Equal(t, []int{0, 95}, left(t, long), "nothing is taken for lost")
		m.FlushAll()
		assert.Equal(t, 0, left(t, long)[0], "a loss is noticed")
		m.FlushAll()
		pass(time.Second)
		assert.Equal(t, 0, left(t, long)[0], "another, too")
	})
}

// Redis runs a script again, or later than its client waits for it.
func TestAnswerThatIsLostCostsNoPermit(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		lose := true
		l := newTestLimiter(t, between{connect(t, m), func(ask func() *redis.Cmd) *redis.Cmd {
			cmd := ask()
			if lose && cmd.Err() == nil {
				lose = false
				return ask() // as go-redis does
			}
			return cmd
		}}, aMinute)
		spend(t, l, interactiveCall, 1)
		assert.Equal(t, []int{59}, left(t, l))
	})
}

// Whatever becomes of the questions and the answers, no rule is broken, and no permit is lost for good.
func TestFaultyConnections(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
				rng := rand.New(rand.NewPCG(seed, 4711))
				rules := []rule{{5 + rng.IntN(10), 20 * time.Second}, {20 + rng.IntN(20), 2 * time.Minute}}
				server := &arrivals{}
				ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
				defer cancel()
				var wg sync.WaitGroup
				for range 3 {
					l := newTestLimiter(t, between{connect(t, m), faulty}, rules, WithAttemptTimeout(time.Second),
						WithReserve(rng.IntN(10)))
					for i := range 4 {
						wg.Go(func() { stubborn(ctx, l, clicknps.Call{Bulk: i%2 == 0}, server) })
					}
				}
				wg.Wait()
				t.Logf("%d requests", server.count())
				assert.GreaterOrEqual(t, server.count(), rules[1].limit)
				server.requireWithin(t, rules...)
				pass(3 * time.Minute)
				assert.Equal(t, []int{rules[0].limit, rules[1].limit}, left(t, newTestLimiter(t, connect(t, m), rules)))
			})
		})
	}
}

// faulty loses a question in ten, loses an answer in ten, and delays one in ten, often beyond all patience.
func faulty(ask func() *redis.Cmd) *redis.Cmd {
	switch rand.IntN(10) {
	case 0:
		return failed("the question was lost")
	case 1:
		ask()
		return failed("the answer was lost")
	case 2:
		pass(jitter(3 * patience))
	}
	return ask()
}

// stubborn makes requests until ctx ends, whatever happens. Some are given up while they wait, some never released.
func stubborn(parent context.Context, l *Limiter, call clicknps.Call, server *arrivals) {
	for parent.Err() == nil {
		ctx, cancel := context.WithTimeout(parent, jitter(2*time.Minute))
		release, err := l.Acquire(ctx, call)
		cancel()
		if err != nil {
			pass(jitter(10 * time.Second))
			continue
		}
		pass(jitter(500 * time.Millisecond))
		if rand.IntN(10) == 0 {
			release(clicknps.RateOutcome{})
			continue
		}
		server.serve()
		pass(jitter(500 * time.Millisecond))
		if rand.IntN(10) > 0 {
			release(outcomeSent)
		}
	}
}

func TestLimiterKeepsTheContract(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		client, n := connect(t, m), 0
		clicknpstest.TestRateLimiter(t, clicknpstest.RateLimiterSuite{
			New: func(plan clicknps.Plan) clicknps.RateLimiter {
				n++
				l, err := NewLimiter(client, fmt.Sprint(n), plan)
				require.NoError(t, err)
				return l
			},
			Advance: func(d time.Duration) {
				synctest.Wait() // releases are told in the background
				pass(d)
			},
		})
	})
}

func TestUnlimitedPlanNeedsNoRedis(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer client.Close()
	l, err := NewLimiter(client, "account", clicknps.PlanEnterprise)
	require.NoError(t, err)
	spend(t, l, interactiveCall, 1000)
	assert.Empty(t, left(t, l))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = l.Acquire(ctx, interactiveCall)
	require.ErrorIs(t, err, context.Canceled)
}

func TestOptionsThatCannotBeRight(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer client.Close()
	free := clicknps.PlanFree
	for name, try := range map[string]func() (*Limiter, error){
		"no client":        func() (*Limiter, error) { return NewLimiter(nil, "k", free) },
		"no key":           func() (*Limiter, error) { return NewLimiter(client, "", free) },
		"no hash tag":      func() (*Limiter, error) { return NewLimiter(client, "}k", free) },
		"negative hour":    func() (*Limiter, error) { return NewLimiter(client, "k", clicknps.Plan{PerHour: -1}) },
		"negative minute":  func() (*Limiter, error) { return NewLimiter(client, "k", clicknps.Plan{PerMinute: -1}) },
		"nil option":       func() (*Limiter, error) { return NewLimiter(client, "k", free, nil) },
		"no time":          func() (*Limiter, error) { return NewLimiter(client, "k", free, WithAttemptTimeout(0)) },
		"small share":      func() (*Limiter, error) { return NewLimiter(client, "k", free, WhenAway(FairShare(61))) },
		"negative reserve": func() (*Limiter, error) { return NewLimiter(client, "k", free, WithReserve(-1)) },
		"all in reserve":   func() (*Limiter, error) { return NewLimiter(client, "k", free, WithReserve(1000)) },
		"reserve of a minute": func() (*Limiter, error) {
			return NewLimiter(client, "k", clicknps.Plan{PerMinute: 60}, WithReserve(1))
		},
		"reserve of no limit": func() (*Limiter, error) {
			return NewLimiter(client, "k", clicknps.PlanEnterprise, WithReserve(1))
		},
	} {
		l, err := try()
		assert.ErrorIs(t, err, clicknps.ErrInvalidParams, name)
		assert.Nil(t, l, name)
	}
	_, err := NewLimiter(client, "k{}", free, WithReserve(999), WithAttemptTimeout(1), WhenAway(FairShare(60)))
	assert.NoError(t, err)
}
