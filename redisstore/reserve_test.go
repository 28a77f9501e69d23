package redisstore

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

var tenAnHour = []rule{{600, time.Minute}, {10, time.Hour}}

// requireRefused checks that a request with that deadline is refused at once, with the wait that it would have had.
func requireRefused(ctx context.Context, t *testing.T, l *Limiter, deadline, wait time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	start := time.Now()
	_, err := l.Acquire(ctx)
	refusal, ok := errors.AsType[*clicknps.Error](err)
	require.True(t, ok, "%v", err)
	require.ErrorIs(t, err, clicknps.ErrRateLimited)
	assert.InDelta(t, wait, refusal.RetryAfter, float64(5*time.Millisecond))
	assert.Zero(t, time.Since(start))
}

// spendBulk uses n slots up in bulk, at once.
func spendBulk(t *testing.T, l *Limiter, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(inBulk(t.Context()), time.Second)
	defer cancel()
	for range n {
		release, err := l.Acquire(ctx)
		require.NoError(t, err)
		release()
	}
}

func TestReserveIsForInteractiveRequestsOfTheFleet(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		one := newTestLimiter(t, connect(t, m), tenAnHour, WithReserve(3))
		other := newTestLimiter(t, connect(t, m), tenAnHour, WithReserve(3))
		spendBulk(t, one, 4)
		spendBulk(t, other, 3)
		requireRefused(inBulk(t.Context()), t, one, time.Minute, time.Hour+margin)
		requireRefused(inBulk(t.Context()), t, other, time.Minute, time.Hour+margin)
		start := time.Now()
		spend(t, one, 2)
		spend(t, other, 1)
		assert.Zero(t, time.Since(start))
		requireRefused(t.Context(), t, one, time.Minute, time.Hour+margin)
	})
}

func TestClientsTellTheirBulkRequests(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := newTestLimiter(t, connect(t, m), tenAnHour, WithReserve(9))
		client := clicknpstest.Run(t).Client(clicknps.WithRateLimiter(l))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := clicknps.Collect(client.Surveys.All(ctx, nil), 1)
		require.NoError(t, err)
		_, err = clicknps.Collect(client.Surveys.All(ctx, nil), 1)
		require.ErrorIs(t, err, clicknps.ErrRateLimited)
		_, err = client.Surveys.List(ctx, nil, clicknps.WithBulk())
		require.ErrorIs(t, err, clicknps.ErrRateLimited)
		_, err = client.Surveys.List(ctx, nil)
		require.NoError(t, err)
		travel(time.Second)
	})
}

// Interactive requests within the reserve never wait, however much the rest of the fleet has to do.
func TestFleetKeepsItsReserve(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		rules := []rule{{20, time.Hour}}
		server, start := &arrivals{}, time.Now()
		ctx, cancel := context.WithTimeout(inBulk(t.Context()), 10*time.Hour)
		defer cancel()
		var fleet []*Limiter
		var wg sync.WaitGroup
		for range 4 {
			l := newTestLimiter(t, connect(t, m), rules, WithReserve(5))
			fleet = append(fleet, l)
			for range 2 {
				wg.Go(func() { work(ctx, l, server, 200*time.Millisecond) })
			}
		}
		for i := range 40 {
			travel(15 * time.Minute)
			asked := time.Now()
			release, err := fleet[i%len(fleet)].Acquire(t.Context())
			require.NoError(t, err)
			require.Zero(t, time.Since(asked), "interactive request %d", i)
			server.serve()
			release()
		}
		wg.Wait()
		server.requireWithin(t, rules...)
		used := server.before(start.Add(10 * time.Hour))
		t.Logf("used %d of the 150 that are not reserved", used)
		assert.GreaterOrEqual(t, used, 150*95/100)
	})
}

func TestDeadlineIsJudgedWithTheReserve(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := newTestLimiter(t, connect(t, m), tenAnHour, WithReserve(6))
		spend(t, l, 4)
		travel(20 * time.Minute)
		spend(t, l, 6)
		travel(20 * time.Minute) // four are free in 20 minutes, six in 40
		requireRefused(t.Context(), t, l, time.Minute, 20*time.Minute+margin)
		requireRefused(inBulk(t.Context()), t, l, 20*time.Minute, 40*time.Minute+margin)
		for range 4 {
			enqueue(t.Context(), l)
		}
		requireRefused(t.Context(), t, l, 20*time.Minute, 40*time.Minute+margin)
		requireRefused(inBulk(t.Context()), t, l, 40*time.Minute, 80*time.Minute+2*margin) // when the first one's slot is free
		for range 6 {
			enqueue(t.Context(), l)
		}
		requireRefused(t.Context(), t, l, time.Hour, 80*time.Minute+2*margin)
		requireRefused(inBulk(t.Context()), t, l, time.Hour, 100*time.Minute+2*margin)
		for range 4 {
			enqueue(inBulk(t.Context()), l)
		}
		start := time.Now()
		requireRefused(inBulk(t.Context()), t, l, 2*time.Hour, 160*time.Minute+3*margin) // behind the bulk ones
		ctx, cancel := context.WithTimeout(inBulk(t.Context()), 161*time.Minute)
		defer cancel()
		require.NoError(t, <-enqueue(ctx, l))
		assert.InDelta(t, 160*time.Minute+3*margin, time.Since(start), float64(4*askSeldom))
	})
}

// Some of those in front of it get their slots in the same visit.
func TestDeadlineIsJudgedWithTheReserveAfterTheGrants(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		spend(t, newTestLimiter(t, connect(t, m), tenAnHour), 4)
		travel(20 * time.Minute)
		l := held(t, m, tenAnHour, WithReserve(6))
		for range 7 {
			enqueue(t.Context(), l)
		}
		ctx, cancel := context.WithTimeout(inBulk(t.Context()), 50*time.Minute)
		defer cancel()
		start := time.Now()
		require.ErrorContains(t, <-enqueue(ctx, l), "a wait of 1h0m0.025s would outlive")
		assert.Equal(t, 2*time.Second, time.Since(start))
		travel(time.Hour)
	})
}

