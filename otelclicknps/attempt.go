package otelclicknps

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/clicknps/go-sdk"
)

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// middleware reports each attempt of a call as a span, which ends with the answer's body.
func (t *telemetry) middleware(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		call, ok := clicknps.CallFromContext(r.Context())
		if !ok {
			return next.RoundTrip(r)
		}
		ctx, span := t.startAttempt(r.Context(), r.URL, call)
		var ended sync.Once // the first end counts, and others wait for it
		end := func(status int, err error) {
			ended.Do(func() {
				err = cmp.Or(context.Cause(ctx), err)
				endSpan(span, errorType(attemptErrorType(status, err)))
			})
		}
		// The client does not wait for a transport that ignores its context. Nor does the span.
		stop := context.AfterFunc(ctx, func() { end(0, nil) })
		resp, err := next.RoundTrip(r.WithContext(ctx))
		stop()
		if err != nil || resp == nil {
			end(0, err)
			return resp, err
		}
		span.SetAttributes(semconv.HTTPResponseStatusCode(resp.StatusCode))
		resp.Body = &body{
			cmp.Or[io.ReadCloser](resp.Body, http.NoBody), func(err error) { end(resp.StatusCode, err) },
		}
		return resp, nil
	})
}

// methods are those that OpenTelemetry knows. Any other, of Do, is "_OTHER".
var methods = []string{
	"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE",
}

func (t *telemetry) startAttempt(
	ctx context.Context, u *url.URL, call clicknps.Call,
) (context.Context, trace.Span) {
	method, name := other, "HTTP"
	if slices.Contains(methods, call.Method) {
		method, name = call.Method, call.Method
	}
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	number, _ := strconv.Atoi(port)
	attributes := t.with(semconv.HTTPRequestMethodKey.String(method),
		semconv.ServerAddress(u.Hostname()), semconv.ServerPort(number))
	if call.Route != "" {
		name += " " + call.Route
		attributes = append(attributes, semconv.URLTemplate(call.Route))
	}
	if call.Attempt > 1 {
		attributes = append(attributes, semconv.HTTPRequestResendCount(call.Attempt-1))
	}
	return t.tracer.Start(ctx, name,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
}

// body calls end when it ends, with the error that cut it off.
type body struct {
	io.ReadCloser
	end func(error)
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.end(nil)
	} else if err != nil {
		b.end(err)
	}
	return n, err
}

// Close implements [io.Closer].
func (b *body) Close() error {
	defer b.end(nil)
	return b.ReadCloser.Close()
}
