package clicknps

import (
	"context"
	"sync"
)

// ahead keeps the pages under way that a walk is expected to ask for next. It only guesses: each page is judged by the
// walk when its turn comes, and a guess that was wrong is dropped.
type ahead[T any] struct {
	pages  int // at most this many under way or waiting
	fetch  func(context.Context, *fetching[T])
	queue  []*fetching[T] // in order
	cancel context.CancelFunc
	ctx    context.Context // of what is in the queue
	group  sync.WaitGroup
}

// fetching is a page that is fetched, or was.
type fetching[T any] struct {
	offset   int
	done     chan struct{} // closed when the rest is there
	page     *fetchedPage[T]
	meta     ResponseMeta
	err      error
	panicked any
}

// take waits for the page at offset. It is nil if that is not under way.
func (a *ahead[T]) take(offset int) *fetching[T] {
	if len(a.queue) == 0 {
		return nil
	}
	f := a.queue[0]
	if f.offset != offset {
		a.drop()
		return nil
	}
	a.queue = a.queue[1:]
	<-f.done
	if f.panicked != nil {
		panic(f.panicked) // on its own goroutine it would have ended the process
	}
	return f
}

// fill asks for the pages that follow page, which stands at offset, as far as the list's total reaches.
func (a *ahead[T]) fill(ctx context.Context, offset int, page *fetchedPage[T]) {
	stride := len(page.Data) - 1
	if a.pages == 0 || stride < 1 || !page.more {
		return
	}
	if len(a.queue) > 0 && a.queue[0].offset != offset+stride {
		a.drop()
		return // step by step until the pages are as expected again
	}
	if a.cancel == nil {
		a.ctx, a.cancel = context.WithCancel(ctx)
	}
	for len(a.queue) < a.pages {
		offset += stride
		if n := len(a.queue); n > 0 {
			offset = a.queue[n-1].offset + stride
		}
		if offset+1 >= page.Pagination.Total {
			return
		}
		a.start(&fetching[T]{offset: offset, done: make(chan struct{})})
	}
}

func (a *ahead[T]) start(f *fetching[T]) {
	a.queue = append(a.queue, f)
	ctx := a.ctx
	a.group.Go(func() {
		defer close(f.done)
		defer func() { f.panicked = recover() }()
		a.fetch(ctx, f)
	})
}

// drop ends what is under way.
func (a *ahead[T]) drop() {
	if a.cancel != nil {
		a.cancel()
	}
	a.queue, a.cancel = nil, nil
}

// stop ends what is under way, and returns when it has ended.
func (a *ahead[T]) stop() {
	a.drop()
	a.group.Wait()
}
