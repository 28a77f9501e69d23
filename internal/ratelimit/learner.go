package ratelimit

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Learner keeps requests within a limit that nobody told: what a server's refusals teach of it. Between two refusals is a
// run; as many requests as it let in are made in as long as the server then wanted to be left alone. Nobody is refused
// on the ground of such a guess. A Learner is safe for concurrent use.
type Learner struct {
	Longest time.Duration // window of a limit that is worth to wait for

	mu      sync.Mutex
	limiter *Limiter // of the guess; nil: there is none
	guess   guess
	begun   time.Time // the run
	count   int       // requests let in since then
	refused time.Time // when the run ended; zero: it has not
}

// guess is a limit that may be right.
type guess struct {
	limit    int
	window   time.Duration
	pause    time.Duration // the longest that the server asked for
	since    time.Time     // when the limit was last set
	before   int           // requests that the run had let in then
	patience int           // windows until a higher limit is tried: what a server lets in may change
	kept     int           // the highest limit that brought no refusal
	tried    bool          // limit is higher than that
}

const (
	strong      = 8  // requests in a run are evidence of a limit; in fewer, chance has its part
	patient     = 16 // windows, if the evidence is strong
	mostPatient = 64
)

// Acquire waits until one more request keeps to what was learned, or until ctx ends. release is nil if nothing was learned,
// or if ctx would end before that: a guess is no reason not to try. Otherwise it must be called as that of [Limiter.Acquire].
func (l *Learner) Acquire(ctx context.Context) (release func(), err error) {
	limiter := l.current()
	if limiter == nil {
		return nil, nil
	}
	release, err = limiter.Acquire(ctx)
	if _, tooLong := errors.AsType[*WaitError](err); tooLong {
		return nil, nil
	}
	return release, err
}

func (l *Learner) current() *Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limiter == nil || l.guess.window > l.Longest {
		return nil
	}
	l.grow(time.Now())
	return l.limiter
}

// Begin is told when the server, at the start or after a refusal, lets the first request in, which was sent at a time.
func (l *Learner) Begin(sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.refused.IsZero() && l.count > 0 {
		l.learn(sent)
	}
	if l.limiter != nil { // which was not asked
		l.limiter.note()
	}
	l.begun, l.count, l.refused = sent, 0, time.Time{}
	l.guess.before = 0
}

// LetIn is told of each request that was not refused.
func (l *Learner) LetIn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.begun.IsZero() { // it overtook the first
		l.begun = time.Now()
	}
	l.count++
}

// Refused is told of each request that was.
func (l *Learner) Refused() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refused.IsZero() {
		l.refused = time.Now()
	}
}

// learn draws the conclusion from the run that has ended.
func (l *Learner) learn(now time.Time) {
	g, n, pause, run := l.guess, l.count, now.Sub(l.refused), l.refused.Sub(l.begun)
	switch {
	case g.tried:
		g.limit, g.tried, g.patience = g.kept, false, min(2*g.patience, mostPatient)
	case n > g.limit && g.limit > 0: // it was right for one window, and is not for another: others use the server, too
		g.limit = max(1, g.limit*4/5)
	case n > g.limit*7/8 && g.limit > 0 && run >= g.window: // it is right, and the window is longer
		g.pause = max(g.pause, pause)
		g.limit, g.kept, g.window = n, n, max(g.window, min(now.Sub(l.begun), 2*g.pause))
	default:
		g = guess{limit: n, window: pause, pause: pause, patience: 1}
		if run > pause { // it was more than one window
			g.limit = max(1, int(float64(n)*float64(pause)/float64(run)))
		} else if n >= strong {
			g.patience = patient
		}
		g.kept = g.limit
	}
	l.set(g, now)
}

// grow tries a higher limit if the present one was kept for long enough.
func (l *Learner) grow(now time.Time) {
	g := l.guess
	used, passed := l.count-g.before, now.Sub(g.since)
	if !l.refused.IsZero() || used < g.patience*g.limit || passed < time.Duration(g.patience)*(g.window+margin) {
		return
	}
	if g.tried {
		g.kept, g.patience = g.limit, max(1, g.patience/2)
	}
	if g.limit < g.kept {
		g.limit = g.kept
	} else {
		g.limit, g.tried = 2*g.limit, true
	}
	l.set(g, now)
}

func (l *Learner) set(g guess, now time.Time) {
	g.since, g.before = now, l.count
	l.guess = g
	rule := Rule{Limit: g.limit, Window: g.window}
	if l.limiter == nil {
		l.limiter = New(rule)
	}
	l.limiter.change(rule)
}
