// Testing is a small service of a shop, and above all its tests: see main_test.go and README.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/clicknps/go-sdk/webhook"
)

// retryBriefly lets all retries of a call end in time for a customer who waits for a page.
var retryBriefly = clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: 2, MaxBackoff: 2 * time.Second})

// service asks customers for a score when their order has arrived, and calls the unhappy ones.
type service struct {
	client   *clicknps.Client
	verifier *webhook.Verifier
	survey   string

	mu    sync.Mutex
	calls map[string]string // customers to call, with what they wrote
}

func newService(client *clicknps.Client, secret, survey string) (*service, error) {
	verifier, err := webhook.NewVerifier([]string{secret})
	if err != nil {
		return nil, err
	}
	return &service{client: client, verifier: verifier, survey: survey, calls: map[string]string{}}, nil
}

func (s *service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders/{customer}/arrived", s.arrived)
	mux.Handle("POST /webhooks/clicknps", s.verifier.Handler(s.answered))
	return mux
}

// arrived answers with the links for the customer. The shop's own front end shows them.
func (s *service) arrived(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second) // nobody waits longer for a page
	defer cancel()
	params := &clicknps.LinkMintParams{SurveyID: s.survey, SubjectID: r.PathValue("customer")}
	minted, err := s.client.Links.Mint(ctx, params, retryBriefly)
	switch {
	case errors.Is(err, clicknps.ErrInvalidParams):
		http.Error(w, "no such customer", http.StatusBadRequest)
	case errors.Is(err, clicknps.ErrRateLimited):
		w.Header().Set("Retry-After", "60")
		http.Error(w, "busy", http.StatusServiceUnavailable)
	case err != nil:
		http.Error(w, "the survey is not available", http.StatusBadGateway)
	case minted.Score != clicknps.NoScore:
		w.WriteHeader(http.StatusNoContent) // has answered already
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(minted.Links) // the customer has gone away
	}
}

// answered handles a webhook event. It may be called again for an answer, with a comment that came
// later.
func (s *service) answered(_ context.Context, e *webhook.Event) error {
	if e.Response == nil || e.Response.Score == clicknps.NoScore {
		return nil
	}
	category, err := clicknps.Categorize(e.Response.Score)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	customer := e.Response.SubjectID
	newer := e.Type == clicknps.EventResponseUpdated || s.calls[customer] == ""
	if category == clicknps.Detractor && newer {
		s.calls[customer] = e.Response.Comment
	}
	return nil
}

// toCall returns the comment of a customer who is to be called.
func (s *service) toCall(customer string) (comment string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	comment, ok = s.calls[customer]
	return comment, ok
}

// nameCalls is a middleware of the shop: each attempt names its operation for the proxy's log.
func nameCalls(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if call, ok := clicknps.CallFromContext(r.Context()); ok {
			r = r.Clone(r.Context())
			r.Header.Set("X-Shop-Call", fmt.Sprintf("%s #%d", call.Operation, call.Attempt))
		}
		return next.RoundTrip(r)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "testing:", err)
		os.Exit(1)
	}
}

// run shows the service at work with the fake: an order arrives, the customer answers, the webhook
// comes.
func run(ctx context.Context, out io.Writer) error {
	fake := clicknpstest.New()
	defer fake.Close()
	survey := fake.AddSurvey(clicknps.Survey{Name: "After delivery"})
	client := fake.Client(clicknps.WithMiddleware(nameCalls))
	s, err := newService(client, fake.WebhookSecret(), survey.ID)
	if err != nil {
		return err
	}
	fake.DeliverTo(s.routes())
	params := &clicknps.WebhookCreateParams{
		URL: "https://shop.example/webhooks/clicknps", Events: []clicknps.EventType{clicknps.EventResponseCreated},
	}
	if _, err := client.Webhooks.Create(ctx, params); err != nil {
		return err
	}
	fake.Respond(survey.ID, "customer_1", 3, "It came broken")
	fake.Advance(3 * time.Minute) // the delivery comes 180 s after the click
	comment, _ := s.toCall("customer_1")
	fmt.Fprintf(out, "Call customer_1: %s\n", strings.TrimSpace(comment))
	return nil
}
