package clicknps_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

func TestQuotasAreKnownBeforeOneStarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t)
		client := srv.Client(clicknps.WithPlan(clicknps.PlanFree))
		require.Equal(t, []clicknps.Quota{{Window: time.Minute, Limit: 60, Left: 60}, {Window: time.Hour, Limit: 1000, Left: 1000}}, client.Quotas())
		require.Zero(t, client.EstimateWait(60))
		require.Zero(t, client.EstimateWait(-1))
		for range 10 {
			_, err := client.Surveys.List(t.Context(), nil)
			require.NoError(t, err)
		}
		require.Equal(t, 50, client.Quotas()[0].Left)
		require.Equal(t, 990, client.Quotas()[1].Left)

		// What is estimated is what it takes.
		estimate := client.EstimateWait(412)
		start := time.Now()
		for range 412 {
			_, err := client.Surveys.List(t.Context(), nil)
			require.NoError(t, err)
		}
		require.InDelta(t, estimate, time.Since(start), float64(time.Second))
		require.Greater(t, estimate, 6*time.Minute)

		free := srv.Client()
		require.Empty(t, free.Quotas())
		require.Zero(t, free.EstimateWait(1000))
	})
}

func TestSalesOSQuotasAreWhatItsAnswersTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := clicknpstest.Run(t).Client()
		list := func(n int) {
			for range n {
				_, err := client.NPS.List(t.Context())
				require.NoError(t, err)
			}
		}
		require.Empty(t, client.NPS.Quotas(), "nobody has told any")
		require.Zero(t, client.NPS.EstimateWait(1000))
		list(10)
		require.Equal(t, []clicknps.Quota{{Window: time.Minute, Limit: 100, Left: 90}}, client.NPS.Quotas())
		require.Empty(t, client.Quotas(), "those are of ClickNPS")
		require.Zero(t, client.NPS.EstimateWait(90))
		require.Zero(t, client.NPS.EstimateWait(-1))

		// What is estimated is what it takes, but for a second a window: SalesOS tells in whole seconds when one ends.
		estimate := client.NPS.EstimateWait(412)
		start := time.Now()
		list(412)
		require.InDelta(t, estimate, time.Since(start), float64(5*time.Second))
		require.Greater(t, estimate, 3*time.Minute)

		<-time.After(2 * time.Minute)
		require.Equal(t, 100, client.NPS.Quotas()[0].Left)
		require.Equal(t, 2*time.Minute, client.NPS.EstimateWait(250), "of a window that has not begun")
	})
}

func TestALimiterOfOnesOwnIsToldOfTheLane(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var bulk []bool
		limiter := limiterFunc(func(ctx context.Context) (func(), error) {
			bulk = append(bulk, clicknps.IsBulk(ctx))
			return func() {}, nil
		})
		client := clicknpstest.Run(t).Client(clicknps.WithRateLimiter(limiter), clicknps.WithSalesOSRateLimiter(limiter))
		require.Empty(t, client.Quotas())
		require.Empty(t, client.NPS.Quotas())
		require.Zero(t, client.EstimateWait(1))
		_, err := client.Surveys.List(t.Context(), nil)
		require.NoError(t, err)
		_, err = client.Surveys.List(t.Context(), nil, clicknps.WithBulk())
		require.NoError(t, err)
		_, err = clicknps.Collect(client.Surveys.All(t.Context(), nil), 1)
		require.NoError(t, err)
		_, err = client.NPS.List(t.Context())
		require.NoError(t, err)
		require.Equal(t, []bool{false, true, true, false}, bulk)
	})
}

func TestInteractiveCallsGoBeforeWalks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t, clicknpstest.WithMaxLimit(10))
		for range 100 {
			srv.AddSurvey(clicknps.Survey{Name: "Onboarding"})
		}
		client := srv.Client(clicknps.WithPlan(clicknps.Plan{PerMinute: 1}))
		var group sync.WaitGroup
		group.Go(func() {
			params := &clicknps.SurveyListParams{ListOptions: clicknps.ListOptions{Limit: 10}}
			_, err := clicknps.Collect(client.Surveys.All(t.Context(), params), 1000)
			if err != nil {
				t.Error(err)
			}
		})
		<-time.After(time.Second) // a page is there, the walk waits for room
		group.Go(func() {
			if _, err := client.Webhooks.List(t.Context(), nil); err != nil {
				t.Error(err)
			}
		})
		group.Wait()
		require.Equal(t, "/v1/webhooks", srv.Requests()[1].Path)
	})
}

func TestAReserveIsKeptForInteractiveCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t)
		for range 100 {
			srv.AddSurvey(clicknps.Survey{Name: "Onboarding"})
		}
		client := srv.Client(clicknps.WithPlan(clicknps.Plan{PerHour: 10}), clicknps.WithReserve(3))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		params := &clicknps.SurveyListParams{ListOptions: clicknps.ListOptions{Limit: 10}}
		_, err := clicknps.Collect(client.Surveys.All(ctx, params), 1000)
		require.ErrorIs(t, err, clicknps.ErrRateLimited)
		require.Equal(t, 3, client.Quotas()[0].Left)
		_, err = client.Surveys.List(ctx, nil, clicknps.WithBulk())
		require.ErrorIs(t, err, clicknps.ErrRateLimited)
		for range 3 {
			_, err := client.Surveys.List(ctx, nil)
			require.NoError(t, err)
		}
		_, err = client.Surveys.List(ctx, nil)
		require.ErrorIs(t, err, clicknps.ErrRateLimited)
	})
}

// After a pause the requests in line for the plan go on, and none of them costs more of it than one.
func TestAPauseCostsNothingOfThePlan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t, clicknpstest.WithLatency(20*time.Millisecond))
		client := srv.Client(clicknps.WithPlan(clicknps.PlanFree))
		start := time.Now()
		var group sync.WaitGroup
		for range 300 {
			group.Go(func() {
				if _, err := client.Surveys.List(t.Context(), nil); err != nil {
					t.Error(err)
				}
			})
		}
		<-time.After(90 * time.Second)
		srv.Inject(clicknpstest.Fault{Status: 429, Header: http.Header{"Retry-After": {"1"}}, Times: 1})
		group.Wait()
		require.Less(t, time.Since(start), 5*time.Minute+5*time.Second)
		require.Equal(t, 1000-301, client.Quotas()[1].Left)
	})
}

func TestAReserveThatCannotBeRight(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]clicknps.Option{
		{clicknps.WithReserve(1)},
		{clicknps.WithReserve(-1), clicknps.WithPlan(clicknps.PlanFree)},
		{clicknps.WithReserve(1000), clicknps.WithPlan(clicknps.PlanFree)},
		{clicknps.WithReserve(1), clicknps.WithPlan(clicknps.PlanEnterprise)},
	} {
		_, err := clicknps.New(opts...)
		require.ErrorIs(t, err, clicknps.ErrInvalidParams)
	}
}
