package clicknps_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// A client for each customer, with a key of its own, and nothing from the environment.
func ExampleNew() {
	client, err := clicknps.New(
		clicknps.WithoutEnvironment(),
		clicknps.WithAPIKey("sk_test_4f9c"),
		clicknps.WithPlan(clicknps.PlanPro),
		clicknps.WithUserAgent("acme-crm/2.1"),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.TestMode())
	// Output: true
}

// The source is asked again after a 401, so a key can be rotated while the program runs.
func ExampleWithAPIKeySource() {
	srv := clicknpstest.New()
	keys := []string{"sk_live_old", srv.APIKey()}
	source := clicknps.TokenSourceFunc(func(context.Context) (clicknps.Token, error) {
		key := keys[0] // a program reads its secret store
		keys = keys[1:]
		return clicknps.Token{Value: key}, nil
	})
	_, err := srv.Client(clicknps.WithAPIKeySource(source)).Surveys.List(context.Background(), nil)
	fmt.Println(err, len(keys))
	// Output: <nil> 0
}

// An endpoint that the SDK does not know, with the same retries, quotas and errors.
func ExampleClient_Do() {
	srv := clicknpstest.New()
	survey := srv.AddSurvey(clicknps.Survey{Name: "Onboarding", Question: "Would you recommend us?"})
	var found struct {
		Data []struct{ ID, Name string }
	}
	err := srv.Client().Do(context.Background(), "GET", "/surveys", nil, &found, clicknps.WithQuery("limit", "1"))
	fmt.Println(found.Data[0].ID == survey.ID, found.Data[0].Name, err)
	// Output: true Onboarding <nil>
}

// A field that the service has learnt, and the SDK has not.
func ExampleWithExtraField() {
	srv := clicknpstest.New()
	_, err := srv.Client().Surveys.Create(context.Background(),
		&clicknps.SurveyCreateParams{Name: "Onboarding", Question: "Would you recommend us?"},
		clicknps.WithExtraField("language", "de"))
	fmt.Println(string(srv.Requests()[0].Body), err)
	// Output: {"language":"de","name":"Onboarding","question":"Would you recommend us?"} <nil>
}

// What the server sent, with fields that the SDK does not know.
func ExampleWithRawJSON() {
	srv := clicknpstest.New()
	srv.Inject(clicknpstest.Fault{Status: 200, Body: `{"id":"survey_1","name":"Onboarding","language":"de"}`})
	survey, err := srv.Client().Surveys.Get(context.Background(), "survey_1", clicknps.WithRawJSON())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(survey.Name, string(survey.RawJSON))
	// Output: Onboarding {"id":"survey_1","name":"Onboarding","language":"de"}
}

// An observer sees each call as a whole, with its retries.
func ExampleWithObserver() {
	srv := clicknpstest.New()
	srv.Inject(clicknpstest.Fault{Status: 503, Times: 1})
	client := srv.Client(
		clicknps.WithRetryPolicy(clicknps.RetryPolicy{MinBackoff: time.Millisecond}),
		clicknps.WithObserver(func(ctx context.Context, call clicknps.Call) (context.Context, func(clicknps.CallInfo, error)) {
			return ctx, func(info clicknps.CallInfo, err error) {
				fmt.Println(call.Operation, call.Route, len(info.Attempts), info.StatusCode, err)
			}
		}))
	client.Surveys.List(context.Background(), nil)
	// Output: Surveys.List /surveys 2 200 <nil>
}

// Retries and waits of over a second are logged at level info, and each attempt at level debug.
func ExampleWithLogger() {
	srv := clicknpstest.New()
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == "msg" || a.Key == "operation" || a.Key == "status" {
				return a
			}
			return slog.Attr{}
		},
	}))
	srv.Client(clicknps.WithLogger(logger)).Surveys.List(context.Background(), nil)
	// Output: msg="clicknps: request" operation=Surveys.List status=200
}

// Bulk calls leave the reserve to those that a customer waits for.
func ExampleWithReserve() {
	client := clicknpstest.New().Client(
		clicknps.WithPlan(clicknps.Plan{PerHour: 3}), clicknps.WithReserve(2))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for range 2 {
		_, err := client.Surveys.List(ctx, nil, clicknps.WithBulk())
		fmt.Println("bulk:", err == nil)
	}
	_, err := client.Surveys.List(ctx, nil)
	fmt.Println("interactive:", err == nil)
	// Output:
	// bulk: true
	// bulk: false
	// interactive: true
}

// perProcess permits one attempt at a time.
type perProcess struct{ permits chan struct{} }

func (l perProcess) Acquire(ctx context.Context, _ clicknps.Call) (func(clicknps.RateOutcome), error) {
	select {
	case l.permits <- struct{}{}:
		return func(clicknps.RateOutcome) { <-l.permits }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func ExampleWithRateLimiter() {
	limiter := perProcess{make(chan struct{}, 1)}
	_, err := clicknpstest.New().Client(clicknps.WithRateLimiter(limiter)).Surveys.List(context.Background(), nil)
	fmt.Println(err)
	// Output: <nil>
}

// A transport that all clients of a program share, with a proxy.
func ExampleWithHTTPClient() {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = http.ProxyFromEnvironment
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 5 * time.Second}
	_, err := clicknps.New(clicknps.WithAPIKey("sk_test_4f9c"), clicknps.WithHTTPClient(&http.Client{Transport: transport}))
	fmt.Println(err)
	// Output: <nil>
}
