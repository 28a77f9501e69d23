package redisstore

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

const slotsKey = "{account}:slots"

// used is how many slots count in Redis.
func used(t *testing.T, m *miniredis.Miniredis) int {
	t.Helper()
	if !m.Exists(slotsKey) {
		return 0
	}
	members, err := m.ZMembers(slotsKey)
	require.NoError(t, err)
	return len(members)
}

// requireIdle checks that l has nothing left to do.
func requireIdle(t *testing.T, l *Limiter) {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Nil(t, l.alarm, "a timer is left behind")
	require.Nil(t, l.visit)
	require.Empty(t, l.answered)
	require.Empty(t, l.unused)
	require.Empty(t, l.spare)
	require.Nil(t, l.line.first())
}

// enqueue starts an Acquire that has to wait. Its error, or nil, comes with the channel.
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

func TestSlotIsFreeOneWindowAfterItsAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		one := newTestLimiter(t, connect(t, m), oneAtOnce)
		other := newTestLimiter(t, connect(t, m), oneAtOnce)
		start := time.Now()
		release, err := one.Acquire(t.Context())
		require.NoError(t, err)
		travel(20 * time.Second) // a slow answer
		result := enqueue(t.Context(), other)
		release()
		release() // does nothing
		require.NoError(t, <-result)
		assert.InDelta(t, 80*time.Second+margin, time.Since(start), float64(askSeldom))
	})
}

func TestSlotOfADeadProcessCountsAsAnsweredAfterTheAttemptTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		start := time.Now()
		_, err := newTestLimiter(t, connect(t, m), oneAtOnce, WithAttemptTimeout(10*time.Second)).Acquire(t.Context())
		require.NoError(t, err) // never released
		spend(t, newTestLimiter(t, connect(t, m), oneAtOnce), 1)
		want := 10*time.Second + patience + hold + time.Minute + margin
		assert.InDelta(t, want, time.Since(start), float64(askEvery))
		assert.GreaterOrEqual(t, time.Since(start), want)
	})
}

func TestDeadlineIsRefusedAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		spend(t, newTestLimiter(t, connect(t, m), aMinute), 60)
		l := newTestLimiter(t, connect(t, m), aMinute)
		travel(20 * time.Second)
		start := time.Now()
		refuse := func(timeout, wait time.Duration) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			_, err := l.Acquire(ctx)
			require.ErrorIs(t, err, clicknps.ErrRateLimited)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			refusal, ok := errors.AsType[*clicknps.Error](err)
			require.True(t, ok)
			assert.Equal(t, clicknps.ErrorTypeRateLimitExceeded, refusal.Type)
			assert.InDelta(t, wait, refusal.RetryAfter, float64(5*time.Millisecond))
			assert.Contains(t, err.Error(), "would outlive the deadline")
			assert.Zero(t, time.Since(start), "at once")
		}
		refuse(time.Second, 40*time.Second+margin)
		result := make([]<-chan error, 60)
		for i := range result {
			result[i] = enqueue(t.Context(), l)
		}
		refuse(90*time.Second, 100*time.Second+2*margin) // the 61st in line
		for _, r := range result {
			require.NoError(t, <-r)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 61*time.Second)
		defer cancel()
		require.NoError(t, <-enqueue(ctx, l), "in time")
	})
}

func TestFirstComeFirstServed(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := newTestLimiter(t, connect(t, m), oneAtOnce)
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				release, err := l.Acquire(t.Context())
				if assert.NoError(t, err) {
					mu.Lock()
					order = append(order, i)
					mu.Unlock()
					release()
				}
			})
			travel(15 * time.Second)
		}
		wg.Wait()
		assert.Equal(t, []int{0, 1, 2, 3, 4}, order)
	})
}

func TestWaitEndsWithTheContext(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		cause := errors.New("the user went away")
		l := newTestLimiter(t, connect(t, m), oneAtOnce)
		spend(t, l, 1)
		ctx, cancel := context.WithCancelCause(t.Context())
		first, second := enqueue(ctx, l), enqueue(t.Context(), l)
		start := time.Now()
		cancel(cause)
		require.ErrorIs(t, <-first, cause)
		assert.Zero(t, time.Since(start))
		require.NoError(t, <-second, "its place goes to the next")
		_, err := l.Acquire(ctx)
		require.ErrorIs(t, err, cause)
		require.NoError(t, l.Flush(t.Context()))
		requireIdle(t, l)
	})
}

