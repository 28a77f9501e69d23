package ratelimit

import (
	"context"
	"errors"
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
)

// clock is how a server tells the time.
type clock struct {
	skew   time.Duration
	noDate bool
	round  time.Duration // added to the reset before it is cut to seconds
}

// fixedWindow is a server that counts in fixed windows and tells so in its headers.
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

// serve answers a request of the pacer.
func (s *fixedWindow) serve() http.Header {
	served := s.take()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !served {
		s.refusals++
	}
	h := quotaHeader(s.limit, s.left, s.ends.Add(s.round).Unix())
	if !s.noDate {
		h.Set("Date", time.Now().Add(s.skew).UTC().Format(http.TimeFormat))
	}
	return h
}

func quotaHeader(limit, remaining int, reset int64) http.Header {
	h := http.Header{}
	h.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(remaining))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(reset, 10))
	return h
}

// callers keeps a server busy from 8 goroutines; some answers are lost.
func callers(t *testing.T, p *HeaderPacer, server *fixedWindow, d time.Duration, loss float64) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var wg sync.WaitGroup
	for worker := range uint64(8) {
		rng := random(worker)
		wg.Go(func() {
			for {
				done, err := p.Acquire(ctx)
				if err != nil {
					return
				}
				travel(jitter(rng))
				answer := server.serve()
				travel(jitter(rng))
				if rng.Float64() < loss {
					answer = nil
				}
				done(answer)
			}
		})
	}
	wg.Wait()
}

func TestHeaderPacerIsNeverRefused(t *testing.T) {
	tests := map[string]struct {
		clock clock
		loss  float64
	}{
		"clocks agree":             {},
		"its clock is 10 min late": {clock: clock{skew: -10 * time.Minute}},
		"its clock is 10 min fast": {clock: clock{skew: 10 * time.Minute}},
		"no Date":                  {clock: clock{noDate: true}},
		"reset rounded up":         {clock: clock{round: time.Second - 1}},
		"reset rounded":            {clock: clock{round: time.Second / 2}},
		"answers get lost":         {loss: 0.3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for phase := time.Duration(0); phase < 2*time.Second; phase += 270 * time.Millisecond {
				synctest.Test(t, func(t *testing.T) {
					server := newFixedWindow(phase, tt.clock)
					callers(t, new(HeaderPacer), server, 10*time.Minute, tt.loss)
					require.Zero(t, server.refusals, "phase %v", phase)
					require.GreaterOrEqual(t, server.served, 1000*98/100, "phase %v", phase)
				})
			}
		})
	}
}

func TestHeaderPacerBesideAnotherConsumer(t *testing.T) {
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
		callers(t, new(HeaderPacer), server, 10*time.Minute, 0)
		wg.Wait()
		own := server.served - others
		t.Logf("%d served, %d refused, %d of others", own, server.refusals, others)
		assert.Greater(t, own, 500)
		assert.Greater(t, others, 300)
		assert.LessOrEqual(t, server.refusals, own*5/100, "few")
	})
}

// attempts takes n places that must be free at once.
func attempts(t *testing.T, p *HeaderPacer, n int) []func(http.Header) {
	t.Helper()
	all := make([]func(http.Header), n)
	start := time.Now()
	for i := range all {
		done, err := p.Acquire(t.Context())
		require.NoError(t, err)
		all[i] = done
	}
	require.Zero(t, time.Since(start))
	return all
}

// available tells how many requests could go now.
func available(p *HeaderPacer) int {
	p.queue.mu.Lock()
	defer p.queue.mu.Unlock()
	p.turnOver(time.Now())
	return p.left - p.inFlight
}

func TestHeaderPacerAnswersOutOfOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p HeaderPacer
		reset := time.Now().Add(time.Minute).Unix()
		order := rand.Perm(8)
		dones := attempts(t, &p, 8)
		lowest := 100
		for answered, i := range order {
			lowest = min(lowest, 99-i)
			dones[i](quotaHeader(100, 99-i, reset))
			assert.Equal(t, lowest-(7-answered), available(&p), "the lowest so far, less those in flight; order %v", order)
		}
		assert.Equal(t, 92, available(&p), "nothing of the quota is lost")
	})
}

func TestHeaderPacerCountsWhatGotNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p HeaderPacer
		reset := time.Now().Add(time.Minute).Unix()
		attempts(t, &p, 1)[0](quotaHeader(100, 51, reset))
		dones := attempts(t, &p, 3)
		dones[1](nil)
		dones[2](http.Header{"Content-Type": {"text/html"}})
		assert.Equal(t, 48, available(&p))
		dones[0](quotaHeader(100, 50, reset)) // counted by the server before the other two
		assert.Equal(t, 48, available(&p))
		attempts(t, &p, 1)[0](quotaHeader(100, 47, reset)) // after them
		assert.Equal(t, 47, available(&p))

		last := attempts(t, &p, 1)[0]
		travel(time.Minute + tick)
		last(nil) // it may have arrived in the new window
		assert.Equal(t, 99, available(&p))
	})
}

func TestHeaderPacerWaitsForAnswersOrReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p HeaderPacer
		start := time.Now()
		reset := start.Add(time.Minute).Unix()
		acquire := func() <-chan error {
			result := make(chan error, 1)
			go func() {
				_, err := p.Acquire(t.Context())
				result <- err
			}()
			synctest.Wait()
			return result
		}
		attempts(t, &p, 1)[0](quotaHeader(10, 2, reset))
		dones := attempts(t, &p, 2)
		result := acquire()
		travel(time.Second)
		dones[1](quotaHeader(10, 1, reset)) // the other request in flight may still take that one
		travel(time.Second)
		require.Empty(t, result)
		dones[0](quotaHeader(10, 1, reset)) // it was counted already
		require.NoError(t, <-result)
		assert.Equal(t, 2*time.Second, time.Since(start))

		result = acquire() // the one place left is in flight, and never answered
		require.NoError(t, <-result)
		assert.Equal(t, time.Minute+tick, time.Since(start), "after the reset")
		assert.Equal(t, 10-2, available(&p), "a new window, less the two in flight")
	})
}

func TestHeaderPacerIgnoresStragglers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p HeaderPacer
		reset := time.Now().Add(10 * time.Second).Unix()
		late := func(remaining int) http.Header {
			h := quotaHeader(100, remaining, reset)
			h.Set("Date", time.Unix(reset-1, 0).UTC().Format(http.TimeFormat))
			return h
		}
		dones := attempts(t, &p, 4)
		dones[0](quotaHeader(100, 3, reset))
		travel(10*time.Second + tick)
		assert.Equal(t, 97, available(&p))
		dones[1](late(2)) // before any answer of the new window
		assert.Equal(t, 98, available(&p))
		attempts(t, &p, 1)[0](quotaHeader(100, 99, reset+60))
		assert.Equal(t, 97, available(&p))
		dones[2](late(1)) // after one
		assert.Equal(t, 98, available(&p))
	})
}

func TestHeaderPacerBearsWaveringResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p HeaderPacer
		reset := time.Now().Add(time.Minute).Unix()
		dones := attempts(t, &p, 4)
		for i, answer := range []http.Header{
			quotaHeader(100, 50, reset), quotaHeader(100, 47, reset-1), quotaHeader(100, 49, reset), quotaHeader(100, 48, reset+1),
		} {
			dones[i](answer)
		}
		assert.Equal(t, 47, available(&p), "all of the same window")
	})
}

func TestHeaderPacerForgetsAServerThatNoLongerTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p HeaderPacer
		attempts(t, &p, 1)[0](quotaHeader(3, 0, time.Now().Add(time.Minute).Unix()))
		travel(time.Minute + tick)
		for range 3 {
			attempts(t, &p, 1)[0](nil)
		}
		attempts(t, &p, 100)
		assert.Zero(t, p.limit)
	})
}

func TestHeaderPacerEstimatesAnyNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := HeaderPacer{Window: time.Minute}
		attempts(t, &p, 1)[0](quotaHeader(10, 2, time.Now().Add(time.Minute).Unix()))
		assert.Zero(t, p.Estimate(Bulk, 2))
		assert.Equal(t, time.Minute+tick, p.Estimate(Bulk, 3))
		assert.Equal(t, 2*time.Minute+tick, p.Estimate(Bulk, 13))
		assert.Equal(t, never, p.Estimate(Bulk, 1<<62))

		var atOnce HeaderPacer // its window ends with the answer, and nobody said how long one is
		attempts(t, &atOnce, 1)[0](quotaHeader(10, 0, time.Now().Unix()))
		assert.Equal(t, 2*tick, atOnce.Estimate(Bulk, 11))
	})
}

func TestHeaderPacerRefusesAndGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p HeaderPacer
		attempts(t, &p, 1)[0](quotaHeader(2, 0, time.Now().Add(time.Minute).Unix()))
		refuse := func(timeout, wait time.Duration) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			start := time.Now()
			_, err := p.Acquire(ctx)
			refusal, ok := errors.AsType[*WaitError](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, wait, refusal.Wait)
			assert.Zero(t, time.Since(start))
		}
		refuse(30*time.Second, 61*time.Second)

		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for range 2 {
			refuse(30*time.Second, 61*time.Second) // the next window has two places
			wg.Go(func() {
				_, err := p.Acquire(ctx)
				assert.ErrorIs(t, err, context.Canceled)
			})
			synctest.Wait()
		}
		refuse(100*time.Second, 121*time.Second) // third in line: not in the next window
		cancel()
		wg.Wait()
		refuse(30*time.Second, 61*time.Second)
		assert.False(t, alarmed(&p.queue))
	})
}

func TestHeaderPacerDoneTwiceCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p HeaderPacer
		reset := time.Now().Add(time.Minute).Unix()
		done := attempts(t, &p, 1)[0]
		done(quotaHeader(100, 50, reset))
		done(quotaHeader(100, 10, reset))
		done(nil)
		assert.Equal(t, 50, available(&p))
	})
}

func TestHeaderPacerIgnoresNonsense(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // when a bubble begins
	soon := fmt.Sprint(now.Unix() + 30)
	date := now.Format(http.TimeFormat)
	tests := map[string]struct {
		limit, remaining, reset, date string
		ok                            bool
	}{
		"as documented":     {"100", "99", soon, date, true},
		"without Date":      {"100", "99", soon, "", true},
		"a strange Date":    {"100", "99", soon, "today", true},
		"all used":          {"100", "0", fmt.Sprint(now.Unix()), date, true},
		"none":              {"", "", "", "", false},
		"no limit":          {"", "99", soon, date, false},
		"no remaining":      {"100", "", soon, date, false},
		"no reset":          {"100", "99", "", date, false},
		"zero limit":        {"0", "0", soon, date, false},
		"negative":          {"100", "-1", soon, date, false},
		"over the limit":    {"100", "101", soon, date, false},
		"words":             {"many", "some", "later", date, false},
		"a fraction":        {"100", "9.5", soon, date, false},
		"overflow":          {"99999999999999999999", "5", soon, date, false},
		"huge":              {"100", "99", "9223372036854775807", date, false},
		"far away":          {"100", "99", fmt.Sprint(now.Unix() + 3602), date, false},
		"an hour":           {"100", "99", fmt.Sprint(now.Unix() + 3600), date, true},
		"milliseconds":      {"100", "99", fmt.Sprint((now.Unix() + 30) * 1000), date, false},
		"seconds to go":     {"100", "99", "30", date, false},
		"past":              {"100", "99", fmt.Sprint(now.Unix() - 1), date, false},
		"negative reset":    {"100", "99", "-30", date, false},
		"a Date long ago":   {"100", "99", soon, "Mon, 01 Jan 0001 00:00:00 GMT", false},
		"a Date in a dream": {"100", "99", soon, "Fri, 31 Dec 9999 23:59:59 GMT", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := http.Header{}
				h.Set("X-RateLimit-Limit", tt.limit)
				h.Set("X-RateLimit-Remaining", tt.remaining)
				h.Set("X-RateLimit-Reset", tt.reset)
				h.Set("Date", tt.date)
				var p HeaderPacer
				attempts(t, &p, 1)[0](h)
				if tt.ok {
					assert.Equal(t, 100, p.limit)
				} else {
					assert.Zero(t, p.limit)
					attempts(t, &p, 1000)
				}
			})
		})
	}
}
