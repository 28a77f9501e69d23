// Package walk reads lists by offset and limit while others change them, and yields every item
// exactly once.
//
// A page shows a part of the list at one moment. While the order of the list is stable, the items
// that the walk has met stand before those that it has yet to meet. So if a page contains an item
// that was met, nothing was skipped before what follows that item. Pages therefore overlap by an
// item, the seam. If a page contains no item that was met, the list has moved, and the walk goes
// back until a page does.
//
// If a page or the totals show that items may have changed their order, the walk makes another pass
// and yields what it missed. An item that moves during one pass stands still during the other.
package walk

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/clicknps/go-sdk/internal/idset"
)

// ErrChanged reports that the list changed too fast for an exact walk, or can't be walked exactly.
var ErrChanged = errors.New("the list can't be walked exactly")

// ErrBookmark reports a bookmark that is malformed or belongs to another list.
var ErrBookmark = errors.New("invalid bookmark")

// Page is one page of a list, as the server sent it. The walk may change Items.
type Page[T any] struct {
	Items   []T
	Total   int  // items in the whole list as the server says; -1: unknown
	Limit   int  // page size as the server says; 0: unknown
	More    bool // the server's has_more
	MoreSet bool // the server sent has_more

	// Taken may be nil. The walk calls it on its own goroutine when it takes up the page, or the
	// error that came with it. Pages are taken up in order. A prefetched page may never be.
	Taken func()
}

// Source fetches the page at offset, at most limit items. It must be safe for concurrent use if
// Options.Prefetch is positive. An error is final: the walk doesn't retry.
type Source[T any] func(ctx context.Context, offset, limit int) (Page[T], error)

// Options are the options of All. The zero value walks the whole list by pages of 100 items.
type Options struct {
	Start    int     // offset at which the walk begins, unless there is a bookmark
	Limit    int     // items a page; 0 means 100; 1 counts as 2, because pages overlap by an item
	Prefetch int     // pages under way ahead of the walk
	List     uint32  // identifies the list that a bookmark belongs to
	Bookmark *string // where to resume, and where to keep the position; nil: nowhere

	// Progress is called after each page with the number of items handed over, and the total that
	// the server says; -1: unknown. It may be nil.
	Progress func(done, total int64)
}

const (
	defaultLimit = 100
	sparePerPass = 256 // requests that may bring nothing new, beyond one for each page of new items
	maxPasses    = 5
)

// errLeft reports that the caller has left the loop.
var errLeft = errors.New("the loop was left")

// All returns an iterator over the items that source lists. Each range over it is a new walk. It
// yields every item that exists from the start to the end of the walk exactly once, by the identity
// that id returns, and items that exist for a part of that time at most once. Each item is a copy.
// An error ends the walk: an error of source as it is, ErrChanged or ErrBookmark.
//
// If o.Bookmark points to a bookmark, the walk yields what follows the item that the bookmark
// stands for. The walk moves the bookmark when the loop asks for the next item. If the walk goes
// back, because the list has moved, the bookmark goes back with it: a walk that is left then and
// resumed may yield items again, but skips none. To find new items by bookmark, the list must have
// the oldest first.
//
// The iterator returns after all goroutines that it started have ended.
func All[T any](ctx context.Context, source Source[T], id func(*T) string, o Options) iter.Seq2[*T, error] {
	if o.Limit <= 0 {
		o.Limit = defaultLimit
	}
	o.Limit = max(o.Limit, 2)
	return func(yield func(*T, error) bool) {
		w := &walk[T]{
			o: o, id: id, yield: yield, seen: idset.New(), minTotal: -1,
			pages: prefetch[T]{ctx: ctx, source: source, limit: o.Limit, ahead: o.Prefetch},
		}
		defer w.pages.stop()
		if err := w.run(); err != nil && !errors.Is(err, errLeft) {
			yield(nil, err)
		}
	}
}

// walk is one walk through a list.
type walk[T any] struct {
	o     Options
	id    func(*T) string
	yield func(*T, error) bool
	pages prefetch[T]

	seen     *idset.Set // items handed over; marked: met in this pass
	origin   position   // the bookmark where the walk resumed; zero: it began at o.Start
	moved    bool       // the origin stands at a higher offset than the bookmark says
	done     int        // items handed over
	minTotal int        // the smallest total seen
	credit   float64    // requests left that may bring nothing new
	longest  int        // items of the longest page
	filters  bool       // the server leaves items out of its pages
	pass     pass
}

