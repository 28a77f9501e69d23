package clicknps_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// answered returns a fake with a survey that n customers have answered.
func answered(n int) (*clicknpstest.Server, clicknps.Survey) {
	srv := clicknpstest.New()
	survey := srv.AddSurvey(clicknps.Survey{Name: "Onboarding", Question: "Would you recommend us?"})
	for i := range n {
		srv.AddResponse(clicknps.Response{
			SurveyID: survey.ID, SubjectID: fmt.Sprintf("user_%d", i), Score: 10 - i%11,
			CreatedAt: time.Date(2026, time.Month(1+i%2), 1, 0, 0, 0, 0, time.UTC),
		})
	}
	return srv, survey
}

// A small list as a slice, with a bound on how much may come.
func ExampleCollect() {
	srv, survey := answered(20)
	params := &clicknps.ResponseListParams{SurveyID: survey.ID}
	all, err := clicknps.Collect(srv.Client().Responses.All(context.Background(), params), 1000)
	fmt.Println(len(all), err)
	some, err := clicknps.Collect(srv.Client().Responses.All(context.Background(), params), 5)
	fmt.Println(len(some), errors.Is(err, clicknps.ErrTooMany))
	// Output:
	// 20 <nil>
	// 5 true
}

// Pages are fetched ahead, within the plan, and the loop gets their items in order.
func ExampleWithPrefetch() {
	srv, survey := answered(50)
	n := 0
	params := &clicknps.ResponseListParams{SurveyID: survey.ID, Limit: 10}
	for _, err := range srv.Client().Responses.All(context.Background(), params, clicknps.WithPrefetch(4)) {
		if err != nil {
			fmt.Println(err)
			return
		}
		n++
	}
	fmt.Println(n)
	// Output: 50
}

func ExampleWithProgress() {
	srv, survey := answered(25)
	params := &clicknps.ResponseListParams{SurveyID: survey.ID, Limit: 15}
	progress := clicknps.WithProgress(func(done, total int64) { fmt.Printf("%d of %d\n", done, total) })
	for _, err := range srv.Client().Responses.All(context.Background(), params, progress) {
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// 15 of 25
	// 25 of 25
}

// The score of each month, with the range in which that of all customers lies.
func ExampleTallyBy() {
	srv, survey := answered(40)
	responses := srv.Client().Responses.All(context.Background(), &clicknps.ResponseListParams{SurveyID: survey.ID})
	months, err := clicknps.TallyBy(responses, func(r *clicknps.Response) (string, bool) {
		return r.CreatedAt.Format("January"), !r.CreatedAt.IsZero()
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, month := range []string{"January", "February"} {
		low, high := months[month].Interval(0.95)
		fmt.Printf("%s: %+.0f (%+.0f to %+.0f)\n", month, months[month].NPS(), low, high)
	}
	low, high := months["February"].Change(months["January"], 0.95)
	fmt.Println("a real change:", low > 0 || high < 0)
	// Output:
	// January: -40 (-67 to -2)
	// February: -40 (-67 to -2)
	// a real change: false
}

// A comment as the customer's support wrote it down.
func ExampleResponsesService_AddComment() {
	srv, survey := answered(1)
	response, err := srv.Client().Responses.AddComment(context.Background(), srv.Responses()[0].ID,
		&clicknps.CommentParams{Comment: "The import took two attempts."})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(response.SurveyID == survey.ID, response.Score, response.Comment)
	// Output: true 10 The import took two attempts.
}

// The secret is shown once. Store it: it verifies the deliveries.
func ExampleWebhooksService_Create() {
	hook, err := clicknpstest.New().Client().Webhooks.Create(context.Background(), &clicknps.WebhookCreateParams{
		URL:    "https://app.example.com/webhooks/clicknps",
		Events: []clicknps.EventType{clicknps.EventResponseCreated, clicknps.EventResponseUpdated},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(hook.URL, len(hook.Events), hook.Secret != "")
	fmt.Println("shown when printed:", strings.Contains(fmt.Sprintf("%+v", *hook), hook.Secret))
	// Output:
	// https://app.example.com/webhooks/clicknps 2 true
	// shown when printed: false
}

// All responses of a SalesOS survey, streamed: however many there are, few are in memory.
func ExampleNPSService_AllResponses() {
	srv := clicknpstest.New()
	survey := srv.AddNPSSurvey(clicknps.NPSSurvey{Name: "Relationship", IsActive: true})
	for _, score := range []int{10, 9, 3, clicknps.NoScore} {
		srv.AddNPSResponse(clicknps.NPSResponse{SurveyID: survey.ID, Score: score})
	}
	tally, err := clicknps.TallyOf(srv.Client().SalesOS.NPS.AllResponses(context.Background(), survey.ID, nil))
	fmt.Printf("NPS %+.0f of %d, %d without a score, %v\n", tally.NPS(), tally.Total(), tally.Unscored, err)
	// Output: NPS +33 of 3, 1 without a score, <nil>
}

func ExampleNPSService_Metrics() {
	srv := clicknpstest.New()
	survey := srv.AddNPSSurvey(clicknps.NPSSurvey{Name: "Relationship", IsActive: true})
	srv.AddNPSResponse(clicknps.NPSResponse{SurveyID: survey.ID, Score: 9})
	metrics, err := srv.Client().SalesOS.NPS.Metrics(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(metrics.Score, metrics.Promoters, metrics.TotalResponses)
	// Output: 100 1 1
}
