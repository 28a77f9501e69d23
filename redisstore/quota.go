package redisstore

import (
	"context"
	"time"

	clicknps "github.com/clicknps/go-sdk"
)

// reading is how the quota stands at a visit. All that are asked for before it begins share one.
type reading struct {
	since time.Time // when it was asked for
	ages  bool      // those of the slots are wanted
	done  chan struct{}

	// These are set before done is closed.
	rules   []scriptRule
	reply   *reply
	waiting [lanes]int // requests in line after the visit
	spare   int        // slots leased, and not used yet
	err     error
}

// Quotas asks Redis what is left now of each window of the plan, the shortest first. Requests of the whole fleet count,
// and slots that a process has leased and not used yet. It is empty without a limit.
//
// It returns Redis' error while that does not answer, whatever [WhenAway] says, and the [context.Cause] if ctx ends. It
// is safe for concurrent use.
func (l *Limiter) Quotas(ctx context.Context) ([]clicknps.Quota, error) {
	r, err := l.read(ctx, false)
	if err != nil {
		return nil, err
	}
	var quotas []clicknps.Quota
	for i, rule := range l.rules {
		quotas = append(quotas, clicknps.Quota{Window: rule.window, Limit: rule.limit, Left: max(0, r.reply.Left[i])})
	}
	return quotas, nil
}

// EstimateWait asks Redis how long it takes until as many more bulk requests can have been sent, behind all that wait in
// this process already, if no other process sends any and answers are prompt. It is 0 without a limit. Redis sends it
// the ages of all requests of the longest window, about 8 bytes each; it takes time and memory in proportion to
// requests.
//
// Its errors are those of Quotas. It is safe for concurrent use.
func (l *Limiter) EstimateWait(ctx context.Context, requests int) (time.Duration, error) {
	r, err := l.read(ctx, true)
	if err != nil || requests <= 0 {
		return 0, err
	}
	return r.wait(requests), nil
}

// read has Redis visited at once, or after the visit that is under way.
func (l *Limiter) read(ctx context.Context, ages bool) (*reading, error) {
	if ctx.Err() != nil {
		return nil, gaveUp(ctx)
	}
	if len(l.rules) == 0 {
		return &reading{reply: new(reply)}, nil
	}
	r := l.enterReading(ages)
	select {
	case <-r.done:
		return r, r.err
	case <-ctx.Done():
		return nil, gaveUp(ctx)
	}
}

func (l *Limiter) enterReading(ages bool) *reading {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reading == nil {
		l.reading = &reading{since: time.Now(), done: make(chan struct{})}
	}
	r := l.reading
	r.ages = r.ages || ages
	l.step()
	return r
}

// finish takes down what the visit has left behind. l.mu is held.
func (r *reading) finish(l *Limiter, v *visit, answer *reply) {
	r.rules, r.reply, r.err, r.spare = v.question.Rules, answer, v.err, len(l.spare)
	for lane := range l.line {
		r.waiting[lane] = l.line[lane].Len()
	}
	close(r.done)
}

// wait plays the sending of those in line, and of so many bulk ones after them, through. A request goes a window after
// the one that is its limit before it was answered. Those in flight are thought to be answered now.
func (r *reading) wait(requests int) (wait time.Duration) {
	ages := r.reply.Ages
	answers := make([]time.Duration, 0, len(ages)+requests) // from now on; those to come too
	for _, age := range ages[:max(0, len(ages)-r.spare)] {
		answers = append(answers, -time.Duration(age)*time.Millisecond)
	}
	waiting := r.waiting
	waiting[bulk] += requests
	for i, n := range waiting {
		for range n {
			for _, rule := range r.rules {
				if before := len(answers) - rule.limit(lane(i)); before >= 0 {
					wait = max(wait, answers[before]+time.Duration(rule.Window)*time.Millisecond)
				}
			}
			answers = append(answers, wait)
		}
	}
	return wait
}
