package clicknps_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/clicknps/go-sdk"
)

// delivery is a request as ClickNPS sends it.
func delivery(secret, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhooks/clicknps", strings.NewReader(body))
	r.Header.Set("X-ClickNPS-Signature", clicknps.SignWebhook(secret, []byte(body)))
	return r
}

func ExampleWebhookVerifier_Handler() {
	const secret = "whsec_def456uvw012"
	verifier, err := clicknps.NewWebhookVerifier([]string{secret})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/webhooks/clicknps", verifier.Handler(func(ctx context.Context, e *clicknps.Event) error {
		if e.Response != nil {
			fmt.Printf("%s scored %d\n", e.Response.SubjectID, e.Response.Score)
		}
		return nil
	}))

	// ClickNPS delivers a response, and delivers it once more because the first answer was lost.
	for attempt := range 2 {
		body := fmt.Sprintf(`{"survey_id":"onboarding","subject_id":"user_42","score":9,"comment":null,"timestamp":%q}`,
			time.Now().Add(time.Duration(attempt)*time.Minute).Format(time.RFC3339))
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, delivery(secret, body))
		fmt.Print(answer.Code, " ", answer.Body)
	}
	// Output:
	// user_42 scored 9
	// 200 {"status":"handled"}
	// 200 {"status":"duplicate"}
}

func ExampleWebhookVerifier_Verify() {
	const secret = "whsec_def456uvw012"
	verifier, err := clicknps.NewWebhookVerifier([]string{secret})
	if err != nil {
		log.Fatal(err)
	}
	body := fmt.Appendf(nil, `{"survey_id":"onboarding","subject_id":"user_42","score":9,"comment":"Loving it","timestamp":%q}`,
		time.Now().Format(time.RFC3339))
	header := http.Header{}
	header.Set("X-ClickNPS-Signature", clicknps.SignWebhook(secret, body))

	event, err := verifier.Verify(header, body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(event.Type, event.SurveyID, event.Response.Score, event.Response.Comment)

	body[len(body)/2] ^= 1
	_, err = verifier.Verify(header, body)
	fmt.Println(err)
	// Output:
	// response.created onboarding 9 Loving it
	// clicknps: webhook: invalid signature: it does not fit the body
}

// A slow function is called after the delivery has been acknowledged.
func ExampleWebhookVerifier_Queue() {
	const secret = "whsec_def456uvw012"
	verifier, err := clicknps.NewWebhookVerifier([]string{secret},
		clicknps.WithErrorHandler(func(_ context.Context, e *clicknps.Event, err error) {
			if e != nil {
				log.Printf("not handled: %s: %v", e.RawJSON(), err)
			}
		}))
	if err != nil {
		log.Fatal(err)
	}
	queue := verifier.Queue(func(ctx context.Context, e *clicknps.Event) error {
		fmt.Println("asking", e.Response.SubjectID, "how to do better")
		return nil
	}, clicknps.QueueOptions{Size: 100, Workers: 1})

	body := fmt.Sprintf(`{"survey_id":"onboarding","subject_id":"user_7","score":3,"comment":null,"timestamp":%q}`,
		time.Now().Format(time.RFC3339))
	answer := httptest.NewRecorder()
	queue.ServeHTTP(answer, delivery(secret, body))

	// On the way out: first the HTTP server's Shutdown, then the queue's.
	if err := queue.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Print(answer.Code, " ", answer.Body)
	// Output:
	// asking user_7 how to do better
	// 202 {"status":"accepted"}
}
