package clicknps

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/clicknps/go-sdk/internal/apierror"
	"github.com/clicknps/go-sdk/internal/engine"
	"github.com/clicknps/go-sdk/internal/idset"
	"github.com/clicknps/go-sdk/internal/lenient"
)

// npsPage selects a page of a SalesOS list.
type npsPage struct{ Page, Limit int }

func (p npsPage) number() int { return max(p.Page, 1) }

func (p npsPage) query() url.Values {
	q := make(url.Values)
	if p.Page > 0 {
		q.Set("page", strconv.Itoa(p.Page))
	}
	if p.Limit > 0 {
		q.Set("limit", strconv.Itoa(p.Limit))
	}
	return q
}

func (p npsPage) pagination(res *engine.Result, items int) Pagination {
	total := totalCount(res.Header)
	limit := p.Limit
	if limit == 0 && total > items { // the server has a limit of its own
		limit = items
	}
	offset := (p.number() - 1) * limit
	return Pagination{Total: total, Limit: limit, Offset: offset, HasMore: items > 0 && offset+items < total}
}

func totalCount(h http.Header) int {
	total, err := strconv.ParseUint(h.Get("X-Total-Count"), 10, 31)
	if err != nil {
		return -1
	}
	return int(total)
}

func fetchNPSPage[T any, P resource[T]](
	ctx context.Context, s *service, c call, o *requestOptions, p npsPage,
) (*Page[T], error) {
	var page *Page[T]
	err := s.do(ctx, c, o, func(res *engine.Result) (err error) {
		items := lenient.NewList(bytes.NewReader(res.Body), listNames...)
		page, err = decodeNPSPage[T, P](items, res, p, o.rawJSON)
		return undecodable(err)
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

func decodeNPSPage[T any, P resource[T]](
	items *lenient.List, res *engine.Result, p npsPage, keepJSON bool,
) (*Page[T], error) {
	data, err := decodeItems[T, P](items, len(res.Body), keepJSON)
	if err != nil {
		return nil, err
	}
	return &Page[T]{Data: data, Pagination: p.pagination(res, len(data))}, nil
}

const maxPasses = 4 // through a list that changes

// allNPS walks a SalesOS list from page p on. If the total changes meanwhile, items may have moved
// to another page, so allNPS makes another pass and yields what is new.
func allNPS[T any, P resource[T]](
	ctx context.Context, s *service, c call, o *requestOptions, p npsPage, id func(*T) string,
) iter.Seq2[*T, error] {
	c.method, c.walk, c.stream, c.bulk = http.MethodGet, true, true, true
	return func(yield func(*T, error) bool) {
		w := &npsWalk[T, P]{service: s, call: c, options: o, id: id, yield: yield, seen: idset.New()}
		for n := range maxPasses {
			changed, err := w.pass(ctx, p, n == 0)
			switch {
			case w.stopped:
				return
			case err != nil:
				yield(nil, err)
				return
			case !changed:
				return
			}
		}
		err := fmt.Errorf("%w: %d items were yielded, and its total changes all the time",
			ErrListChanged, w.done)
		yield(nil, s.failure(c, o, nil, err))
	}
}

type npsWalk[T any, P resource[T]] struct {
	service *service
	call    call
	options *requestOptions
	id      func(*T) string
	yield   func(*T, error) bool
	seen    *idset.Set
	done    int64 // items yielded
	total   int   // of the latest page; -1: unknown
	stopped bool  // the loop was left
}

// pass walks the list once. changed reports whether the total has changed.
func (w *npsWalk[T, P]) pass(ctx context.Context, p npsPage, isFirst bool) (changed bool, err error) {
	walked := 0
	for number := 0; ; number++ {
		before, total := w.done, w.total
		items, err := w.page(ctx, p)
		if err != nil || w.stopped {
			return false, err
		}
		if walked == 0 && p.number() > 1 {
			walked = (p.number() - 1) * max(p.Limit, items)
		}
		walked += items
		changed = changed || number > 0 && w.total != total
		switch {
		case w.total <= walked: // or unknown
			return changed, nil
		case isFirst && w.done == before && !changed:
			err := fmt.Errorf("%w: the server counts %d items, and a page had nothing new after %d",
				ErrListChanged, w.total, w.done)
			return false, w.service.failure(w.call, w.options, nil, err)
		case items == 0:
			return true, nil
		}
		p.Page = p.number() + 1
	}
}

// page yields the new items of one page. items is the number of all its items.
func (w *npsWalk[T, P]) page(ctx context.Context, p npsPage) (items int, err error) {
	w.call.query = p.query()
	err = w.service.do(ctx, w.call, w.options, func(res *engine.Result) error {
		if apierror.IsHTML(res.Header.Get("Content-Type"), res.Stream.Head()) {
			return undecodable(errHTML)
		}
		w.total = totalCount(res.Header)
		list := lenient.NewList(res.Stream, listNames...)
		for {
			item := new(T)
			if !list.Next(item) {
				break
			}
			if err := accept[T, P](list.Raw(), item, w.options.rawJSON); err != nil {
				return undecodable(fmt.Errorf("item %d: %w", items, err))
			}
			items++
			if !w.emit(item) {
				return nil
			}
		}
		if err := list.Err(); err != nil {
			return fmt.Errorf("the list broke off after %d items: %w", w.done, err)
		}
		if items == 0 {
			return undecodable(checkFields(list.Field))
		}
		return nil
	})
	return items, err
}

// emit yields an item if it is new. It reports whether the loop goes on.
func (w *npsWalk[T, P]) emit(item *T) bool {
	if id := w.id(item); id != "" && !w.seen.Add(id) {
		return true
	}
	w.done++
	w.stopped = !w.yield(item, nil)
	if !w.stopped && w.options.progress != nil {
		w.options.progress(w.done, int64(w.total))
	}
	return !w.stopped
}
