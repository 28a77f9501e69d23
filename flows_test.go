package clicknps_test

import (
	"context"
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

// lossy makes a tenth of all answers, a tenth of all requests get lost, and another tenth answered 503.
func lossy(srv *clicknpstest.Server, method, path string, each float64) {
	srv.Inject(clicknpstest.Fault{Method: method, Path: path, Probability: each, DropBefore: true})
	srv.Inject(clicknpstest.Fault{Method: method, Path: path, Probability: each, DropAfter: true})
	srv.Inject(clicknpstest.Fault{Method: method, Path: path, Probability: each, Status: http.StatusServiceUnavailable})
}

func createMany(t *testing.T, client *clicknps.Client, goroutines, each int) {
	t.Helper()
	var group sync.WaitGroup
	for g := range goroutines {
		group.Go(func() {
			for i := range each {
				_, err := client.Surveys.Create(t.Context(), &clicknps.SurveyCreateParams{
					Name: fmt.Sprintf("Survey %d of %d", i, g), Question: "How likely are you to recommend us?",
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

// The line loses 30 % of all creates, before or after they take effect; each takes effect once all the same.
func TestCreatesOnALossyLineTakeEffectOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name             string
		goroutines, each int
	}{
		{"2,000 creates from 8 goroutines", 8, 250},
		{"10,000 creates from 64 goroutines", 64, 10_000 / 64},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := clicknpstest.Run(t)
				lossy(srv, http.MethodPost, "/v1/surveys", 0.1)
				client := srv.Client(clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: 20}))
				createMany(t, client, test.goroutines, test.each)
				require.Len(t, srv.Surveys(), test.goroutines*test.each)
				require.Greater(t, len(srv.Requests()), test.goroutines*test.each, "the line was not lossy at all")
			})
		})
	}
}

// The same over real connections, where net/http has a part in what is lost.
func TestCreatesOnALossySocketTakeEffectOnce(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t)
	lossy(srv, http.MethodPost, "/v1/surveys", 0.1)
	client, err := clicknps.New(clicknps.WithAPIKey(srv.APIKey()), clicknps.WithBaseURL(srv.URL()),
		clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: 20, MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond}))
	require.NoError(t, err)
	createMany(t, client, 8, 250)
	require.Len(t, srv.Surveys(), 2000)
}

// Toggled on a line that loses a third of everything, a survey is as it was asked to be, and never toggled twice.
func TestSetActiveOnALossyLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t, clicknpstest.WithSalesOSLimit(0))
		survey := srv.AddNPSSurvey(clicknps.NPSSurvey{Name: "Onboarding"})
		lossy(srv, http.MethodPost, "/v1/nps-surveys/*/toggle", 0.1)
		client := srv.Client(clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: 20}))
		for i := range 200 {
			want := i%2 == 0
			got, err := client.NPS.SetActive(t.Context(), survey.ID, want)
			require.NoError(t, err)
			require.Equal(t, want, got.IsActive)
			require.Equal(t, want, srv.NPSSurveys()[0].IsActive)
		}
	})
}

// Of 20 goroutines that call without a break, few more than the one that is told of a limit meet it.
func TestOne429PausesTheWholeClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t, clicknpstest.WithLatency(5*time.Millisecond))
		client := srv.Client()
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				for ctx.Err() == nil {
					_, _ = client.Surveys.List(ctx, nil)
				}
			})
		}
		time.AfterFunc(100*time.Millisecond, func() {
			srv.Inject(clicknpstest.Fault{Times: 1, Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}}})
		})
		group.Wait()

		requests := srv.Requests()
		told := time.Time{}
		for _, r := range requests {
			if r.StatusCode == http.StatusTooManyRequests {
				told = r.At
			}
		}
		require.NotZero(t, told)
		meanwhile, after := 0, 0
		for _, r := range requests {
			switch since := r.At.Sub(told); {
			case since >= time.Second:
				after++
			case since > 5*time.Millisecond: // what was on its way when the answer was
				meanwhile++
			}
		}
		require.Less(t, meanwhile, 4)
		require.Positive(t, after)
	})
}

func TestAMinuteOf429TakesNoTimeInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t, clicknpstest.WithPlan(clicknps.PlanFree))
		client := srv.Client()
		start := time.Now()
		for range 61 {
			_, err := client.Surveys.List(t.Context(), nil)
			require.NoError(t, err)
		}
		require.GreaterOrEqual(t, time.Since(start), time.Minute)
	})
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

// SalesOS says how much room there is; the client listens without being told to.
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
					if _, err := client.NPS.Stats(t.Context()); err != nil {
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

func TestATokenIsRenewedWhenItExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t)
		client := srv.Client()
		for range 3 {
			_, err := client.NPS.List(t.Context())
			require.NoError(t, err)
			srv.Advance(25 * time.Hour)
		}
	})
}
