package backoff_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/clicknps/go-sdk/internal/backoff"
)

func TestJitterStaysBetweenItsBounds(t *testing.T) {
	t.Parallel()
	const low, high = 100 * time.Millisecond, time.Second
	for n, ceiling := range []time.Duration{
		200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond, high, high, high,
	} {
		shortest, longest := high, low
		for range 2000 {
			wait := backoff.Jitter(low, high, n)
			shortest, longest = min(shortest, wait), max(longest, wait)
		}
		assert.GreaterOrEqual(t, shortest, low)
		assert.LessOrEqual(t, longest, ceiling)
		assert.Less(t, shortest, low+(ceiling-low)/10, "the whole range is used")
		assert.Greater(t, longest, ceiling-(ceiling-low)/10)
	}
}

func TestJitterAtItsEdges(t *testing.T) {
	t.Parallel()
	assert.Equal(t, time.Second, backoff.Jitter(time.Second, time.Second, 0))
	assert.Equal(t, time.Second, backoff.Jitter(time.Second, time.Second, 1000))
	assert.Equal(t, time.Second, backoff.Jitter(time.Second, time.Millisecond, 3), "low wins")
	assert.Zero(t, backoff.Jitter(0, time.Second, math.MaxInt), "0 can't be doubled: it takes no time")
	seen := map[time.Duration]bool{}
	for range 200 {
		seen[backoff.Jitter(1, 2, 0)] = true
		assert.Positive(t, backoff.Jitter(1, math.MaxInt64, math.MaxInt))
	}
	assert.Equal(t, map[time.Duration]bool{1: true, 2: true}, seen, "both ends belong to the range")
}

func TestCheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		deadline, longest := context.DeadlineExceeded, error(nil)
		for _, tt := range []struct {
			name          string
			ctx           context.Context
			wait, longest time.Duration
			refused       bool
			cause         error
			text          string
		}{
			{"in time", ctx, time.Minute - 1, time.Hour, false, nil, ""},
			{
				"exactly at the deadline", ctx, time.Minute, time.Hour, true, deadline,
				"a wait of 1m0s would outlive the deadline",
			},
			{"longest", t.Context(), time.Hour, time.Hour, false, nil, ""},
			{
				"too long", t.Context(), time.Hour + 1, time.Hour, true, longest,
				"a wait of 1h0m0.000000001s is longer than MaxRetryAfter",
			},
			{
				"too long, deadline or not", ctx, 2 * time.Second, time.Second, true, longest,
				"a wait of 2s is longer than MaxRetryAfter",
			},
			{
				"both", ctx, time.Hour, time.Second, true, deadline,
				"a wait of 1h0m0s would outlive the deadline",
			},
			{"no wait", ctx, 0, 0, false, nil, ""},
		} {
			err := backoff.Check(tt.ctx, tt.wait, tt.longest)
			if !tt.refused {
				assert.NoError(t, err, tt.name)
				continue
			}
			refusal, ok := errors.AsType[*backoff.RefusedError](err)
			assert.True(t, ok, tt.name)
			assert.Equal(t, &backoff.RefusedError{Wait: tt.wait, Cause: tt.cause}, refusal, tt.name)
			assert.Equal(t, tt.cause, refusal.Unwrap(), tt.name)
			assert.EqualError(t, err, tt.text, tt.name)
		}
	})
}

func TestEnded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.EqualError(t, backoff.Ended(ctx, "a permit"), "waiting for a permit: context canceled")
	assert.ErrorIs(t, backoff.Ended(ctx, "a permit"), context.Canceled)

	cause := errors.New("the user went away")
	withCause, cancelCause := context.WithCancelCause(t.Context())
	cancelCause(cause)
	err := backoff.Ended(withCause, "a token")
	assert.EqualError(t, err, "waiting for a token: context canceled: the user went away")
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorIs(t, err, cause)
}

