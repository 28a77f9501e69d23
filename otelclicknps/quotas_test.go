package otelclicknps_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/clicknps/go-sdk/otelclicknps"
)

func TestQuotas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, r := clicknpstest.Run(t, clicknpstest.WithSalesOSLimit(50)), record(t)
		client := srv.Client(clicknps.WithPlan(clicknps.PlanFree))
		registration, err := otelclicknps.RegisterQuotas(client, r.options()...)
		require.NoError(t, err)
		fresh := []string{
			"clicknps.quota.left 1000 {request}: clicknps.quota.window=3600",
			"clicknps.quota.left 60 {request}: clicknps.quota.window=60",
			"clicknps.quota.limit 1000 {request}: clicknps.quota.window=3600",
			"clicknps.quota.limit 60 {request}: clicknps.quota.window=60",
		}
		assert.Equal(t, fresh, r.metrics())

		_, err = client.Surveys.List(t.Context(), nil)
		require.NoError(t, err)
		_, err = client.SalesOS.NPS.Stats(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{
			"clicknps.quota.left 49 {request}: clicknps.quota.window=60 clicknps.service=salesos",
			"clicknps.quota.left 59 {request}: clicknps.quota.window=60",
			"clicknps.quota.left 999 {request}: clicknps.quota.window=3600",
			"clicknps.quota.limit 1000 {request}: clicknps.quota.window=3600",
			"clicknps.quota.limit 50 {request}: clicknps.quota.window=60 clicknps.service=salesos",
			"clicknps.quota.limit 60 {request}: clicknps.quota.window=60",
		}, r.metrics())

		require.NoError(t, registration.Unregister())
		assert.Empty(t, r.metrics())
	})
}

func TestQuotasOfSeveralClients(t *testing.T) {
	srv, r := clicknpstest.Run(t), record(t)
	for tenant, perHour := range map[string]int{"acme": 10, "umbrella": 20} {
		client := srv.Client(clicknps.WithPlan(clicknps.Plan{PerHour: perHour}))
		_, err := otelclicknps.RegisterQuotas(client, r.options(
			otelclicknps.WithAttributes(attribute.String("tenant", tenant)))...)
		require.NoError(t, err)
	}
	assert.Equal(t, []string{
		"clicknps.quota.left 10 {request}: clicknps.quota.window=3600 tenant=acme",
		"clicknps.quota.left 20 {request}: clicknps.quota.window=3600 tenant=umbrella",
		"clicknps.quota.limit 10 {request}: clicknps.quota.window=3600 tenant=acme",
		"clicknps.quota.limit 20 {request}: clicknps.quota.window=3600 tenant=umbrella",
	}, r.metrics())
}

// away is a limiter whose quotas can't be read.
type away struct{ refusal }

func (away) Quotas(context.Context) ([]clicknps.Quota, error) { return nil, errAway }

var errAway = errors.New("away")

// known is a limiter that knows its quota.
type known struct{ refusal }

func (known) Quotas(context.Context) ([]clicknps.Quota, error) {
	return []clicknps.Quota{{Window: time.Second / 2, Limit: 7, Left: 5}}, nil
}

// What fails for one service does not hide the other, and reaches the reader.
func TestQuotasThatFail(t *testing.T) {
	for _, opts := range [][]clicknps.Option{
		{clicknps.WithRateLimiter(away{}), clicknps.WithSalesOSRateLimiter(known{})},
		{clicknps.WithRateLimiter(known{}), clicknps.WithSalesOSRateLimiter(away{})},
	} {
		r := record(t)
		_, err := otelclicknps.RegisterQuotas(clicknpstest.Run(t).Client(opts...), r.options()...)
		require.NoError(t, err)
		var collected metricdata.ResourceMetrics
		require.ErrorIs(t, r.reader.Collect(t.Context(), &collected), errAway)
		require.Len(t, collected.ScopeMetrics, 1)
		for _, m := range collected.ScopeMetrics[0].Metrics {
			points := m.Data.(metricdata.Gauge[int64]).DataPoints
			require.Len(t, points, 1)
			values := map[string]int64{"clicknps.quota.left": 5, "clicknps.quota.limit": 7}
			assert.Equal(t, values[m.Name], points[0].Value)
			window, _ := points[0].Attributes.Value("clicknps.quota.window")
			assert.Equal(t, 0.5, window.AsFloat64())
		}
	}
}

func TestQuotasOfNoClient(t *testing.T) {
	_, err := otelclicknps.RegisterQuotas(nil)
	assert.ErrorIs(t, err, clicknps.ErrInvalidParams)
}
