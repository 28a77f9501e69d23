package clicknps

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/clicknps/go-sdk/internal/apierror"
	"github.com/clicknps/go-sdk/internal/backoff"
	"github.com/clicknps/go-sdk/internal/engine"
)

const maxText = 1 << 10 // bytes that are shown of a server's text

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
