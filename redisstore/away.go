package redisstore

import "time"

// Away is what a [Limiter] does while Redis does not answer.
type Away struct{ processes int } // 0: stop

// Stop has Acquire fail with Redis' error while Redis does not answer.
var Stop Away

// FairShare goes on without Redis: each of so many processes has an equal share of the plan, so the number must not be
// less than there are. Since nobody knows then what the others have just sent, a process first waits until one of the
// plan's shortest windows is over, and leaves its part of what may have been used of the hour. As soon as Redis answers
// again, it is told what was sent meanwhile.
//
// The promise of the package is kept if Redis is away for all processes at once. A process that starts meanwhile takes
// the hour before as unused. With n < 1 the choice is [Stop].
func FairShare(n int) Away { return Away{max(n, 0)} }

// share is one process' part of the quota.
type share struct{ buckets []*bucket }

// bucket is a rule's part of a share: when each of its slots may be used, the soonest first. Those in use are not here.
type bucket struct {
	window  time.Duration
	reserve int // that bulk requests leave free
	free    []time.Time
}

// newShare returns an equal share of what is left of the rules, and of the last one's reserve, if so many slots may have
// been used until now.
func newShare(rules []rule, reserve, processes, used int, now time.Time) *share {
	s := new(share)
	for _, r := range rules {
		b := &bucket{window: r.window + margin}
		limit := r.limit / processes
		free := max(0, limit-part(used, processes))
		for i := range limit {
			at := now
			if i >= free {
				at = now.Add(b.window)
			}
			b.free = append(b.free, at)
		}
		s.buckets = append(s.buckets, b)
	}
	s.buckets[len(rules)-1].reserve = part(reserve, processes)
	return s
}

// part divides by the number of processes, and rounds up.
func part(n, processes int) int { return (n + processes - 1) / processes }

// wait returns how long the request in that position has to wait at least.
func (s *share) wait(lane lane, position int, now time.Time) (longest time.Duration) {
	for _, b := range s.buckets {
		wait, last := b.window, position // if all of those in use were answered now
		if lane == bulk {
			last += b.reserve
		}
		if last <= len(b.free) {
			wait = b.free[last-1].Sub(now)
		}
		longest = max(longest, wait)
	}
	return longest
}

// take takes a slot; there is one.
func (s *share) take() {
	for _, b := range s.buckets {
		b.free = b.free[1:]
	}
}

// answer gives a slot back that was used.
func (s *share) answer(now time.Time) {
	for _, b := range s.buckets {
		b.free = append(b.free, now.Add(b.window))
	}
}

// putBack gives a slot back that was not used.
func (s *share) putBack(now time.Time) {
	for _, b := range s.buckets {
		b.free = append([]time.Time{now}, b.free...)
	}
}
