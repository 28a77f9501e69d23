package clicknps

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"

	"github.com/google/go-querystring/query"
)

// ListOptions selects a page of a list.
type ListOptions struct {
	Limit  int `url:"limit,omitempty"`  // items a page; 0: the server's default in List, 100 in All
	Offset int `url:"offset,omitempty"` // items to skip
}

// Page is one page of a list.
type Page[T any] struct {
	Data       []T        // in the server's order
	Pagination Pagination // zero if the server sent none
}

// LogValue implements [slog.LogValuer]: the items may bear what no log should.
func (p Page[T]) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("items", len(p.Data)), slog.Any("pagination", p.Pagination))
}

// Pagination says where in its list a [Page] stands.
type Pagination struct {
	Total   int  `json:"total"`    // items in the list
	Limit   int  `json:"limit"`    // items a page
	Offset  int  `json:"offset"`   // items before this page
	HasMore bool `json:"has_more"` // items follow this page
}

func (o ListOptions) validate() error {
	switch {
	case o.Limit < 0:
		return invalid("limit", "Limit must not be negative")
	case o.Offset < 0:
		return invalid("offset", "Offset must not be negative")
	}
	return nil
}

// listParams are the query parameters of a list.
type listParams interface{ validate() error }

// list fetches one page of the list at path.
func list[T any, P resource[T]](ctx context.Context, s *service, path string, params listParams, opts []RequestOption) (*Page[T], error) {
	o := newRequestOptions(opts)
	if err := params.validate(); err != nil {
		o.fail(err)
	}
	page, err := getPage[T, P](ctx, s, call{method: http.MethodGet, path: []string{path}, query: params}, o, 0)
	if err != nil {
		return nil, err
	}
	return &page.Page, nil
}

// all walks the list at path. What params and options say when it is called holds for the whole walk.
func all[T any, P resource[T]](ctx context.Context, s *service, path string, params listParams, opts []RequestOption) iter.Seq2[*T, error] {
	values, err := query.Values(params)
	return func(yield func(*T, error) bool) {
		o := newRequestOptions(opts)
		for _, problem := range []error{err, params.validate()} {
			if problem != nil {
				o.fail(problem)
			}
		}
		newWalk[T, P](ctx, s, path, values, o).run(yield)
	}
}

// wirePage is a page as the server sends it.
type wirePage[T any] struct {
	Data       []T             `json:"data"`
	Pagination *wirePagination `json:"pagination"`
}

type wirePagination struct {
	Total   *int  `json:"total"`
	Limit   int   `json:"limit"`
	Offset  int   `json:"offset"`
	HasMore *bool `json:"has_more"`
}

// fetchedPage is a page, and what a walk must know beyond it.
type fetchedPage[T any] struct {
	Page[T]
	more    bool // HasMore, or a guess
	guessed bool // the server did not say whether there is more
	follows bool // a leap has shown that nothing was skipped before it
	fresh   int  // index of the first item that was not handed over
}

func getPage[T any, P resource[T]](ctx context.Context, s *service, c call, o *requestOptions, expected int) (*fetchedPage[T], error) {
	res, err := s.do(ctx, c, o)
	if err != nil {
		return nil, err
	}
	page, err := decodePage[T, P](res.Body, expected)
	if err != nil {
		return nil, s.undecodable(c, o, res, err)
	}
	return page, nil
}

// minItem is the least that an item takes in a body, roughly: a huge limit must not make room for as many.
const minItem = 32

// decodePage decodes a page of which about expected items are expected.
func decodePage[T any, P resource[T]](data []byte, expected int) (*fetchedPage[T], error) {
	data = bytes.TrimPrefix(data, bom)
	var wire wirePage[T]
	if expected > 0 {
		wire.Data = make([]T, 0, min(expected, len(data)/minItem))
	}
	list, err := wire.decode(data)
	switch {
	case err != nil:
		return nil, err
	case len(wire.Data) == 0 && !hasList(data):
		return nil, errors.New("data is missing")
	}
	if err := complete[T, P](wire.Data, list); err != nil {
		return nil, err
	}
	page := &fetchedPage[T]{Page: Page[T]{Data: wire.Data}}
	p := &page.Pagination
	if w := wire.Pagination; w != nil {
		p.Limit, p.Offset = w.Limit, w.Offset
		if w.Total != nil {
			p.Total = *w.Total
		}
		switch {
		case w.HasMore != nil:
			p.HasMore, page.more = *w.HasMore, *w.HasMore
			return page, nil
		case w.Total != nil:
			p.HasMore = w.Offset+len(wire.Data) < *w.Total
			page.more = p.HasMore
			return page, nil
		}
	}
	page.guessed, page.more = true, len(wire.Data) > 0
	return page, nil
}

// decode decodes a page, and returns what the origin of its items is.
func (w *wirePage[T]) decode(data []byte) ([]byte, error) {
	if json.Unmarshal(data, w) == nil {
		return data, nil
	}
	// Field by field, so that a field of another type does not part the items from their origin.
	var fields struct {
		Data       json.RawMessage `json:"data"`
		Pagination json.RawMessage `json:"pagination"`
	}
	if err := unmarshal(data, &fields); err != nil {
		return nil, err
	}
	*w = wirePage[T]{}
	if len(fields.Data) == 0 {
		return nil, errors.New("data is missing")
	}
	if err := unmarshal(fields.Data, &w.Data); err != nil || len(fields.Pagination) == 0 {
		return fields.Data, err
	}
	return fields.Data, unmarshal(fields.Pagination, &w.Pagination)
}

// hasList tells an empty list from a missing one.
func hasList(data []byte) bool {
	var page struct {
		Data *[]struct{} `json:"data"`
	}
	return json.Unmarshal(data, &page) == nil && page.Data != nil
}

// pageQuery is query with another limit and offset.
func pageQuery(query url.Values, limit, offset int) url.Values {
	q := make(url.Values, len(query)+2)
	for name, values := range query {
		q[name] = values
	}
	q.Set("limit", strconv.Itoa(limit))
	q.Del("offset")
	if offset > 0 {
		q.Set("offset", strconv.Itoa(offset))
	}
	return q
}
