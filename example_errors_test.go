package clicknps_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// Nothing was sent: the field is named as on the wire.
func ExampleErrInvalidParams() {
	client := clicknpstest.New().Client()
	_, err := client.Surveys.Create(context.Background(), &clicknps.SurveyCreateParams{Question: "Would you recommend us?"})

	var e *clicknps.Error
	if errors.Is(err, clicknps.ErrInvalidParams) && errors.As(err, &e) {
		fmt.Println(e.Field, "–", e.Message)
	}
	// Output: name – Name must not be empty
}

// The request may have taken effect, and can't be sent again safely.
func ExampleErrOutcomeUnknown() {
	srv := clicknpstest.New()
	survey := srv.AddNPSSurvey(clicknps.NPSSurvey{Name: "Relationship", IsActive: true})
	srv.Inject(clicknpstest.Fault{Method: "POST", Times: 1, DropAfter: true}) // the answer is lost
	client := srv.Client()

	_, err := client.SalesOS.NPS.Toggle(context.Background(), survey.ID)
	if errors.Is(err, clicknps.ErrOutcomeUnknown) {
		current, err := client.SalesOS.NPS.Get(context.Background(), survey.ID) // look
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("it took effect:", !current.IsActive)
	}
	// Output: it took effect: true
}

// A wait that would outlive the deadline is not begun. RetryAfter says how long it would have been.
func ExampleErrRateLimited() {
	client := clicknpstest.New().Client(clicknps.WithPlan(clicknps.Plan{PerMinute: 1}))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for range 2 {
		_, err := client.Surveys.List(ctx, nil)
		var e *clicknps.Error
		if errors.Is(err, clicknps.ErrRateLimited) && errors.As(err, &e) {
			fmt.Println("try again in about", e.RetryAfter.Round(time.Minute))
		}
	}
	// Output: try again in about 1m0s
}

// An error names all fields that the server refuses.
func ExampleError_fields() {
	srv := clicknpstest.New()
	srv.Inject(clicknpstest.Fault{Method: "POST", Status: 422, Body: `{"message":["name is too long","type must be known"]}`})
	_, err := srv.Client().SalesOS.NPS.Create(context.Background(), &clicknps.NPSSurveyCreateParams{Name: "n"})

	var e *clicknps.Error
	if errors.Is(err, clicknps.ErrValidation) && errors.As(err, &e) {
		for _, field := range e.Fields {
			fmt.Println(field.Field, "–", field.Message)
		}
	}
	// Output:
	// name – name is too long
	// type – type must be known
}

// A job that may take long is patient; a page that a customer waits for is not.
func ExampleWithRetryPolicy() {
	srv := clicknpstest.New()
	client := srv.Client(clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: 8, MaxBackoff: time.Minute}))

	srv.Inject(clicknpstest.Fault{Status: 503, Times: 1})
	_, err := client.Surveys.List(context.Background(), nil, clicknps.WithRetryPolicy(clicknps.RetryPolicy{
		MaxRetries: -1, AttemptTimeout: 2 * time.Second,
	}))
	fmt.Println(errors.Is(err, clicknps.ErrServer))
	// Output: true
}

// The key makes a second run of the job harmless.
func ExampleDeriveIdempotencyKey() {
	srv := clicknpstest.New()
	survey := srv.AddSurvey(clicknps.Survey{Name: "Onboarding", Question: "Would you recommend us?"})
	client := srv.Client()
	for range 2 { // the job runs twice
		key := clicknps.DeriveIdempotencyKey("welcome mail", survey.ID, "customer_42")
		links, err := client.Links.Mint(context.Background(), &clicknps.LinkMintParams{
			SurveyID: survey.ID, SubjectID: "customer_42",
		}, clicknps.WithIdempotencyKey(key))
		fmt.Println(links != nil, err)
	}
	// Output:
	// true <nil>
	// true <nil>
}
