package ratelimit

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// travel lets a bubble's time pass. Timers of no duration, set by several goroutines at once, crash the race detector
// in a bubble (golang.org/issue/78156).
func travel(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}

// jitter is how long a message travels.
func jitter(rng *rand.Rand) time.Duration {
	return time.Duration(rng.Int64N(int64(200*time.Millisecond) + 1))
}

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 4711)) }

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

// requireWithin checks that no window of r, both ends included, saw more than its limit. A window that is fixed, or
// leaves out an end, is part of one of these.
func (a *arrivals) requireWithin(t *testing.T, r Rule) {
	t.Helper()
	require.True(t, slices.IsSortedFunc(a.times, time.Time.Compare))
	for i := r.Limit; i < len(a.times); i++ {
		require.Greater(t, a.times[i].Sub(a.times[i-r.Limit]), r.Window,
			"arrivals %d to %d: more than %d in %v", i-r.Limit, i, r.Limit, r.Window)
	}
}

// requireFixedWithin counts as the plainest of servers does: a counter that begins anew every window, from phase on.
func (a *arrivals) requireFixedWithin(t *testing.T, r Rule, start time.Time, phase time.Duration) {
	t.Helper()
	counts := map[time.Duration]int{}
	for _, at := range a.times {
		counts[(at.Sub(start)+phase)/r.Window]++
	}
	for window, n := range counts {
		require.LessOrEqual(t, n, r.Limit, "window %d of %v, phase %v", window, r.Window, phase)
	}
}

// before counts the arrivals in the time d after start.
func (a *arrivals) before(start time.Time, d time.Duration) (n int) {
	for _, at := range a.times {
		if at.Sub(start) < d {
			n++
		}
	}
	return n
}
