package clicknps

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
)

// bookmarked is how many of the last items a bookmark knows: its place is found again while one of them is there.
const bookmarked = 8

// WithBookmark lets a walk by All be taken up later, by another process too. place is a short string to store. If it is
// empty when the walk begins, the walk begins at the start; else behind the item that it stands for. It moves with every item
// that is handed over: store it when the item is dealt with.
//
//	for response, err := range client.Responses.All(ctx, nil, clicknps.WithBookmark(&place)) {
//		// … deal with the response, then store place
//	}
//
// Others may have created and deleted items meanwhile: what comes after the item is exact all the same. The place is known
// by the last eight items; if all of them are gone, the walk ends with [ErrListChanged]. At the list's end, place stays:
// in a list that has the oldest first, it leads to what has come since. A place from a list with other parameters
// is [ErrInvalidParams].
func WithBookmark(place *string) RequestOption {
	return func(o *requestOptions) {
		if place == nil {
			o.fail(invalid("place", "WithBookmark needs somewhere to keep its place"))
		}
		o.bookmark = place
	}
}

// bookmark is a place in a list.
type bookmark struct {
	list   uint32   // which list it is
	offset int      // where the last item stood
	items  []uint64 // the last items, the very last at the end
}

// add moves the bookmark to the item with this id.
func (b *bookmark) add(id string, offset int) {
	if len(b.items) == bookmarked {
		b.items = slices.Delete(b.items, 0, 1)
	}
	b.items, b.offset = append(b.items, itemHash(id)), offset
}

func (b *bookmark) has(id string) bool { return slices.Contains(b.items, itemHash(id)) }

// itemHash is the same in every process.
func itemHash(id string) uint64 {
	sum := sha256.Sum256([]byte(id))
	return binary.BigEndian.Uint64(sum[:])
}

func (b *bookmark) String() string {
	data := binary.BigEndian.AppendUint32(nil, b.list)
	data = binary.AppendUvarint(data, uint64(b.offset))
	for _, item := range b.items {
		data = binary.BigEndian.AppendUint64(data, item)
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// parseBookmark reads a place of the list. It is nil if place is empty.
func parseBookmark(place string, list uint32) (*bookmark, error) {
	if place == "" {
		return nil, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(place)
	if err != nil || len(data) < 4 {
		return nil, invalid("place", "%q is no place that WithBookmark has given", place)
	}
	b := &bookmark{list: binary.BigEndian.Uint32(data)}
	offset, n := binary.Uvarint(data[4:])
	items := data[4+max(n, 0):]
	if n <= 0 || offset > 1<<40 || len(items) == 0 || len(items)%8 != 0 || len(items) > 8*bookmarked {
		return nil, invalid("place", "%q is no place that WithBookmark has given", place)
	}
	if b.list != list {
		return nil, invalid("place", "the place belongs to another list")
	}
	b.offset = int(offset)
	for len(items) > 0 {
		b.items = append(b.items, binary.BigEndian.Uint64(items))
		items = items[8:]
	}
	return b, nil
}

// mark moves the caller's bookmark to item.
func (w *walk[T, P]) mark(item *T, offset int) {
	w.place.add(P(item).identity(), offset)
	*w.options.bookmark = w.place.String()
}

// lookForPlace says what to do with the bookmark when the walk had to begin again, with items that may stand before its place or
// have taken it: it stays until it is seen again, or the list's end shows that it is gone.
func (w *walk[T, P]) lookForPlace(at int, page *fetchedPage[T]) {
	for i := range page.fresh {
		if w.place.has(P(&page.Data[i]).identity()) {
			w.adrift = false
			return
		}
	}
	if !page.more {
		w.adrift = false
		for i := range page.fresh {
			w.mark(&page.Data[i], at+i)
		}
	}
}

// find looks for the page with the bookmark's place: where it was, then ever farther before and behind.
func (w *walk[T, P]) find() (int, *fetchedPage[T], error) {
	low, high := w.resumed.offset, w.resumed.offset // what lies between was looked at
	more, before := true, false
	for at := low; ; {
		page, err := w.direct(at)
		if err != nil || w.fresh(page) > 0 {
			return at, page, err
		}
		p := page.Pagination
		if at >= high {
			high = at + len(page.Data)
			more = page.more && len(page.Data) > 0 && high <= p.Total
		}
		if p.Total > 0 {
			low = min(low, p.Total)
		}
		before = !before // in turn
		switch {
		case low == 0 && !more:
			return 0, nil, w.changed("none of the items is left that the bookmark knows")
		case low > 0 && (before || !more):
			size := w.limit
			if p.Limit > 0 {
				size = min(size, p.Limit)
			}
			low = max(0, low-size+1) // an item of overlap, for the list may move
			at = low
		default:
			at = high
		}
	}
}
