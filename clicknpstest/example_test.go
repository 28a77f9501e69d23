package clicknpstest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

func Example() {
	srv := clicknpstest.New() // in a test: clicknpstest.Run(t)
	defer srv.Close()
	survey := srv.AddSurvey(clicknps.Survey{Name: "Onboarding"})

	got, err := srv.Client().Surveys.Get(context.Background(), survey.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(got.Name, got.Status)
	for _, r := range srv.Requests() {
		fmt.Println(r.Method, r.Path == "/v1/surveys/"+survey.ID, r.StatusCode)
	}
	// Output:
	// Onboarding active
	// GET true 200
}

func ExampleServer_Inject() {
	srv := clicknpstest.New()
	defer srv.Close()
	fault := srv.Inject(clicknpstest.Fault{Method: "GET", Path: "/surveys/{id}", Status: 403})

	_, err := srv.Client().Surveys.Get(context.Background(), "survey_abc123")
	fmt.Println(errors.Is(err, clicknps.ErrForbidden), fault.Hits())
	// Output: true 1
}

// The fake's time passes with Advance: the delivery of a click is due 180 s later, and is made
// before Advance returns.
func ExampleServer_Advance() {
	srv := clicknpstest.New()
	defer srv.Close()
	srv.DeliverTo(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("received", r.Header.Get("Content-Type"))
	}))
	hook := &clicknps.WebhookCreateParams{
		URL:    "https://example.com/hooks/clicknps",
		Events: []clicknps.EventType{clicknps.EventResponseCreated},
	}
	if _, err := srv.Client().Webhooks.Create(context.Background(), hook); err != nil {
		log.Fatal(err)
	}

	srv.Respond("onboarding", "user_42", 9, "Loving it")
	srv.Advance(179 * time.Second)
	fmt.Println(len(srv.Deliveries()), "deliveries")
	srv.Advance(time.Second)
	fmt.Println(len(srv.Deliveries()), "delivery")
	// Output:
	// 0 deliveries
	// received application/json
	// 1 delivery
}

// A click on a minted link is a plain request. The fake answers it in process, too.
func ExampleServer_Transport() {
	srv := clicknpstest.New()
	defer srv.Close()
	survey := srv.AddSurvey(clicknps.Survey{})
	links, err := srv.Client().Links.Mint(context.Background(), &clicknps.LinkMintParams{
		SurveyID: survey.ID, SubjectID: "user_42",
	})
	if err != nil {
		log.Fatal(err)
	}

	customer := &http.Client{Transport: srv.Transport()}
	page, err := customer.Get(links.Links[9])
	if err != nil {
		log.Fatal(err)
	}
	_ = page.Body.Close()
	fmt.Println(page.StatusCode, srv.Responses()[0].Score)
	// Output: 200 9
}
