package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

const question = "How likely are you to recommend us to a friend or colleague?"

// tour calls both services.
type tour struct {
	client  *clicknps.Client
	fake    *clicknpstest.Server // nil: the real services
	write   bool
	out     io.Writer
	cleanup []func(context.Context) error // deletes what was created
}

func (t *tour) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, t.deleteAll(ctx)) }()
	switch {
	case t.fake != nil:
		fmt.Fprintln(t.out, "Calling the SDK's fake. Set CLICKNPS_API_KEY to call the real services.")
	case t.write:
		const intro = "Calling with CLICKNPS_API_KEY (test key: %v), reading and writing.\n"
		fmt.Fprintf(t.out, intro, t.client.TestMode())
	default:
		fmt.Fprintf(t.out, "Calling with CLICKNPS_API_KEY (test key: %v), only reading.\n", t.client.TestMode())
	}
	if err := t.clickNPS(ctx); err != nil {
		return err
	}
	return t.salesOS(ctx)
}

// say prints one line.
func (t *tour) say(subject, format string, args ...any) {
	fmt.Fprintf(t.out, "%-10s %s\n", subject, fmt.Sprintf(format, args...))
}

// deleteLater lets deleteAll delete what has this id.
func (t *tour) deleteLater(id string, del func(context.Context, string, ...clicknps.RequestOption) error) {
	t.cleanup = append(t.cleanup, func(ctx context.Context) error { return del(ctx, id) })
}

// deleteAll deletes what was created, in reverse order, even if ctx has ended.
func (t *tour) deleteAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	var errs []error
	for i := len(t.cleanup) - 1; i >= 0; i-- {
		errs = append(errs, t.cleanup[i](ctx))
	}
	if err := errors.Join(errs...); err != nil || len(errs) == 0 {
		return err
	}
	t.say("cleanup", "deleted everything that was created")
	return nil
}

func (t *tour) clickNPS(ctx context.Context) error {
	var params clicknps.ResponseListParams // those of all surveys
	if t.write {
		survey, err := t.createSurvey(ctx)
		if err != nil {
			return err
		}
		params.SurveyID = survey.ID
	}
	page, err := t.client.Surveys.List(ctx, nil)
	if err != nil {
		return err
	}
	t.say("surveys", "%d in the account", page.Pagination.Total)
	tally, err := clicknps.TallyOf(t.client.Responses.All(ctx, &params, clicknps.WithPrefetch(2)))
	if err != nil {
		return err
	}
	t.say("score", "%s", score(tally))
	return nil
}

// score describes the Net Promoter Score with its confidence interval.
func score(tally clicknps.Tally) string {
	if tally.Total() == 0 {
		return "none: there are no responses yet"
	}
	low, high := tally.Interval(0.95)
	return fmt.Sprintf("NPS %+.1f (95 %% confidence: %+.1f to %+.1f): %d promoters, %d passives, %d detractors",
		tally.NPS(), low, high, tally.Promoters, tally.Passives, tally.Detractors)
}

// createSurvey creates a survey, and what belongs to it.
func (t *tour) createSurvey(ctx context.Context) (*clicknps.Survey, error) {
	params := &clicknps.SurveyCreateParams{Name: "Quickstart", Question: question}
	survey, err := t.client.Surveys.Create(ctx, params)
	if err != nil {
		return nil, err
	}
	t.deleteLater(survey.ID, t.client.Surveys.Delete)
	t.say("survey", "created %s: %q", survey.ID, survey.Question)
	if err := t.createWebhook(ctx); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context, string) error{t.mintLinks, t.comment, t.getAgain} {
		if err := step(ctx, survey.ID); err != nil {
			return nil, err
		}
	}
	return survey, nil
}

func (t *tour) createWebhook(ctx context.Context) error {
	webhook, err := t.client.Webhooks.Create(ctx, &clicknps.WebhookCreateParams{
		URL:    "https://example.com/webhooks/clicknps",
		Events: []clicknps.EventType{clicknps.EventResponseCreated, clicknps.EventResponseUpdated},
	})
	if err != nil {
		return err
	}
	t.deleteLater(webhook.ID, t.client.Webhooks.Delete)
	t.say("webhook", "created %s for %v", webhook.ID, webhook.Events)
	return nil
}

// mintLinks mints the links for a first customer. On the fake, that customer and others answer.
func (t *tour) mintLinks(ctx context.Context, surveyID string) error {
	params := &clicknps.LinkMintParams{SurveyID: surveyID, SubjectID: "quickstart_001"}
	minted, err := t.client.Links.Mint(ctx, params)
	if err != nil {
		return err
	}
	t.say("links", "minted one for each score, valid until %s", minted.ExpiresAt.Format(time.DateOnly))
	if t.fake == nil {
		return nil // no real customer is asked
	}
	clicked, err := (&http.Client{Transport: t.fake.Transport()}).Get(minted.Links[9])
	if err != nil {
		return err
	}
	clicked.Body.Close()
	for i := 2; i <= 250; i++ {
		t.fake.Respond(surveyID, fmt.Sprintf("quickstart_%03d", i), sampleScore(i), "")
	}
	t.say("responses", "%d customers have answered", len(t.fake.Responses()))
	return nil
}

// sampleScore returns the score that the nth customer of the fake gives.
func sampleScore(n int) int { return []int{10, 9, 9, 8, 10, 6, 9, 7, 10, 3, 9, 8}[n%12] }

// comment adds a comment to the first response.
func (t *tour) comment(ctx context.Context, surveyID string) error {
	page, err := t.client.Responses.List(ctx, &clicknps.ResponseListParams{SurveyID: surveyID, Limit: 1})
	if err != nil || len(page.Data) == 0 {
		return err
	}
	params := &clicknps.CommentParams{Comment: "Called back: wants the CSV export."}
	response, err := t.client.Responses.AddComment(ctx, page.Data[0].ID, params)
	if err != nil {
		return err
	}
	t.say("comment", "added to %s (score %d): %q", response.ID, response.Score, response.Comment)
	return nil
}

// getAgain reads the survey. On the fake, a rate limit makes the client wait and try again.
func (t *tour) getAgain(ctx context.Context, surveyID string) error {
	if t.fake != nil {
		t.fake.Inject(clicknpstest.Fault{
			Method: http.MethodGet, Path: "/surveys/{id}", Times: 1,
			Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}},
		})
	}
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

func (t *tour) salesOS(ctx context.Context) error {
	page, err := t.client.SalesOS.NPS.List(ctx, nil)
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
	metrics, err := t.client.SalesOS.NPS.Metrics(ctx)
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
	if t.fake != nil {
		for i := range 250 {
			t.fake.AddNPSResponse(clicknps.NPSResponse{SurveyID: survey.ID, Score: sampleScore(i)})
		}
	}
	var csv bytes.Buffer
	n, err := nps.Export(ctx, survey.ID, clicknps.ExportCSV, &csv)
	if err != nil {
		return err
	}
	t.say("SalesOS", "exported %d lines, %d bytes of CSV", bytes.Count(csv.Bytes(), []byte("\n")), n)
	return nil
}
