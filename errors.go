package clicknps

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/clicknps/go-sdk/internal/apierror"
	"github.com/clicknps/go-sdk/internal/backoff"
	"github.com/clicknps/go-sdk/internal/engine"
)

// The sentinel errors, for [errors.Is].
var (
	ErrBadRequest   = errors.New("bad request")  // status 400 or 422
	ErrUnauthorized = errors.New("unauthorized") // status 401: the credential is not valid
	ErrForbidden    = errors.New("forbidden")    // status 403: the credential does not permit the call
	ErrNotFound     = errors.New("not found")    // status 404
	ErrConflict     = errors.New("conflict")     // status 409, or an idempotency key of another request
	ErrValidation   = errors.New("validation")   // the server names fields that are not valid; status 422
	ErrRateLimited  = errors.New("rate limited") // status 429, or a wait for a permit that was not begun
	ErrServer       = errors.New("server error") // status 500 and above

	ErrMissingCredentials = errors.New("missing credentials")    // the client has none for the service
	ErrInvalidParams      = errors.New("invalid parameters")     // they can't be right; nothing was sent
	ErrOutcomeUnknown     = errors.New("outcome unknown")        // a POST may or may not have taken effect
	ErrListChanged        = errors.New("list changed too fast")  // a walk by All can't be exact
	ErrTooMany            = errors.New("more items than wanted") // Collect has reached its limit
)

// ErrorType is the server's name for an error. ClickNPS may send other types; SalesOS sends none.
type ErrorType string

// The documented types of errors.
const (
	ErrorTypeValidation        ErrorType = "validation_error"
	ErrorTypeRateLimitExceeded ErrorType = "rate_limit_exceeded"
)

// Error describes a failed call: every error that a service method returns is one. Use errors.Is
// with the sentinel errors to find out what went wrong; the underlying cause is in Err. However it
// is printed, an Error shows no credential, no query, and at most the first bytes of a body.
type Error struct {
	Service        string // "clicknps" or "salesos"
	StatusCode     int    // of the last answer; 0: there was none
	Type           ErrorType
	Message        string        // the server's words
	Field          string        // the first of Fields
	Fields         []FieldError  // fields that are not valid, by the server or by this SDK
	RequestID      string        // X-Request-Id of the last answer, or an id in its body
	RetryAfter     time.Duration // the wait that the server asked for, or that was not begun; 0: none
	Method, Path   string        // as sent
	Attempts       int           // requests made
	IdempotencyKey string        // empty if the call had none
	Body           []byte        `json:"-"` // of the last answer, at most 64 KiB
	// Err is the underlying cause, such as a failed connection, the context's error or
	// [ErrOutcomeUnknown]. It is nil if the status says all.
	Err error `json:"-"`

	validation bool   // the server says that it is about validation, without a type
	excerpt    string // of an answer that is not understood: its content type and first bytes
}

// FieldError describes one field that is not valid.
type FieldError struct {
	Field   string // its name on the wire
	Message string // what is wrong with it
}

// Error returns the request, the status and the reasons in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("clicknps:")
	if e.Method != "" {
		b.WriteString(" " + e.Method + " " + e.Path + ":")
	}
	if e.StatusCode != 0 {
		b.WriteString(strings.TrimRight(
			fmt.Sprintf(" %d %s", e.StatusCode, http.StatusText(e.StatusCode)), " "))
	}
	if e.Type != "" {
		fmt.Fprintf(&b, " (%s)", e.Type)
	}
	separator := ": "
	if e.StatusCode == 0 && e.Type == "" {
		separator = " "
	}
	for _, part := range e.reasons() {
		b.WriteString(separator + part)
		separator = ": "
	}
	text := apierror.Clean(b.String(), maxErrorText)
	if e.Attempts > 1 {
		text += fmt.Sprintf(" (after %d attempts)", e.Attempts)
	}
	if e.RequestID != "" {
		text += fmt.Sprintf(" (request %s)", e.RequestID)
	}
	return text
}

func (e *Error) reasons() []string {
	var reasons []string
	if e.Err != nil {
		reasons = append(reasons, e.Err.Error())
	}
	switch {
	case len(e.Fields) == 1 && e.Fields[0].Message == e.Message && !strings.Contains(e.Message, e.Field):
		reasons = append(reasons, e.Field+": "+e.Message)
	case e.Message != "":
		reasons = append(reasons, e.Message)
	}
	for _, f := range e.Fields {
		if !strings.Contains(e.Message, f.Message) {
			reasons = append(reasons, f.Field+": "+f.Message)
		}
	}
	if e.excerpt != "" {
		reasons = append(reasons, e.excerpt)
	}
	return reasons
}

// GoString implements [fmt.GoStringer], without the body.
func (e *Error) GoString() string { return fmt.Sprintf("&clicknps.Error{%q}", e.Error()) }

