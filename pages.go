package clicknps

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strconv"

	"github.com/google/go-querystring/query"

	"github.com/clicknps/go-sdk/internal/engine"
	"github.com/clicknps/go-sdk/internal/lenient"
	"github.com/clicknps/go-sdk/internal/walk"
)

// Page is one page of a list.
type Page[T any] struct {
	Data       []T // in the server's order
	Pagination Pagination
}

// LogValue implements [slog.LogValuer]. It shows no items, which may be private.
func (p Page[T]) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("items", len(p.Data)), slog.Any("pagination", p.Pagination))
}

// Pagination says where in its list a [Page] is. For SalesOS, Total is X-Total-Count.
type Pagination struct {
	Total   int  `json:"total"`    // items in the list; -1: unknown
	Limit   int  `json:"limit"`    // items a page; 0: unknown
	Offset  int  `json:"offset"`   // items before this page
	HasMore bool `json:"has_more"` // items follow this page
}

// Collect returns the items of a walk by All as a slice. If there are more than limit, it fails
// with [ErrTooMany]; if the walk fails, with the error of the walk. The slice then holds the items
// so far.
func Collect[T any](items iter.Seq2[*T, error], limit int) ([]T, error) {
	var collected []T
	for item, err := range items {
		if err != nil {
			return collected, err
		}
		if len(collected) >= limit {
			return collected, ErrTooMany
		}
		collected = append(collected, *item)
	}
	return collected, nil
}

type listParams interface{ validate() error }

func list[T any, P resource[T]](
	ctx context.Context, s *service, c call, params listParams, opts []RequestOption,
) (*Page[T], error) {
	o := s.options(opts)
	o.fail(params.validate())
	c.method, c.query = http.MethodGet, params
	page, _, err := fetchPage[T, P](ctx, s, c, o)
	return page, err
}

// all walks the list at c's route. params and opts are read once, before the walk.
func all[T any, P resource[T]](
	ctx context.Context, s *service, c call, params listParams, opts []RequestOption,
) iter.Seq2[*T, error] {
	o := s.options(opts)
	o.fail(params.validate())
	values, err := query.Values(params)
	o.fail(err)
	c.method, c.walk, c.bulk, c.query = http.MethodGet, true, true, values
	start, _ := strconv.Atoi(values.Get("offset"))
	limit, _ := strconv.Atoi(values.Get("limit"))
	id := func(item *T) string { id, _ := P(item).parts(); return *id }
	pages := walk.All(ctx, pageSource[T, P](s, c, values, o), id, walk.Options{
		Start: start, Limit: limit, Prefetch: o.prefetch, Bookmark: o.bookmark, Progress: o.progress,
		List: crc32.ChecksumIEEE([]byte(c.route + "?" + o.listQuery(values))),
	})
	return func(yield func(*T, error) bool) {
		if err := o.check(s, &c); err != nil { // before the walk reads any of the options
			yield(nil, s.failure(c, o, nil, err))
			return
		}
		for item, err := range pages {
			if !yield(item, s.walkError(c, o, err)) {
				return
			}
		}
	}
}

func (s *service) walkError(c call, o *requestOptions, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, walk.ErrBookmark):
		err = invalid("bookmark", "%v", err)
	case errors.Is(err, walk.ErrChanged):
		err = fmt.Errorf("%w: %w", ErrListChanged, err)
	default:
		return err // of a call
	}
	return s.failure(c, o, nil, err)
}

func pageSource[T any, P resource[T]](
	s *service, c call, values url.Values, o *requestOptions,
) walk.Source[T] {
	return func(ctx context.Context, offset, limit int) (walk.Page[T], error) {
		c, o, info := c, *o, CallInfo{}
		into := o.info
		o.info, o.given = &info, nil
		q := maps.Clone(values)
		q.Set("limit", strconv.Itoa(limit))
		q.Del("offset")
		if offset > 0 {
			q.Set("offset", strconv.Itoa(offset))
		}
		c.query = q
		page, wire, err := fetchPage[T, P](ctx, s, c, &o)
		taken := walk.Page[T]{Total: -1, Taken: func() {
			if into != nil {
				*into = info
			}
		}}
		if err == nil {
			taken.Items, taken.Total, taken.Limit = page.Data, page.Pagination.Total, page.Pagination.Limit
			taken.More, taken.MoreSet = page.Pagination.HasMore, wire.HasMore != nil
		}
		return taken, err
	}
}

type wirePagination struct {
	Total   *int  `json:"total"`
	Limit   int   `json:"limit"`
	Offset  int   `json:"offset"`
	HasMore *bool `json:"has_more"`
}

// listNames are the fields of an envelope that may hold its list.
var listNames = []string{"data", "items", "surveys", "responses", "webhooks", "results"}

func fetchPage[T any, P resource[T]](
	ctx context.Context, s *service, c call, o *requestOptions,
) (*Page[T], wirePagination, error) {
	page, wire := new(Page[T]), wirePagination{}
	err := s.do(ctx, c, o, func(res *engine.Result) error {
		items := lenient.NewList(bytes.NewReader(res.Body), listNames...)
		var err error
		if page.Data, err = decodeItems[T, P](items, len(res.Body), o.rawJSON); err != nil {
			return undecodable(err)
		}
		if raw := items.Field("pagination"); raw != nil {
			if err := lenient.Unmarshal(raw, &wire); err != nil {
				return undecodable(fmt.Errorf("pagination: %w", err))
			}
		}
		return nil
	})
	if err != nil {
		return nil, wire, err
	}
	page.Pagination = wire.pagination(len(page.Data))
	return page, wire, nil
}

// pagination fills in what the server did not send.
func (w wirePagination) pagination(items int) Pagination {
	p := Pagination{Total: -1, Limit: w.Limit, Offset: w.Offset}
	if w.Total != nil {
		p.Total = *w.Total
		p.HasMore = w.Offset+items < p.Total
	}
	if w.HasMore != nil {
		p.HasMore = *w.HasMore
	}
	return p
}

const minItem = 64 // bytes of a short item, roughly

func decodeItems[T any, P resource[T]](items *lenient.List, size int, keepJSON bool) ([]T, error) {
	decoded := []T{}
	var item T
	for items.Next(&item) {
		if err := accept[T, P](items.Raw(), &item, keepJSON); err != nil {
			return nil, fmt.Errorf("item %d: %w", len(decoded), err)
		}
		if len(decoded) == 0 { // the others are about as long
			decoded = make([]T, 0, size/max(len(items.Raw()), minItem)+1)
		}
		decoded = append(decoded, item)
	}
	if items.Err() == nil && len(decoded) == 0 {
		return decoded, checkFields(items.Field)
	}
	return decoded, items.Err()
}