func TestSlotsLeasedAheadLeaveTheReserveAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := newTestLimiter(t, connect(t, m), []rule{{400, time.Hour}}, WithReserve(200))
		ahead := 0
		for n := range 230 {
			release, err := l.Acquire(t.Context())
			require.NoError(t, err)
			spare := used(t, m) - n - 1
			ahead = max(ahead, spare)
			assert.LessOrEqual(t, spare, max(0, 200-n)/10, "after %d requests", n)
			travel(5 * time.Millisecond)
			release()
		}
		assert.Greater(t, ahead, 5, "while there were plenty")
	})
}

// A slot of the reserve that comes when its request has left goes back to the fleet, not to a bulk one.
func TestSlotOfTheReserveIsNotLeftToABulkRequest(t *testing.T) {
	rules := []rule{{2, time.Hour}}
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		other := newTestLimiter(t, connect(t, m), rules, WithReserve(1))
		spend(t, other, 1)
		l := held(t, m, rules, WithReserve(1))
		ctx, cancel := context.WithCancel(t.Context())
		left := enqueue(ctx, l)
		bulk := enqueue(inBulk(t.Context()), l)
		travel(time.Second / 2)
		cancel()
		require.ErrorIs(t, <-left, context.Canceled)
		travel(time.Second)
		assert.Equal(t, 2, used(t, m), "the slot has come")
		travel(3 * time.Second)
		assert.Equal(t, 1, used(t, m), "it was given back")
		start := time.Now()
		spend(t, other, 1)
		assert.Zero(t, time.Since(start))
		assert.Empty(t, bulk)
		require.NoError(t, <-bulk)
		assert.InDelta(t, time.Hour, time.Since(start), float64(time.Minute))
	})
}

// The script runs twice, for an interactive request and for a bulk one, which finds the slots of the first.
func TestLostSlotOfTheReserveIsNotFoundByABulkRequest(t *testing.T) {
	rules := []rule{{4, time.Hour}}
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		other := newTestLimiter(t, connect(t, m), rules, WithReserve(3))
		spend(t, other, 1)
		lost := true
		l := newTestLimiter(t, between{connect(t, m), func(ask func() *redis.Cmd) *redis.Cmd {
			cmd := ask()
			if lost {
				return failed("the answer was lost")
			}
			return cmd
		}}, rules, WithReserve(3))
		require.ErrorContains(t, <-enqueue(t.Context(), l), "lost")
		require.Equal(t, 2, used(t, m))
		lost = false
		bulk := enqueue(inBulk(t.Context()), l)
		travel(2 * time.Second)
		assert.Empty(t, bulk)
		start := time.Now()
		spend(t, other, 3)
		assert.Zero(t, time.Since(start), "it was given back")
		require.NoError(t, <-bulk)
	})
}

func TestReserveIsThereForWhoComesDuringABulkVisit(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := held(t, m, []rule{{2, time.Hour}}, WithReserve(1))
		spend(t, l, 1)
		travel(time.Minute)
		bulk := enqueue(inBulk(t.Context()), l) // its visit takes a second
		start := time.Now()
		require.NoError(t, <-enqueue(t.Context(), l))
		assert.Equal(t, 2*time.Second, time.Since(start))
		require.NoError(t, <-bulk)
	})
}

func TestReserveIsThereForWhoComesDuringAnInteractiveVisit(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		l := held(t, m, []rule{{5, time.Hour}}, WithReserve(4))
		spend(t, l, 1)
		travel(time.Minute)
		start := time.Now()
		first := l.enter(t.Context()) // its visit takes a second
		travel(time.Millisecond)
		second := l.enter(t.Context())
		<-first.done
		<-second.done // though nothing was told meanwhile, and no bulk request could go
		assert.Less(t, time.Since(start), 3*time.Second)
		l.answer(first.slot)
		l.answer(second.slot)
	})
}

func TestFairShareHasItsPartOfTheReserve(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		m.SetError(loading)
		l := newTestLimiter(t, connect(t, m), tenAnHour, WithReserve(5), WhenAway(FairShare(2)))
		spend(t, l, 1) // the share's first hour is over
		spendBulk(t, l, 1)
		requireRefused(inBulk(t.Context()), t, l, time.Minute, time.Hour+margin)
		bulk := enqueue(inBulk(t.Context()), l)
		start := time.Now()
		spend(t, l, 3)
		assert.Zero(t, time.Since(start))
		assert.Empty(t, bulk)
		require.NoError(t, <-bulk)
		assert.Equal(t, time.Hour+margin, time.Since(start))
	})
}

func TestReserveThatCannotBeRight(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer client.Close()
	for name, tt := range map[string]struct {
		plan    clicknps.Plan
		reserve int
	}{
		"negative":     {clicknps.PlanFree, -1},
		"all there is": {clicknps.PlanFree, 1000},
		"of a minute":  {clicknps.Plan{PerMinute: 60}, 1},
		"of no limit":  {clicknps.PlanEnterprise, 1},
	} {
		l, err := NewLimiter(client, "k", tt.plan, WithReserve(tt.reserve))
		assert.ErrorIs(t, err, clicknps.ErrInvalidParams, name)
		assert.Nil(t, l, name)
	}
	for _, reserve := range []int{0, 999} {
		_, err := NewLimiter(client, "k", clicknps.PlanFree, WithReserve(reserve))
		assert.NoError(t, err)
	}
}
