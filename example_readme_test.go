package clicknps_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"testing"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/clicknps/go-sdk/webhook"
)

// What follows are the snippets of README.md. The first two would need a real account.
var _ = []any{printResponses, receive}

func printResponses(ctx context.Context) error {
	client, err := clicknps.New() // CLICKNPS_API_KEY; for SalesOS SALESOS_TOKEN or SALESOS_API_KEY
	if err != nil {
		return err
	}
	survey, err := client.Surveys.Get(ctx, "survey_abc123")
	if errors.Is(err, clicknps.ErrNotFound) {
		return fmt.Errorf("no such survey: %w", err)
	}
	if err != nil {
		return err
	}
	for response, err := range client.Responses.All(ctx, &clicknps.ResponseListParams{SurveyID: survey.ID}) {
		if err != nil {
			return err
		}
		fmt.Println(response.Score, response.Comment)
	}
	return nil
}

func receive(mux *http.ServeMux, storeEvent func(context.Context, *webhook.Event) error) error {
	verifier, err := webhook.NewVerifier([]string{os.Getenv("CLICKNPS_WEBHOOK_SECRET")})
	if err != nil {
		return err
	}
	mux.Handle("/webhooks/clicknps", verifier.Handler(storeEvent)) // func(context.Context, *webhook.Event) error
	return nil
}

func TestSurveyIsCreatedOnce(t *testing.T) {
	srv := clicknpstest.Run(t)
	srv.Inject(clicknpstest.Fault{Method: "POST", Times: 1, DropAfter: true}) // the answer is lost
	_, err := srv.Client().Surveys.Create(t.Context(), &clicknps.SurveyCreateParams{Name: "Q3", Question: "Would you?"})
	if err != nil || len(srv.Surveys()) != 1 {
		t.Fatal(err, srv.Surveys())
	}
}
