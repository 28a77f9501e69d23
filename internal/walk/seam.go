package walk

import "slices"

// view is a page and what the walk knows about it.
type view[T any] struct {
	Page[T]
	at      int      // offset
	total   int      // Total; -1 if unknown or less than the page itself shows
	hashes  []uint64 // of the items
	known   int      // index after the last item that was met
	follows bool     // nothing was skipped before the page, although it doesn't overlap
}

// newView returns the view of the page at offset at. An item that the page has twice in a row
// counts once.
func (w *walk[T]) newView(at int, page Page[T]) *view[T] {
	page.Items = slices.CompactFunc(page.Items, func(a, b T) bool { return w.id(&a) == w.id(&b) })
	v := &view[T]{Page: page, at: at, total: page.Total, hashes: make([]uint64, len(page.Items))}
	for i := range page.Items {
		id := w.id(&page.Items[i])
		v.hashes[i] = hash(id)
		if w.seen.Marked(id) || w.origin.has(v.hashes[i]) {
			v.known = i + 1
		}
	}
	if n := len(v.Items); v.total < 0 || n > 0 && v.total < at+n {
		v.total = -1
	}
	if v.total >= 0 && (w.minTotal < 0 || v.total < w.minTotal) {
		w.minTotal = v.total
	}
	w.longest = max(w.longest, len(v.Items))
	return v
}

// page is direct, and starts to prefetch the pages that follow.
func (w *walk[T]) page(at int) (*view[T], error) {
	v, err := w.direct(at)
	if err == nil {
		w.pages.fill(at, len(v.Items)-1, v.total, v.More)
	}
	return v, err
}

// direct fetches the page at offset at, or takes it from those under way. It costs one credit.
func (w *walk[T]) direct(at int) (*view[T], error) {
	if w.credit--; w.credit < 0 {
		return nil, w.changed("too many pages bring nothing new")
	}
	page, err := w.pages.take(at)
	if err != nil {
		return nil, err
	}
	return w.newView(at, page), nil
}

// findSeam goes back from v until nothing was skipped before the page that it returns.
func (w *walk[T]) findSeam(v *view[T]) (*view[T], error) {
	var err error
	for back := 0; err == nil && !v.follows && v.known == 0 && !w.pass.tail.isZero(); {
		at, n := v.at, len(v.Items)
		switch {
		case n == 0 && v.More:
			v, err = w.next(v)
			continue
		case at == 0 && w.fromStart():
			// Everything that was met is gone: all that the list has is new.
			w.pass = pass{total: -1}
			return v, nil
		case !w.fromStart():
			return w.search(v, 2) // few items are known: ever longer steps could miss them
		case n == 0 && v.total >= 0:
			at = min(at, v.total) // the list has shrunk
		}
		if back *= 2; back == 0 {
			back = max(1, n/2, w.pass.total-v.total+1) // what was deleted probably stood before the seam
		}
		v, err = w.page(max(0, at-back))
		w.pass.doubtful = w.pass.doubtful || v != nil && v.total < 0 // renames may look so
	}
	return v, err
}

// judge compares v with the last items met, and notes what shows that the order of the list has
// changed.
func (w *walk[T]) judge(v *view[T]) error {
	p := &w.pass
	if v.follows || p.tail.isZero() || w.filters {
		return nil
	}
	// The last item of the tail that the page has, as index in the tail and in the page, and so on.
	rank, ranked, originRank, marked := -1, -1, -1, false
	for i, h := range v.hashes[:v.known] {
		isMarked, o := w.seen.Marked(w.id(&v.Items[i])), slices.Index(w.origin.items, h)
		if r := slices.Index(p.tail.items, h); r >= 0 {
			p.inverted = p.inverted || r < rank && r >= len(p.tail.items)-p.ordered
			if r > rank {
				rank, ranked = r, i
			}
		}
		if o >= 0 {
			p.inverted = p.inverted || o < originRank || o == 0 && marked
			originRank = max(o, originRank)
		}
		marked = marked || isMarked
		if !isMarked && o < 0 && v.at+i >= p.base {
			p.doubtful = true // an item that was not met stands before one that was
		}
	}
	if p.inverted && !w.origin.isZero() {
		return w.changed("its order has changed since the bookmark")
	}
	if rank < len(p.tail.items)-1 {
		p.ordered = 0 // the last item met may follow this page
	}
	if rank < 0 && (v.known < len(v.Items) || w.atEnd(v)) {
		p.doubtful = true // what follows the tail was not seen
	}
	if last := len(p.tail.items) - 1; rank >= 0 {
		shift := v.at + ranked + last - rank - p.tail.at
		grown := v.total - p.total - shift // of what follows the tail
		known := v.total >= 0 && p.total >= 0
		p.doubtful = p.doubtful || shift > 0 && (!known || grown != 0)
		p.tail.at, p.total = p.tail.at+shift, v.total
	}
	return nil
}
