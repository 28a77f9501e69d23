package clicknps_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

func quotasOf(t *testing.T, quotas []clicknps.Quota, err error) []clicknps.Quota {
	t.Helper()
	require.NoError(t, err)
	return quotas
}

func leftOf(t *testing.T, client *clicknps.Client) (left []int) {
	t.Helper()
	quotas, err := client.Quotas(t.Context())
	for _, q := range quotasOf(t, quotas, err) {
		left = append(left, q.Left)
	}
	return left
}

func TestQuotasAreKnownBeforeOneStarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t)
		client := srv.Client(clicknps.WithPlan(clicknps.PlanFree))
		left := func(minute, hour int) []clicknps.Quota {
			return []clicknps.Quota{
				{Window: time.Minute, Limit: 60, Left: minute}, {Window: time.Hour, Limit: 1000, Left: hour},
			}
		}
		quotas, err := client.Quotas(t.Context())
		require.Equal(t, left(60, 1000), quotasOf(t, quotas, err))
		for range 10 {
			_, err := client.Surveys.List(t.Context(), nil)
			require.NoError(t, err)
		}
		quotas, err = client.Quotas(t.Context())
		require.Equal(t, left(50, 990), quotasOf(t, quotas, err))
		for _, free := range []*clicknps.Client{srv.Client(), srv.Client(clicknps.WithPlan(clicknps.PlanEnterprise))} {
			quotas, err = free.Quotas(t.Context())
			require.Empty(t, quotasOf(t, quotas, err))
		}
	})
}

func TestSalesOSQuotasAreThoseOfItsAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := clicknpstest.Run(t).Client()
		quotas, err := client.SalesOS.Quotas(t.Context())
		require.Empty(t, quotasOf(t, quotas, err))
		for range 10 {
			_, err := client.SalesOS.NPS.List(t.Context(), nil)
			require.NoError(t, err)
		}
		quotas, err = client.SalesOS.Quotas(t.Context())
		require.Equal(t, []clicknps.Quota{{Window: time.Minute, Limit: 100, Left: 90}}, quotasOf(t, quotas, err))
		quotas, err = client.Quotas(t.Context())
		require.Empty(t, quotasOf(t, quotas, err), "those are of ClickNPS")
	})
}

// limiter is a RateLimiter of a user's.
type limiter struct {
	acquire func(ctx context.Context, call clicknps.Call) (func(clicknps.RateOutcome), error)
	quotas  []clicknps.Quota
}

func (l *limiter) Acquire(ctx context.Context, call clicknps.Call) (func(clicknps.RateOutcome), error) {
	return l.acquire(ctx, call)
}

func (l *limiter) Quotas(context.Context) ([]clicknps.Quota, error) { return l.quotas, nil }

func TestRateLimiterOfAUser(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t)
	survey := srv.AddNPSSurvey(clicknps.NPSSurvey{})
	srv.Inject(clicknpstest.Fault{Path: "/v1/surveys/x", Times: 1, Status: http.StatusServiceUnavailable})
	var calls []clicknps.Call
	var outcomes []clicknps.RateOutcome
	own := &limiter{quotas: []clicknps.Quota{{Window: time.Second, Limit: 2, Left: 1}}}
	own.acquire = func(_ context.Context, call clicknps.Call) (func(clicknps.RateOutcome), error) {
		calls = append(calls, call)
		return func(o clicknps.RateOutcome) { outcomes = append(outcomes, o) }, nil
	}
	client := srv.Client(clicknps.WithRateLimiter(own), clicknps.WithSalesOSRateLimiter(own), clicknps.WithRetryPolicy(hasty))
	_, err := client.Surveys.Get(t.Context(), "x")
	require.ErrorIs(t, err, clicknps.ErrNotFound)
	_, err = clicknps.Collect(client.Surveys.All(t.Context(), nil), 1)
	require.NoError(t, err)
	_, err = client.SalesOS.NPS.Get(t.Context(), survey.ID, clicknps.WithBulk())
	require.NoError(t, err)
	require.NoError(t, client.Do(t.Context(), "GET", "/surveys", nil, nil))
	require.Equal(t, []clicknps.Call{
		{Service: "clicknps", Operation: "Surveys.Get", Method: "GET", Route: "/surveys/{id}", Attempt: 1},
		{Service: "clicknps", Operation: "Surveys.Get", Method: "GET", Route: "/surveys/{id}", Attempt: 2},
		{Service: "clicknps", Operation: "Surveys.All", Method: "GET", Route: "/surveys", Attempt: 1, Bulk: true},
		{Service: "salesos", Operation: "NPS.Get", Method: "GET", Route: "/nps-surveys/{id}", Attempt: 1, Bulk: true},
		{Service: "clicknps", Operation: "Do", Method: "GET", Attempt: 1},
	}, calls)
	require.Len(t, outcomes, 5)
	for i, status := range []int{503, 404, 200, 200, 200} {
		require.Equal(t, status, outcomes[i].StatusCode)
		require.True(t, outcomes[i].Sent)
		require.NotEmpty(t, outcomes[i].Header)
	}
	for _, of := range []interface {
		Quotas(context.Context) ([]clicknps.Quota, error)
	}{client, client.SalesOS} {
		quotas, err := of.Quotas(t.Context())
		require.Equal(t, own.quotas, quotasOf(t, quotas, err))
	}
}

