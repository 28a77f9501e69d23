package clicknps

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/go-querystring/query"

	"github.com/clicknps/go-sdk/internal/engine"
	"github.com/clicknps/go-sdk/internal/ratelimit"
)

// service is one of the two APIs: where it is and how it is called.
type service struct {
	name       string
	base       *url.URL
	credential *credential // nil: none
	engine     *engine.Engine
	quota      quota // nil: none is kept here
	keyed      bool  // POSTs bear an Idempotency-Key, and so can be repeated
	userAgent  []string
}

// call is one call of an endpoint. Every service method makes one.
type call struct {
	method string
	path   []string // elements below the base URL, not escaped; what the caller gave is an id
	query  any      // a struct for go-querystring, or url.Values; nil: none
	body   any      // a pointer to params; nil: none
	stream bool
	bulk   bool // one of many: interactive calls go first
}

// params is a request's body.
type params interface{ validate() error }

// do makes a call: the one function that every endpoint goes through. The answer is a 2xx.
func (s *service) do(ctx context.Context, c call, o *requestOptions) (*engine.Result, error) {
	req, err := s.request(ctx, c, o)
	if err != nil {
		return nil, o.report(nil, s.failure(c, o, nil, err))
	}
	if c.bulk || o.bulk {
		ctx = ratelimit.WithLane(ctx, ratelimit.Bulk)
	}
	res, err := s.engine.Do(ctx, req)
	deletedBefore := c.method == http.MethodDelete && res.StatusCode == http.StatusNotFound && res.Arrived
	if err == nil && (res.StatusCode/100 == 2 || deletedBefore) {
		return res, o.report(res, nil)
	}
	return nil, o.report(res, s.failure(c, o, res, err))
}

// request checks a call and builds it. What it refuses was not sent.
func (s *service) request(ctx context.Context, c call, o *requestOptions) (made engine.Call, err error) {
	u, err := s.url(c)
	switch {
	case err != nil:
		return made, err
	case o.err != nil:
		return made, o.err
	case ctx == nil:
		return made, invalid("ctx", "the context must not be nil")
	case s.credential == nil:
		return made, ErrMissingCredentials
	}
	body, err := encodeBody(c.body, o.extra)
	if err != nil {
		return made, err
	}
	switch keyed := s.keyed && c.method == http.MethodPost; {
	case keyed && o.key == "":
		o.key = NewIdempotencyKey()
	case !keyed && o.key != "":
		return made, invalid("Idempotency-Key", "only a POST to ClickNPS takes an idempotency key")
	}
	accept, hasBody := acceptJSON, c.body != nil
	if c.stream {
		accept = acceptAny
	}
	return engine.Call{
		Method: c.method, URL: u, Body: body, Stream: c.stream,
		Header: func() http.Header { return s.header(accept, hasBody, o) },
		Once:   c.method == http.MethodPost && !s.keyed,
	}, nil
}

// url escapes every path element: the only place where one is.
func (s *service) url(c call) (url.URL, error) {
	u := *s.base
	escape := u.RawPath != ""
	for _, element := range c.path {
		if element == "" || element == "." || element == ".." {
			return u, invalid("id", "id must not be %q", element)
		}
		escape = escape || url.PathEscape(element) != element
	}
	if escape {
		u.RawPath = u.EscapedPath()
		for _, element := range c.path {
			u.RawPath += "/" + url.PathEscape(element)
		}
	}
	for _, element := range c.path {
		u.Path += "/" + element
	}
	switch q := c.query.(type) {
	case nil:
	case url.Values:
		u.RawQuery = q.Encode()
	default:
		values, err := query.Values(q)
		if err != nil {
			return u, fmt.Errorf("%w: %w", ErrInvalidParams, err)
		}
		u.RawQuery = values.Encode()
	}
	return u, nil
}

// Values of headers that many requests share; whoever changes a header replaces its value.
var (
	acceptJSON = []string{"application/json"}
	acceptAny  = []string{"*/*"}
)

