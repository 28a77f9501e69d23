package otelclicknps_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/clicknps/go-sdk/otelclicknps"
)

func TestAttributesOfAllSpansAndMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, r := clicknpstest.Run(t), record(t)
		opts := r.options(otelclicknps.WithAttributes(attribute.String("tenant", "acme")),
			otelclicknps.WithAttributes(attribute.Int("shard", 3)))
		client := srv.Client(otelclicknps.Options(opts...)...)
		_, err := client.Links.Mint(t.Context(), &clicknps.LinkMintParams{SurveyID: "s", SubjectID: "u"})
		require.Error(t, err)
		assert.Equal(t, []string{
			"Links.Mint [client] Error: clicknps.attempts=1 clicknps.operation=Links.Mint clicknps.waited=0 " +
				"error.type=404 shard=3 tenant=acme url.template=/links/mint",
			"  POST /links/mint [client] Error: error.type=404 http.request.method=POST " +
				"http.response.status_code=404 shard=3 tenant=acme url.template=/links/mint",
		}, r.tree())
		by := "clicknps.operation=Links.Mint error.type=404"
		assert.Equal(t, []string{
			"clicknps.attempt.duration 1x 0 s: " + by + " http.response.status_code=404 shard=3 tenant=acme",
			"clicknps.call.duration 1x 0 s: " + by + " shard=3 tenant=acme",
		}, r.metrics())
	})
}

func TestScope(t *testing.T) {
	r := record(t)
	_, err := r.client(clicknpstest.Run(t)).Surveys.List(t.Context(), nil)
	require.NoError(t, err)
	for _, s := range r.spans.Ended() {
		scope := s.InstrumentationScope()
		assert.Equal(t, "github.com/clicknps/go-sdk/otelclicknps", scope.Name)
		assert.Equal(t, clicknps.Version, scope.Version)
		assert.Equal(t, semconv.SchemaURL, scope.SchemaURL)
	}
	for _, m := range r.collect() {
		assert.NotEmpty(t, m.Description)
	}
	assert.Equal(t, r.spans.Ended()[0].InstrumentationScope(), r.scopes()[0].Scope)
}

// The providers of the program are used if there are no others.
func TestGlobalProviders(t *testing.T) {
	r := record(t)
	otel.SetTracerProvider(r.tracers)
	otel.SetMeterProvider(r.meters)
	t.Cleanup(func() {
		otel.SetTracerProvider(tracenoop.NewTracerProvider())
		otel.SetMeterProvider(metricnoop.NewMeterProvider())
	})
	opts := otelclicknps.Options(nil, otelclicknps.WithTracerProvider(nil), otelclicknps.WithMeterProvider(nil))
	_, err := clicknpstest.Run(t).Client(opts...).Surveys.List(t.Context(), nil)
	require.NoError(t, err)
	assert.Len(t, r.spans.Ended(), 2)
	assert.Len(t, r.metrics(), 2)
}

var errBroken = errors.New("broken")

type brokenProvider struct{ metricnoop.MeterProvider }

func (brokenProvider) Meter(string, ...metric.MeterOption) metric.Meter { return broken{} }

// broken is a meter that can't make what is needed.
type broken struct{ metricnoop.Meter }

func (broken) Float64Histogram(string, ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return nil, errBroken
}

func (broken) Int64Counter(string, ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	return nil, errBroken
}

func (broken) Int64ObservableGauge(
	string, ...metric.Int64ObservableGaugeOption,
) (metric.Int64ObservableGauge, error) {
	return nil, errBroken
}

func TestBrokenMeter(t *testing.T) {
	var handled []error
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { handled = append(handled, err) }))
	t.Cleanup(func() { otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {})) })
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t)
		srv.Inject(clicknpstest.Fault{Times: 1, Status: 500})
		client := srv.Client(otelclicknps.Options(otelclicknps.WithMeterProvider(brokenProvider{}))...)
		_, err := client.Surveys.List(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, []error{errBroken, errBroken, errBroken, errBroken}, handled)
		_, err = otelclicknps.RegisterQuotas(client, otelclicknps.WithMeterProvider(brokenProvider{}))
		assert.ErrorIs(t, err, errBroken)
	})
}
