package ratelimit

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// headersOf returns a limiter for windows of a minute whose waits are bounded by two.
func headersOf() *Headers { return NewHeaders(time.Minute, 2*time.Minute) }

// attempts gets n permits that must be free at once. Each function takes one back with the header
// of an answer.
func attempts(t *testing.T, h *Headers, n int) []func(http.Header) {
	t.Helper()
	all := make([]func(http.Header), n)
	for i := range all {
		release := acquire(t, h)
		all[i] = func(header http.Header) { release(Outcome{Sent: true, StatusCode: 200, Header: header}) }
	}
	return all
}

// answer gets a permit and takes it back with the header of an answer.
func answer(t *testing.T, h *Headers, header http.Header) {
	t.Helper()
	attempts(t, h, 1)[0](header)
}

// available returns how many requests could go now; it is negative if more are under way.
func available(h *Headers) int {
	h.queue.mu.Lock()
	defer h.queue.mu.Unlock()
	h.turnOver(time.Now())
	return h.windows[""].left - h.inFlight
}

func inAMinute() int64 { return time.Now().Add(time.Minute).Unix() }

// clock is how a server tells the time.
type clock struct {
	skew     time.Duration
	noDate   bool
	relative bool          // resets are in seconds from now
	round    time.Duration // added to the reset before it is cut to seconds
	name     string        // ends the headers' names
}

// fixedWindow is a server that counts in fixed windows and shows so in its headers.
type fixedWindow struct {
	limit  int
	window time.Duration
	phase  time.Duration // of its windows
	clock

	mu               sync.Mutex
	ends             time.Time
	left             int
	served, refusals int
}

func newFixedWindow(phase time.Duration, c clock) *fixedWindow {
	return &fixedWindow{limit: 100, window: time.Minute, phase: phase, clock: c}
}

// take counts a request, or refuses it.
func (s *fixedWindow) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().Add(s.skew)
	if !now.Before(s.ends) {
		s.ends = now.Add(s.phase).Truncate(s.window).Add(s.window - s.phase)
		s.left = s.limit
	}
	if s.left == 0 {
		return false
	}
	s.left--
	s.served++
	return true
}

// serve answers a request of the limiter.
func (s *fixedWindow) serve() http.Header {
	served := s.take()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !served {
		s.refusals++
	}
	reset := s.ends.Add(s.round).Unix()
	if now := time.Now().Add(s.skew); s.relative {
		reset = int64((s.ends.Sub(now) + time.Second - 1) / time.Second)
	}
	h := quotaHeader(s.limit, s.left, reset, s.name)
	if !s.noDate {
		h.Set("Date", time.Now().Add(s.skew).UTC().Format(http.TimeFormat))
	}
	return h
}

// callers keeps a server busy from 8 goroutines; some answers are lost.
func callers(t *testing.T, h *Headers, serve func() http.Header, d time.Duration, loss float64) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var wg sync.WaitGroup
	for worker := range uint64(8) {
		rng := random(worker)
		wg.Go(func() {
			for {
				release, err := h.Acquire(ctx, Call{})
				if err != nil {
					return
				}
				travel(jitter(rng))
				header := serve()
				travel(jitter(rng))
				if rng.Float64() < loss {
					header = nil
				}
				release(Outcome{Sent: true, Header: header})
			}
		})
	}
	wg.Wait()
}

func TestHeadersAreNeverRefused(t *testing.T) {
	tests := map[string]struct {
		clock clock
		loss  float64
	}{
		"clocks agree":              {},
		"its clock is 10 min late":  {clock: clock{skew: -10 * time.Minute}},
		"its clock is 10 min fast":  {clock: clock{skew: 10 * time.Minute}},
		"no Date":                   {clock: clock{noDate: true}},
		"reset rounded up":          {clock: clock{round: time.Second - 1}},
		"reset rounded":             {clock: clock{round: time.Second / 2}},
		"answers get lost":          {loss: 0.3},
		"named":                     {clock: clock{name: "-medium"}},
		"seconds from now":          {clock: clock{name: "-medium", relative: true, skew: -time.Hour}},
		"seconds from now, no Date": {clock: clock{relative: true, noDate: true}, loss: 0.1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for phase := time.Duration(0); phase < 2*time.Second; phase += 270 * time.Millisecond {
				synctest.Test(t, func(t *testing.T) {
					server := newFixedWindow(phase, tt.clock)
					callers(t, headersOf(), server.serve, 10*time.Minute, tt.loss)
					require.Zero(t, server.refusals, "phase %v", phase)
					require.GreaterOrEqual(t, server.served, 1000*98/100, "phase %v", phase)
				})
			}
		})
	}
}

func TestHeadersBesideAnotherConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFixedWindow(0, clock{})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		rng, others := random(1), 0
		var wg sync.WaitGroup
		wg.Go(func() {
			for ctx.Err() == nil { // half as fast as the callers are
				travel(time.Duration(rng.Int64N(int64(100 * time.Millisecond))))
				if server.take() {
					others++
				}
			}
		})
		callers(t, headersOf(), server.serve, 10*time.Minute, 0)
		wg.Wait()
		own := server.served - others
		t.Logf("%d served, %d refused, %d of others", own, server.refusals, others)
		assert.Greater(t, own, 500)
		assert.Greater(t, others, 300)
		assert.LessOrEqual(t, server.refusals, own*5/100, "few")
	})
}

// A server with several windows is paced by whichever is tightest at the time.
func TestHeadersOfSeveralWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		short := &fixedWindow{limit: 10, window: 10 * time.Second, clock: clock{name: "-s", relative: true}}
		long := &fixedWindow{limit: 40, window: time.Minute, clock: clock{name: "-l", relative: true}}
		both := func() http.Header {
			header := short.serve()
			for name, values := range long.serve() {
				header[name] = values
			}
			return header
		}
		callers(t, headersOf(), both, 10*time.Minute, 0)
		assert.Zero(t, short.refusals)
		assert.Zero(t, long.refusals)
		assert.GreaterOrEqual(t, long.served, 390)
	})
}

func TestHeadersAnswersOutOfOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := headersOf()
		order, lowest := rand.Perm(8), 100
		dones := attempts(t, h, 8)
		for count, i := range order {
			lowest = min(lowest, 99-i)
			dones[i](quotaHeader(100, 99-i, inAMinute()))
			assert.Equal(t, lowest-(7-count), available(h), "order %v", order)
		}
		assert.Equal(t, 92, available(h), "nothing of the quota is lost")
	})
}

func TestHeadersCountWhatGotNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, reset := headersOf(), inAMinute()
		answer(t, h, quotaHeader(100, 51, reset))
		dones := attempts(t, h, 3)
		dones[1](nil)
		dones[2](http.Header{"Content-Type": {"text/html"}})
		assert.Equal(t, 48, available(h))
		dones[0](quotaHeader(100, 50, reset)) // counted by the server before the other two
		assert.Equal(t, 48, available(h))
		answer(t, h, quotaHeader(100, 47, reset)) // after them
		assert.Equal(t, 47, available(h))

		last := attempts(t, h, 1)[0]
		travel(time.Minute + tick)
		last(nil) // it may have arrived in the new window
		assert.Equal(t, 99, available(h))
	})
}

// The first answer of all shows nothing of requests that went at the same time and got none.
func TestHeadersCountWhatGotNoAnswerBeforeTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := headersOf()
		dones := attempts(t, h, 4)
		dones[0](nil)
		dones[1](nil)
		dones[2](quotaHeader(100, 99, inAMinute()))
		assert.Equal(t, 96, available(h))
	})
}

// An answer that shows one of two windows counts in the other, too.
func TestHeadersCountAnswersThatLeaveOutAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, reset := headersOf(), inAMinute()
		both := func(short, long int) http.Header {
			header := quotaHeader(10, short, reset, "-short")
			for name, values := range quotaHeader(100, long, reset, "-long") {
				header[name] = values
			}
			return header
		}
		dones := attempts(t, h, 3)
		dones[0](both(9, 99))
		dones[1](quotaHeader(10, 7, reset, "-short"))
		assert.Equal(t, 98, h.windows["-Long"].left)
		dones[2](both(8, 98)) // counted by the server before the second
		assert.Equal(t, 97, h.windows["-Long"].left)
		assert.Equal(t, 7, h.windows["-Short"].left)
	})
}

func TestHeadersCountNothingThatWasNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := headersOf()
		answer(t, h, quotaHeader(3, 2, inAMinute()))
		for range 5 {
			acquire(t, h)(Outcome{Header: quotaHeader(3, 0, inAMinute())})
		}
		assert.Equal(t, 2, available(h))
		assert.Equal(t, []int{2}, left(t, h))
	})
}

func TestHeadersLearnFromA429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := headersOf()
		acquire(t, h)(Outcome{Sent: true, StatusCode: 429, Header: quotaHeader(10, 0, inAMinute())})
		assert.Equal(t, []int{0}, left(t, h))
		requireRefused(t, h, Call{}, time.Minute, time.Minute+tick)
	})
}

func TestHeadersWaitForAnswersOrReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, start, reset := headersOf(), time.Now(), inAMinute()
		answer(t, h, quotaHeader(10, 2, reset))
		dones := attempts(t, h, 2)
		assert.Equal(t, []int{0}, left(t, h))
		requireRefused(t, h, Call{}, 30*time.Second, 61*time.Second) // those under way use what is left
		result := make(chan error, 1)
		go func() {
			_, err := h.Acquire(t.Context(), Call{})
			result <- err
		}()
		travel(time.Second)
		dones[1](quotaHeader(10, 1, reset)) // the other request may still take that one
		travel(time.Second)
		require.Empty(t, result)
		dones[0](quotaHeader(10, 1, reset)) // it was counted already
		require.NoError(t, <-result)
		assert.Equal(t, 2*time.Second, time.Since(start))

		later := enqueue(t.Context(), h, Call{}) // the last permit is in flight, and never released
		require.NoError(t, <-later)
		assert.Equal(t, time.Minute+tick, time.Since(start), "after the reset")
		assert.Equal(t, 10-1-1, available(h), "a new window, less one unanswered and one in flight")
	})
}

// Requests under way when a window ends may still be counted in the next one.
func TestHeadersSubtractRequestsUnderWayFromTheNextWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := headersOf()
		dones := attempts(t, h, 3)
		dones[0](quotaHeader(2, 1, inAMinute()))
		travel(time.Minute + tick)
		assert.Equal(t, 0, available(h), "two of two are under way")
		result := enqueue(t.Context(), h, Call{})
		require.Empty(t, result)
		dones[1](quotaHeader(2, 1, inAMinute()))
		synctest.Wait()
		require.Empty(t, result, "the other one may take the last")
		dones[2](quotaHeader(2, 1, inAMinute()))
		require.NoError(t, <-result)
	})
}

func TestHeadersIgnoreLateAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, reset := headersOf(), time.Now().Add(10*time.Second).Unix()
		late := func(remaining int) http.Header {
			header := quotaHeader(100, remaining, reset)
			header.Set("Date", time.Unix(reset-1, 0).UTC().Format(http.TimeFormat))
			return header
		}
		dones := attempts(t, h, 4)
		dones[0](quotaHeader(100, 3, reset))
		travel(10*time.Second + tick)
		assert.Equal(t, 97, available(h))
		dones[1](late(2)) // before any answer of the new window
		assert.Equal(t, 98, available(h))
		answer(t, h, quotaHeader(100, 99, reset+60))
		assert.Equal(t, 97, available(h))
		dones[2](late(1)) // after one
		assert.Equal(t, 98, available(h))
	})
}

// A request that went in the old window, and is answered in the new one, tells nothing of that.
func TestHeadersIgnoreLateAnswersOfTheWindowBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, reset := headersOf(), time.Now().Add(10*time.Second).Unix()
		answer(t, h, quotaHeader(100, 4, reset))
		last := attempts(t, h, 1)[0]
		travel(10*time.Second + tick)
		header := quotaHeader(100, 3, reset)
		header.Set("Date", time.Unix(reset-1, 0).UTC().Format(http.TimeFormat))
		last(header)
		assert.Equal(t, 100, available(h))
	})
}

func TestHeadersBearWaveringResets(t *testing.T) {
	for _, took := range []time.Duration{0, time.Second} { // were they sent before the window was known?
		synctest.Test(t, func(t *testing.T) {
			h, reset := headersOf(), inAMinute()
			dones := attempts(t, h, 5)
			travel(took)
			for i, header := range []http.Header{
				quotaHeader(100, 50, reset), quotaHeader(100, 47, reset-1), quotaHeader(100, 49, reset),
				quotaHeader(100, 48, reset+2),
				quotaHeader(100, 49, reset-2),
			} {
				dones[i](header)
			}
			assert.Equal(t, 47, available(h), "all of the same window")
			end := time.Minute - 2*time.Second + tick - took
			assert.Equal(t, end, time.Until(h.windows[""].ends), "the earliest end")
			answer(t, h, quotaHeader(100, 99, reset+3))
			assert.Equal(t, 99, available(h), "a new window")
		})
	}
}

// An answer to a request that went after the limiter thought that a new window had begun is of
// that window.
func TestHeadersOfAWindowThatIsShorterThanTheResetsPrecision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, reset := headersOf(), time.Now().Add(time.Second).Unix()
		answer(t, h, quotaHeader(3, 0, reset))
		travel(2 * time.Second)
		answer(t, h, quotaHeader(3, 2, reset+2))
		assert.Equal(t, 2, available(h))
		answer(t, h, quotaHeader(3, 1, reset+2))
		assert.Equal(t, 1, available(h))
	})
}

func TestHeadersForgetAServerThatNoLongerShowsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := headersOf()
		answer(t, h, quotaHeader(3, 0, inAMinute()))
		travel(time.Minute + tick)
		for range 3 {
			answer(t, h, nil)
		}
		attempts(t, h, 100)
		assert.Empty(t, h.windows)
		assert.Nil(t, left(t, h))
	})
}
