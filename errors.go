package clicknps

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// What an error is, for [errors.Is]. Every error of a call is an [*Error] as well.
var (
	ErrBadRequest   = errors.New("bad request")  // status 400 or 422
	ErrUnauthorized = errors.New("unauthorized") // status 401: the credential is not valid
	ErrForbidden    = errors.New("forbidden")    // status 403: the credential is not enough
	ErrNotFound     = errors.New("not found")    // status 404
	ErrConflict     = errors.New("conflict")     // status 409, also: an idempotency key that was used for something else
	ErrValidation   = errors.New("validation")   // the server names fields that are not valid; status 422
	ErrRateLimited  = errors.New("rate limited") // status 429, or a wait for room under a limit that was not begun
	ErrServer       = errors.New("server error") // status 500 and above

	ErrMissingCredentials = errors.New("missing credentials")   // the client has none for this service
	ErrInvalidParams      = errors.New("invalid parameters")    // can't be right, and was not sent
	ErrOutcomeUnknown     = errors.New("outcome unknown")       // a POST may or may not have taken effect
	ErrListChanged        = errors.New("list changed too fast") // All can't go on without a gap

	ErrInvalidSignature = errors.New("invalid signature") // a webhook delivery that ClickNPS did not sign
	ErrStaleEvent       = errors.New("stale event")       // a webhook delivery that is too old, or from the future
)

// ErrorType is the server's name for what went wrong. ClickNPS may send others than these two; SalesOS sends none.
type ErrorType string

// The documented types of errors.
const (
	ErrorTypeValidation        ErrorType = "validation_error"
	ErrorTypeRateLimitExceeded ErrorType = "rate_limit_exceeded"
)

// Error is a call that failed. What it is, errors.Is tells by the sentinels; what caused it is in its chain.
// Error, printed in any way, shows no credential, no query and at most the first bytes of a body.
type Error struct {
	Service        string // "clicknps" or "salesos"
	StatusCode     int    // 0: there was no answer
	Type           ErrorType
	Message        string        // the server's words
	Field          string        // the first of Fields
	Fields         []FieldError  // what is not valid, if the server (or this SDK, before sending) says it
	RequestID      string        // X-Request-Id of the last answer
	RetryAfter     time.Duration // the wait that the server, or a limiter, asked for; 0: none
	Method, Path   string        // as sent
	Attempts       int           // requests made
	IdempotencyKey string        // of the call that failed, if it had one: with the same key it can be gone on with
	Body           []byte        `json:"-"` // as received, at most 64 KiB

	causes     []error
	validation bool   // the server says that it is about validation, without a type
	excerpt    string // of an answer that is not understood: content type and first bytes
}

// FieldError is one field that is not valid.
type FieldError struct {
	Field   string // its name on the wire
	Message string // what is wrong with it
}

// Error says what was called, what came of it and why.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("clicknps:")
	if e.Method != "" {
		b.WriteString(" " + e.Method + " " + e.Path + ":")
	}
	if e.StatusCode != 0 {
		b.WriteString(strings.TrimRight(fmt.Sprintf(" %d %s", e.StatusCode, http.StatusText(e.StatusCode)), " "))
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
	if e.Attempts > 1 {
		fmt.Fprintf(&b, " (after %d attempts)", e.Attempts)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (request %s)", e.RequestID)
	}
	return b.String()
}

func (e *Error) reasons() []string {
	var reasons []string
	for _, cause := range e.causes {
		reasons = append(reasons, cause.Error())
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

// GoString implements [fmt.GoStringer], so that %#v does not show the body.
func (e *Error) GoString() string { return fmt.Sprintf("&clicknps.Error{%q}", e.Error()) }

// LogValue implements [slog.LogValuer]: the facts, without the body.
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

// Unwrap returns what caused the error: a failed connection, the context's error, [ErrOutcomeUnknown] and the like.
func (e *Error) Unwrap() []error { return e.causes }

// Is reports whether e is target by its status or type.
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
		return e.Type == ErrorTypeValidation || e.validation || e.StatusCode == http.StatusUnprocessableEntity ||
			(e.StatusCode == http.StatusBadRequest && len(e.Fields) > 0)
	case ErrRateLimited:
		return e.StatusCode == http.StatusTooManyRequests || e.Type == ErrorTypeRateLimitExceeded
	case ErrServer:
		return e.StatusCode >= http.StatusInternalServerError
	}
	return false
}

// paramError is a parameter that can't be right.
type paramError struct{ field, problem string }

func (e paramError) Error() string { return ErrInvalidParams.Error() }
func (e paramError) Unwrap() error { return ErrInvalidParams }

// invalid says that the parameter with this wire name can't be right.
func invalid(field, format string, args ...any) error {
	return paramError{field, fmt.Sprintf(format, args...)}
}
