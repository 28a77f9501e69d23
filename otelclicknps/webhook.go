package otelclicknps

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/webhook"
)

// Handler returns fn with a span around each call, for [webhook.Verifier.Handler] and
// [webhook.Verifier.Queue]. The span is of kind consumer and named by the type of the event, as in
// "webhook response.created"; a type that this SDK does not know is "_OTHER". Its attributes are
// clicknps.event.type, clicknps.event.outcome ("handled", "failed", or "aborted" by a panic) and
// error.type. Its parent is the span in the context: see [ContinueTrace]. If fn is nil, so is the
// result.
func Handler(
	fn func(context.Context, *webhook.Event) error, opts ...Option,
) func(context.Context, *webhook.Event) error {
	if fn == nil {
		return nil
	}
	c := newConfig(opts)
	tracer := c.tracer()
	return func(ctx context.Context, e *webhook.Event) error {
		event := eventType(e)
		ctx, span := tracer.Start(ctx, "webhook "+event, trace.WithSpanKind(trace.SpanKindConsumer),
			trace.WithAttributes(c.with(attribute.String("clicknps.event.type", event))...))
		outcome, failure := "aborted", other
		defer func() {
			span.SetAttributes(attribute.String("clicknps.event.outcome", outcome))
			endSpan(span, errorType(failure)) // not span.End, which would record the value of a panic
		}()
		err := fn(ctx, e)
		outcome, failure = "handled", callErrorType(err)
		if err != nil {
			outcome = "failed"
		}
		return err
	}
}

// eventType bounds the types: anybody with the secret may send any.
func eventType(e *webhook.Event) string {
	if e != nil {
		switch e.Type {
		case clicknps.EventResponseCreated, clicknps.EventResponseUpdated, clicknps.EventSurveyCompleted:
			return string(e.Type)
		}
	}
	return other
}

// ContinueTrace returns next with the trace of the request's traceparent header in the context, if
// it has no other. Programs that have OpenTelemetry's otelhttp in front do not need it. Deliveries
// that are queued ([webhook.Verifier.Queue]) begin traces of their own all the same.
func ContinueTrace(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ctx := r.Context(); !trace.SpanContextFromContext(ctx).IsValid() {
			header := propagation.HeaderCarrier(r.Header)
			r = r.WithContext(propagation.TraceContext{}.Extract(ctx, header))
		}
		next.ServeHTTP(w, r)
	})
}
