package webhook_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/webhook"
)

const exampleSecret = "whsec_def456uvw012"

// send delivers a body to a receiver as ClickNPS does, and prints the answer.
func send(receiver http.Handler, secret, body string) {
	request := httptest.NewRequest(http.MethodPost, "/webhooks/clicknps", strings.NewReader(body))
	request.Header.Set(webhook.SignatureHeader, webhook.Sign(secret, []byte(body)))
	answer := httptest.NewRecorder()
	receiver.ServeHTTP(answer, request)
	fmt.Print(answer.Code, " ", answer.Body)
}

func flat(subject string, score int, sentAt time.Time) string {
	return fmt.Sprintf(`{"survey_id":"onboarding","subject_id":%q,"score":%d,"comment":null,"timestamp":%q}`,
		subject, score, sentAt.Format(time.RFC3339))
}

func ExampleVerifier_Handler() {
	verifier, err := webhook.NewVerifier([]string{exampleSecret})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/webhooks/clicknps", verifier.Handler(func(ctx context.Context, e *webhook.Event) error {
		if e.Response != nil {
			fmt.Printf("%s scored %d\n", e.Response.SubjectID, e.Response.Score)
		}
		return nil
	}))
	server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second} // a sender may not be slower
	defer server.Close()

	// ClickNPS delivers a response, and delivers it once more because the first answer was lost.
	send(server.Handler, exampleSecret, flat("user_42", 9, time.Now()))
	send(server.Handler, exampleSecret, flat("user_42", 9, time.Now().Add(time.Minute)))
	// Output:
	// user_42 scored 9
	// 200 {"status":"handled"}
	// 200 {"status":"duplicate"}
}

// storedAnswer stands for a row of a table whose primary key is (survey, subject): a delivery has no
// response id.
type storedAnswer struct {
	score   int
	comment string
	at      time.Time
}

// storeAnswer is INSERT … ON CONFLICT DO NOTHING for a response.created event. For a
// response.updated event it is INSERT … ON CONFLICT DO UPDATE … WHERE the row is not newer.
func storeAnswer(rows map[[2]string]storedAnswer, e *webhook.Event) {
	key := [2]string{e.SurveyID, e.Response.SubjectID}
	row, exists := rows[key]
	if !exists || e.Type == clicknps.EventResponseUpdated && !e.OccurredAt.Before(row.at) {
		rows[key] = storedAnswer{e.Response.Score, e.Response.Comment, e.OccurredAt}
	}
}

// Events arrive out of order: what a response.updated event has stored must not be overwritten by
// a response.created event that is delivered later.
func ExampleVerifier_Handler_upsert() {
	verifier, err := webhook.NewVerifier([]string{exampleSecret})
	if err != nil {
		log.Fatal(err)
	}
	rows := make(map[[2]string]storedAnswer)
	receiver := verifier.Handler(func(_ context.Context, e *webhook.Event) error {
		if e.Response != nil {
			storeAnswer(rows, e)
		}
		return nil
	})
	send(receiver, exampleSecret, `{"id":"evt_2","type":"response.updated",
		"data":{"survey_id":"onboarding","subject_id":"user_42","score":9,"comment":"Loving it"}}`)
	send(receiver, exampleSecret, flat("user_42", 9, time.Now()))
	fmt.Println(rows[[2]string{"onboarding", "user_42"}].comment)
	// Output:
	// 200 {"status":"handled"}
	// 200 {"status":"handled"}
	// Loving it
}

func ExampleVerifier_Verify() {
	verifier, err := webhook.NewVerifier([]string{exampleSecret})
	if err != nil {
		log.Fatal(err)
	}
	body := []byte(flat("user_42", 9, time.Now()))
	header := http.Header{}
	header.Set(webhook.SignatureHeader, webhook.Sign(exampleSecret, body))

	event, err := verifier.Verify(header, body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(event.Type, event.SurveyID, event.Response.SubjectID, event.Response.Score)

	body[len(body)/2] ^= 1
	_, err = verifier.Verify(header, body)
	fmt.Println(err)
	// Output:
	// response.created onboarding user_42 9
	// webhook: invalid signature: it does not match the body
}

// A slow function is called after the delivery has been acknowledged.
func ExampleVerifier_Queue() {
	verifier, err := webhook.NewVerifier([]string{exampleSecret},
		webhook.WithErrorHandler(func(_ context.Context, e *webhook.Event, err error) {
			if e != nil {
				log.Printf("not handled: %s: %v", e.RawJSON, err)
			}
		}))
	if err != nil {
		log.Fatal(err)
	}
	asked := make(chan string, 1)
	queue := verifier.Queue(func(ctx context.Context, e *webhook.Event) error {
		asked <- e.Response.SubjectID
		return nil
	}, webhook.QueueOptions{Size: 100, Workers: 1})

	send(queue, exampleSecret, flat("user_7", 3, time.Now()))

	// When the program ends, call the HTTP server's Shutdown first, then the queue's.
	if err := queue.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println("asked", <-asked, "how to do better")
	// Output:
	// 202 {"status":"accepted"}
	// asked user_7 how to do better
}

// While a secret is being rotated, list the new one and, for 48 hours, the old one.
func ExampleNewVerifier() {
	const oldSecret = "whsec_abc123rst789"
	verifier, err := webhook.NewVerifier([]string{exampleSecret, oldSecret}, webhook.WithTolerance(time.Minute))
	if err != nil {
		log.Fatal(err)
	}
	receiver := verifier.Handler(func(context.Context, *webhook.Event) error { return nil })
	send(receiver, exampleSecret, flat("user_42", 9, time.Now()))
	send(receiver, oldSecret, flat("user_7", 3, time.Now()))
	send(receiver, "unknown", flat("user_8", 5, time.Now()))
	// Output:
	// 200 {"status":"handled"}
	// 200 {"status":"handled"}
	// 401 {"status":"invalid_signature","message":"the X-ClickNPS-Signature header is missing or does not match the body"}
}

func ExampleSign() {
	fmt.Println(webhook.Sign("whsec_def456uvw012", []byte(`{"survey_id":"onboarding"}`)))
	// Output: sha256=2b7e8a58dd9953dc4a6936fe77adc125310fc6cf77aa4388d656a83e86b3bf45
}
