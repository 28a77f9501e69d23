package walk

import "slices"

// pageSize returns the page size as the server says, or as it was asked for.
func (w *walk[T]) pageSize(v *view[T]) int {
	if v.Limit > 0 {
		return max(min(v.Limit, w.o.Limit), w.longest)
	}
	return max(w.o.Limit, w.longest)
}

// next fetches the page after v. It overlaps v by an item, unless the server filters: it cuts a
// page from the list and then leaves items out, so that a page may be short or empty, and an offset
// counts items that no page shows.
func (w *walk[T]) next(v *view[T]) (*view[T], error) {
	n, size := len(v.Items), w.pageSize(v)
	var next *view[T]
	if n > 1 && (n == size || !w.filters) {
		var err error
		next, err = w.page(v.at + n - 1)
		if err != nil || n >= size || len(next.Items) == 0 || next.hashes[0] == v.hashes[n-1] {
			return next, err
		}
	}
	jumped, err := w.jump(v, size)
	switch {
	case err != nil || jumped != nil:
		return jumped, err
	case next != nil:
		return next, nil
	}
	return w.page(v.at + max(n-1, 0))
}

// jump fetches the page that is size after v, and one that covers what is between them. If that has
// an item that no other page has, the server doesn't filter, and jump returns nil.
func (w *walk[T]) jump(v *view[T], size int) (*view[T], error) {
	next, err := w.direct(v.at + size)
	if err != nil {
		return nil, err
	}
	middle, err := w.direct(v.at + max(1, len(v.Items)))
	if err != nil {
		return nil, err
	}
	filters := w.filters
	for i, h := range middle.hashes {
		switch {
		case slices.Contains(next.hashes, h):
			filters = true // an item stands at two offsets
		case !w.seen.Marked(w.id(&middle.Items[i])) && !w.origin.has(h):
			return nil, nil
		}
	}
	w.filters, next.follows = filters, true
	return next, nil
}
