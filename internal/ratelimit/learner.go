package ratelimit

import (
	"context"
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
	latest  history   // when the latest of them were, since begun
	refused time.Time // when the run ended; zero: it has not
	wanted  time.Time // until when the server wanted to be left alone
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

	remembered = 1 << 12 // requests let in
)

// Acquire waits until one more request keeps to what was learned, or until ctx ends. release is nil if nothing was learned,
// or if half of the time that ctx leaves would not be enough: a guess is no reason not to try. Otherwise it must be called
// as that of [Limiter.Acquire].
func (l *Learner) Acquire(ctx context.Context) (release func(), err error) {
	limiter := l.current()
	if limiter == nil {
		return nil, nil
	}
	waiting := ctx
	if deadline, ok := ctx.Deadline(); ok {
		half, cancel := context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
		waiting = half
	}
	release, err = limiter.Acquire(waiting)
	if err != nil && ctx.Err() == nil {
		limiter.note()
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
	l.begun, l.count, l.refused, l.wanted = sent, 0, time.Time{}, time.Time{}
	l.latest.first, l.latest.end = 0, 0
	l.guess.before = 0
}

// LetIn is told of each request that was not refused, and when it was answered.
func (l *Learner) LetIn(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.begun.IsZero() { // it overtook the first
		l.begun = at
	}
	l.count++
	if l.latest.end-l.latest.first == remembered {
		l.latest.first++
	}
	l.latest.add(at.Sub(l.begun))
}

// Refused is told of each request that was, and how long the server wants to be left alone.
func (l *Learner) Refused(wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.refused.IsZero() {
		l.refused = now
	}
	if until := now.Add(wait); until.After(l.wanted) {
		l.wanted = until
	}
}

// learn draws the conclusion from the run that has ended.
func (l *Learner) learn(now time.Time) {
	g, n, run := l.guess, l.count, l.refused.Sub(l.begun)
	pause := min(now.Sub(l.refused), l.wanted.Sub(l.refused)) // nobody need have called as soon as it was over
	switch {
	case g.tried:
		g.limit, g.tried, g.patience = g.kept, false, min(2*g.patience, mostPatient)
	case n > g.limit && g.limit > 0: // it was right for one window, and is not for another: others use the server, too
		g.limit = max(1, g.limit*4/5)
	case n > g.limit*7/8 && g.limit > 0 && run >= g.window: // it is right, and the window is longer
		g.pause = max(g.pause, pause)
		g.limit, g.kept, g.window = n, n, max(g.window, min(now.Sub(l.begun), 2*g.pause))
	default:
		if run > pause { // it was more than one window
			n = max(1, l.latest.since(run-pause), int(float64(n)*float64(pause)/float64(run)))
		}
		g = guess{limit: n, kept: n, window: pause, pause: pause, patience: 1}
		if n >= strong {
			g.patience = patient
		}
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
