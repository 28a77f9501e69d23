package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/clicknps/go-sdk/internal/engine"
)

const errBudget = "not retried: the retry budget of all calls is used up (RetryPolicy.Budget)"

func withBudget(n int) option { return func(c *engine.Config) { c.Budget = n } }

// spends counts the retries of n calls whose every attempt has an outcome, made in no time.
func spends(t *testing.T, e *engine.Engine, n int) (retries int) {
	policy := usual
	policy.MinBackoff, policy.MaxBackoff = 1, 1
	for range n {
		retries += len(e.Do(t.Context(), get.call(t, address, &policy)).Attempts) - 1
	}
	return retries
}

// In an outage, retries stop when the budget is spent.
func TestBudget(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]step{
		"lost": loses, "never sent": refuses, "503": gives(503, ""),
		"503 that asks": asks(503, "0.000000001"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEngine(t, transport(s), withBudget(10))
				policy := usual
				policy.MaxRetries, policy.MinBackoff, policy.MaxBackoff = 10, 1, 1
				assert.Equal(t, 10, len(e.Do(t.Context(), get.call(t, address, &policy)).Attempts)-1)
				r := e.Do(t.Context(), get.call(t, address, &policy))
				assert.Len(t, r.Attempts, 1)
				if _, err := s(nil); err != nil {
					assert.EqualError(t, r.Err, err.Error()+"; "+errBudget)
					assert.ErrorIs(t, r.Err, err)
				} else {
					assert.EqualError(t, r.Err, errBudget)
					assert.Equal(t, 503, r.StatusCode)
				}
			})
		})
	}
}

// An empty budget is full after a minute, and in proportion before; never more than full.
func TestBudgetRefillsWithTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, transport(loses), withBudget(60))
		assert.Equal(t, 60, spends(t, e, 100))
		<-time.After(time.Second - 1000)
		assert.Equal(t, 0, spends(t, e, 1))
		<-time.After(2000)
		assert.Equal(t, 1, spends(t, e, 1))
		<-time.After(10 * time.Second)
		assert.Equal(t, 10, spends(t, e, 10))
		<-time.After(24 * time.Hour)
		assert.Equal(t, 60, spends(t, e, 100))
	})
}

// Each success gives one retry back, and nothing else does; never more than full.
func TestBudgetRefillsWithSuccesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		next := step(loses)
		e := newEngine(t, varying(&next), withBudget(8))
		calls := func(n int, s step) int {
			next = s
			return spends(t, e, n)
		}
		assert.Equal(t, 8, calls(20, loses))
		calls(3, gives(200, ""))
		calls(5, gives(404, ""))
		calls(5, gives(302, ""))
		assert.Equal(t, 3, calls(20, loses))
		calls(2, gives(299, ""))
		assert.Equal(t, 2, calls(20, loses))
		calls(50, gives(200, ""))
		assert.Equal(t, 8, calls(20, loses))
	})
}

// A 429 costs nothing: the server is well. A renewed credential and a refused wait cost nothing
// either.
func TestBudgetIsNotSpent(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		step    step
		retries int // of each call
	}{
		"429":           {gives(429, ""), 4},
		"429 that asks": {asks(429, "0.000000001"), 32},
		"404":           {gives(404, ""), 0},
		"refused":       {asks(500, "600"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next := tt.step
				e := newEngine(t, varying(&next), withBudget(2))
				assert.Equal(t, 20*tt.retries, spends(t, e, 20))
				next = loses
				assert.Equal(t, 2, spends(t, e, 20))
			})
		})
	}
}

// A retry that was not made, for its caller went away or its deadline was too near, costs nothing.
func TestBudgetOfCancelledCalls(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		step            step
		cancel, timeout time.Duration
	}{
		"in the wait":     {loses, time.Millisecond, time.Hour},
		"before the wait": {loses, time.Hour, 100 * time.Millisecond},
		"in the attempt":  {hangs, time.Millisecond, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next := tt.step
				e := newEngine(t, varying(&next), withBudget(3))
				for range 20 {
					ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
					time.AfterFunc(tt.cancel, cancel)
					assert.Len(t, do(ctx, t, e, get).Attempts, 1)
					cancel()
				}
				next = loses
				assert.Equal(t, 3, spends(t, e, 1))
			})
		})
	}
}

// A retry that was made is not given back, whatever comes of it.
func TestBudgetOfRetriesThatWereMade(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		next := step(script(loses, gives(404, "")))
		e := newEngine(t, varying(&next), withBudget(3))
		assert.Equal(t, 1, spends(t, e, 1))
		next = loses
		assert.Equal(t, 2, spends(t, e, 20))
	})
}

func TestNoBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		assert.Equal(t, 4000, spends(t, newEngine(t, transport(loses), withBudget(-1)), 1000))
		assert.Equal(t, 0, spends(t, newEngine(t, transport(loses), withBudget(0)), 10))
	})
}
