package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

const question = "How likely are you to recommend us to a friend or colleague?"

// createSurvey creates a survey and a webhook, and uses them.
func (t *tour) createSurvey(ctx context.Context) (id string, err error) {
	create := &clicknps.SurveyCreateParams{Name: "Quickstart", Question: question}
	survey, err := t.client.Surveys.Create(ctx, create)
	if err != nil {
		return "", err
	}
	t.deleteLater(survey.ID, t.client.Surveys.Delete)
	t.say("survey", "created %s: %q", survey.ID, survey.Question)

	webhook, err := t.client.Webhooks.Create(ctx, &clicknps.WebhookCreateParams{
		URL:    "https://example.com/webhooks/clicknps",
		Events: []clicknps.EventType{clicknps.EventResponseCreated, clicknps.EventResponseUpdated},
	})
	if err != nil {
		return "", err
	}
	t.deleteLater(webhook.ID, t.client.Webhooks.Delete)
	t.say("webhook", "created %s for %v", webhook.ID, webhook.Events)

	params := &clicknps.LinkMintParams{SurveyID: survey.ID, SubjectID: "quickstart_001"}
	minted, err := t.client.Links.Mint(ctx, params)
	if err != nil {
		return "", err
	}
	t.say("links", "minted one for each score, valid until %s", minted.ExpiresAt.Format(time.DateOnly))
	if t.fake != nil { // no real customer is asked
		if err := t.answer(ctx, survey.ID); err != nil {
			return "", err
		}
	}
	return survey.ID, t.getAgain(ctx, survey.ID)
}

// answer lets customers of the fake answer, and adds a comment to the first response.
func (t *tour) answer(ctx context.Context, surveyID string) error {
	first := t.fake.Respond(surveyID, "quickstart_001", 9, "")
	for i := 2; i <= 250; i++ {
		t.fake.Respond(surveyID, fmt.Sprintf("quickstart_%03d", i), sampleScore(i), "")
	}
	t.say("responses", "%d customers have answered", len(t.fake.Responses()))
	params := &clicknps.CommentParams{Comment: "Called back: wants the CSV export."}
	response, err := t.client.Responses.AddComment(ctx, first.ID, params)
	if err != nil {
		return err
	}
	t.say("comment", "added to %s (score %d): %q", response.ID, response.Score, response.Comment)
	t.fake.Inject(clicknpstest.Fault{ // the client waits and tries again
		Method: http.MethodGet, Path: "/surveys/{id}", Times: 1,
		Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}},
	})
	return nil
}

// sampleScore returns the score that the nth customer of the fake gives.
func sampleScore(n int) int { return []int{10, 9, 9, 8, 10, 6, 9, 7, 10, 3, 9, 8}[n%12] }

// getAgain reads the survey, and prints the retries that were needed.
func (t *tour) getAgain(ctx context.Context, surveyID string) error {
	var info clicknps.CallInfo
	survey, err := t.client.Surveys.Get(ctx, surveyID, clicknps.WithCallInfo(&info))
	if err != nil {
		return err
	}
	t.say("survey", "read again: %s, %s", survey.ID, survey.Status)
	for i, attempt := range info.Attempts[1:] {
		t.say("retry", "attempt %d was answered with %d, so the client waited %v and tried again",
			i+1, info.Attempts[i].StatusCode, attempt.Waited.Round(time.Millisecond))
	}
	return nil
}

// salesOS calls the second service, if there are credentials for it.
func (t *tour) salesOS(ctx context.Context) error {
	nps := t.client.SalesOS.NPS
	page, err := nps.List(ctx, nil)
	if errors.Is(err, clicknps.ErrMissingCredentials) {
		t.say("SalesOS", "skipped: set SALESOS_TOKEN or SALESOS_API_KEY to call it")
		return nil
	}
	if err != nil {
		return err
	}
	t.say("SalesOS", "%d surveys in the account", len(page.Data))
	if t.write {
		if err := t.createNPSSurvey(ctx); err != nil {
			return err
		}
	}
	metrics, err := nps.Metrics(ctx)
	if err != nil {
		return err
	}
	t.say("SalesOS", "NPS %+.1f from %d responses", metrics.Score, metrics.TotalResponses)
	return nil
}

// createNPSSurvey creates a survey on SalesOS, changes it and exports its responses.
func (t *tour) createNPSSurvey(ctx context.Context) error {
	nps := t.client.SalesOS.NPS
	survey, err := nps.Create(ctx, &clicknps.NPSSurveyCreateParams{
		Name: "Quickstart", Question: question, Type: clicknps.NPSTransactional,
	})
	if err != nil {
		return err
	}
	t.deleteLater(survey.ID, nps.Delete)
	t.say("SalesOS", "created %s, %s", survey.ID, survey.Type)
	survey, err = nps.Update(ctx, survey.ID, &clicknps.NPSSurveyUpdateParams{Name: new("Quickstart, renamed")})
	if err != nil {
		return err
	}
	if survey, err = nps.SetActive(ctx, survey.ID, !survey.IsActive); err != nil {
		return err
	}
	t.say("SalesOS", "renamed to %q, toggled to active: %v", survey.Name, survey.IsActive)
	for i := 0; t.fake != nil && i < 250; i++ {
		t.fake.AddNPSResponse(clicknps.NPSResponse{SurveyID: survey.ID, Score: sampleScore(i)})
	}
	var csv bytes.Buffer
	n, err := nps.Export(ctx, survey.ID, clicknps.ExportCSV, &csv)
	if err != nil {
		return err
	}
	t.say("SalesOS", "exported %d lines, %d bytes of CSV", bytes.Count(csv.Bytes(), []byte("\n")), n)
	return nil
}
