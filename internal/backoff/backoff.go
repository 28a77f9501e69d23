// Package backoff decides how long to wait before a request is retried.
package backoff

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Jitter returns a random wait between low and the smaller of high and low·2^(n+1) for the nth
// retry, counted from 0. The spread keeps clients that failed together from retrying together.
func Jitter(low, high time.Duration, n int) time.Duration {
	ceiling, doublings := high, min(n, 62)+1
	if low <= high>>doublings {
		ceiling = low << doublings
	}
	return low + rand.N(max(0, ceiling-low)+1)
}

// RefusedError reports a wait that was not begun because it would take too long.
type RefusedError struct {
	Wait  time.Duration // the wait that would have been necessary
	Cause error         // context.DeadlineExceeded; nil: Wait is longer than MaxRetryAfter
}

// Error says how long the wait is, and what forbids it.
func (e *RefusedError) Error() string {
	if e.Cause == nil {
		return fmt.Sprintf("a wait of %v is longer than MaxRetryAfter", e.Wait)
	}
	return fmt.Sprintf("a wait of %v would outlive the deadline", e.Wait)
}

// Unwrap returns the cause, or nil.
func (e *RefusedError) Unwrap() error { return e.Cause }

// Check returns a [*RefusedError] if a wait would not end before the deadline of ctx, or is longer
// than longest. A wait that would end exactly at the deadline is refused.
func Check(ctx context.Context, wait, longest time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && wait >= time.Until(deadline) {
		return &RefusedError{Wait: wait, Cause: context.DeadlineExceeded}
	}
	if wait > longest {
		return &RefusedError{Wait: wait}
	}
	return nil
}

// Ended returns the error of a wait that ended with ctx. It wraps both ctx.Err and the cause.
// what says what was waited for.
func Ended(ctx context.Context, what string) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return fmt.Errorf("waiting for %s: %w", what, cause)
	}
	return fmt.Errorf("waiting for %s: %w: %w", what, err, cause)
}

// Asked returns the longest wait that an answer of status 300 or above asks for. ok is false if it
// asks for none.
//
// Retry-After and Retry-After-<name> hold seconds or a date. Of a 429, X-RateLimit-Reset and
// X-RateLimit-Reset-<name> count as well (see [Reset]), and so does a message such as "Retry
// after 60 seconds." in the first 64 KiB of the body. A time in the past is a wait of 0; a wait
// that a Duration can't hold is the longest Duration.
func Asked(status int, header http.Header, body []byte) (wait time.Duration, ok bool) {
	if status < http.StatusMultipleChoices {
		return 0, false
	}
	wait = none
	now, limited := ServerTime(header), status == http.StatusTooManyRequests
	for name, values := range header {
		for _, value := range values {
			if named(name, "Retry-After") {
				wait = max(wait, retryAfter(value, now))
			} else if reset, ok := Reset(value, now); ok && limited && named(name, "X-Ratelimit-Reset") {
				wait = max(wait, reset.Sub(now), 0)
			}
		}
	}
	if limited {
		wait = max(wait, message(body[:min(len(body), 64<<10)]))
	}
	return max(0, wait), wait != none
}

const none time.Duration = -1 // no wait is asked for

// named reports whether a header's name is base or "base-<name>". base is in canonical form.
func named(name, base string) bool {
	rest, found := strings.CutPrefix(http.CanonicalHeaderKey(name), base)
	return found && (rest == "" || rest[0] == '-')
}

// ServerTime returns the time in an answer's Date header, to which the server's other times are
// relative. Without one, it returns the time of our own clock.
func ServerTime(header http.Header) time.Time {
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		return date
	}
	return time.Now()
}

// Reset reads an X-RateLimit-Reset: unix seconds, unix milliseconds (from 1e11), or seconds from
// now (below 1,000,000). ok is false if value is not a positive number.
func Reset(value string, now time.Time) (reset time.Time, ok bool) {
	n, ok := number(value)
	switch {
	case !ok || n == 0:
		return time.Time{}, false
	case n < 1e6:
		return now.Add(seconds(n)), true
	case n >= 1e11:
		n /= 1000
	}
	whole, fraction := math.Modf(min(n, 1<<40)) // later times are too far away for a Duration
	return time.Unix(int64(whole), int64(fraction*1e9)), true
}

func retryAfter(value string, now time.Time) time.Duration {
	if n, ok := number(value); ok {
		return seconds(n)
	}
	if date, err := http.ParseTime(strings.TrimSpace(value)); err == nil {
		return max(0, date.Sub(now))
	}
	return none
}

var waitMessage = regexp.MustCompile(`(?i)(?:retry|try again)\s+(?:after|in)\s+(\d+)\s*(s\b|sec|min|hour)`)

func message(body []byte) time.Duration {
	m := waitMessage.FindSubmatch(body)
	if m == nil {
		return none
	}
	n, _ := number(string(m[1]))
	switch bytes.ToLower(m[2])[0] {
	case 'm':
		n *= 60
	case 'h':
		n *= 3600
	}
	return seconds(n)
}

// number reads a number that is not negative. One that is too large is +Inf.
func number(value string) (float64, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	return n, (err == nil || math.IsInf(n, 1)) && n >= 0
}

// seconds rounds up, and returns the longest Duration for more seconds than that holds.
func seconds(n float64) time.Duration {
	if n >= math.MaxInt64/float64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(math.Ceil(n * float64(time.Second)))
}
