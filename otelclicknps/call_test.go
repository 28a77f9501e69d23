package otelclicknps_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/clicknps/go-sdk/otelclicknps"
)

func TestCallWithOneAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, r := clicknpstest.Run(t, clicknpstest.WithLatency(20*time.Millisecond)), record(t)
		survey := srv.AddSurvey(clicknps.Survey{Name: "Onboarding"})
		_, err := r.client(srv).Surveys.Get(t.Context(), survey.ID)
		require.NoError(t, err)
		assert.Equal(t, []string{
			"Surveys.Get [client] Unset: clicknps.attempts=1 clicknps.operation=Surveys.Get clicknps.waited=0 " +
				"url.template=/surveys/{id}",
			"  GET /surveys/{id} [client] Unset: http.request.method=GET http.response.status_code=200 " +
				"url.template=/surveys/{id}",
		}, r.tree())
		assert.Equal(t, []string{
			"clicknps.attempt.duration 1x 0.02 s: clicknps.operation=Surveys.Get http.response.status_code=200",
			"clicknps.call.duration 1x 0.02 s: clicknps.operation=Surveys.Get",
		}, r.metrics())
	})
}

// The server refuses the first attempt for 3 s, fails the second and breaks the third.
func TestCallWithRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, r := clicknpstest.Run(t, clicknpstest.WithLatency(10*time.Millisecond)), record(t)
		srv.Inject(clicknpstest.Fault{Times: 1, Status: 429, Header: http.Header{"Retry-After": {"3"}}})
		srv.Inject(clicknpstest.Fault{Times: 1, Status: 503, Header: http.Header{"Retry-After": {"2"}}})
		srv.Inject(clicknpstest.Fault{Times: 1, DropAfter: true})
		policy := clicknps.RetryPolicy{MinBackoff: time.Second, MaxBackoff: time.Second}
		_, err := r.client(srv, clicknps.WithRetryPolicy(policy)).SalesOS.NPS.Stats(t.Context())
		require.NoError(t, err)
		attempt := "  GET /nps-surveys/stats [client] "
		assert.Equal(t, []string{
			"NPS.Stats [client] Unset: clicknps.attempts=4 clicknps.operation=NPS.Stats " +
				"clicknps.service=salesos clicknps.waited=6 url.template=/nps-surveys/stats",
			"  - 10ms clicknps.wait: clicknps.wait.duration=3 clicknps.wait.reason=429",
			"  - 3.02s clicknps.wait: clicknps.wait.duration=2 clicknps.wait.reason=503",
			"  - 5.03s clicknps.wait: clicknps.wait.duration=1 clicknps.wait.reason=connection_error",
			attempt + "Error: error.type=429 http.request.method=GET http.response.status_code=429 " +
				"url.template=/nps-surveys/stats",
			attempt + "Error: error.type=503 http.request.method=GET http.request.resend_count=1 " +
				"http.response.status_code=503 url.template=/nps-surveys/stats",
			attempt + "Error: error.type=connection_error http.request.method=GET " +
				"http.request.resend_count=2 url.template=/nps-surveys/stats",
			attempt + "Unset: http.request.method=GET http.request.resend_count=3 " +
				"http.response.status_code=200 url.template=/nps-surveys/stats",
		}, r.tree())
		by := "clicknps.operation=NPS.Stats clicknps.service=salesos"
		assert.Equal(t, []string{
			"clicknps.attempt.duration 1x 0.01 s: " + by + " error.type=429 http.response.status_code=429",
			"clicknps.attempt.duration 1x 0.01 s: " + by + " error.type=503 http.response.status_code=503",
			"clicknps.attempt.duration 1x 0.01 s: " + by + " error.type=connection_error",
			"clicknps.attempt.duration 1x 0.01 s: " + by + " http.response.status_code=200",
			"clicknps.call.duration 1x 6.04 s: " + by,
			"clicknps.retries 1 {retry}: " + by + " clicknps.wait.reason=429",
			"clicknps.retries 1 {retry}: " + by + " clicknps.wait.reason=503",
			"clicknps.retries 1 {retry}: " + by + " clicknps.wait.reason=connection_error",
			"clicknps.wait.duration 1x 1 s: " + by + " clicknps.wait.reason=connection_error",
			"clicknps.wait.duration 1x 2 s: " + by + " clicknps.wait.reason=503",
			"clicknps.wait.duration 1x 3 s: " + by + " clicknps.wait.reason=429",
		}, r.metrics())
	})
}

// limiter lets every attempt wait, and fails when ctx ends.
type limiter time.Duration

