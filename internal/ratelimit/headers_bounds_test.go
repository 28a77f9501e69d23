package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/backoff"
)

func TestHeadersRefuseAndGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := headersOf()
		answer(t, h, quotaHeader(2, 0, inAMinute()))
		requireRefused(t, h, Call{}, 30*time.Second, 61*time.Second)

		ctx, cancel := context.WithCancel(t.Context())
		var waiting []<-chan error
		for range 2 {
			requireRefused(t, h, Call{}, 30*time.Second, 61*time.Second) // the next window has two permits
			waiting = append(waiting, enqueue(ctx, h, Call{}))
		}
		requireRefused(t, h, Call{}, 100*time.Second, 121*time.Second) // third: not in the next window
		requireRefused(t, h, Call{}, 0, 121*time.Second)
		requireRefused(t, h, Call{Bulk: true}, 0, 121*time.Second)
		cancel()
		for _, result := range waiting {
			require.ErrorIs(t, <-result, context.Canceled)
		}
		requireRefused(t, h, Call{}, 30*time.Second, 61*time.Second)
		assert.False(t, alarmed(&h.queue))
	})
}

// The next windows are expected to be as long as the longest time to a reset so far.
func TestHeadersExpectWindowsOfTheSameLength(t *testing.T) {
	for name, windows := range map[string]time.Duration{"the same window": 0, "the next one": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, later := headersOf(), windows*time.Minute
				answer(t, h, quotaHeader(1, 1, inAMinute()))
				travel(30*time.Second + later)
				answer(t, h, quotaHeader(1, 0, time.Now().Add(30*time.Second).Unix()))
				waiting := enqueue(t.Context(), h, Call{})
				requireRefused(t, h, Call{}, 90*time.Second, 91*time.Second)
				require.NoError(t, <-waiting)
			})
		})
	}
}

// A wait of exactly maxWait is granted, also when an answer brings it about for a call that waits.
func TestHeadersWaitExactlyMaxWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 20 {
			h, start := headersOf(), time.Now()
			last := attempts(t, h, 2)
			last[0](quotaHeader(2, 1, inAMinute()))
			waiting := enqueue(t.Context(), h, Call{})
			last[1](quotaHeader(2, 0, start.Add(119*time.Second).Unix()))
			require.NoError(t, <-waiting)
			assert.Equal(t, 2*time.Minute, time.Since(start))
		}
		for _, until := range []time.Duration{119 * time.Second, 120 * time.Second} {
			h, start := headersOf(), time.Now()
			answer(t, h, quotaHeader(2, 0, start.Add(until).Unix()))
			if until+tick > 2*time.Minute {
				requireRefused(t, h, Call{}, 0, until+tick)
				continue
			}
			require.NoError(t, <-enqueue(t.Context(), h, Call{}))
			assert.Equal(t, 2*time.Minute, time.Since(start))
		}
	})
}

// No answer bars a client for good: after maxWait, one call may go, and what it hears is believed.
func TestHeadersLetOneCallGoAfterMaxWait(t *testing.T) {
	for name, reset := range map[string]func() int64{
		"in an hour":                   func() int64 { return time.Now().Add(time.Hour).Unix() },
		"in the year 9999":             func() int64 { return 253402300799 / 10 },
		"in an hour, in milliseconds":  func() int64 { return time.Now().Add(time.Hour).UnixMilli() },
		"in an hour, as seconds to go": func() int64 { return 3600 },
		"in 11 days, as seconds to go": func() int64 { return 999_999 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := headersOf()
				answer(t, h, quotaHeader(100, 0, reset()))
				requireRefused(t, h, Call{}, 0, time.Hour+tick)
				travel(2*time.Minute - 1)
				requireRefused(t, h, Call{}, 0, 58*time.Minute+tick+1)
				travel(1)
				probe := attempts(t, h, 1)[0]
				requireRefused(t, h, Call{}, 0, 58*time.Minute+tick)
				travel(time.Second)
				probe(quotaHeader(100, 0, reset())) // as odd as before
				again := time.Hour + tick
				if name == "in the year 9999" {
					again -= 121 * time.Second // it is the same reset
				}
				requireRefused(t, h, Call{}, 0, again)
				travel(2 * time.Minute)
				unsent := acquire(t, h)
				unsent(Outcome{}) // the next one may go in its place
				probe = attempts(t, h, 1)[0]
				travel(2 * time.Minute) // no answer: another may go
				answer(t, h, quotaHeader(100, 7, inAMinute()))
				assert.Equal(t, 7-1, available(h), "it is believed, though its reset is earlier")
				probe(nil)
				assert.Equal(t, 7-1, available(h))
			})
		})
	}
}

// Calls that wait when an answer puts the reset off too far do not sleep until then.
func TestHeadersRefuseWaitingCallsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := headersOf()
		answer(t, h, quotaHeader(2, 1, inAMinute()))
		last := attempts(t, h, 1)[0]
		waiting := []<-chan error{enqueue(t.Context(), h, Call{}), enqueue(t.Context(), h, Call{Bulk: true})}
		start := time.Now()
		last(quotaHeader(2, 0, start.Add(10*time.Minute).Unix()))
		for _, result := range waiting {
			refusal, ok := errors.AsType[*backoff.RefusedError](<-result)
			require.True(t, ok)
			assert.Equal(t, &backoff.RefusedError{Wait: 10*time.Minute + tick}, refusal)
			assert.Zero(t, time.Since(start))
		}
		assert.False(t, alarmed(&h.queue))
	})
	synctest.Test(t, func(t *testing.T) {
		h, start := headersOf(), time.Now()
		last := attempts(t, h, 2)
		last[0](quotaHeader(2, 1, inAMinute()))
		waiting := enqueue(t.Context(), h, Call{})
		last[1](quotaHeader(2, 1, start.Add(10*time.Minute).Unix()))
		require.NoError(t, <-waiting, "the far window has a permit for it")
		assert.Zero(t, time.Since(start))
	})
}

