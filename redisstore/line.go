package redisstore

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	// tellAfter is how long Redis may not know of an answer. Meanwhile more answers come, or a request that asks anyway.
	tellAfter = 100 * time.Millisecond
	// askEvery is how often Redis is asked at most while somebody waits; after a quarter of the wait, it is asked anyway.
	// Others may have given back what they did not use.
	askEvery = time.Second
	// askSeldom is how soon Redis is asked again: slots come free in flocks.
	askSeldom = 25 * time.Millisecond
	// retryEvery is how often Redis is tried while it is away.
	retryEvery = time.Second
)

func (l *Limiter) enter(ctx context.Context) *waiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := &waiter{lane: laneOf(ctx), done: make(chan struct{})}
	w.deadline, _ = ctx.Deadline()
	l.line.enter(w)
	if l.line.first() == w || !w.deadline.IsZero() {
		l.askAt = time.Now()
	}
	l.step()
	return w
}

// leave gives up a place in line, or the slot that came at the same moment.
func (l *Limiter) leave(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case w.place != nil:
		l.line.leave(w)
	case w.err != nil:
	case w.slot.share != nil:
		delete(l.answered, w.slot.id)
		l.giveBack(w.slot.id)
		w.slot.share.putBack(time.Now())
	default:
		if l.witness != nil && l.witness.ID == w.slot.id { // it may be given back
			l.witness = nil
		}
		l.spare = append(l.spare, w.slot)
	}
	l.step()
}

// answer ends the use of a slot.
func (l *Limiter) answer(s slot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.tellSoon(now)
	l.answered[s.id] = now
	if s.share != nil {
		s.share.answer(now)
	}
	l.step()
}

func (l *Limiter) giveBack(id string) {
	l.tellSoon(time.Now())
	l.unused = append(l.unused, id)
}

// tellSoon comes before there is something to tell.
func (l *Limiter) tellSoon(now time.Time) {
	if len(l.answered)+len(l.unused) == 0 {
		l.tellAt = now.Add(tellAfter)
	}
}

// step does all that can be done now, and sets the alarm for what comes next. It runs after every change; l.mu is held.
func (l *Limiter) step() {
	now := time.Now()
	l.spare = slices.DeleteFunc(l.spare, func(s slot) bool {
		stale := !now.Before(s.useBy)
		if stale {
			l.giveBack(s.id)
		}
		return stale
	})
	l.serve(now)
	if at := l.nextVisit(); l.visit == nil && !at.IsZero() && !at.After(now) {
		l.begin(now)
	}
	l.setAlarm(now)
}

// serve lets go whoever can go.
func (l *Limiter) serve(now time.Time) {
	for w := range l.line.waiting() {
		s, ok := l.take(w.lane, now)
		if !ok {
			break
		}
		l.handed++
		l.settle(w, s, nil)
	}
	if l.share == nil {
		return
	}
	position := 0
	for w := range l.line.waiting() {
		position++
		l.judge(w, now, l.share.wait(w.lane, position, now))
	}
}

// judge refuses a wait that can't end before its deadline.
func (l *Limiter) judge(w *waiter, now time.Time, wait time.Duration) {
	if !w.deadline.IsZero() && wait >= w.deadline.Sub(now) {
		l.settle(w, slot{}, refused(wait))
	}
	w.deadline = time.Time{}
}

func (l *Limiter) take(lane lane, now time.Time) (slot, bool) {
	if i := slices.IndexFunc(l.spare, func(s slot) bool { return lane == interactive || !s.reserved }); i >= 0 {
		s := l.spare[i]
		l.spare = slices.Delete(l.spare, i, i+1)
		l.witness = &witness{s.id, s.grantedAt}
		return s, true
	}
	if l.share != nil && l.share.wait(lane, 1, now) == 0 {
		l.share.take()
		l.alone++
		s := slot{id: fmt.Sprintf("%s:alone:%d", l.process, l.alone), share: l.share}
		l.tellSoon(now)
		l.answered[s.id] = now.Add(l.attemptTimeout)
		return s, true
	}
	return slot{}, false
}

// settle ends a wait.
func (l *Limiter) settle(w *waiter, s slot, err error) {
	l.line.leave(w)
	w.slot, w.err = s, err
	close(w.done)
}

// nextVisit is when Redis is to be visited next; zero: there is no need to.
func (l *Limiter) nextVisit() (at time.Time) {
	if l.line.first() != nil {
		at = l.askAt
		if l.share != nil {
			at = l.retryAt
		}
	}
	if len(l.answered)+len(l.unused) > 0 {
		at = sooner(at, later(l.tellAt, l.retryAt))
	}
	if l.reading != nil { // even if Redis has just failed
		at = sooner(at, l.reading.since)
	}
	return at
}

// setAlarm has step run again when something falls due.
func (l *Limiter) setAlarm(now time.Time) {
	if l.alarm != nil {
		l.alarm.Stop()
		l.alarm = nil
	}
	var at time.Time
	if l.visit == nil { // else step runs when it is over
		at = l.nextVisit()
	}
	for _, s := range l.spare {
		at = sooner(at, s.useBy)
	}
	if w := l.line.first(); w != nil && l.share != nil {
		at = sooner(at, now.Add(l.share.wait(w.lane, 1, now)))
	}
	if at.IsZero() {
		return
	}
	l.alarm = time.AfterFunc(at.Sub(now), func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.step()
	})
}

// sooner is the earlier one of two times. The zero time is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