// pass is the state of one pass through the list.
type pass struct {
	tail     position // the last items met
	total    int      // of the list when the tail was seen; -1: unknown
	base     int      // offset of the first item of the pass
	met      int      // items met
	ordered  int      // the last items of the tail that are in the order of the list
	doubtful bool     // items may have moved from ahead of the walk to behind it
	inverted bool     // items have changed their order
}

func (w *walk[T]) run() error {
	if err := w.readBookmark(); err != nil {
		return err
	}
	for n := 1; ; n++ {
		before := w.done
		if err := w.onePass(); err != nil {
			return err
		}
		if !w.mustRepeat(n, w.done-before) {
			break
		}
		if n == maxPasses {
			return w.changed("its order keeps changing")
		}
		w.seen.Unmark()
	}
	if w.moved && w.done == 0 {
		return w.changed("new items stand before the bookmark: the list must have the oldest first")
	}
	return nil
}

// fromStart reports whether the walk began at the start of the list.
func (w *walk[T]) fromStart() bool { return w.o.Start == 0 && w.origin.isZero() }

// onePass walks from the origin to the end of the list.
func (w *walk[T]) onePass() error {
	v, err := w.begin()
	for err == nil {
		if v, err = w.findSeam(v); err != nil {
			break
		}
		if err = w.handOver(v); err != nil {
			break
		}
		if w.atEnd(v) {
			if v.More && v.total > w.pass.base+w.pass.met {
				return w.changed("the server says that more follows, and sends nothing")
			}
			return nil
		}
		v, err = w.next(v)
	}
	return err
}

// begin fetches the first page of a pass.
func (w *walk[T]) begin() (*view[T], error) {
	w.credit += sparePerPass
	w.pass = pass{tail: w.origin.clone(), total: -1, base: w.o.Start}
	w.saveBookmark()
	if w.origin.isZero() {
		return w.page(w.o.Start)
	}
	v, err := w.page(w.origin.at)
	if err == nil && v.known == 0 {
		v, err = w.search(v, 2)
	}
	if err == nil {
		w.pass.base = v.at + v.known
		w.compareOrigin(v)
	}
	return v, err
}

// mustRepeat reports whether pass n may have missed items that another pass can find. found is the
// number of items that the pass handed over.
func (w *walk[T]) mustRepeat(n, found int) bool {
	p := &w.pass
	if n == 1 || w.minTotal < 0 {
		return p.inverted || p.doubtful || w.missing()
	}
	// What moved during the first pass stood still in this one, unless it moves all the time.
	return p.inverted || w.missing() && (found > 0 || p.doubtful)
}

// missing reports whether the list never had as few items as were handed over. The total of a
// server that filters counts what no page shows.
func (w *walk[T]) missing() bool { return !w.filters && w.minTotal > w.pass.base+w.done }

// atEnd reports whether the list ends with v. Neither has_more nor the total is believed alone.
func (w *walk[T]) atEnd(v *view[T]) bool {
	n := len(v.Items)
	reached := v.total >= 0 && v.at+n >= v.total
	switch {
	case v.More:
		return n == 0 && reached
	case reached:
		return true
	case n == 0:
		return v.MoreSet || v.total < 0
	}
	return v.known == n && v.total < 0 // the page shows that nothing follows the seam
}

// handOver yields the items of v that follow those that were met.
func (w *walk[T]) handOver(v *view[T]) error {
	if err := w.judge(v); err != nil {
		return err
	}
	from, fresh := v.known, 0
	if w.fromStart() && w.o.Bookmark == nil {
		from = 0 // items that were created, or moved, behind the walk
	}
	for i := from; i < len(v.Items); i++ {
		id := w.id(&v.Items[i])
		if w.seen.Marked(id) {
			continue
		}
		w.pass.met++
		isNew := w.seen.Add(id)
		if isNew {
			w.done++
			item := v.Items[i] // a copy: it must not keep the page alive
			if !w.yield(&item, nil) {
				return errLeft
			}
		}
		if i >= v.known {
			fresh++
			w.pass.ordered++
			w.pass.tail.add(v.hashes[i], v.at+i)
		}
		if isNew {
			w.saveBookmark()
		}
	}
	if fresh > 0 {
		w.pass.total = v.total
		w.credit += 2 * float64(fresh) / float64(max(1, len(v.Items)-1))
		w.saveBookmark()
	}
	if w.o.Progress != nil {
		w.o.Progress(int64(w.done), int64(v.total))
	}
	return nil
}

// changed returns the error of a walk that can't be exact.
func (w *walk[T]) changed(why string) error {
	return fmt.Errorf("%w: %s (%d items were handed over)", ErrChanged, why, w.done)
}
