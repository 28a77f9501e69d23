package ratelimit

import (
	"context"
	"slices"
	"time"
)

// margin is added to every window. It covers what the proof of [Plan] leaves out: a server that
// counts both ends of its window, ticks in milliseconds, or whose clock runs a little slower than
// ours (7 ppm, over an hour).
const margin = 25 * time.Millisecond

// quota allows at most limit requests in any window.
type quota struct {
	limit   int
	window  time.Duration
	reserve int // of limit, for interactive calls only
}

// limitFor returns the number of requests in a window up to which calls of a priority may go.
func (q quota) limitFor(bulk bool) int {
	if bulk {
		return q.limit - q.reserve
	}
	return q.limit
}

// Plan is a [Limiter] that keeps requests within known quotas.
//
// No window of a quota's length, wherever it begins, sees more than the limit arrive at the
// server, however long requests and answers travel: a permit is granted before its request is
// sent, and is free again one window after its answer has come. If one request too many arrived
// in a window, then the last of them that was sent would have been sent less than a window after
// the other answers, when all permits were taken.
type Plan struct {
	queue  // its lock guards the rest
	quotas []quota
	oldest time.Duration // the longest window: older answers are forgotten
	start  time.Time     // answers are counted from here

	inFlight int
	answers  []time.Duration // when the latest answers came, oldest first
}

// NewPlan returns a limiter of requests a minute and an hour. A number of 0 or less means no
// limit. The last reserve requests of an hour are for interactive calls; at least one is always
// left to bulk calls.
func NewPlan(perMinute, perHour, reserve int) *Plan {
	return newPlan(quota{perMinute, time.Minute, 0}, quota{perHour, time.Hour, reserve})
}

func newPlan(quotas ...quota) *Plan {
	p := &Plan{start: time.Now()}
	p.rule, p.longest = p, never
	for _, q := range quotas {
		if q.limit > 0 {
			q.reserve = min(max(q.reserve, 0), q.limit-1)
			p.quotas = append(p.quotas, q)
			p.oldest = max(p.oldest, q.window)
		}
	}
	return p
}

// Quotas implements [Limiter]: the minute's quota, then the hour's. It is nil if neither is
// limited.
func (p *Plan) Quotas(context.Context) (quotas []Quota, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, q := range p.quotas {
		left := q.limit - p.inFlight - len(p.since(time.Since(p.start)-q.window))
		quotas = append(quotas, Quota{Window: q.window, Limit: q.limit, Left: max(0, left)})
	}
	return quotas, nil
}

// since returns the answers that came later than a margin before at.
func (p *Plan) since(at time.Duration) []time.Duration {
	i, _ := slices.BinarySearch(p.answers, at-margin+1)
	return p.answers[i:]
}

// next numbers all requests: those answered, in the order of their answers, then those in flight,
// then those to come. For every quota, request i may go one window after request i-limit was
// answered.
func (p *Plan) next(now time.Time, bulk bool) (wait time.Duration) {
	for _, q := range p.quotas {
		switch i := len(p.answers) + p.inFlight - q.limitFor(bulk); {
		case i < 0: // long ago, or there was none
		case i < len(p.answers):
			wait = max(wait, p.answers[i]+q.window+margin-now.Sub(p.start))
		default: // it is in flight
			return never
		}
	}
	return wait
}

// earliest simulates the queue, with requests numbered as in next. Those in flight are assumed to
// be answered now, and those to come as soon as they are sent.
func (p *Plan) earliest(now time.Time, waiting []*waiter) time.Duration {
	at := now.Sub(p.start)
	times := slices.Concat(p.answers, slices.Repeat([]time.Duration{at}, p.inFlight))
	for _, w := range waiting {
		for _, q := range p.quotas {
			if before := len(times) - q.limitFor(w.bulk); before >= 0 {
				at = max(at, times[before]+q.window+margin)
			}
		}
		times = append(times, at)
	}
	return at - now.Sub(p.start)
}

func (p *Plan) take(time.Time) (done func(time.Time, Outcome)) {
	p.inFlight++
	return p.done
}

func (p *Plan) done(now time.Time, outcome Outcome) {
	p.inFlight--
	if outcome.Sent && len(p.quotas) > 0 {
		at := now.Sub(p.start)
		p.answers = append(p.since(at-p.oldest), at)
	}
}
