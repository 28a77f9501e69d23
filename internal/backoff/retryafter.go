package backoff

import (
	"bytes"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Told returns the wait that an answer asks for: Retry-After (RFC 9110, seconds or a date); on a 429 else
// X-RateLimit-Reset (unix seconds), else the body's words ("Retry after 60 seconds."). ok is false if it asks for none.
// A time in the past is a wait of 0; one too long to count is the longest there is.
func Told(status int, header http.Header, body []byte) (wait time.Duration, ok bool) {
	if status < http.StatusMultipleChoices {
		return 0, false
	}
	now := serverNow(header)
	if wait, ok = parseRetryAfter(header.Get("Retry-After"), now); ok || status != http.StatusTooManyRequests {
		return wait, ok
	}
	if reset, err := strconv.ParseInt(strings.TrimSpace(header.Get("X-RateLimit-Reset")), 10, 64); err == nil && reset > 0 {
		return until(time.Unix(reset, 0), now), true
	}
	return parseWords(body)
}

// serverNow is the server's own idea of the time if it says one: its dates are relative to that, not to our clock.
func serverNow(header http.Header) time.Time {
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		return date
	}
	return time.Now()
}

func parseRetryAfter(value string, now time.Time) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if s, err := strconv.ParseFloat(value, 64); err == nil || s == math.Inf(1) {
		return seconds(s)
	}
	if date, err := http.ParseTime(value); err == nil {
		return until(date, now), true
	}
	return 0, false
}

var words = regexp.MustCompile(`(?i)(?:retry|try again)\s+(?:after|in)\s+(\d+)\s*(seconds?|secs?|s\b|minutes?|mins?|hours?)`)

func parseWords(body []byte) (time.Duration, bool) {
	m := words.FindSubmatch(body)
	if m == nil {
		return 0, false
	}
	n, _ := strconv.ParseFloat(string(m[1]), 64) // digits only: at worst +Inf, which saturates
	switch bytes.ToLower(m[2])[0] {
	case 'm':
		n *= 60
	case 'h':
		n *= 3600
	}
	return seconds(n)
}

// seconds saturates: a number of seconds that overflows a Duration is the longest Duration, never a negative one.
func seconds(s float64) (time.Duration, bool) {
	switch {
	case math.IsNaN(s) || s < 0:
		return 0, false
	case s >= math.MaxInt64/float64(time.Second):
		return math.MaxInt64, true
	}
	return time.Duration(math.Ceil(s * float64(time.Second))), true
}

func until(t, now time.Time) time.Duration { return max(0, t.Sub(now)) }
