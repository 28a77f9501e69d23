package clicknps

import (
	"cmp"
	"context"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/clicknps/go-sdk/internal/idset"
)

const (
	defaultWalkLimit = 100
	// A page without anything new is rare. After this many in a row, and twice the pages that there were, a walk gives up.
	maxBarren = 32
	// A list that is all new, time and again, is none that can be walked.
	maxRestarts = 256
)

// walk is one walk through a list that others change meanwhile.
//
// A page is a cut from the list as it stood at one moment. If the list's order is stable, everything that was handed over
// stands before everything that is yet to come. So a page with an item that was handed over has all that follows
// that item, up to the page's end: nothing was skipped. Pages therefore overlap by an item. Where a page has none
// that is known, the list has moved, and the walk goes back until one does.
type walk[T any, P resource[T]] struct {
	ctx     context.Context
	service *service
	call    call
	query   url.Values
	options *requestOptions

	start    int       // where the caller wants the walk to begin
	place    *bookmark // of the last item, if the caller wants to know
	resumed  *bookmark // where the walk is taken up; nil: at start
	limit    int       // items asked for a page
	largest  int       // items that a page had at most
	seen     *idset.Set
	done     int  // items handed over
	pages    int  // that had anything new
	barren   int  // pages fetched since the last that had
	restarts int  // times that nothing was known back to the list's start
	total    int  // of the list at the last of them
	adrift   bool // since the last of them, place was not seen
	back     int  // how far the walk went back last; 0 since it found its place again
	ahead    ahead[T]
}

func newWalk[T any, P resource[T]](ctx context.Context, s *service, path string, query url.Values, o *requestOptions) *walk[T, P] {
	w := &walk[T, P]{
		ctx: ctx, service: s, call: call{method: http.MethodGet, path: []string{path}, bulk: true},
		query: query, options: o, limit: defaultWalkLimit, seen: idset.New(),
	}
	w.start, _ = strconv.Atoi(query.Get("offset"))
	if limit, _ := strconv.Atoi(query.Get("limit")); limit != 0 {
		w.limit = max(limit, 2) // one item to know the place by, one to go on with
	}
	w.ahead = ahead[T]{pages: o.prefetch, fetch: w.fetch}
	if o.bookmark != nil && o.err == nil {
		w.place = &bookmark{list: crc32.ChecksumIEEE([]byte(path + "?" + pageQuery(query, 0, 0).Encode()))}
		resumed, err := parseBookmark(*o.bookmark, w.place.list)
		if err != nil {
			o.fail(err)
		} else if resumed != nil {
			w.resumed = resumed
			*w.place = *resumed
			w.place.items = slices.Clone(resumed.items)
		}
	}
	return w
}

