package clicknps

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-querystring/query"

	"github.com/clicknps/go-sdk/internal/auth"
	"github.com/clicknps/go-sdk/internal/engine"
	"github.com/clicknps/go-sdk/internal/ratelimit"
)

type service struct {
	name       string
	base       *url.URL
	credential *auth.Credential // nil: none
	missing    string           // says how to give a credential
	engine     *engine.Engine
	limiter    ratelimit.Limiter
	observers  []observer
	defaults   callSettings
	keyed      bool // POSTs bear an Idempotency-Key, and so can be retried
	userAgent  []string
}

// call is one call of an endpoint.
type call struct {
	operation string // "Surveys.Get"
	method    string
	route     string // "/surveys/{id}", below the base URL
	id        string // the value of {id}, not escaped
	path      string // escaped by the caller of Do, instead of a route
	query     any    // a struct for go-querystring, or url.Values; nil: none
	body      any    // nil: none
	stream    bool   // a 2xx answer is handed over unread
	walk      bool   // the call fetches a page of a walk
	bulk      bool   // the call belongs to a batch
}

// do makes a call and passes a 2xx answer to use, whose error says what is wrong with it. The
// answer's body is valid until use returns. Every endpoint goes through do.
func (s *service) do(ctx context.Context, c call, o *requestOptions, use func(*engine.Result) error) error {
	c.bulk = c.bulk || o.bulk
	ctx, done := s.observe(ctx, c.describe(s))
	var res *engine.Result
	req, cause := s.request(ctx, c, o)
	if cause == nil {
		res = s.engine.Do(ctx, req)
		cause = res.Err
	}
	if cause == nil && res.StatusCode/100 == 2 {
		cause = use(res)
	}
	var err error
	if cause != nil || (res.StatusCode/100 != 2 && !c.deletedBefore(res)) {
		err = s.failure(c, o, res, cause)
	}
	if res != nil {
		res.Free()
	}
	if o.info != nil || done != nil {
		s.report(s.info(res, o.key), err, o.info, done)
	}
	return err
}

func (c *call) describe(s *service) Call {
	return Call{Service: s.name, Operation: c.operation, Method: c.method, Route: c.route, Bulk: c.bulk}
}

// deletedBefore reports whether an attempt of a DELETE whose answer was lost has taken effect.
func (c *call) deletedBefore(res *engine.Result) bool {
	return c.method == http.MethodDelete && res.StatusCode == http.StatusNotFound && res.Uncertain
}

func (s *service) request(ctx context.Context, c call, o *requestOptions) (made engine.Call, err error) {
	switch err := o.check(s, &c); {
	case err != nil:
		return made, err
	case ctx == nil:
		return made, invalid("ctx", "the context must not be nil")
	}
	u, err := s.url(&c, o)
	if err != nil {
		return made, err
	}
	body, err := encodeBody(c.body, o.extra)
	switch {
	case err != nil:
		return made, err
	case s.credential == nil:
		return made, fmt.Errorf("%w: %s", ErrMissingCredentials, s.missing)
	}
	stream, hasBody, keyed := c.stream, c.body != nil, s.keyed && c.method == http.MethodPost
	if keyed && o.key == "" {
		o.key = NewIdempotencyKey()
	}
	return engine.Call{
		Info: ratelimit.Call(c.describe(s)), URL: u, Body: body, Stream: c.stream,
		Policy: (*engine.Policy)(o.policy),
		Header: func() http.Header { return s.header(stream, hasBody, o) },
		Once:   c.method == http.MethodPost && !s.keyed,
		Keyed:  keyed,
	}, nil
}

// url returns where a call goes. Ids are escaped here and nowhere else.
func (s *service) url(c *call, o *requestOptions) (url.URL, error) {
	u := *s.base
	path := c.path
	if path == "" {
		path = c.route
		if strings.Contains(path, "{id}") {
			if err := checkID(c.id); err != nil {
				return u, err
			}
			path = strings.Replace(path, "{id}", url.PathEscape(c.id), 1)
		}
	}
	unescaped, err := url.PathUnescape(path)
	if err != nil {
		return u, invalid("path", "the path is not escaped: %v", err)
	}
	if u.RawPath != "" || unescaped != path {
		u.RawPath = u.EscapedPath() + path
	}
	u.Path += unescaped
	values, ok := c.query.(url.Values)
	if c.query != nil && !ok {
		if values, err = query.Values(c.query); err != nil {
			return u, fmt.Errorf("%w: %w", ErrInvalidParams, err)
		}
	}
	u.RawQuery = o.addQuery(values).Encode()
	return u, nil
}

const maxID = 255 // bytes, as the services store

func checkID(id string) error {
	switch {
	case id == "" || id == "." || id == "..":
		return invalid("id", "id must not be %q", id)
	case len(id) > maxID:
		return invalid("id", "id must not be longer than %d bytes", maxID)
	}
	return validText("id", "id", id)
}

// Values of headers that many requests share. Whoever changes a header replaces its value.
var (
	acceptJSON = []string{"application/json"}
	acceptAny  = []string{"*/*"}
)

func (s *service) header(stream, hasBody bool, o *requestOptions) http.Header {
	h := make(http.Header, 8)
	h["Accept"], h["User-Agent"] = acceptJSON, s.userAgent
	if stream {
		h["Accept"] = acceptAny
	}
	if hasBody {
		h["Content-Type"] = acceptJSON
	}
	if o.key != "" {
		h["Idempotency-Key"] = []string{o.key}
	}
	for name, values := range o.header {
		h[name] = values
	}
	return h
}
