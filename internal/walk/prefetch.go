package walk

import (
	"context"
	"errors"
	"sync"
)

// prefetch keeps the pages under way that the walk will probably want next. The walk judges each
// page when its turn comes, so a wrong guess costs a request and nothing else.
type prefetch[T any] struct {
	ctx    context.Context
	source Source[T]
	limit  int
	ahead  int // at most so many pages are under way
	queue  []*fetch[T]
	cancel context.CancelFunc // of what is in the queue; nil if nothing was started
	active context.Context
	group  sync.WaitGroup
}

// fetch is a page that is under way.
type fetch[T any] struct {
	at       int
	done     chan struct{} // closed when the fields below are set
	page     Page[T]
	err      error
	panicked any
}

// take returns the page at offset at. If it isn't the next one under way, those are dropped.
func (p *prefetch[T]) take(at int) (Page[T], error) {
	if len(p.queue) > 0 && p.queue[0].at != at {
		p.drop()
	}
	var page Page[T]
	var err error
	if len(p.queue) == 0 {
		page, err = p.source(p.ctx, at, p.limit)
	} else {
		f := p.queue[0]
		p.queue = p.queue[1:]
		<-f.done
		if f.panicked != nil {
			panic(f.panicked) // on its own goroutine it would have ended the process
		}
		page, err = f.page, f.err
	}
	if page.Taken != nil {
		page.Taken()
	}
	return page, err
}

// fill starts the pages that follow the page at offset at, each stride after the one before.
func (p *prefetch[T]) fill(at, stride, total int, more bool) {
	if stride < 1 || total < 0 && !more {
		return
	}
	if len(p.queue) > 0 && p.queue[0].at != at+stride {
		p.drop() // one by one, until the pages are as expected again
		return
	}
	for len(p.queue) < p.ahead {
		next := at + stride
		if n := len(p.queue); n > 0 {
			next = p.queue[n-1].at + stride
		}
		if total >= 0 && next+1 >= total {
			return
		}
		p.start(next)
	}
}

func (p *prefetch[T]) start(at int) {
	if p.cancel == nil {
		p.active, p.cancel = context.WithCancel(p.ctx)
	}
	ctx := p.active
	f := &fetch[T]{at: at, done: make(chan struct{}), err: errors.New("the source ended its goroutine")}
	p.queue = append(p.queue, f)
	p.group.Go(func() {
		defer close(f.done)
		defer func() { f.panicked = recover() }()
		f.page, f.err = p.source(ctx, at, p.limit)
	})
}

// drop cancels what is under way.
func (p *prefetch[T]) drop() {
	if p.cancel != nil {
		p.cancel()
	}
	p.queue, p.cancel = nil, nil
}

// stop cancels what is under way, and waits until it has ended.
func (p *prefetch[T]) stop() {
	p.drop()
	p.group.Wait()
}
