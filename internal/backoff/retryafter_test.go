package backoff_test

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/clicknps/go-sdk/internal/backoff"
)

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
			wait, ok := backoff.Told(status, headerOf("Retry-After", value, "Date", date), nil)
			assert.True(t, ok, "%d %s", status, value)
			assert.Equal(t, want, wait, "%d %s", status, value)
		}
	}
}

func TestRetryAfterThatSaysNothing(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"", " ", "-1", "-0.5", "-1e400", "NaN", "soon", "60 seconds", "1m", "2025-01-15T10:31:00Z", "1,5", "0x"} {
		wait, ok := backoff.Told(503, headerOf("Retry-After", value, "Date", date), nil)
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
		"1736936000":           0, // past
		"30":                   0,
		"1736937000000":        longest, // milliseconds are not seconds
		"9223372036854775807":  longest,
		"99999999999999999999": longest,
	} {
		wait, ok := backoff.Told(429, headerOf("X-RateLimit-Reset", value, "Date", date), nil)
		assert.True(t, ok, value)
		assert.Equal(t, want, wait, value)
		_, ok = backoff.Told(503, headerOf("X-RateLimit-Reset", value, "Date", date), nil)
		assert.False(t, ok, "every answer of SalesOS bears it; only a 429 means it")
	}
	for _, value := range []string{"", "0", "-5", "-99999999999999999999", "1736937030.5s", "soon"} {
		_, ok := backoff.Told(429, headerOf("X-RateLimit-Reset", value, "Date", date), nil)
		assert.False(t, ok, value)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]time.Duration{
		`{"error":{"type":"rate_limit_exceeded","message":"Rate limit exceeded. Retry after 60 seconds."}}`: time.Minute,
		"retry after 1 second":                                 time.Second,
		"Please TRY AGAIN IN 5 minutes":                        5 * time.Minute,
		"retry in 2 hours.":                                    2 * time.Hour,
		"Retry after 30s":                                      30 * time.Second,
		"Retry  after\n7 secs":                                 7 * time.Second,
		"retry after 3 min":                                    3 * time.Minute,
		"retry after 99999999999999999999 hours!":              longest,
		"retry after 0 seconds":                                0,
		strings.Repeat("x", 60_000) + " retry after 4 seconds": 4 * time.Second,
	} {
		wait, ok := backoff.Told(429, nil, []byte(body))
		assert.True(t, ok, body)
		assert.Equal(t, want, wait, body)
		_, ok = backoff.Told(503, nil, []byte(body))
		assert.False(t, ok, "only a 429 means it")
	}
	for _, body := range []string{"", "Too Many Requests", "retry after a while", "retry after 500 ms", "retry after -5 seconds", "after 60 seconds", "retry after 60"} {
		_, ok := backoff.Told(429, nil, []byte(body))
		assert.False(t, ok, body)
	}
}

func TestTheFirstThatIsThereHolds(t *testing.T) {
	t.Parallel()
	body := []byte("Retry after 3 seconds")
	for want, header := range map[time.Duration]http.Header{
		1 * time.Second: headerOf("Retry-After", "1", "X-RateLimit-Reset", "1736937002", "Date", date),
		2 * time.Second: headerOf("Retry-After", "soon", "X-RateLimit-Reset", "1736937002", "Date", date),
		3 * time.Second: headerOf("Retry-After", "soon", "X-RateLimit-Reset", "later", "Date", date),
	} {
		wait, ok := backoff.Told(429, header, body)
		assert.True(t, ok)
		assert.Equal(t, want, wait)
	}
}

func TestSuccessAsksForNoWait(t *testing.T) {
	t.Parallel()
	_, ok := backoff.Told(200, headerOf("Retry-After", "60"), nil)
	assert.False(t, ok)
}

// Without a Date, or with one that is none, our own clock must do.
func TestOwnClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // it is midnight, 1 January 2000
		for _, serverDate := range []string{"", "today"} {
			wait, ok := backoff.Told(429, headerOf("Retry-After", "Sat, 01 Jan 2000 00:00:10 GMT", "Date", serverDate), nil)
			assert.True(t, ok)
			assert.Equal(t, 10*time.Second, wait)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"60", "0.5", "-1", "1e400", "NaN", "inf", date, "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"} {
		f.Add(429, value, date, value, "Retry after "+value+" seconds.")
	}
	f.Add(503, "", "", "9223372036854775807", "try again in 9999999999999999999999 hours")
	f.Add(200, "1", "Thu, 01 Jan 1970 00:00:00 GMT", "", "")
	f.Fuzz(func(t *testing.T, status int, retryAfter, serverDate, reset, body string) {
		wait, ok := backoff.Told(status, headerOf("Retry-After", retryAfter, "Date", serverDate, "X-RateLimit-Reset", reset), []byte(body))
		if wait < 0 || !ok && wait != 0 || ok && status < 300 {
			t.Errorf("Told = %v, %t", wait, ok)
		}
	})
}
