package otelclicknps_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/clicknps/go-sdk/otelclicknps"
	"github.com/clicknps/go-sdk/webhook"
)

func ExampleOptions() {
	srv := clicknpstest.New()
	defer srv.Close()
	srv.Inject(clicknpstest.Fault{Times: 1, Status: 503})
	exporter := tracetest.NewInMemoryExporter() // in a program: otlptracehttp.New
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))

	opts := otelclicknps.Options(otelclicknps.WithTracerProvider(provider))
	opts = append(opts, clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxBackoff: time.Millisecond}))
	client := srv.Client(opts...) // in a program: clicknps.New
	if _, err := client.Surveys.List(context.Background(), nil); err != nil {
		log.Fatal(err)
	}
	for _, span := range exporter.GetSpans() {
		fmt.Println(span.Name, span.Status.Code)
	}
	// Output:
	// GET /surveys Error
	// GET /surveys Unset
	// Surveys.List Unset
}

func ExampleRegisterQuotas() {
	srv := clicknpstest.New()
	defer srv.Close()
	client := srv.Client(clicknps.WithPlan(clicknps.Plan{PerMinute: 60}))
	reader := metric.NewManualReader() // in a program: metric.NewPeriodicReader
	provider := metric.NewMeterProvider(metric.WithReader(reader))

	registration, err := otelclicknps.RegisterQuotas(client, otelclicknps.WithMeterProvider(provider))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = registration.Unregister() }()

	var collected metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &collected); err != nil {
		log.Fatal(err)
	}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		fmt.Println(m.Name, m.Data.(metricdata.Gauge[int64]).DataPoints[0].Value)
	}
	// Output:
	// clicknps.quota.limit 60
	// clicknps.quota.left 60
}

func ExampleHandler() {
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	store := func(context.Context, *webhook.Event) error { return nil } // in a program: into a database

	fn := otelclicknps.Handler(store, otelclicknps.WithTracerProvider(provider))
	verifier, err := webhook.NewVerifier([]string{"whsec_abc123"})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/webhooks/clicknps", otelclicknps.ContinueTrace(verifier.Handler(fn)))

	if err := fn(context.Background(), &webhook.Event{Type: clicknps.EventSurveyCompleted}); err != nil {
		log.Fatal(err)
	}
	for _, a := range exporter.GetSpans()[0].Attributes {
		fmt.Println(a.Key, a.Value.AsString())
	}
	// Output:
	// clicknps.event.type survey.completed
	// clicknps.event.outcome handled
}

// setUp is the snippet of README.md.
func setUp(
	mux *http.ServeMux, verifier *webhook.Verifier, storeEvent func(context.Context, *webhook.Event) error,
) error {
	options := append(otelclicknps.Options(), clicknps.WithPlan(clicknps.PlanPro))
	client, err := clicknps.New(options...)
	if err != nil {
		return err
	}
	if _, err := otelclicknps.RegisterQuotas(client); err != nil {
		return err
	}
	mux.Handle("/webhooks", otelclicknps.ContinueTrace(verifier.Handler(otelclicknps.Handler(storeEvent))))
	return nil
}

var _ = setUp
