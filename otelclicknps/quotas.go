package otelclicknps

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/clicknps/go-sdk"
)

// RegisterQuotas reports the quotas of client at each collection of metrics, as the gauges
// clicknps.quota.limit and clicknps.quota.left, in requests, with the attributes clicknps.service
// and clicknps.quota.window (in seconds). It asks [clicknps.Client.Quotas] and
// [clicknps.SalesOS.Quotas]. If a program has several clients, each needs [WithAttributes] of its
// own. Unregister the result to stop. The error is [clicknps.ErrInvalidParams] for a nil client, or
// the meter's.
func RegisterQuotas(client *clicknps.Client, opts ...Option) (metric.Registration, error) {
	if client == nil {
		return nil, fmt.Errorf("otelclicknps: %w: the client is nil", clicknps.ErrInvalidParams)
	}
	c := newConfig(opts)
	meter := c.meter()
	limit, limitErr := meter.Int64ObservableGauge("clicknps.quota.limit", metric.WithUnit("{request}"),
		metric.WithDescription("Requests that a quota permits in its window."))
	left, leftErr := meter.Int64ObservableGauge("clicknps.quota.left", metric.WithUnit("{request}"),
		metric.WithDescription("Requests that could be made now."))
	if err := errors.Join(limitErr, leftErr); err != nil {
		return nil, err
	}
	return meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		observe := func(service string, quotas []clicknps.Quota) {
			for _, q := range quotas {
				by := metric.WithAttributes(c.with(serviceKey.String(service),
					attribute.Float64("clicknps.quota.window", q.Window.Seconds()))...)
				o.ObserveInt64(limit, int64(q.Limit), by)
				o.ObserveInt64(left, int64(q.Left), by)
			}
		}
		quotas, err := client.Quotas(ctx)
		observe("clicknps", quotas)
		salesOSQuotas, salesOSErr := client.SalesOS.Quotas(ctx)
		observe("salesos", salesOSQuotas)
		return errors.Join(err, salesOSErr)
	}, limit, left)
}
