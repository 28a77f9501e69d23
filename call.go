package clicknps

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-querystring/query"

	"github.com/clicknps/go-sdk/internal/apierror"
	"github.com/clicknps/go-sdk/internal/auth"
	"github.com/clicknps/go-sdk/internal/engine"
	"github.com/clicknps/go-sdk/internal/ratelimit"
)

// Call describes a call to limiters, middleware and observers.
type Call struct {
	Service   string // "clicknps" or "salesos"
	Operation string // the method that the user called: "Surveys.Get"; "Responses.All" for its pages; "Do"
	Method    string // "GET"
	Route     string // "/surveys/{id}"; empty for Do
	Attempt   int    // 1 for the first; 0 before it
	Bulk      bool   // the call belongs to a batch, such as a walk by All
}

// CallFromContext returns the call that a request belongs to. Requests that [WithMiddleware] sees
// have such a context; for any other, ok is false.
func CallFromContext(ctx context.Context) (call Call, ok bool) {
	c, ok := engine.CallFromContext(ctx)
	return Call(c), ok
}

// ContextWithCall returns a context for tests of middleware: [CallFromContext] returns call from
// it.
func ContextWithCall(ctx context.Context, call Call) context.Context {
	return engine.ContextWithCall(ctx, ratelimit.Call(call))
}

// CallInfo holds the HTTP facts of a call.
type CallInfo struct {
	StatusCode     int         // of the last answer; 0: there was none
	Header         http.Header // of the last answer
	RequestID      string      // X-Request-Id of the last answer
	IdempotencyKey string      // empty if the call had none
	Attempts       []Attempt   // all of them, in order
}

// Attempt is one request of a call.
type Attempt struct {
	StatusCode int           // 0: there was no answer
	Err        error         // why there was none, or why it was cut off
	Waited     time.Duration // before it: for a backoff, a pause, a permit, a credential
	Took       time.Duration // from sending it to the end of its answer
	RequestID  string
}

// WithCallInfo fills in into when the call ends, successful or not. All fills it in for each page.
func WithCallInfo(into *CallInfo) RequestOption {
	return requestOption(func(o *requestOptions) error {
		if into == nil {
			return invalid("into", "WithCallInfo: into must not be nil")
		}
		o.info = into
		return nil
	})
}

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
// answer's body, or stream, is valid until use returns. Every endpoint goes through do.
func (s *service) do(
	ctx context.Context, c call, o *requestOptions, use func(*engine.Result) error,
) (err error) {
	c.bulk = c.bulk || o.bulk
	ctx, done := s.observe(ctx, c.describe(s))
	var res *engine.Result
	if done != nil {
		err = errPanicked // until it is known that it has not
		defer func() { done(s.info(res, o.key), err) }()
	}
	req, cause := s.request(ctx, c, o)
	if cause == nil {
		res = s.engine.Do(ctx, req)
		defer res.Free()
		cause = res.Err
	}
	if cause == nil && res.StatusCode/100 == 2 {
		if cause = s.checkEncoding(res); cause == nil {
			cause = use(res)
		}
	}
	err = nil
	if cause != nil || (res.StatusCode/100 != 2 && !c.deletedBefore(res)) {
		err = s.failure(c, o, res, cause)
	}
	if o.info != nil {
		*o.info = s.info(res, o.key)
	}
	return err
}

// errPanicked tells observers of a call that panicked, in code of the user's.
var errPanicked = errors.New("the call panicked")

// checkEncoding refuses a 2xx answer whose body is not the one that was asked for.
func (s *service) checkEncoding(res *engine.Result) error {
	encoding := res.Header.Get("Content-Encoding")
	switch {
	case res.StatusCode == http.StatusPartialContent:
		return undecodable(errors.New("it is a part of the whole, which was not asked for"))
	case encoding != "" && !strings.EqualFold(encoding, "identity"):
		return undecodable(fmt.Errorf("nobody asked for its content encoding, %s", s.clean(encoding, maxText)))
	}
	return nil
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

const maxRequestID = 200 // bytes that are kept

func (s *service) info(res *engine.Result, key string) CallInfo {
	info := CallInfo{IdempotencyKey: key}
	if res == nil {
		return info
	}
	info.StatusCode, info.Header = res.StatusCode, res.Header
	for _, a := range res.Attempts {
		info.RequestID = s.clean(a.RequestID, maxRequestID)
		info.Attempts = append(info.Attempts, Attempt{a.StatusCode, a.Err, a.Waited, a.Took, info.RequestID})
	}
	return info
}

// clean removes the credential, which a server may echo, and control characters from a text.
func (s *service) clean(text string, maxLength int) string {
	return apierror.Clean(s.credential.Redact(text), maxLength)
}