const (
	longest = time.Duration(math.MaxInt64)
	date    = "Wed, 15 Jan 2025 10:30:00 GMT" // 1736937000
)

// headerOf is a header from pairs.
func headerOf(pairs ...string) http.Header {
	h := make(http.Header)
	for i := 0; i+1 < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"0":                                 0,
		"60":                                time.Minute,
		" 60 ":                              time.Minute,
		"007":                               7 * time.Second,
		"0.5":                               500 * time.Millisecond,
		"1.0000000001":                      time.Second + 1, // never less than asked
		"9223372036":                        9223372036 * time.Second,
		"9223372036.854775807":              longest, // a float64 can not hold it
		"9223372037":                        longest,
		"99999999999999999999":              longest,
		"1e400":                             longest,
		strings.Repeat("9", 500):            longest,
		date:                                0,
		"Wed, 15 Jan 2025 10:31:05 GMT":     65 * time.Second,
		"Wed, 15 Jan 2025 10:29:59 GMT":     0, // past
		"Thu, 01 Jan 1970 00:00:00 GMT":     0,
		"Fri, 31 Dec 9999 23:59:59 GMT":     longest,
		"Wednesday, 15-Jan-25 10:30:09 GMT": 9 * time.Second, // the two obsolete formats of RFC 9110
		"Wed Jan 15 10:30:09 2025":          9 * time.Second,
	} {
		for _, status := range []int{429, 503, 500, 301} {
			wait, ok := backoff.Asked(status, headerOf("Retry-After", value, "Date", date), nil)
			assert.True(t, ok, "%d %s", status, value)
			assert.Equal(t, want, wait, "%d %s", status, value)
		}
	}
}

func TestRetryAfterThatSaysNothing(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		"", " ", "-1", "-0.5", "-1e400", "NaN", "soon", "60 seconds", "1m", "2025-01-15T10:31:00Z",
		"1,5", "0x",
	} {
		wait, ok := backoff.Asked(503, headerOf("Retry-After", value, "Date", date), nil)
		assert.False(t, ok, value)
		assert.Zero(t, wait, value)
	}
}

func TestRateLimitReset(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"1736937000":           0,
		"1736937030":           30 * time.Second,
		" 1736937030 ":         30 * time.Second,
		"1736937030.5":         30*time.Second + 500*time.Millisecond,
		"1736936000":           0, // past
		"1":                    time.Second,
		"30":                   30 * time.Second,
		"0.25":                 250 * time.Millisecond,
		"999999":               999_999 * time.Second,
		"1000000":              0, // 12 January 1970
		"99999999999":          longest,
		"100000000000":         0, // milliseconds: 1973
		"1736937030250":        30*time.Second + 250*time.Millisecond,
		"1736936999999":        0,
		"9223372036854775807":  longest,
		"99999999999999999999": longest,
		"1e400":                longest,
	} {
		for _, name := range []string{"X-RateLimit-Reset", "X-RateLimit-Reset-medium"} {
			wait, ok := backoff.Asked(429, headerOf(name, value, "Date", date), nil)
			assert.True(t, ok, value)
			assert.Equal(t, want, wait, value)
			_, ok = backoff.Asked(503, headerOf(name, value, "Date", date), nil)
			assert.False(t, ok, "every answer of SalesOS has it; only a 429 means it")
		}
	}
	for _, value := range []string{"", "0", "-5", "-99999999999999999999", "NaN", "1736937030.5s", "soon"} {
		_, ok := backoff.Asked(429, headerOf("X-RateLimit-Reset", value, "Date", date), nil)
		assert.False(t, ok, value)
	}
}

// A Retry-After that holds a time instead of a duration is not guessed at: the caller's bound
// refuses it.
func TestRetryAfterWithATimestamp(t *testing.T) {
	t.Parallel()
	wait, ok := backoff.Asked(429, headerOf("Retry-After", "1795000000", "Date", date), nil)
	assert.True(t, ok)
	assert.Equal(t, 1795000000*time.Second, wait)
}

