package ratelimit

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clicknps/go-sdk/internal/backoff"
)

const (
	tick       = time.Second     // the precision of a reset: a window may end any time within that second
	waver      = 2 * time.Second // by which resets of one window may differ: they are rounded
	farthest   = time.Hour       // the longest time to a reset that is believed
	maxWindows = 8               // that a server may have
)

// Headers is a [Limiter] that keeps requests within the quota that the X-RateLimit-Limit,
// -Remaining and -Reset headers of the answers show. A server may have several windows, whose
// headers then end in "-<name>"; all of them are kept. Before the first answer, all calls may go.
//
// A server that others use as well can still refuse requests; the limiter then waits for the next
// window. Windows of a few seconds are paced more slowly than the server would allow, since a
// reset is in whole seconds.
//
// No wait is longer than maxWait, and whatever the headers say, one call may go when maxWait has
// passed since the latest attempt began or ended.
type Headers struct {
	queue    // its lock guards the rest
	window   time.Duration
	inFlight int
	lost     int                // attempts so far without an answer, or with one that left out a window
	active   time.Time          // when an attempt last began or ended
	windows  map[string]*window // by the end of the headers' names
}

// window is what is known of one of the server's windows.
type window struct {
	limit  int
	left   int           // requests that the server still takes in this window, those in flight included
	reset  time.Time     // by the server's clock
	ends   time.Time     // by our clock; zero: the window has ended, and no answer came from the next one yet
	since  time.Time     // when the window became known
	length time.Duration // the longest time to a reset that was seen
}

// NewHeaders returns a limiter that knows nothing yet. length is that of the server's window, for
// [Headers.Quotas]. maxWait is the longest wait.
func NewHeaders(length, maxWait time.Duration) *Headers {
	h := &Headers{window: length, windows: map[string]*window{}}
	h.rule, h.longest = h, maxWait
	return h
}

// Quotas implements [Limiter]: of several windows, the one with the fewest requests left. It is
// nil while none is known.
func (h *Headers) Quotas(context.Context) ([]Quota, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turnOver(time.Now())
	if len(h.windows) == 0 {
		return nil, nil
	}
	tightest := slices.MinFunc(slices.Collect(maps.Values(h.windows)), func(a, b *window) int {
		return cmp.Or(a.left-b.left, a.limit-b.limit)
	})
	return []Quota{{Window: h.window, Limit: tightest.limit, Left: max(0, tightest.left-h.inFlight)}}, nil
}

// turnOver begins a new window where one has ended.
func (h *Headers) turnOver(now time.Time) {
	for _, w := range h.windows {
		if !w.ends.IsZero() && !now.Before(w.ends) {
			w.left, w.ends, w.since = w.limit, time.Time{}, now
		}
	}
}

func (h *Headers) next(now time.Time, _ bool) (wait time.Duration) {
	h.turnOver(now)
	for name, w := range h.windows {
		switch {
		case w.left > h.inFlight:
		case !w.ends.IsZero():
			wait = max(wait, w.ends.Sub(now))
		case h.inFlight > 0:
			wait = never
		default: // a whole window without a usable answer: the server has changed, begin anew
			delete(h.windows, name)
		}
	}
	return min(wait, max(0, h.active.Add(h.longest).Sub(now)))
}

// earliest counts on the windows alone: nobody waits for the call that may go after maxWait. Its
// callers have turned the windows over.
func (h *Headers) earliest(now time.Time, waiting []*waiter) (wait time.Duration) {
	for _, w := range h.windows {
		if last := h.inFlight + len(waiting) - w.left; last > 0 && !w.ends.IsZero() {
			wait = max(wait, w.ends.Sub(now)+time.Duration((last-1)/w.limit)*w.length)
		}
	}
	return wait
}

func (h *Headers) take(now time.Time) (done func(time.Time, Outcome)) {
	sent, lost, active := now, h.lost, h.active
	h.inFlight++
	h.active = now
	return func(now time.Time, outcome Outcome) {
		h.inFlight--
		if outcome.Sent {
			h.active = now
			h.learn(now, sent, h.lost-lost, outcome.Header)
		} else {
			h.active = active
		}
	}
}

// learn takes over what an answer shows. lost is the number of requests that the server may have
// received after this one, and whose answers will not show it.
func (h *Headers) learn(now, sent time.Time, lost int, header http.Header) {
	h.turnOver(now)
	shown := parseHeaders(now, header)
	missing := len(shown) == 0
	for name, w := range h.windows {
		if shown[name] == nil {
			w.left--
			missing = true
		}
	}
	if missing {
		h.lost++
	}
	for name, s := range shown {
		s.left -= lost
		if w := h.windows[name]; w != nil {
			w.learn(s, !sent.Before(w.since))
		} else if len(h.windows) < maxWindows {
			h.windows[name] = s
		}
	}
	if wait := h.earliest(now, make([]*waiter, 1)); wait > h.longest {
		for len(h.waiting) > 0 {
			h.finish(h.waiting[0], nil, &backoff.RefusedError{Wait: wait})
		}
	}
}

// learn takes over what an answer shows of the window. current says that the request was sent in
// this window, or in a later one.
func (w *window) learn(shown *window, current bool) {
	switch difference := shown.reset.Sub(w.reset); {
	case difference > waver || current && (difference < -waver || w.ends.IsZero()):
		shown.length = max(w.length, shown.length)
		*w = *shown
	case difference < -waver || w.ends.IsZero(): // it comes late, from a window that has ended
	default:
		w.limit, w.length = shown.limit, max(w.length, shown.length)
		w.left = min(w.left, shown.left)
		if shown.ends.Before(w.ends) { // each is late by the answer's journey: the earliest is the best
			w.ends = shown.ends
		}
	}
}

// parseHeaders reads the windows that an answer's headers show completely, by the end of the
// headers' names.
func parseHeaders(now time.Time, header http.Header) map[string]*window {
	windows := map[string]*window{}
	// In whole seconds, rounded down: the time to the reset is never too short.
	server := backoff.ServerTime(header)
	for key := range header {
		name, ok := strings.CutPrefix(key, "X-Ratelimit-Remaining")
		if !ok {
			continue
		}
		limit, errLimit := strconv.ParseUint(header.Get("X-Ratelimit-Limit"+name), 10, 31)
		left, errLeft := strconv.ParseUint(header.Get(key), 10, 31)
		reset, ok := backoff.Reset(header.Get("X-Ratelimit-Reset"+name), server)
		if errLimit == nil && errLeft == nil && ok && limit > 0 && left <= limit && !reset.Before(server) {
			length := min(reset.Sub(server), farthest)
			windows[name] = &window{int(limit), int(left), reset, now.Add(length + tick), now, length}
		}
	}
	return windows
}
