package clicknps_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// limit is how a server decides on a request at a time since its start. If it refuses one, it says when it may let one in.
type limit func(now time.Duration) (refused bool, wait time.Duration)

// fixed lets n requests in in each window.
func fixed(n int, window, phase time.Duration) limit {
	current, used := time.Duration(-1), 0
	return func(now time.Duration) (bool, time.Duration) {
		now += phase
		if w := now / window; w != current {
			current, used = w, 0
		}
		used++
		return used > n, window - now%window
	}
}

// sliding lets n requests in in any window.
func sliding(n int, window time.Duration) limit {
	var in []time.Duration
	return func(now time.Duration) (bool, time.Duration) {
		for len(in) > 0 && now-in[0] >= window {
			in = in[1:]
		}
		if len(in) == n {
			return true, in[0] + window - now
		}
		in = append(in, now)
		return false, 0
	}
}

// bucket has n tokens, and gets as many in a window.
func bucket(n int, window time.Duration) limit {
	tokens, last, each := float64(n), time.Duration(0), float64(window)/float64(n)
	return func(now time.Duration) (bool, time.Duration) {
		tokens, last = min(float64(n), tokens+float64(now-last)/each), now
		if tokens < 1 {
			return true, time.Duration((1 - tokens) * each)
		}
		tokens--
		return false, 0
	}
}

// telling has l's refusals tell the same wait always.
func telling(l limit, wait time.Duration) limit {
	return func(now time.Duration) (bool, time.Duration) {
		refused, _ := l(now)
		return refused, wait
	}
}

// limitedServer is a server with a limit.
type limitedServer struct {
	limit   limit
	latency time.Duration // a half to three halves of it, there and back

	mu                 sync.Mutex
	rand               *rand.Rand
	start              time.Time
	answered, refusals int
}

func (s *limitedServer) RoundTrip(*http.Request) (*http.Response, error) {
	s.mu.Lock()
	journey := s.latency/4 + time.Duration(s.rand.Int64N(int64(s.latency/2)+1))
	s.mu.Unlock()
	<-time.After(journey)
	s.mu.Lock()
	refused, wait := s.limit(time.Since(s.start))
	if refused {
		s.refusals++
	} else {
		s.answered++
	}
	s.mu.Unlock()
	<-time.After(journey)
	if refused {
		return answer(429, "", "Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second))), nil
	}
	return answer(200, object), nil
}

// ask makes so many requests of it, as fast as it may, from some clients that were told of no plan.
func (s *limitedServer) ask(t *testing.T, requests, clients, goroutines int) (took time.Duration) {
	s.rand, s.start = rand.New(rand.NewPCG(1, uint64(goroutines))), time.Now()
	work := make(chan struct{}, requests)
	for range requests {
		work <- struct{}{}
	}
	close(work)
	var group sync.WaitGroup
	for range clients {
		c := connect(t, nowhere, through(s))
		for range goroutines / clients {
			group.Go(func() {
				for range work {
					assert.NoError(t, getCall.call(t.Context(), c))
				}
			})
		}
	}
	group.Wait()
	assert.Equal(t, requests, s.answered)
	return time.Since(s.start)
}

// Told of no plan, a client learns from the first refusals how many requests are let in, and keeps to that.
func TestALimitIsLearned(t *testing.T) {
	t.Parallel()
	const requests, ideal = 400, 8 * time.Second
	limits := map[string]func() limit{
		"sliding": func() limit { return sliding(50, time.Second) },
		"bucket":  func() limit { return bucket(50, time.Second) },
	}
	for phase := time.Duration(0); phase < time.Second; phase += 130 * time.Millisecond {
		limits[fmt.Sprint("fixed, begun ", phase, " before")] = func() limit { return fixed(50, time.Second, phase) }
	}
	for name, limit := range limits {
		for _, goroutines := range []int{4, 8, 16} {
			for _, latency := range []time.Duration{0, 2 * time.Millisecond, 20 * time.Millisecond} {
				t.Run(fmt.Sprint(name, ", ", goroutines, " goroutines, ", latency), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := &limitedServer{limit: limit(), latency: latency}
						assert.LessOrEqual(t, s.ask(t, requests, 1, goroutines), ideal*11/10)
						assert.LessOrEqual(t, s.refusals, requests/20)
					})
				})
			}
		}
	}
}

