package clicknps

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/clicknps/go-sdk/internal/auth"
)

// requestOptions holds the options of one call, over the client's settings.
type requestOptions struct {
	callSettings
	key      string
	query    []parameter
	extra    []extraField
	info     *CallInfo
	bulk     bool
	prefetch int
	bookmark *string
	progress func(done, total int64)
	given    []parameter // options that not every call has a use for, and what they set
	err      error       // of the first option that can't be right
}

type (
	parameter  struct{ name, value string }
	extraField struct {
		name  string
		value any
	}
)

func (s *service) options(opts []RequestOption) *requestOptions {
	o := &requestOptions{callSettings: s.defaults}
	for _, opt := range opts {
		if opt == nil {
			o.fail(invalid("opts", "an option is nil"))
			continue
		}
		o.fail(opt.applyToCall(o))
	}
	return o
}

func (o *requestOptions) fail(err error) {
	if o.err == nil {
		o.err = err
	}
}

// check refuses options that are wrong, or of no use to the call.
func (o *requestOptions) check(s *service, c *call) error {
	if o.err != nil {
		return o.err
	}
	for _, p := range o.query {
		if c.walk && (p.name == "limit" || p.name == "offset" || p.name == "page") {
			return invalid(p.name, "WithQuery: %s selects the pages of a walk: use the params", p.name)
		}
	}
	if len(o.given) == 0 {
		return nil
	}
	useful := map[string]bool{
		"WithIdempotencyKey": s.keyed && c.method == http.MethodPost,
		"WithExtraField":     c.body != nil,
		"WithPrefetch":       c.walk && s.keyed,
		"WithBookmark":       c.walk && s.keyed,
		"WithProgress":       c.walk || c.stream,
	}
	for _, option := range o.given {
		if !useful[option.name] {
			return invalid(option.value,
				"%s (%s) is of no use to %s", option.name, option.value, c.operation)
		}
	}
	return nil
}

func (o *requestOptions) addQuery(values url.Values) url.Values {
	if values == nil && len(o.query) > 0 {
		values = make(url.Values)
	}
	for _, p := range o.query {
		values.Set(p.name, p.value)
	}
	return values
}

// WithIdempotencyKey sets the key of a POST to ClickNPS: 1–255 bytes of printable ASCII, without a
// space at either end. A POST with a key that ClickNPS has seen has no second effect. By default,
// each call has a random key.
func WithIdempotencyKey(key string) RequestOption {
	return requestOption(func(o *requestOptions) error {
		switch {
		case key == "":
			return invalid("Idempotency-Key", "the key must not be empty")
		case len(key) > 255:
			return invalid("Idempotency-Key", "the key must not be longer than 255 bytes")
		case !auth.Printable(key) || strings.TrimSpace(key) != key:
			return invalid("Idempotency-Key",
				"the key must be printable ASCII without a space at either end")
		}
		o.key = key
		o.given = append(o.given, parameter{"WithIdempotencyKey", "Idempotency-Key"})
		return nil
	})
}

// WithQuery sets a query parameter. It replaces one of that name.
func WithQuery(name, value string) RequestOption {
	return requestOption(func(o *requestOptions) error {
		if name == "" || !utf8.ValidString(name) || !utf8.ValidString(value) {
			return invalid("query",
				"WithQuery: the name must not be empty, and name and value must be valid UTF-8")
		}
		o.query = append(o.query, parameter{name, value})
		return nil
	})
}

// WithExtraField adds a field that this SDK does not know to the JSON body.
func WithExtraField(name string, value any) RequestOption {
	return requestOption(func(o *requestOptions) error {
		if name == "" || !utf8.ValidString(name) {
			return invalid("name",
				"WithExtraField: the field's name must not be empty, and must be valid UTF-8")
		}
		o.extra = append(o.extra, extraField{name, value})
		o.given = append(o.given, parameter{"WithExtraField", name})
		return nil
	})
}

// WithBulk gives a call the priority bulk, which walks by All and exports always have. All other
// calls are interactive: they get permits first, and they alone may use the reserve of
// [WithReserve].
func WithBulk() RequestOption {
	return requestOption(func(o *requestOptions) error {
		o.bulk = true
		return nil
	})
}

// WithPrefetch lets All of a ClickNPS service fetch up to this many pages ahead, concurrently.
func WithPrefetch(pages int) RequestOption {
	return requestOption(func(o *requestOptions) error {
		o.prefetch = pages
		o.given = append(o.given, parameter{"WithPrefetch", "pages"})
		return notNegative("pages", "WithPrefetch: the number of pages", pages)
	})
}

// WithBookmark lets All of a ClickNPS service resume a walk, also in another process. bookmark is
// a short string to store. If it is empty, the walk begins as the params say, else after the item
// that the bookmark stands for. It moves to an item when the loop asks for the next one, so a loop
// that breaks off because it can't handle an item resumes with that item.
//
// A resumed walk skips nothing even if others have changed the list meanwhile; where the walk
// before it had to go back, it may repeat items. It ends with [ErrListChanged] if the last eight
// items before the bookmark are gone, and with [ErrInvalidParams] if the list had other
// parameters. To find new items, the list must have the oldest first.
func WithBookmark(bookmark *string) RequestOption {
	return requestOption(func(o *requestOptions) error {
		if bookmark == nil {
			return invalid("bookmark", "WithBookmark: bookmark must not be nil")
		}
		o.bookmark = bookmark
		o.given = append(o.given, parameter{"WithBookmark", "bookmark"})
		return nil
	})
}

// WithProgress calls fn on the goroutine of the caller while a walk or an Export goes on, with the
// items yielded or the bytes written so far, and their total, or -1 if it is unknown.
func WithProgress(fn func(done, total int64)) RequestOption {
	return requestOption(func(o *requestOptions) error {
		if fn == nil {
			return invalid("fn", "WithProgress: fn must not be nil")
		}
		o.progress = fn
		o.given = append(o.given, parameter{"WithProgress", "fn"})
		return nil
	})
}

// listQuery returns the query without the page. It tells one list from another.
func (o *requestOptions) listQuery(values url.Values) string {
	values = o.addQuery(maps.Clone(values))
	values.Del("limit")
	values.Del("offset")
	return values.Encode()
}
