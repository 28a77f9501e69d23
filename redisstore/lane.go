package redisstore

import (
	"container/list"
	"context"
	"iter"

	clicknps "github.com/clicknps/go-sdk"
)

// lane says who goes first: while requests of an earlier lane wait in a process, none of a later one goes.
type lane int

const (
	interactive lane = iota // somebody waits for the answer
	bulk                    // one of many

	lanes = iota
)

func laneOf(ctx context.Context) lane {
	if clicknps.IsBulk(ctx) {
		return bulk
	}
	return interactive
}

// line is where the requests of a process wait: in each lane, first come is first served.
type line [lanes]list.List // of *waiter

// waiting yields who waits, in the order in which they are served. The one that it yields may leave.
func (l *line) waiting() iter.Seq[*waiter] {
	return func(yield func(*waiter) bool) {
		for lane := range l {
			for e, next := l[lane].Front(), (*list.Element)(nil); e != nil; e = next {
				next = e.Next()
				if !yield(e.Value.(*waiter)) {
					return
				}
			}
		}
	}
}

// first returns who is served next, or nil.
func (l *line) first() *waiter {
	for w := range l.waiting() {
		return w
	}
	return nil
}

func (l *line) len() (n int) {
	for lane := range l {
		n += l[lane].Len()
	}
	return n
}

func (l *line) enter(w *waiter) { w.place = l[w.lane].PushBack(w) }

func (l *line) leave(w *waiter) {
	l[w.lane].Remove(w.place)
	w.place = nil
}
