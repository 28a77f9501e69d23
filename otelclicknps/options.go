package otelclicknps

import (
	"cmp"
	"slices"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/clicknps/go-sdk"
)

const scope = "github.com/clicknps/go-sdk/otelclicknps"

// Option configures [Options], [RegisterQuotas] and [Handler].
type Option func(*config)

type config struct {
	tracers    trace.TracerProvider
	meters     metric.MeterProvider
	attributes []attribute.KeyValue
}

// WithTracerProvider sets where spans go. The default is [otel.GetTracerProvider].
func WithTracerProvider(tp trace.TracerProvider) Option {
	return func(c *config) { c.tracers = tp }
}

// WithMeterProvider sets where metrics go. The default is [otel.GetMeterProvider].
func WithMeterProvider(mp metric.MeterProvider) Option {
	return func(c *config) { c.meters = mp }
}

// WithAttributes adds attributes to all spans and metrics, such as the tenant that a client belongs
// to. The number of their values must be small.
func WithAttributes(attributes ...attribute.KeyValue) Option {
	return func(c *config) { c.attributes = append(c.attributes, attributes...) }
}

func newConfig(opts []Option) *config {
	c := new(config)
	for _, opt := range opts {
		if opt != nil {
			opt(c)
		}
	}
	c.tracers = cmp.Or(c.tracers, otel.GetTracerProvider())
	c.meters = cmp.Or(c.meters, otel.GetMeterProvider())
	return c
}

func (c *config) tracer() trace.Tracer {
	return c.tracers.Tracer(scope,
		trace.WithInstrumentationVersion(clicknps.Version), trace.WithSchemaURL(semconv.SchemaURL))
}

func (c *config) meter() metric.Meter {
	return c.meters.Meter(scope,
		metric.WithInstrumentationVersion(clicknps.Version), metric.WithSchemaURL(semconv.SchemaURL))
}

// with returns the attributes of all spans and metrics, and more.
func (c *config) with(more ...attribute.KeyValue) []attribute.KeyValue {
	return slices.Concat(c.attributes, more)
}

// Options returns the options of a client that reports its calls: an observer, and a middleware for
// attempts. Middleware that comes after them runs inside the attempt's span.
func Options(opts ...Option) []clicknps.Option {
	c := newConfig(opts)
	t := &telemetry{config: c, tracer: c.tracer(), instruments: newInstruments(c.meter())}
	return []clicknps.Option{clicknps.WithObserver(t.observe), clicknps.WithMiddleware(t.middleware)}
}