// A server need not say how long its window is: the rest of it, half of it, or when the next request may come.
func TestALimitIsLearnedFromAnyWait(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]limit{
		"the rest":   fixed(60, time.Minute, 20*time.Second),
		"the whole":  telling(fixed(60, time.Minute, 20*time.Second), time.Minute),
		"a half":     telling(fixed(60, time.Minute, 0), 30*time.Second),
		"the next":   sliding(60, time.Minute),
		"each token": bucket(60, time.Minute),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &limitedServer{limit: limit, latency: 20 * time.Millisecond}
				assert.LessOrEqual(t, s.ask(t, 480, 1, 8), 8*time.Minute*11/10)
				assert.LessOrEqual(t, s.refusals, 480/15)
			})
		})
	}
}

// Clients that know nothing of each other share a limit.
func TestALimitIsShared(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]limit{"fixed": fixed(50, time.Second, 0), "sliding": sliding(50, time.Second), "bucket": bucket(50, time.Second)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &limitedServer{limit: limit, latency: 20 * time.Millisecond}
				assert.LessOrEqual(t, s.ask(t, 1600, 4, 16), 32*time.Second*13/10)
				assert.LessOrEqual(t, s.refusals, 1600/20)
			})
		})
	}
}

// What was learned while others took half of the limit is not kept to forever.
func TestALimitIsLearnedAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := fixed(50, time.Second, 0)
		s := &limitedServer{latency: 20 * time.Millisecond, limit: func(now time.Duration) (bool, time.Duration) {
			if now < 5*time.Second {
				shared(now) // somebody else's
			}
			return shared(now)
		}}
		assert.LessOrEqual(t, s.ask(t, 3000, 1, 8), 80*time.Second, "60 s would be ideal, and 120 s if it stayed at half")
		assert.LessOrEqual(t, s.refusals, 3000/20)
	})
}

// That a client was idle says nothing of the limit.
func TestALimitIsLearnedFromABurst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &limitedServer{limit: fixed(60, time.Minute, 0), latency: 20 * time.Millisecond}
		s.rand, s.start = rand.New(rand.NewPCG(1, 1)), time.Now()
		c := connect(t, nowhere, through(s))
		assert.Zero(t, each(t, 1, 10, c, getCall))
		<-time.After(8 * time.Hour)
		start := time.Now()
		assert.Zero(t, each(t, 8, 20, c, getCall))
		assert.Less(t, time.Since(start), 2*time.Minute+10*time.Second)

		<-time.After(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for getCall.call(ctx, c) == nil { // the last is refused, and has no time to wait
		}
		<-time.After(time.Hour)
		start = time.Now()
		assert.Zero(t, each(t, 8, 7, c, getCall))
		assert.Less(t, time.Since(start), 5*time.Second)
	})
}

// A guess is no reason to refuse a call that has little time.
func TestALearnedLimitRefusesNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := &limitedServer{limit: func(time.Duration) (bool, time.Duration) {
			n++
			return n == 11, 10 * time.Second
		}}
		s.rand, s.start = rand.New(rand.NewPCG(1, 1)), time.Now()
		c := connect(t, nowhere, through(s))
		for range 20 { // the eleventh is refused: ten in ten seconds, it seems
			require.NoError(t, getCall.call(t.Context(), c))
		}
		require.Equal(t, 10*time.Second, time.Since(s.start))
		for _, left := range []time.Duration{time.Second, 11 * time.Second, 15 * time.Second} { // it is at once, if half of it is not enough
			ctx, cancel := context.WithTimeout(t.Context(), left)
			require.NoError(t, getCall.call(ctx, c))
			require.Equal(t, 10*time.Second, time.Since(s.start))
			cancel()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		var group sync.WaitGroup
		group.Go(func() {
			_, err := c.Surveys.Get(ctx, "s1", clicknps.WithBulk())
			assert.NoError(t, err, "however many pass it by")
			assert.Equal(t, 30*time.Second, time.Since(s.start))
		})
		synctest.Wait()
		for range 20 {
			group.Go(func() {
				for time.Since(s.start) < 60*time.Second {
					assert.NoError(t, getCall.call(t.Context(), c))
				}
			})
		}
		group.Wait()
	})
}
