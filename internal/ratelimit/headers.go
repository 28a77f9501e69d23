package ratelimit

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

const (
	// tick is the precision of X-RateLimit-Reset: the window may end at any time within that second.
	tick = time.Second
	// farthest is the longest time to a reset that is believed.
	farthest = time.Hour + tick
)

// HeaderPacer keeps requests within the quota that the X-RateLimit-Limit, -Remaining and -Reset (unix seconds)
// headers of each answer tell. It needs no configuration: before the first answer, all requests go.
// The zero value is ready for use; a Window is for the estimates only. It is safe for concurrent use.
//
// A server that others use as well can still refuse requests; the pacer then waits for the next window.
// Windows of a few seconds are paced more slowly than the server would allow, since a reset is told in whole seconds.
type HeaderPacer struct {
	Window time.Duration // of the server's quota, as its documentation says

	queue    queue // its lock guards what follows
	inFlight int
	lost     int // attempts so far that had no answer, or one without usable headers

	limit   int           // requests a window; 0: nothing is known
	left    int           // requests that the server still takes in this window, those in flight included
	reset   int64         // X-RateLimit-Reset of the latest window that an answer came from
	ends    time.Time     // when this window ends by our clock; zero: no answer came from it so far
	longest time.Duration // time to a reset that was seen
}

// Acquire waits until one request may be sent in the lane of ctx, or until ctx ends, exactly like [Limiter.Acquire].
//
// done must be called with the header of the answer, or with nil if none came. Further calls do nothing.
func (p *HeaderPacer) Acquire(ctx context.Context) (done func(answer http.Header), err error) {
	if err := p.queue.acquire(ctx, p); err != nil {
		return nil, err
	}
	p.queue.mu.Lock()
	lost := p.lost
	p.queue.mu.Unlock()
	finished := false
	return func(answer http.Header) {
		p.queue.mu.Lock()
		defer p.queue.mu.Unlock()
		if finished {
			return
		}
		finished = true
		now := time.Now()
		p.inFlight--
		p.turnOver(now)
		if q, ok := parseQuota(answer, now); ok {
			p.learn(now, q, p.lost-lost)
		} else {
			p.left--
			p.lost++
		}
		p.queue.serve(now, p)
	}, nil
}

// Remaining returns what is left now of the quota; nothing while that is not known.
func (p *HeaderPacer) Remaining() []Budget {
	p.queue.mu.Lock()
	defer p.queue.mu.Unlock()
	p.turnOver(time.Now())
	if p.limit == 0 {
		return nil
	}
	return []Budget{{Rule: Rule{Limit: p.limit, Window: p.Window}, Left: max(0, p.left-p.inFlight)}}
}

// Estimate returns how long it takes until n more requests of lane have been sent, like [Limiter.Estimate].
func (p *HeaderPacer) Estimate(lane Lane, n int) time.Duration {
	p.queue.mu.Lock()
	defer p.queue.mu.Unlock()
	if n <= 0 {
		return 0
	}
	now := time.Now()
	p.turnOver(now)
	waiting := p.queue.upTo(lane)
	waiting[lane] += n + p.inFlight
	last := p.numberOfLast(waiting)
	if p.limit == 0 || last <= 0 {
		return 0
	}
	window := max(p.Window, p.longest, tick)
	next := window
	if !p.ends.IsZero() {
		next = p.ends.Sub(now)
	}
	windows := (last - 1) / p.limit
	if windows >= int((never-next)/window) {
		return never
	}
	return next + time.Duration(windows)*window
}

// learn takes over what an answer tells. uncounted is the number of requests that the server may have received
// after this one, and which will never tell so themselves.
func (p *HeaderPacer) learn(now time.Time, q headerQuota, uncounted int) {
	newer := p.limit == 0 || q.reset > p.reset+1 // some servers' resets waver by a second
	older := q.reset < p.reset-1 || p.ends.IsZero()
	ends := now.Add(q.toReset + tick)
	switch {
	case newer:
		p.limit, p.left, p.reset, p.ends = q.limit, q.remaining-uncounted, q.reset, ends
	case older:
		return // a straggler from a window that has ended
	default:
		p.limit, p.left = q.limit, min(p.left, q.remaining-uncounted)
		if ends.Before(p.ends) { // each is late by the answer's journey and a part of a second: the earliest is the best
			p.ends = ends
		}
	}
	p.longest = max(p.longest, q.toReset)
}

// turnOver begins a new window when the present one has ended.
func (p *HeaderPacer) turnOver(now time.Time) {
	if !p.ends.IsZero() && !now.Before(p.ends) {
		p.left, p.ends = p.limit, time.Time{}
	}
}

func (p *HeaderPacer) take() { p.inFlight++ }

func (p *HeaderPacer) giveBack() { p.inFlight-- }

func (p *HeaderPacer) next(now time.Time, _ Lane) time.Duration {
	p.turnOver(now)
	switch {
	case p.limit == 0 || p.left > p.inFlight:
		return 0
	case !p.ends.IsZero():
		return p.ends.Sub(now)
	case p.inFlight > 0:
		return never
	default: // a whole window without a usable answer: the server has changed, begin anew
		p.limit = 0
		return 0
	}
}

func (p *HeaderPacer) earliest(now time.Time, waiting [lanes]int) time.Duration {
	p.turnOver(now)
	last := p.numberOfLast(waiting)
	if p.limit == 0 || last <= 0 || p.ends.IsZero() {
		return 0 // at once, or after any of the answers to come
	}
	return p.ends.Sub(now) + time.Duration((last-1)/p.limit)*p.longest
}

// numberOfLast numbers the last of the waiting requests, counted from the next window's first, which is 1.
func (p *HeaderPacer) numberOfLast(waiting [lanes]int) int {
	last := -p.left
	for _, n := range waiting {
		last += n
	}
	return last
}

// headerQuota is what the headers of one answer say.
type headerQuota struct {
	limit, remaining int
	reset            int64         // unix seconds by the server's clock
	toReset          time.Duration // from now
}

// parseQuota reads an answer's headers; ok is false unless all of them are there and make sense.
func parseQuota(h http.Header, now time.Time) (q headerQuota, ok bool) {
	limit, errLimit := strconv.ParseUint(h.Get("X-Ratelimit-Limit"), 10, 31)
	remaining, errRemaining := strconv.ParseUint(h.Get("X-Ratelimit-Remaining"), 10, 31)
	reset, errReset := strconv.ParseUint(h.Get("X-Ratelimit-Reset"), 10, 40)
	if errLimit != nil || errRemaining != nil || errReset != nil || limit == 0 || remaining > limit {
		return headerQuota{}, false
	}
	clock := now
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		clock = date // the server's clock, cut to the second: the time to the reset is never too short
	}
	q = headerQuota{limit: int(limit), remaining: int(remaining), reset: int64(reset)}
	q.toReset = time.Unix(q.reset, 0).Sub(clock)
	return q, 0 <= q.toReset && q.toReset <= farthest
}