func TestMessage(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]time.Duration{
		`{"error":{"message":"Rate limit exceeded. Retry after 60 seconds."}}`: time.Minute,
		"retry after 1 second":                                    time.Second,
		"Please TRY AGAIN IN 5 minutes":                           5 * time.Minute,
		"retry in 2 hours.":                                       2 * time.Hour,
		"Retry after 30s":                                         30 * time.Second,
		"Retry  after\n7 secs":                                    7 * time.Second,
		"retry after 3 min":                                       3 * time.Minute,
		"retry after 99999999999999999999 hours!":                 longest,
		"retry after 0 seconds":                                   0,
		strings.Repeat("x", 64<<10-22) + " retry after 4 seconds": 4 * time.Second,
	} {
		wait, ok := backoff.Asked(429, nil, []byte(body))
		assert.True(t, ok, body)
		assert.Equal(t, want, wait, body)
		_, ok = backoff.Asked(503, nil, []byte(body))
		assert.False(t, ok, "only a 429 means it")
	}
	for _, body := range []string{
		"", "Too Many Requests", "retry after a while", "retry after 500 ms", "retry after -5 seconds",
		"after 60 seconds",
		"retry after 60", strings.Repeat("x", 64<<10) + " retry after 4 seconds",
	} {
		_, ok := backoff.Asked(429, nil, []byte(body))
		assert.False(t, ok, body)
	}
}

func TestTheLongestWaitHolds(t *testing.T) {
	t.Parallel()
	body := []byte("Retry after 3 seconds")
	for _, tt := range []struct {
		status int
		header http.Header
		want   time.Duration
	}{
		{429, headerOf("Retry-After", "1", "X-RateLimit-Reset", "2"), 3 * time.Second},
		{429, headerOf("Retry-After", "4", "X-RateLimit-Reset", "2"), 4 * time.Second},
		{429, headerOf("Retry-After", "4", "X-RateLimit-Reset", "5"), 5 * time.Second},
		{
			429, headerOf("Retry-After", "4", "Retry-After-medium", "6", "Retry-After-Long", "5"),
			6 * time.Second,
		},
		{429, headerOf("X-RateLimit-Reset-long", "7", "X-RateLimit-Reset-short", "1"), 7 * time.Second},
		{429, headerOf("Retry-After", "soon", "X-RateLimit-Reset", "later"), 3 * time.Second},
		{429, http.Header{"retry-after-medium": {"1", "8"}}, 8 * time.Second},
		{
			503, headerOf("Retry-After", "1", "Retry-After-Medium", "2", "X-RateLimit-Reset", "9"),
			2 * time.Second,
		},
		{
			429, headerOf("Retry-Aftermath", "60", "X-RateLimit-Resets", "60", "My-Retry-After", "60"),
			3 * time.Second,
		},
	} {
		wait, ok := backoff.Asked(tt.status, tt.header, body)
		assert.True(t, ok, tt.header)
		assert.Equal(t, tt.want, wait, tt.header)
	}
}

func TestSuccessAsksForNoWait(t *testing.T) {
	t.Parallel()
	for _, status := range []int{0, 200, 299} {
		_, ok := backoff.Asked(status, headerOf("Retry-After", "60"), nil)
		assert.False(t, ok)
	}
	_, ok := backoff.Asked(300, headerOf("Retry-After", "60"), nil)
	assert.True(t, ok)
}

// Without a Date, or with one that is none, our own clock must do.
func TestOwnClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // it is midnight, 1 January 2000
		for _, serverDate := range []string{"", "today"} {
			header := headerOf("Retry-After", "Sat, 01 Jan 2000 00:00:10 GMT", "Date", serverDate)
			wait, ok := backoff.Asked(429, header, nil)
			assert.True(t, ok)
			assert.Equal(t, 10*time.Second, wait)
		}
	})
}