// A limiter that ignores the context holds no call.
func TestRateLimiterThatMisbehaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		var given []clicknps.RateOutcome
		for name, acquire := range map[string]func() (func(clicknps.RateOutcome), error){
			"hangs": func() (func(clicknps.RateOutcome), error) {
				<-hung
				return func(o clicknps.RateOutcome) { given = append(given, o) }, nil
			},
			"fails too late": func() (func(clicknps.RateOutcome), error) { <-hung; return nil, errors.New("late") },
			"never gets its permit back": func() (func(clicknps.RateOutcome), error) {
				return func(clicknps.RateOutcome) { <-hung }, nil
			},
		} {
			own := &limiter{acquire: func(context.Context, clicknps.Call) (func(clicknps.RateOutcome), error) { return acquire() }}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			began := time.Now()
			_, err := clicknpstest.Run(t).Client(clicknps.WithRateLimiter(own)).Surveys.List(ctx, nil)
			cancel()
			require.Equal(t, name == "never gets its permit back", err == nil, name)
			require.Equal(t, err != nil, errors.Is(err, context.DeadlineExceeded), name)
			require.Equal(t, 1100*time.Millisecond, time.Since(began), name)
		}
		close(hung)
		synctest.Wait()
		require.Equal(t, []clicknps.RateOutcome{{}}, given, "a late permit is given back unused")

		nothing := &limiter{acquire: func(context.Context, clicknps.Call) (func(clicknps.RateOutcome), error) { return nil, nil }}
		_, err := clicknpstest.Run(t).Client(clicknps.WithRateLimiter(nothing)).Surveys.List(t.Context(), nil)
		require.NoError(t, err)
	})
}

// An error of a limiter that wraps ErrRateLimited says how long the wait would have been.
func TestRateLimiterThatRefuses(t *testing.T) {
	t.Parallel()
	refusal := fmt.Errorf("fleet: %w", &clicknps.Error{Type: clicknps.ErrorTypeRateLimitExceeded, RetryAfter: time.Minute})
	own := &limiter{acquire: func(context.Context, clicknps.Call) (func(clicknps.RateOutcome), error) { return nil, refusal }}
	_, err := clicknpstest.Run(t).Client(clicknps.WithRateLimiter(own)).Surveys.List(t.Context(), nil)
	require.ErrorIs(t, err, clicknps.ErrRateLimited)
	require.ErrorIs(t, err, refusal)
	require.Equal(t, time.Minute, asError(t, err).RetryAfter)
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
			params := &clicknps.SurveyListParams{Limit: 10}
			_, err := clicknps.Collect(client.Surveys.All(t.Context(), params), 1000)
			if err != nil {
				t.Error(err)
			}
		})
		<-time.After(time.Second) // a page is there, the walk waits for a permit
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
		params := &clicknps.SurveyListParams{Limit: 10}
		_, err := clicknps.Collect(client.Surveys.All(ctx, params), 1000)
		require.ErrorIs(t, err, clicknps.ErrRateLimited)
		require.Equal(t, 3, leftOf(t, client)[0])
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

// After a pause the calls that wait for the plan go on, and none of them costs more of it than one.
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
		require.Equal(t, 1000-301, leftOf(t, client)[1])
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

// With its plan, a client never meets the limit.
func TestAPlanIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t, clicknpstest.WithPlan(clicknps.PlanFree), clicknpstest.WithLatency(20*time.Millisecond))
		client := srv.Client(clicknps.WithPlan(clicknps.PlanFree))
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for range 50 {
					_, err := client.Surveys.List(t.Context(), nil)
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		for _, r := range srv.Requests() {
			require.Equal(t, http.StatusOK, r.StatusCode)
		}
	})
}

// The headers of SalesOS pace the client without configuration.
func TestSalesOSIsPacedByItsHeaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t, clicknpstest.WithLatency(20*time.Millisecond))
		client := srv.Client()
		var calls atomic.Int32
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for range 40 {
					if _, err := client.SalesOS.NPS.Stats(t.Context()); err != nil {
						t.Error(err)
					}
					calls.Add(1)
				}
			})
		}
		group.Wait()
		require.EqualValues(t, 320, calls.Load())
		for _, r := range srv.Requests() {
			require.Equal(t, http.StatusOK, r.StatusCode)
		}
	})
}
