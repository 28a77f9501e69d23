package walk

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
)

const (
	tailLength     = 8
	searchRequests = 64      // requests of a search for a bookmark, beyond those for each page of the list
	maxOffset      = 1 << 30 // the highest offset that a bookmark may have
)

// position is a position in a list: behind the last of the items that it remembers.
type position struct {
	items []uint64 // hashes of the last items, in order, at most tailLength
	at    int      // offset of the last
}

// hash returns the hash of an id. It is the same in every process.
func hash(id string) uint64 {
	sum := sha256.Sum256([]byte(id))
	return binary.BigEndian.Uint64(sum[:])
}

func (p position) isZero() bool      { return len(p.items) == 0 }
func (p position) has(h uint64) bool { return slices.Contains(p.items, h) }
func (p position) clone() position   { return position{slices.Clone(p.items), p.at} }
func (p *position) add(h uint64, at int) {
	if len(p.items) == tailLength {
		p.items = slices.Delete(p.items, 0, 1)
	}
	p.items, p.at = append(p.items, h), at
}

// format returns p as a bookmark of the list.
func (p position) format(list uint32) string {
	if p.isZero() {
		return ""
	}
	data := binary.BigEndian.AppendUint32(nil, list)
	data = binary.AppendUvarint(data, uint64(p.at))
	for _, h := range p.items {
		data = binary.BigEndian.AppendUint64(data, h)
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// parsePosition reads a bookmark of the list. An empty one is the zero position.
func parsePosition(bookmark string, list uint32) (position, error) {
	if bookmark == "" {
		return position{}, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(bookmark)
	if err != nil || len(data) < 4 {
		return position{}, fmt.Errorf("%w: malformed", ErrBookmark)
	}
	offset, n := binary.Uvarint(data[4:])
	items := data[4+max(n, 0):]
	if n <= 0 || offset > maxOffset || len(items) == 0 || len(items) > 8*tailLength || len(items)%8 != 0 {
		return position{}, fmt.Errorf("%w: malformed", ErrBookmark)
	}
	if binary.BigEndian.Uint32(data) != list {
		return position{}, fmt.Errorf("%w: it belongs to another list", ErrBookmark)
	}
	p := position{at: int(offset)}
	for ; len(items) > 0; items = items[8:] {
		p.items = append(p.items, binary.BigEndian.Uint64(items))
	}
	if p.format(list) != bookmark { // base64 ignores line breaks, among others
		return position{}, fmt.Errorf("%w: malformed", ErrBookmark)
	}
	return p, nil
}

func (w *walk[T]) readBookmark() (err error) {
	if w.o.Bookmark != nil {
		w.origin, err = parsePosition(*w.o.Bookmark, w.o.List)
	}
	return err
}

func (w *walk[T]) saveBookmark() {
	if w.o.Bookmark != nil {
		*w.o.Bookmark = w.pass.tail.format(w.o.List)
	}
}

// search looks for a page with an item that the walk knows, from v in both directions by turns. It
// costs no credit, because it has a bound of its own. If the list changes meanwhile, it is searched
// again, at most so many times.
func (w *walk[T]) search(v *view[T], again int) (*view[T], error) {
	start, total, err := v.at, v.total, error(nil)
	fetch := func(at int) {
		w.credit++
		v, err = w.direct(at)
	}
	for back := 1; err == nil && len(v.Items) == 0 && v.at > 0; back *= 2 { // the list has shrunk
		at := v.at
		if v.total >= 0 {
			at = min(at, v.total)
		}
		fetch(max(0, at-back))
	}
	if err != nil {
		return nil, err
	}
	low, high, ended := v.at, v.at+len(v.Items), w.atEnd(v) // what lies between was searched
	size := w.pageSize(v)
	budget := searchRequests + 2*float64(max(v.total, high))/float64(size)
	for down := true; v.known == 0; down = !down {
		before := v.hashes
		switch {
		case low == 0 && ended && v.total != total && again > 0: // the list has moved meanwhile
			if fetch(start); err == nil {
				return w.search(v, again-1)
			}
		case low == 0 && ended || budget < 0:
			return nil, w.changed("none of the items that the walk knows is left")
		case low > 0 && (down || ended):
			at := max(0, low-max(size-1, 1)) // overlapping, because the list may move
			if fetch(at); err == nil && len(v.Items) > 1 && at+len(v.Items) < low {
				size = len(v.Items) // the server sends less than it says
				continue
			}
			low = at
		default:
			if fetch(high); err == nil {
				high, ended = high+len(v.Items), len(v.Items) == 0 || w.atEnd(v)
			}
		}
		if err != nil {
			return nil, err
		}
		if budget--; len(v.hashes) > 0 && slices.Equal(v.hashes, before) {
			budget /= 2 // the server ignores the offset
		}
	}
	return v, nil
}

// compareOrigin notes where the items of the bookmark stand now.
func (w *walk[T]) compareOrigin(v *view[T]) {
	last := len(w.origin.items) - 1
	rank := slices.Index(w.origin.items, v.hashes[v.known-1])
	if rank < 0 {
		return
	}
	at := v.at + v.known - 1 + last - rank
	w.moved = w.moved || at > w.origin.at
	w.origin.at, w.pass.tail.at, w.pass.total = at, at, v.total
}
