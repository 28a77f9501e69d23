package otelclicknps

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/clicknps/go-sdk"
)

const (
	serviceKey      = attribute.Key("clicknps.service")
	operationKey    = attribute.Key("clicknps.operation")
	waitReasonKey   = attribute.Key("clicknps.wait.reason")
	waitDurationKey = attribute.Key("clicknps.wait.duration")
)

// minWait is the shortest wait that is reported: code that does not wait takes time, too.
const minWait = time.Millisecond

// telemetry reports the calls of one client.
type telemetry struct {
	*config
	tracer trace.Tracer
	instruments
}

type instruments struct {
	calls, attempts, waits metric.Float64Histogram
	retries                metric.Int64Counter
}

// bounds are those of http.client.request.duration, and longer ones, since a wait may take minutes.
var bounds = metric.WithExplicitBucketBoundaries(
	.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 30, 60, 120, 300, 600)

// newInstruments makes the instruments for calls. One that can't be made does nothing.
func newInstruments(meter metric.Meter) instruments {
	seconds := func(name, description string) metric.Float64Histogram {
		h, err := meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description), bounds)
		if err != nil {
			otel.Handle(err)
			return noop.Float64Histogram{}
		}
		return h
	}
	i := instruments{
		calls:    seconds("clicknps.call.duration", "Duration of calls, with their waits and retries."),
		attempts: seconds("clicknps.attempt.duration", "Duration of the attempts of calls."),
		waits:    seconds("clicknps.wait.duration", "Duration of the waits before attempts."),
	}
	var err error
	i.retries, err = meter.Int64Counter("clicknps.retries", metric.WithUnit("{retry}"),
		metric.WithDescription("Attempts after the first of a call."))
	if err != nil {
		otel.Handle(err)
		i.retries = noop.Int64Counter{}
	}
	return i
}

// observe starts the span of a call. It is the client's observer.
func (t *telemetry) observe(
	ctx context.Context, call clicknps.Call,
) (context.Context, func(clicknps.CallInfo, error)) {
	start := time.Now()
	labels := t.with(serviceKey.String(call.Service), operationKey.String(call.Operation))
	ctx, span := t.tracer.Start(ctx, call.Operation, trace.WithTimestamp(start),
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(labels...))
	span.SetAttributes(attribute.Bool("clicknps.bulk", call.Bulk))
	if call.Route != "" {
		span.SetAttributes(semconv.URLTemplate(call.Route))
	}
	return ctx, func(info clicknps.CallInfo, err error) {
		failure := errorType(callErrorType(err))
		by := metric.WithAttributes(labels...)
		t.calls.Record(ctx, time.Since(start).Seconds(), by, metric.WithAttributes(failure...))
		waited := t.reportAttempts(ctx, start, info.Attempts, by)
		span.SetAttributes(attribute.Int("clicknps.attempts", len(info.Attempts)),
			attribute.Float64("clicknps.waited", waited.Seconds()))
		endSpan(span, failure)
	}
}

// reportAttempts counts the attempts of a call, and adds the waits before them to its span. It
// returns the sum of the waits.
func (t *telemetry) reportAttempts(
	ctx context.Context, at time.Time, attempts []clicknps.Attempt, by metric.MeasurementOption,
) (waited time.Duration) {
	reason := waitReasonKey.String("permit")
	for i, a := range attempts {
		if i > 0 {
			t.retries.Add(ctx, 1, by, metric.WithAttributes(reason))
		}
		if a.Waited >= minWait {
			waited += a.Waited
			t.waits.Record(ctx, a.Waited.Seconds(), by, metric.WithAttributes(reason))
			trace.SpanFromContext(ctx).AddEvent("clicknps.wait", trace.WithTimestamp(at),
				trace.WithAttributes(reason, waitDurationKey.Float64(a.Waited.Seconds())))
		}
		failure := attemptErrorType(a.StatusCode, a.Err)
		outcome := errorType(failure)
		if a.StatusCode != 0 {
			outcome = append(outcome, semconv.HTTPResponseStatusCode(a.StatusCode))
		}
		t.attempts.Record(ctx, a.Took.Seconds(), by, metric.WithAttributes(outcome...))
		reason, at = waitReasonKey.String(failure), at.Add(a.Waited+a.Took)
	}
	return waited
}

// errorType returns the attribute of an error.type. There is none for success.
func errorType(value string) []attribute.KeyValue {
	if value == "" {
		return nil
	}
	return []attribute.KeyValue{semconv.ErrorTypeKey.String(value)}
}

// endSpan ends a span with the attributes of a failure; there are none for success. The status has
// no text, since that of an error may be private.
func endSpan(span trace.Span, failure []attribute.KeyValue) {
	if len(failure) > 0 {
		span.SetAttributes(failure...)
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