// A server that puts its reset off again and again is not waited for longer than maxWait.
func TestHeadersBoundTheWholeWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, start := headersOf(), time.Now()
		answer(t, h, quotaHeader(1, 0, start.Add(30*time.Second).Unix()))
		result := make(chan error, 3)
		for range 3 {
			go func() {
				release, err := h.Acquire(t.Context(), Call{})
				if err == nil {
					release(Outcome{Sent: true, Header: quotaHeader(1, 0, inAMinute())})
				}
				result <- err
			}()
			synctest.Wait()
		}
		require.NoError(t, <-result)
		assert.Equal(t, 31*time.Second, time.Since(start))
		require.NoError(t, <-result)
		assert.Equal(t, 92*time.Second, time.Since(start))
		assert.Equal(t, &backoff.RefusedError{Wait: 2 * time.Minute}, <-result)
		assert.Equal(t, 2*time.Minute, time.Since(start))
	})
}

func TestHeadersReleaseTwiceCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := headersOf()
		done := attempts(t, h, 1)[0]
		done(quotaHeader(100, 50, inAMinute()))
		done(quotaHeader(100, 10, inAMinute()))
		done(nil)
		assert.Equal(t, 50, available(h))
	})
}

func TestHeadersQuotas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHeaders(42*time.Second, time.Minute)
		header := quotaHeader(100, 7, inAMinute(), "-medium")
		for name, values := range quotaHeader(10, 7, inAMinute(), "-short") {
			header[name] = values
		}
		for name, values := range quotaHeader(1000, 8, inAMinute(), "") {
			header[name] = values
		}
		dones := attempts(t, h, 3)
		dones[0](header)
		for range 50 { // in whatever order
			quotas, err := h.Quotas(t.Context())
			require.NoError(t, err)
			require.Equal(t, []Quota{{42 * time.Second, 10, 5}}, quotas, "the tightest, less those under way")
		}
		travel(61 * time.Second)
		assert.Equal(t, []int{8}, left(t, h), "a new window")
	})
}

// A server can't make the limiter remember any number of windows.
func TestHeadersRememberFewWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := headersOf()
		for i := range 1000 {
			answer(t, h, quotaHeader(1<<30, 1<<29, inAMinute(), fmt.Sprint("-", i)))
		}
		assert.Len(t, h.windows, 8)
	})
}

func TestHeadersIgnoreNonsense(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // when a bubble begins
	soon := fmt.Sprint(now.Unix() + 30)
	date := now.Format(http.TimeFormat)
	tests := map[string]struct {
		limit, remaining, reset, date string
		ends                          time.Duration // 0: not usable
	}{
		"as documented":     {"100", "99", soon, date, 31 * time.Second},
		"without Date":      {"100", "99", soon, "", 31 * time.Second},
		"a strange Date":    {"100", "99", soon, "today", 31 * time.Second},
		"all used":          {"100", "0", fmt.Sprint(now.Unix()), date, tick},
		"nothing used":      {"100", "100", soon, date, 31 * time.Second},
		"none":              {"", "", "", "", 0},
		"no limit":          {"", "99", soon, date, 0},
		"no remaining":      {"100", "", soon, date, 0},
		"no reset":          {"100", "99", "", date, 0},
		"zero limit":        {"0", "0", soon, date, 0},
		"negative":          {"100", "-1", soon, date, 0},
		"over the limit":    {"100", "101", soon, date, 0},
		"words":             {"many", "some", "later", date, 0},
		"a fraction":        {"100", "9.5", soon, date, 0},
		"overflow":          {"99999999999999999999", "5", soon, date, 0},
		"over 31 bits":      {"2147483648", "5", soon, date, 0},
		"huge":              {"100", "99", "9223372036854775807", date, time.Hour + tick},
		"far away":          {"100", "99", fmt.Sprint(now.Unix() + 3601), date, time.Hour + tick},
		"an hour":           {"100", "99", fmt.Sprint(now.Unix() + 3600), date, time.Hour + tick},
		"milliseconds":      {"100", "99", fmt.Sprint((now.Unix() + 30) * 1000), date, 31 * time.Second},
		"seconds to go":     {"100", "99", "30", date, 31 * time.Second},
		"past":              {"100", "99", fmt.Sprint(now.Unix() - 1), date, 0},
		"negative reset":    {"100", "99", "-30", date, 0},
		"a Date long ago":   {"100", "99", soon, "Mon, 01 Jan 0001 00:00:00 GMT", time.Hour + tick},
		"a Date in a dream": {"100", "99", soon, "Fri, 31 Dec 9999 23:59:59 GMT", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				header := http.Header{}
				header.Set("X-RateLimit-Limit", tt.limit)
				header.Set("X-RateLimit-Remaining", tt.remaining)
				header.Set("X-RateLimit-Reset", tt.reset)
				header.Set("X-RateLimit-Remainings", "0")
				header.Set("Date", tt.date)
				h := headersOf()
				answer(t, h, header)
				if tt.ends == 0 {
					assert.Empty(t, h.windows)
					attempts(t, h, 1000)
					return
				}
				require.Len(t, h.windows, 1)
				assert.Equal(t, 100, h.windows[""].limit)
				assert.Equal(t, tt.ends, time.Until(h.windows[""].ends))
			})
		})
	}
}