func (w *walk[T, P]) run(yield func(*T, error) bool) {
	defer w.ahead.stop()
	at, page, err := w.begin()
	for {
		if err == nil && !page.follows {
			at, page, err = w.locate(at, page)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		if !w.handOver(at, page, yield) || !page.more || (page.guessed && w.barren > 0) {
			return
		}
		if n := len(page.Data); n > 1 {
			at += n - 1
			page, err = w.page(at)
		} else {
			at, page, err = w.leap(at, page)
		}
	}
}

// begin fetches the first page.
func (w *walk[T, P]) begin() (int, *fetchedPage[T], error) {
	if w.resumed != nil {
		return w.find()
	}
	page, err := w.page(w.start)
	return w.start, page, err
}

// locate goes back, or leaps, until page is one that nothing was skipped before.
func (w *walk[T, P]) locate(at int, page *fetchedPage[T]) (int, *fetchedPage[T], error) {
	var err error
	for err == nil {
		page.fresh = w.fresh(page)
		switch {
		case len(page.Data) == 0 && page.more:
			at, page, err = w.leap(at, page)
			if err == nil && page.follows {
				return at, page, nil
			}
		case page.fresh > 0, at == w.start && w.done == 0 && w.resumed == nil:
			return at, page, nil
		case at == 0 && w.start == 0 && w.resumed == nil && w.restarts < maxRestarts:
			if total := page.Pagination.Total; total < w.total { // what was handed over is deleted: that comes to an end
				w.restarts = 0
			}
			w.restarts, w.total = w.restarts+1, page.Pagination.Total
			w.adrift = w.done > 0
			return at, page, nil
		case at == 0 && w.restarts == maxRestarts:
			err = w.changed("everything is new each time")
		case at == 0:
			err = w.changed("everything that was handed over is gone, and the walk did not begin at the list's start")
		default:
			at = w.goBack(at, page)
			page, err = w.page(at)
		}
	}
	return 0, nil, err
}

// goBack is where to look for an item that is known: half a page back, then ever farther.
func (w *walk[T, P]) goBack(at int, page *fetchedPage[T]) int {
	w.back = max(1, 2*w.back)
	if w.back == 1 {
		w.back = max(1, len(page.Data)/2)
	}
	if total := page.Pagination.Total; total > 0 {
		at = min(at, total) // the list has shrunk below
	}
	return max(0, at-w.back)
}

// looks is how often a page must be found empty to be passed over: some servers answer so under load.
const looks = 3

// leap goes on after a page that no other can overlap: an empty one, or one that the server caps at a single item. That
// nothing moved meanwhile, another look at the page before must show. at and page are that page again if it does not.
func (w *walk[T, P]) leap(at int, before *fetchedPage[T]) (int, *fetchedPage[T], error) {
	for look := 1; look < looks && len(before.Data) == 0; look++ {
		if again, err := w.direct(at); err != nil || !sameItems[T, P](before, again) {
			return at, again, err
		}
	}
	size := w.largest
	if size == 0 {
		size = cmp.Or(max(0, before.Pagination.Limit), w.limit)
	}
	next := at + cmp.Or(len(before.Data), size)
	page, err := w.page(next)
	for err == nil && len(page.Data) == 0 && page.more {
		if next > page.Pagination.Total {
			return 0, nil, w.changed("the server says that there is more, beyond the total of " + strconv.Itoa(page.Pagination.Total))
		}
		next += size
		page, err = w.page(next)
	}
	if err != nil {
		return 0, nil, err
	}
	again, err := w.direct(at)
	if err != nil || !sameItems[T, P](before, again) ||
		before.Pagination.Total != page.Pagination.Total || page.Pagination.Total != again.Pagination.Total {
		return at, again, err
	}
	page.follows, page.fresh = true, w.fresh(page)
	return next, page, nil
}

func sameItems[T any, P resource[T]](a, b *fetchedPage[T]) bool {
	if len(a.Data) != len(b.Data) {
		return false
	}
	for i := range a.Data {
		if P(&a.Data[i]).identity() != P(&b.Data[i]).identity() {
			return false
		}
	}
	return true
}

// fresh is the index after the last item that is known: what follows was not handed over yet.
func (w *walk[T, P]) fresh(page *fetchedPage[T]) int {
	for i := len(page.Data) - 1; i >= 0; i-- {
		id := P(&page.Data[i]).identity()
		if w.seen.Has(id) || (w.resumed != nil && w.resumed.has(id)) {
			return i + 1
		}
	}
	return 0
}

// handOver yields what is new in page. It reports whether the loop goes on.
func (w *walk[T, P]) handOver(at int, page *fetchedPage[T], yield func(*T, error) bool) bool {
	if w.place != nil && w.adrift {
		w.lookForPlace(at, page)
	}
	for i := page.fresh; i < len(page.Data); i++ {
		item := &page.Data[i]
		if !w.seen.Add(P(item).identity()) {
			continue // twice in one page
		}
		if w.barren > 0 {
			w.barren, w.back = 0, 0
			w.pages++
		}
		w.done++
		if w.place != nil && !w.adrift {
			w.mark(item, at+i)
		}
		if !yield(item, nil) {
			return false
		}
	}
	if w.options.progress != nil {
		total := page.Pagination.Total
		if page.guessed {
			total = -1
		}
		w.options.progress(w.done, total)
	}
	return true
}

// page fetches the page at offset, or takes it from those that are under way.
func (w *walk[T, P]) page(offset int) (*fetchedPage[T], error) {
	if w.barren++; w.barren > maxBarren+2*w.pages {
		return nil, w.changed("page after page has nothing new")
	}
	f := w.ahead.take(offset)
	if f == nil {
		return w.direct(offset)
	}
	return w.received(f)
}

// direct fetches the page at offset now.
func (w *walk[T, P]) direct(offset int) (*fetchedPage[T], error) {
	f := &fetching[T]{offset: offset}
	w.fetch(w.ctx, f)
	return w.received(f)
}

func (w *walk[T, P]) received(f *fetching[T]) (*fetchedPage[T], error) {
	if w.options.meta != nil {
		*w.options.meta = f.meta
	}
	if f.err == nil {
		w.largest = max(w.largest, len(f.page.Data))
		w.ahead.fill(w.ctx, f.offset, f.page)
	}
	return f.page, f.err
}

// fetch makes the call for a page. It is safe for concurrent use.
func (w *walk[T, P]) fetch(ctx context.Context, f *fetching[T]) {
	c, o := w.call, *w.options
	c.query = pageQuery(w.query, w.limit, f.offset)
	o.meta = &f.meta
	f.page, f.err = getPage[T, P](ctx, w.service, c, &o, w.limit)
}

// changed is the error of a walk that can't go on without a gap.
func (w *walk[T, P]) changed(why string) error {
	return w.service.problem(w.call, why, fmt.Errorf("%w after %d items", ErrListChanged, w.done))
}
