package clicknps_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

func Example() {
	ctx := context.Background()
	srv := clicknpstest.New() // a program calls clicknps.New instead
	client := srv.Client()

	survey, err := client.Surveys.Create(ctx, &clicknps.SurveyCreateParams{
		Name: "Onboarding", Question: "How likely are you to recommend us?",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, score := range []int{10, 9, 9, 7, 3} {
		srv.Respond(survey.ID, fmt.Sprintf("user_%d", i), score, "")
	}
	tally, err := clicknps.TallyOf(client.Responses.All(ctx, &clicknps.ResponseListParams{SurveyID: survey.ID}))
	fmt.Printf("NPS %+.0f of %d responses, %v\n", tally.NPS(), tally.Total(), err)
	// Output: NPS +40 of 5 responses, <nil>
}

func ExampleSurveysService_Create() {
	client := clicknpstest.New().Client()
	order := "order-4711"
	params := &clicknps.SurveyCreateParams{Name: "After order 4711", Question: "How likely are you to recommend us?"}
	// The same order gives the same key: however often this runs, there is one survey.
	first, err := client.Surveys.Create(context.Background(), params, clicknps.WithIdempotencyKey(clicknps.DeriveIdempotencyKey("survey", order)))
	if err != nil {
		fmt.Println(err)
		return
	}
	second, err := client.Surveys.Create(context.Background(), params, clicknps.WithIdempotencyKey(clicknps.DeriveIdempotencyKey("survey", order)))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(first.ID == second.ID)
	// Output: true
}

func ExampleSurveysService_Update() {
	srv := clicknpstest.New()
	survey := srv.AddSurvey(clicknps.Survey{Name: "Onboarding", Question: "Would you recommend us?"})

	updated, err := srv.Client().Surveys.Update(context.Background(), survey.ID, &clicknps.SurveyUpdateParams{
		Status: new(clicknps.SurveyStatusPaused), // the rest stays as it is
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(updated.Name, updated.Status)
	// Output: Onboarding paused
}

func ExampleSurveysService_All() {
	srv := clicknpstest.New()
	for i := range 250 {
		srv.AddSurvey(clicknps.Survey{Name: fmt.Sprintf("Survey %d", i)})
	}
	n := 0
	for survey, err := range srv.Client().Surveys.All(context.Background(), nil, clicknps.WithPrefetch(4)) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if n++; n == 250 {
			fmt.Println(survey.Name)
		}
	}
	fmt.Println(n)
	// Output:
	// Survey 249
	// 250
}

func ExampleClient_Quotas() {
	srv := clicknpstest.New()
	client := srv.Client(clicknps.WithPlan(clicknps.PlanFree)) // 60 requests a minute, 1,000 an hour
	ctx := context.Background()
	if _, err := client.Surveys.List(ctx, nil); err != nil {
		fmt.Println(err)
		return
	}
	quotas, err := client.Quotas(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, q := range quotas {
		fmt.Println(q.Left, "of", q.Limit, "left in", q.Window)
	}
	// Output:
	// 59 of 60 left in 1m0s
	// 999 of 1000 left in 1h0m0s
}

func ExampleLinksService_Mint() {
	srv := clicknpstest.New()
	survey := srv.AddSurvey(clicknps.Survey{Name: "Onboarding"})
	links, err := srv.Client().Links.Mint(context.Background(), &clicknps.LinkMintParams{SurveyID: survey.ID, SubjectID: "user_42"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(links.Links), links.Links[10] != "", links.Score == clicknps.NoScore)
	// Output: 11 true true
}

func ExampleNPSService_SetActive() {
	srv := clicknpstest.New()
	survey := srv.AddNPSSurvey(clicknps.NPSSurvey{Name: "Quarterly", Type: clicknps.NPSRelationship})
	srv.Inject(clicknpstest.Fault{Path: "/v1/nps-surveys/*/toggle", Times: 1, DropAfter: true}) // the answer is lost
	got, err := srv.Client().SalesOS.NPS.SetActive(context.Background(), survey.ID, true)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(got.IsActive)
	// Output: true
}

func ExampleNPSService_Export() {
	srv := clicknpstest.New()
	survey := srv.AddNPSSurvey(clicknps.NPSSurvey{ID: "3f0f2d3e-8c1d-4a39-9f55-0d1f3ad6f0a1", Name: "Quarterly"})
	srv.AddNPSResponse(clicknps.NPSResponse{
		SurveyID: survey.ID,
		ID:       "9b2f8f4e-52a4-4f0e-8a57-3d7c5f2f9f10", Score: 9, Comment: "Fast, friendly",
		Email: "ada@example.com", CreatedAt: time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC),
	})
	if _, err := srv.Client().SalesOS.NPS.Export(context.Background(), survey.ID, clicknps.ExportCSV, os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// id,surveyId,score,comment,email,createdAt
	// 9b2f8f4e-52a4-4f0e-8a57-3d7c5f2f9f10,3f0f2d3e-8c1d-4a39-9f55-0d1f3ad6f0a1,9,"Fast, friendly",ada@example.com,2026-01-15T10:30:00.000Z
}

func ExampleError() {
	client := clicknpstest.New().Client()
	_, err := client.Surveys.Get(context.Background(), "survey_gone")
	if e, ok := errors.AsType[*clicknps.Error](err); ok && errors.Is(err, clicknps.ErrNotFound) {
		fmt.Println(e.StatusCode, e.Method, e.Path, e.Attempts)
	}
	// Output: 404 GET /v1/surveys/survey_gone 1
}

func ExampleWithCallInfo() {
	srv := clicknpstest.New()
	srv.Inject(clicknpstest.Fault{Times: 1, Status: http.StatusServiceUnavailable})
	client := srv.Client(clicknps.WithRetryPolicy(clicknps.RetryPolicy{MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond}))

	var info clicknps.CallInfo
	if _, err := client.Surveys.List(context.Background(), nil, clicknps.WithCallInfo(&info)); err != nil {
		fmt.Println(err)
	}
	for _, attempt := range info.Attempts {
		fmt.Println(attempt.StatusCode)
	}
	// Output:
	// 503
	// 200
}

func ExampleWithMiddleware() {
	srv := clicknpstest.New()
	client := srv.Client(clicknps.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			fmt.Println(r.Method, r.URL.Path)
			return next.RoundTrip(r)
		})
	}))
	if _, err := client.SalesOS.NPS.Stats(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: GET /v1/nps-surveys/stats
}

// roundTripper is a function that is an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