// LogValue implements [slog.LogValuer], without the body.
func (e *Error) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("error", e.Error()),
		slog.String("service", e.Service),
		slog.Int("status", e.StatusCode),
		slog.String("type", string(e.Type)),
		slog.String("field", e.Field),
		slog.String("request_id", e.RequestID),
		slog.Duration("retry_after", e.RetryAfter),
		slog.Int("attempts", e.Attempts),
		slog.String("idempotency_key", e.IdempotencyKey),
	)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the sentinel of e's status or type.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrBadRequest:
		return e.StatusCode == http.StatusBadRequest || e.StatusCode == http.StatusUnprocessableEntity
	case ErrUnauthorized:
		return e.StatusCode == http.StatusUnauthorized
	case ErrForbidden:
		return e.StatusCode == http.StatusForbidden
	case ErrNotFound:
		return e.StatusCode == http.StatusNotFound
	case ErrConflict:
		return e.StatusCode == http.StatusConflict
	case ErrValidation:
		return e.Type == ErrorTypeValidation || e.validation ||
			e.StatusCode == http.StatusUnprocessableEntity ||
			(e.StatusCode == http.StatusBadRequest && len(e.Fields) > 0)
	case ErrRateLimited:
		return e.StatusCode == http.StatusTooManyRequests || e.Type == ErrorTypeRateLimitExceeded
	case ErrServer:
		return e.StatusCode >= http.StatusInternalServerError
	}
	return false
}

const (
	maxText      = 1 << 10 // bytes that are shown of a server's text
	maxErrorText = 4 << 10 // bytes of an error's text, without attempts and request id
)

// failure returns the error of a failed call. res is nil if there was no attempt.
func (s *service) failure(c call, o *requestOptions, res *engine.Result, cause error) *Error {
	e := &Error{
		Service: s.name, Method: c.method, Path: s.base.EscapedPath() + c.route,
		IdempotencyKey: o.key, Err: s.credential.RedactError(cause),
	}
	if u, err := s.url(&c, o); err == nil {
		e.Path = u.EscapedPath()
	}
	if res != nil {
		s.describe(e, res)
		if c.method == http.MethodPost && s.mayHaveEffect(res) {
			e.add(ErrOutcomeUnknown)
		}
	}
	e.readCause(cause)
	return e
}

// mayHaveEffect reports whether a failed POST may have taken effect.
func (s *service) mayHaveEffect(res *engine.Result) bool {
	switch res.StatusCode {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity:
		return false
	}
	return res.Uncertain || res.StatusCode/100 == 2 && !s.keyed
}

// add puts err in front of the cause.
func (e *Error) add(err error) {
	if e.Err != nil {
		err = fmt.Errorf("%w: %w", err, e.Err)
	}
	e.Err = err
}

func (s *service) describe(e *Error, res *engine.Result) {
	e.StatusCode = res.StatusCode
	e.RetryAfter = res.RetryAfter
	e.Attempts = len(res.Attempts)
	if e.StatusCode == 0 {
		return
	}
	body := res.Body
	if res.Stream != nil {
		body = res.Stream.Head()
	}
	e.Body = bytes.Clone(body[:min(len(body), engine.MaxErrorBody)])
	e.RequestID = s.clean(res.Header.Get("X-Request-Id"), maxRequestID)
	if res.StatusCode/100 != 2 {
		s.readBody(e)
	}
	switch {
	case res.StatusCode/100 == 3 && res.Header.Get("Location") != "":
		e.excerpt = "redirects are not followed" // its target may bear anything
	case e.Message == "":
		e.excerpt = apierror.Excerpt(res.Header, s.credential.Redact(string(e.Body)))
	}
}

func (s *service) readBody(e *Error) {
	body := apierror.Parse(e.Body)
	e.Type = ErrorType(s.clean(body.Type, maxText))
	e.Message = s.clean(body.Message, maxText)
	e.Field = s.clean(body.Field, maxText)
	e.validation = body.Validation
	e.RequestID = cmp.Or(e.RequestID, s.clean(body.RequestID, maxRequestID))
	for _, f := range body.Fields {
		e.Fields = append(e.Fields, FieldError{s.clean(f.Name, maxText), s.clean(f.Message, maxText)})
	}
}

func (e *Error) readCause(cause error) {
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

// refusedWait returns the wait that was too long to begin.
func refusedWait(cause error) (time.Duration, bool) {
	if refused, ok := errors.AsType[*backoff.RefusedError](cause); ok {
		return refused.Wait, true
	}
	if refused, ok := errors.AsType[*Error](cause); ok { // of a RateLimiter
		return refused.RetryAfter, errors.Is(refused, ErrRateLimited)
	}
	return 0, errors.Is(cause, ErrRateLimited)
}

// explainParam adds what is wrong with a parameter to err, for errors outside a call.
func explainParam(err error) error {
	if p, ok := errors.AsType[paramError](err); ok {
		return fmt.Errorf("%w: %s", err, p.problem)
	}
	return err
}
