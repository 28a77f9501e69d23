// Observability makes calls to the fake of both services, one of which is retried, and writes what
// OpenTelemetry and log/slog report about them, as lines of JSON: logs, then spans, then metrics.
//
//	go run .
//
// A program of yours has exporters for OTLP (otlptracehttp, otlpmetrichttp) in place of those here.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"

	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/clicknps/go-sdk/otelclicknps"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run makes the calls, and writes the telemetry to out.
func run(ctx context.Context, out io.Writer) (err error) {
	spans, err := stdouttrace.New(stdouttrace.WithWriter(out))
	if err != nil {
		return err
	}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans))
	metrics, err := stdoutmetric.New(stdoutmetric.WithWriter(out))
	if err != nil {
		return err
	}
	meters := metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(metrics)))
	defer func() { err = errors.Join(err, tracers.Shutdown(ctx), meters.Shutdown(ctx)) }()

	srv := clicknpstest.New()
	defer srv.Close()
	survey := srv.AddSurvey(clicknps.Survey{Name: "Onboarding"})
	srv.Inject(clicknpstest.Fault{
		Method: "GET", Path: "/surveys/{id}", Times: 1, Status: 429, Header: http.Header{"Retry-After": {"1"}},
	})

	providers := []otelclicknps.Option{
		otelclicknps.WithTracerProvider(tracers), otelclicknps.WithMeterProvider(meters),
	}
	logs := slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})
	client := srv.Client(append(otelclicknps.Options(providers...), // in your program: clicknps.New
		clicknps.WithPlan(clicknps.PlanFree), clicknps.WithLogger(slog.New(withTrace{logs})))...)
	if _, err := otelclicknps.RegisterQuotas(client, providers...); err != nil {
		return err
	}
	return work(ctx, tracers.Tracer("observability"), client, survey.ID)
}

// work is what the program is for. Its span is the parent of the calls' spans.
func work(ctx context.Context, tracer trace.Tracer, client *clicknps.Client, id string) error {
	ctx, span := tracer.Start(ctx, "report")
	defer span.End()
	if _, err := client.Surveys.Get(ctx, id); err != nil { // is retried
		return err
	}
	for _, err := range client.Responses.All(ctx, &clicknps.ResponseListParams{SurveyID: id}) {
		if err != nil {
			return err
		}
	}
	return nil
}

// withTrace adds the ids of the trace and the span to each record.
type withTrace struct{ slog.Handler }

// Handle implements [slog.Handler].
func (h withTrace) Handle(ctx context.Context, r slog.Record) error {
	if s := trace.SpanContextFromContext(ctx); s.IsValid() {
		r.AddAttrs(slog.String("trace_id", s.TraceID().String()), slog.String("span_id", s.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h withTrace) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withTrace{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h withTrace) WithGroup(name string) slog.Handler { return withTrace{h.Handler.WithGroup(name)} }