func (s *service) header(accept []string, hasBody bool, o *requestOptions) http.Header {
	h := make(http.Header, 8)
	h["Accept"], h["User-Agent"] = accept, s.userAgent
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

// failure turns a call that failed into its *Error. res is nil if nothing was sent.
func (s *service) failure(c call, o *requestOptions, res *engine.Result, cause error) *Error {
	e := s.problem(c, "", nil)
	e.IdempotencyKey = o.key
	if res != nil {
		e.readResult(res, s)
		cause = s.credential.Hide(cause)
		if c.method == http.MethodPost && res.Arrived && (!s.keyed || !res.Complete) {
			e.causes = append(e.causes, ErrOutcomeUnknown)
		}
	}
	if cause != nil {
		e.readCause(cause)
	}
	return e
}

// readResult fills in what the last answer says.
func (e *Error) readResult(res *engine.Result, s *service) {
	e.StatusCode = res.StatusCode
	e.RetryAfter = res.RetryAfter
	e.Attempts = len(res.Attempts)
	e.RequestID = s.credential.cut(res.Header.Get("X-Request-Id"))
	e.Body = res.Body[:min(len(res.Body), engine.MaxErrorBody)]
	switch {
	case res.StatusCode == 0:
		return
	case res.StatusCode/100 != 2:
		e.readBody()
	}
	switch {
	case res.StatusCode/100 == 3 && res.Header.Get("Location") != "":
		e.excerpt = "redirects are not followed" // its target may bear anything
	case e.Message == "":
		e.excerpt = excerpt(res.Header, s.credential.cut(string(e.Body))) // a secret that is cut short would not be found
	}
	e.Type = ErrorType(s.credential.cut(string(e.Type)))
	e.Message, e.Field = s.credential.cut(e.Message), s.credential.cut(e.Field)
	for i, f := range e.Fields {
		e.Fields[i] = FieldError{s.credential.cut(f.Field), s.credential.cut(f.Message)}
	}
}

// readCause keeps the cause in the chain, and what it knows in the error's fields.
func (e *Error) readCause(cause error) {
	e.causes = append(e.causes, cause)
	if p, ok := errors.AsType[paramError](cause); ok {
		e.Field, e.Message = p.field, p.problem
		e.Fields = []FieldError{{p.field, p.problem}}
	}
	wait, refused := refusedWait(cause)
	if !refused {
		return
	}
	e.RetryAfter = max(e.RetryAfter, wait)
	if e.StatusCode == 0 && e.Attempts == 0 {
		e.Type = ErrorTypeRateLimitExceeded
	}
}

// refusedWait is how long a wait would have been that was not begun.
func refusedWait(cause error) (time.Duration, bool) {
	if refused, ok := errors.AsType[*engine.RefusedError](cause); ok {
		return refused.Wait, true
	}
	if refused, ok := errors.AsType[*ratelimit.WaitError](cause); ok {
		return refused.Wait, true
	}
	if refused, ok := errors.AsType[*Error](cause); ok { // a RateLimiter's
		return refused.RetryAfter, errors.Is(refused, ErrRateLimited)
	}
	return 0, errors.Is(cause, ErrRateLimited)
}

// undecodable is a 2xx answer that is not what the call is for.
func (s *service) undecodable(c call, o *requestOptions, res *engine.Result, cause error) error {
	res.Arrived = res.Arrived || c.method == http.MethodPost
	return s.failure(c, o, res, fmt.Errorf("the answer can't be decoded: %w", cause))
}

// delete makes a DELETE. A page of HTML, as a proxy sends it, is no success.
func (s *service) delete(ctx context.Context, path []string, opts []RequestOption) error {
	o, c := newRequestOptions(opts), call{method: http.MethodDelete, path: path}
	res, err := s.do(ctx, c, o)
	if err != nil {
		return err
	}
	if res.StatusCode/100 == 2 && isHTML(res) {
		return s.undecodable(c, o, res, errors.New("it is a page of HTML"))
	}
	return nil
}

// problem is an error that no single answer says.
func (s *service) problem(c call, message string, cause error) *Error {
	e := &Error{Service: s.name, Method: c.method, Message: message}
	if u, err := s.url(c); err == nil {
		e.Path = u.EscapedPath()
	}
	if cause != nil {
		e.causes = []error{cause}
	}
	return e
}

// checkText refuses strings that JSON can't carry: encoding/json would change them without a word.
func checkText(params any) error {
	v := reflect.Indirect(reflect.ValueOf(params))
	for i := range v.NumField() {
		field := reflect.Indirect(v.Field(i))
		if field.IsValid() && field.Kind() == reflect.String && !utf8.ValidString(field.String()) {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			return invalid(name, "%s must be valid UTF-8", v.Type().Field(i).Name)
		}
	}
	return nil
}
