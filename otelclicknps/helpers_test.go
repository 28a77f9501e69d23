package otelclicknps_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/clicknps/go-sdk/otelclicknps"
)

// recorded keeps the spans and metrics of one test.
type recorded struct {
	t       *testing.T
	spans   *tracetest.SpanRecorder
	tracers *sdktrace.TracerProvider
	reader  *metric.ManualReader
	meters  *metric.MeterProvider
}

func record(t *testing.T) *recorded {
	r := &recorded{t: t, spans: tracetest.NewSpanRecorder(), reader: metric.NewManualReader()}
	r.tracers = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.spans))
	r.meters = metric.NewMeterProvider(metric.WithReader(r.reader))
	return r
}

func (r *recorded) options(more ...otelclicknps.Option) []otelclicknps.Option {
	return append(more, otelclicknps.WithTracerProvider(r.tracers), otelclicknps.WithMeterProvider(r.meters))
}

// client returns a client of srv that reports to r. opts are inside the middleware for attempts.
func (r *recorded) client(srv *clicknpstest.Server, opts ...clicknps.Option) *clicknps.Client {
	return srv.Client(append(otelclicknps.Options(r.options()...), opts...)...)
}

// tree returns the spans, a line each: children after their parent, indented, in order of time.
// Attributes that say what every span of the fake says are left out.
func (r *recorded) tree() []string {
	assert.Len(r.t, r.spans.Ended(), len(r.spans.Started()), "a span has not ended")
	lines := r.below(trace.SpanID{}, "")
	spans := slices.DeleteFunc(slices.Clone(lines), isEvent)
	require.Len(r.t, spans, len(r.spans.Ended()), "a span has no parent")
	return lines
}

func isEvent(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "- ") }

func (r *recorded) below(parent trace.SpanID, indent string) (lines []string) {
	for _, s := range r.spans.Started() {
		if s.Parent().SpanID() != parent {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s%s [%s] %s:%s",
			indent, s.Name(), s.SpanKind(), s.Status().Code, list(s.Attributes())))
		for _, e := range s.Events() {
			lines = append(lines, fmt.Sprintf("%s  - %v %s:%s",
				indent, e.Time.Sub(s.StartTime()), e.Name, list(e.Attributes)))
		}
		assert.Empty(r.t, s.Status().Description)
		lines = append(lines, r.below(s.SpanContext().SpanID(), indent+"  ")...)
	}
	return lines
}

func list(attributes []attribute.KeyValue) string {
	set := attribute.NewSet(attributes...)
	var text strings.Builder
	for _, a := range set.ToSlice() {
		switch common := fmt.Sprintf("%s=%s", a.Key, a.Value.String()); common {
		case "clicknps.service=clicknps", "clicknps.bulk=false", "server.address=clicknps.test", "server.port=443":
		default:
			text.WriteString(" " + common)
		}
	}
	return text.String()
}

// metrics returns the metrics, a line for each set of attributes, sorted.
func (r *recorded) metrics() (lines []string) {
	add := func(m metricdata.Metrics, by attribute.Set, value any) {
		lines = append(lines, fmt.Sprintf("%s %s:%s", m.Name, value, list(by.ToSlice())))
	}
	for _, m := range r.collect() {
		switch data := m.Data.(type) {
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				add(m, p.Attributes, fmt.Sprintf("%dx %g %s", p.Count, p.Sum, m.Unit))
			}
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				add(m, p.Attributes, fmt.Sprintf("%d %s", p.Value, m.Unit))
			}
		case metricdata.Gauge[int64]:
			for _, p := range data.DataPoints {
				add(m, p.Attributes, fmt.Sprintf("%d %s", p.Value, m.Unit))
			}
		default:
			r.t.Errorf("%s is a %T", m.Name, data)
		}
	}
	slices.Sort(lines)
	return lines
}

func (r *recorded) collect() (all []metricdata.Metrics) {
	for _, s := range r.scopes() {
		all = append(all, s.Metrics...)
	}
	return all
}

func (r *recorded) scopes() []metricdata.ScopeMetrics {
	var collected metricdata.ResourceMetrics
	require.NoError(r.t, r.reader.Collect(context.WithoutCancel(r.t.Context()), &collected))
	return collected.ScopeMetrics
}

// dump returns all that was recorded, as JSON.
func (r *recorded) dump() string {
	spans, err := json.Marshal(tracetest.SpanStubsFromReadOnlySpans(r.spans.Ended()))
	require.NoError(r.t, err)
	metrics, err := json.Marshal(r.collect())
	require.NoError(r.t, err)
	return string(spans) + string(metrics)
}
