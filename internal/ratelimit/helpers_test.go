package ratelimit

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/backoff"
)

// answered is the outcome of an attempt whose answer has no usable headers.
var answered = Outcome{Sent: true, StatusCode: 200}

// travel lets a bubble's time pass. Timers of no duration, set by several goroutines at once,
// crash the race detector in a bubble (golang.org/issue/78156).
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

// acquire gets a permit that must be free at once.
func acquire(t *testing.T, l Limiter) (release func(Outcome)) {
	t.Helper()
	start := time.Now()
	release, err := l.Acquire(t.Context(), Call{})
	require.NoError(t, err)
	require.Zero(t, time.Since(start))
	return release
}

// spend uses n permits, with prompt answers.
func spend(t *testing.T, l Limiter, n int) {
	t.Helper()
	for range n {
		acquire(t, l)(answered)
	}
}

// enqueue starts an Acquire that has to wait, and returns when it does. Its error, or nil, comes
// with the channel.
func enqueue(ctx context.Context, l Limiter, call Call) <-chan error {
	result := make(chan error, 1)
	go func() {
		release, err := l.Acquire(ctx, call)
		if err == nil {
			release(answered)
		}
		result <- err
	}()
	synctest.Wait()
	return result
}

// requireRefused expects a call with so much time until its deadline (0: none) to be refused at
// once.
func requireRefused(t *testing.T, l Limiter, call Call, timeout, wait time.Duration) {
	t.Helper()
	ctx, cause := t.Context(), error(nil)
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
		cause = context.DeadlineExceeded
	}
	start := time.Now()
	release, err := l.Acquire(ctx, call)
	require.Nil(t, release)
	refusal, ok := errors.AsType[*backoff.RefusedError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, &backoff.RefusedError{Wait: wait, Cause: cause}, refusal)
	require.Zero(t, time.Since(start), "at once")
}

// left returns what is left of each quota.
func left(t *testing.T, l Limiter) (left []int) {
	t.Helper()
	quotas, err := l.Quotas(t.Context())
	require.NoError(t, err)
	for _, q := range quotas {
		left = append(left, q.Left)
	}
	return left
}

// alarmed reports whether a timer of the queue is set.
func alarmed(q *queue) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.alarm != nil
}

// quotaHeader is the header of an answer. A name, if there is one, ends the headers' names.
func quotaHeader(limit, remaining int, reset int64, name ...string) http.Header {
	h := http.Header{}
	for _, end := range append(name, "")[:1] {
		h.Set("X-RateLimit-Limit"+end, strconv.Itoa(limit))
		h.Set("X-RateLimit-Remaining"+end, strconv.Itoa(remaining))
		h.Set("X-RateLimit-Reset"+end, strconv.FormatInt(reset, 10))
	}
	return h
}

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

// requireWithin checks that no window, both ends included, saw more than its limit. A window that
// is fixed, or leaves out an end, is part of one of these.
func (a *arrivals) requireWithin(t *testing.T, q quota) {
	t.Helper()
	require.True(t, slices.IsSortedFunc(a.times, time.Time.Compare))
	for i := q.limit; i < len(a.times); i++ {
		require.Greater(t, a.times[i].Sub(a.times[i-q.limit]), q.window,
			"arrivals %d to %d: more than %d in %v", i-q.limit, i, q.limit, q.window)
	}
}

// requireFixedWithin counts as the plainest of servers does: a counter that begins anew every
// window, from phase on.
func (a *arrivals) requireFixedWithin(t *testing.T, q quota, start time.Time, phase time.Duration) {
	t.Helper()
	counts := map[time.Duration]int{}
	for _, at := range a.times {
		counts[(at.Sub(start)+phase)/q.window]++
	}
	for window, n := range counts {
		assert.LessOrEqual(t, n, q.limit, "window %d of %v, phase %v", window, q.window, phase)
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
