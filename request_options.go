package clicknps

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
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

// listQuery returns the query without the page. It tells one list from another.
func (o *requestOptions) listQuery(values url.Values) string {
	values = o.addQuery(maps.Clone(values))
	values.Del("limit")
	values.Del("offset")
	return values.Encode()
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

// WithHeader sets a header of each request. Credentials, idempotency keys and the headers that
// net/http sets are [ErrInvalidParams].
func WithHeader(name, value string) SharedOption {
	return sharedOption(func(s *callSettings) error {
		if err := checkHeader(name, value); err != nil {
			return err
		}
		s.header = s.header.Clone()
		if s.header == nil {
			s.header = make(http.Header)
		}
		s.header[http.CanonicalHeaderKey(name)] = []string{value}
		return nil
	})
}

func checkHeader(name, value string) error {
	switch http.CanonicalHeaderKey(name) {
	case "Authorization", "X-Api-Key", "Proxy-Authorization":
		return invalid(name, "WithHeader: %s is set by the client's credential", name)
	case "Idempotency-Key", "X-Idempotency-Key":
		return invalid(name, "WithHeader: %s is set by WithIdempotencyKey", name)
	case "Host", "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Upgrade":
		return invalid(name, "WithHeader: %s is set by net/http", name)
	}
	if !isToken(name) {
		return invalid("header", "WithHeader: %q is not the name of a header", name)
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return invalid(name, "WithHeader: the value of %q has a control character", name)
	}
	return nil
}

// isToken reports whether s is a token of RFC 9110, as methods and names of headers are.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alphanumeric := '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !alphanumeric && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
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