// A slot that comes at the moment in which its request is given up goes to the next one, or back to Redis.
func TestSlotAndCancelAtOnce(t *testing.T) {
	for range 50 {
		inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
			l := newTestLimiter(t, connect(t, m), aMinute)
			ctx, cancel := context.WithCancel(t.Context())
			go cancel()
			release, err := l.Acquire(ctx)
			if err == nil {
				release()
			}
			travel(time.Second)
			if err == nil {
				assert.Equal(t, 1, used(t, m))
			} else {
				assert.Zero(t, used(t, m))
			}
		})
	}
}

func TestBusyProcessDoesNotAskForEveryRequest(t *testing.T) {
	visits := func(t *testing.T, work func(*testing.T, *Limiter)) int {
		var n int
		inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
			client := between{connect(t, m), func(ask func() *redis.Cmd) *redis.Cmd {
				n++
				return ask()
			}}
			l := newTestLimiter(t, client, []rule{{600, time.Minute}})
			work(t, l)
			assert.LessOrEqual(t, used(t, m), 200+maxAhead)
			travel(time.Second)
			assert.Equal(t, 200, used(t, m), "what was leased in vain is given back")
			requireIdle(t, l)
			spend(t, l, 400)
		})
		return n
	}
	t.Run("one after the other", func(t *testing.T) {
		n := visits(t, func(t *testing.T, l *Limiter) {
			for range 200 {
				release, err := l.Acquire(t.Context())
				require.NoError(t, err)
				travel(5 * time.Millisecond)
				release()
			}
		})
		t.Logf("%d visits for 600 requests", n)
		assert.Less(t, n, 120)
	})
	t.Run("all at once", func(t *testing.T) {
		n := visits(t, func(t *testing.T, l *Limiter) {
			var wg sync.WaitGroup
			for range 200 {
				wg.Go(func() { spend(t, l, 1) })
			}
			wg.Wait()
		})
		t.Logf("%d visits for 600 requests", n)
		assert.Less(t, n, 120)
	})
}

func TestScarceSlotsAreNotLeasedAhead(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := newTestLimiter(t, connect(t, m), aMinute)
		spend(t, l, 55)
		spend(t, newTestLimiter(t, connect(t, m), aMinute), 5) // at once: nobody sits on them
		assert.Equal(t, 60, used(t, m))
	})
}

func TestFlushTellsEverything(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := newTestLimiter(t, connect(t, m), oneAtOnce)
		start := time.Now()
		spend(t, l, 1)
		require.NoError(t, l.Flush(t.Context()))
		require.NoError(t, l.Flush(t.Context()), "nothing to tell")
		assert.Zero(t, time.Since(start))
		requireIdle(t, l)
		spend(t, newTestLimiter(t, connect(t, m), oneAtOnce), 1)
		assert.InDelta(t, time.Minute+margin, time.Since(start), float64(askSeldom))
		m.SetError("LOADING Redis is loading the dataset in memory")
		release, err := l.Acquire(t.Context())
		require.ErrorContains(t, err, "LOADING")
		require.Nil(t, release)
	})
}

func TestQuotaExpires(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := newTestLimiter(t, connect(t, m), free)
		spend(t, l, 3)
		travel(time.Second)
		assert.Equal(t, []string{slotsKey}, m.Keys())
		travel(time.Hour + time.Minute)
		assert.Empty(t, m.Keys())
	})
}

func TestUnlimitedPlanNeedsNoRedis(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer client.Close()
	l, err := NewLimiter(client, "account", clicknps.PlanEnterprise)
	require.NoError(t, err)
	spend(t, l, 1000)
	require.NoError(t, l.Flush(t.Context()))
}

func TestOptionsThatCannotBeRight(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer client.Close()
	for name, try := range map[string]func() (*Limiter, error){
		"no client":         func() (*Limiter, error) { return NewLimiter(nil, "k", clicknps.PlanFree) },
		"no key":            func() (*Limiter, error) { return NewLimiter(client, "", clicknps.PlanFree) },
		"a negative plan":   func() (*Limiter, error) { return NewLimiter(client, "k", clicknps.Plan{PerHour: -1}) },
		"a nil option":      func() (*Limiter, error) { return NewLimiter(client, "k", clicknps.PlanFree, nil) },
		"no time":           func() (*Limiter, error) { return NewLimiter(client, "k", clicknps.PlanFree, WithAttemptTimeout(0)) },
		"too small a share": func() (*Limiter, error) { return NewLimiter(client, "k", clicknps.PlanFree, WhenAway(FairShare(61))) },
		"a share of nothing": func() (*Limiter, error) {
			return NewLimiter(client, "k", clicknps.Plan{PerMinute: 1}, WhenAway(FairShare(2)))
		},
	} {
		l, err := try()
		assert.ErrorIs(t, err, clicknps.ErrInvalidParams, name)
		assert.Nil(t, l, name)
	}
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
