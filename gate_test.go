package clicknps_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/clicknps/go-sdk"
)

// arrivals notes when requests arrive, each answered after 20 ms.
type arrivals struct {
	mu     sync.Mutex
	start  time.Time
	at     []time.Duration
	answer func(n int, r *http.Request) (*http.Response, error) // the nth request, from 1
}

func (a *arrivals) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	if a.start.IsZero() {
		a.start = time.Now()
	}
	a.at = append(a.at, time.Since(a.start))
	n := len(a.at)
	a.mu.Unlock()
	<-time.After(20 * time.Millisecond)
	return a.answer(n, r)
}

// until counts the requests that arrived before a time.
func (a *arrivals) until(d time.Duration) (n int) {
	for _, at := range a.at {
		if at < d {
			n++
		}
	}
	return n
}

// While it is not known whether requests are let in, one goes first: of twenty, one learns of each limit.
func TestOneGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &arrivals{answer: func(n int, _ *http.Request) (*http.Response, error) {
			if n <= 3 {
				return answer(429, "", "Retry-After", "10"), nil
			}
			return answer(200, object), nil
		}}
		assert.Zero(t, each(t, 20, 1, connect(t, nowhere, through(a)), getCall))
		assert.Equal(t, 1, a.until(10*time.Second))
		assert.Equal(t, 2, a.until(20*time.Second))
		assert.Equal(t, 3, a.until(30*time.Second))
		assert.Equal(t, 4, a.until(30*time.Second+80*time.Millisecond), "the fourth is let in")
		assert.Equal(t, 23, a.until(31*time.Second), "and all the others at once")
	})
}

// Whatever becomes of the first, the others go on.
func TestTheFirstDoesNotHoldUpTheOthers(t *testing.T) {
	call := caller(get)
	for name, test := range map[string]struct {
		first  inProcess
		call   caller
		others time.Duration // when they go on
		then   int           // how many at once
	}{
		"succeeds": {func(*http.Request) (*http.Response, error) { return answer(200, object), nil }, call, 20 * time.Millisecond, 10},
		"fails":    {func(*http.Request) (*http.Response, error) { return answer(403, ""), nil }, call, 20 * time.Millisecond, 10},
		"is lost":  {func(*http.Request) (*http.Response, error) { return loses() }, call, 20 * time.Millisecond, 10},
		"panics":   {func(*http.Request) (*http.Response, error) { panic("first") }, recovered(call), 20 * time.Millisecond, 1},
		"hangs":    {hangsInProcess, call, 200 * time.Millisecond, 10},
		"sticks":   {sticks(200), call, 200 * time.Millisecond, 10},
		"is cancelled": {hangsInProcess, func(ctx context.Context, c *clicknps.Client) error {
			ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
			return call(ctx, c)
		}, 100 * time.Millisecond, 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &arrivals{answer: func(n int, r *http.Request) (*http.Response, error) {
					if n == 1 {
						return test.first(r)
					}
					return answer(200, object), nil
				}}
				c := connect(t, nowhere, through(a), clicknps.WithRetryPolicy(hastyWith(-1)))
				var group sync.WaitGroup
				group.Go(func() { _ = test.call(t.Context(), c) })
				synctest.Wait()
				assert.Zero(t, each(t, 10, 1, c, getCall))
				group.Wait()
				assert.Len(t, a.at, 11)
				assert.Equal(t, 1, a.until(test.others))
				assert.Equal(t, test.then, a.until(test.others+time.Millisecond)-1)
			})
		})
	}
}

// Who has little time left does not spend all of it waiting for the first.
func TestShortDeadlineBehindAHangingFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &arrivals{answer: func(n int, r *http.Request) (*http.Response, error) {
			if n == 1 {
				return hangsInProcess(r)
			}
			return answer(200, object), nil
		}}
		c := connect(t, nowhere, through(a), clicknps.WithRetryPolicy(hastyWith(-1)))
		var group sync.WaitGroup
		group.Go(func() { assert.Error(t, getCall.call(t.Context(), c)) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		assert.NoError(t, getCall.call(ctx, c))
		group.Wait()
	})
}

// Who has waited long enough for the first does not go when a pause has begun meanwhile.
func TestNothingIsSentInAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &arrivals{answer: func(n int, r *http.Request) (*http.Response, error) {
			switch {
			case n == 1:
				return hangsInProcess(r)
			case n <= 3:
				return answer(429, "", "Retry-After", "10"), nil
			}
			return answer(200, object), nil
		}}
		c := connect(t, nowhere, through(a))
		var group sync.WaitGroup
		for i := range 20 {
			group.Go(func() {
				<-time.After(time.Duration(i) * 10 * time.Millisecond)
				assert.NoError(t, getCall.call(t.Context(), c))
			})
		}
		group.Wait()
		assert.LessOrEqual(t, a.until(10*time.Second), 4)
	})
}