func (l limiter) Acquire(ctx context.Context, _ clicknps.Call) (func(clicknps.RateOutcome), error) {
	select {
	case <-time.After(time.Duration(l)):
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestWaitForAPermit(t *testing.T) {
	for _, c := range []struct {
		wait   time.Duration
		events []string
	}{
		{time.Millisecond - 1, []string{}},
		{time.Millisecond, []string{
			"  - 0s clicknps.wait: clicknps.wait.duration=0.001 clicknps.wait.reason=permit",
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			srv, r := clicknpstest.Run(t), record(t)
			_, err := r.client(srv, clicknps.WithRateLimiter(limiter(c.wait))).Webhooks.List(t.Context(), nil)
			require.NoError(t, err)
			tree := r.tree()
			assert.Equal(t, c.events, tree[1:len(tree)-1])
		})
	}
}

// Each page is a call, marked as bulk, and is a child of the caller's span.
func TestWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, r := clicknpstest.Run(t), record(t)
		for range 3 {
			srv.AddSurvey(clicknps.Survey{})
		}
		ctx, span := r.tracers.Tracer("test").Start(t.Context(), "sync")
		surveys, err := clicknps.Collect(r.client(srv).Surveys.All(ctx, &clicknps.SurveyListParams{Limit: 2}), 10)
		span.End()
		require.NoError(t, err)
		require.Len(t, surveys, 3)
		call := "  Surveys.All [client] Unset: clicknps.attempts=1 clicknps.bulk=true " +
			"clicknps.operation=Surveys.All clicknps.waited=0 url.template=/surveys"
		attempt := "    GET /surveys [client] Unset: http.request.method=GET http.response.status_code=200 " +
			"url.template=/surveys"
		assert.Equal(t, []string{"sync [internal] Unset:", call, attempt, call, attempt}, r.tree())
	})
}

// The errors of attempts come before those of their call, as the spans end.
func TestErrorTypes(t *testing.T) {
	once := clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: -1, AttemptTimeout: time.Second})
	get := func(ctx context.Context, c *clicknps.Client) error {
		_, err := c.Surveys.Get(ctx, "survey_1")
		return err
	}
	list := func(ctx context.Context, c *clicknps.Client) error {
		_, err := c.Surveys.List(ctx, nil)
		return err
	}
	create := func(ctx context.Context, c *clicknps.Client) error {
		_, err := c.Surveys.Create(ctx, &clicknps.SurveyCreateParams{Name: "n", Question: "q"})
		return err
	}
	type fault = clicknpstest.Fault
	for _, c := range []struct {
		errorTypes []string
		fault      fault
		option     clicknps.Option
		call       func(context.Context, *clicknps.Client) error
	}{
		{[]string{"404", "404"}, fault{Status: 404}, once, get},
		{[]string{"400", "400"}, fault{Status: 400}, once, get},
		{[]string{"", "399"}, fault{Status: 399}, once, get},
		{[]string{"", "300"}, fault{Status: 300}, once, get},
		{[]string{"", "invalid_response"}, fault{Body: "{}"}, once, get},
		{[]string{"429", "429"}, fault{Status: 429}, once, get},
		{[]string{"connection_error", "connection_error"}, fault{DropBefore: true}, once, get},
		{[]string{"connection_error", "outcome_unknown"}, fault{DropAfter: true}, once, create},
		{[]string{"response_ended", "response_ended"}, fault{Truncate: true}, once, list},
		{[]string{"timeout", "timeout"}, fault{Delay: time.Minute}, once, get},
		{[]string{"canceled", "canceled"}, fault{Delay: time.Minute}, clicknps.WithReserve(0), canceled(list)},
		{[]string{"canceled"}, fault{Status: 500}, clicknps.WithRateLimiter(limiter(time.Hour)), canceled(get)},
		{[]string{"rate_limited"}, fault{Status: 500}, clicknps.WithRateLimiter(refusal{}), get},
	} {
		synctest.Test(t, func(t *testing.T) {
			srv, r := clicknpstest.Run(t), record(t)
			srv.Inject(c.fault)
			require.Error(t, c.call(t.Context(), r.client(srv, c.option)))
			var errorTypes []string
			for _, s := range r.spans.Ended() {
				set := attribute.NewSet(s.Attributes()...)
				value, failed := set.Value("error.type")
				assert.Equal(t, failed, s.Status().Code == codes.Error)
				errorTypes = append(errorTypes, value.AsString())
			}
			assert.Equal(t, c.errorTypes, errorTypes)
			call := "clicknps.call.duration 1x .* error.type=" + errorTypes[len(errorTypes)-1] + "$"
			assert.Regexp(t, call, r.metrics()[len(errorTypes)-1]) // though its context has ended
		})
	}
}

// canceled cancels call after a second of its wait.
func canceled(
	call func(context.Context, *clicknps.Client) error,
) func(context.Context, *clicknps.Client) error {
	return func(ctx context.Context, c *clicknps.Client) error {
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(time.Second, cancel)
		return call(ctx, c)
	}
}

// refusal is a limiter that begins no wait.
type refusal struct{}

func (refusal) Acquire(context.Context, clicknps.Call) (func(clicknps.RateOutcome), error) {
	return nil, clicknps.ErrRateLimited
}

// A call that sends nothing has no child.
func TestCallWithoutAttempts(t *testing.T) {
	r := record(t)
	client, err := clicknps.New(append(otelclicknps.Options(r.options()...),
		clicknps.WithoutEnvironment(), clicknps.WithSalesOSAPIKey("key"))...)
	require.NoError(t, err)
	require.ErrorIs(t, client.Webhooks.Delete(t.Context(), "id"), clicknps.ErrMissingCredentials)
	require.ErrorIs(t, client.Webhooks.Delete(t.Context(), ""), clicknps.ErrInvalidParams)
	call := "Webhooks.Delete [client] Error: clicknps.attempts=0 clicknps.operation=Webhooks.Delete " +
		"clicknps.waited=0 error.type=%s url.template=/webhooks/{id}"
	assert.Equal(t, []string{
		fmt.Sprintf(call, "missing_credentials"), fmt.Sprintf(call, "invalid_params"),
	}, r.tree())
}
