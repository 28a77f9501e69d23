package ratelimit

import (
	"context"
	"sort"
	"time"
)

// margin is added to every window. It covers what the proof of [Limiter] can't: a server that counts both ends of
// its window, ticks in milliseconds, or whose clock runs a little slower than ours (7 ppm, over an hour).
const margin = 25 * time.Millisecond

// Rule allows at most Limit requests in any Window.
type Rule struct {
	Limit   int // 0: unlimited
	Window  time.Duration
	Reserve int // of Limit, for [Interactive] requests only; at most Limit-1
}

// Budget is what is left of a rule's quota.
type Budget struct {
	Rule
	Left int // requests that could go now; the last Reserve of them are not for [Bulk]
}

// Limiter keeps requests within its rules. It is safe for concurrent use.
//
// No window of a rule's length, wherever it begins, sees more than Limit requests arrive at the server, however
// long they and their answers travel: a place is taken before its request is sent, and is free again one window
// after its answer has come. If one request too many arrived in a window, then the last of them that was sent would
// have been sent less than a window after the other answers, when all places were taken.
type Limiter struct {
	rules   []Rule
	longest time.Duration // window
	start   time.Time     // that answers are counted from

	queue    queue // its lock guards what follows
	inFlight int
	answers  history
}

// New returns a limiter of rules that all hold at once. Rules without a limit are dropped.
func New(rules ...Rule) *Limiter {
	l := &Limiter{start: time.Now()}
	for _, r := range rules {
		if r.Limit <= 0 {
			continue
		}
		r.Reserve = min(max(r.Reserve, 0), r.Limit-1)
		l.rules = append(l.rules, r)
		l.longest = max(l.longest, r.Window)
	}
	return l
}

// note counts a request that did not ask.
func (l *Limiter) note() {
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	l.take()
	l.answer(time.Now())
}

// change puts r in place of the one rule that there is.
func (l *Limiter) change(r Rule) {
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	l.rules[0], l.longest = r, r.Window
	l.queue.serve(time.Now(), l)
}

// Acquire waits until one request may be sent in the lane of ctx, or until ctx ends; it then returns the
// [context.Cause]. A wait that can't end before the deadline of ctx is refused at once with a [*WaitError].
//
// release must be called when the answer has come, or when there is none to come. Further calls do nothing.
func (l *Limiter) Acquire(ctx context.Context) (release func(), err error) {
	if err := l.queue.acquire(ctx, l); err != nil {
		return nil, err
	}
	released := false
	return func() {
		l.queue.mu.Lock()
		defer l.queue.mu.Unlock()
		if released {
			return
		}
		released = true
		l.answer(time.Now())
	}, nil
}

// Remaining returns what is left now of each rule's quota, in the order of [New].
func (l *Limiter) Remaining() []Budget {
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	now := time.Since(l.start)
	left := make([]Budget, len(l.rules))
	for i, r := range l.rules {
		left[i] = Budget{Rule: r, Left: r.Limit - l.inFlight - l.answers.since(now-r.Window-margin)}
	}
	return left
}

// Estimate returns how long it takes until n more requests of lane have been sent, after those that wait already,
// if all answers are prompt and nobody else sends any. It takes time and memory in proportion to n.
func (l *Limiter) Estimate(lane Lane, n int) time.Duration {
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	if n <= 0 {
		return 0
	}
	waiting := l.queue.upTo(lane)
	waiting[lane] += n
	return l.earliest(time.Now(), waiting)
}

// answer turns a request in flight into one of the past.
func (l *Limiter) answer(now time.Time) {
	l.inFlight--
	if len(l.rules) == 0 {
		return
	}
	at := now.Sub(l.start)
	l.answers.forget(at - l.longest - margin)
	l.answers.add(at)
	l.queue.serve(now, l)
}

func (l *Limiter) take() { l.inFlight++ }

func (l *Limiter) giveBack() { l.inFlight-- }

// next numbers all requests ever made: those answered, in the order of their answers, then those in flight, then those
// to come. For every rule, number i may go when number i-Limit was answered a window ago.
func (l *Limiter) next(now time.Time, lane Lane) (wait time.Duration) {
	for _, r := range l.rules {
		switch i := l.answers.end + l.inFlight - r.limit(lane); {
		case i < l.answers.first: // long ago, or there was none
		case i < l.answers.end:
			wait = max(wait, l.answers.at(i)+r.Window+margin-now.Sub(l.start))
		default: // it is in flight
			return never
		}
	}
	return wait
}

// earliest plays the sending of the waiting requests through, numbered as in next. Those in flight are thought to be answered now, those to
// come as soon as they are sent.
func (l *Limiter) earliest(now time.Time, waiting [lanes]int) time.Duration {
	start := now.Sub(l.start)
	at, sent := start, l.answers.end+l.inFlight
	var planned []time.Duration // when the requests numbered sent, sent+1, … go
	for lane, n := range waiting {
		for range n {
			for _, r := range l.rules {
				var before time.Duration
				switch i := sent + len(planned) - r.limit(Lane(lane)); {
				case i < l.answers.first:
					continue
				case i < l.answers.end:
					before = l.answers.at(i)
				case i < sent:
					before = start
				default:
					before = planned[i-sent]
				}
				at = max(at, before+r.Window+margin)
			}
			planned = append(planned, at)
		}
	}
	return at - start
}

func (r Rule) limit(lane Lane) int {
	if lane == Interactive {
		return r.Limit
	}
	return r.Limit - r.Reserve
}

// history holds the times of the latest answers, oldest first. It is as long as it has ever had to be.
type history struct {
	first, end int             // numbers of the oldest and of the next answer
	ring       []time.Duration // answer i is at i modulo its length, a power of two
}

func (h *history) at(i int) time.Duration { return h.ring[i&(len(h.ring)-1)] }

func (h *history) add(at time.Duration) {
	if h.end-h.first == len(h.ring) {
		longer := make([]time.Duration, max(8, 2*len(h.ring)))
		for i := h.first; i < h.end; i++ {
			longer[i&(len(longer)-1)] = h.at(i)
		}
		h.ring = longer
	}
	h.ring[h.end&(len(h.ring)-1)] = at
	h.end++
}

// forget drops the answers until a time, inclusive.
func (h *history) forget(until time.Duration) {
	for h.first < h.end && h.at(h.first) <= until {
		h.first++
	}
}

// since counts the answers after a time.
func (h *history) since(t time.Duration) int {
	n := h.end - h.first
	return n - sort.Search(n, func(i int) bool { return h.at(h.first+i) > t })
}
