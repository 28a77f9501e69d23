package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// tour is the way through both services.
type tour struct {
	client   *clicknps.Client
	out      io.Writer
	colour   bool
	write    bool
	fake     *clicknpstest.Server // nil: the real services
	customer *http.Client         // follows links, on the fake only

	survey  *clicknps.Survey
	webhook *clicknps.Webhook

	npsSurvey *clicknps.NPSSurvey

	tally   clicknps.Tally
	ratings []int // what the fake's customers answer
}

// say prints one step's line.
func (t *tour) say(step, format string, args ...any) {
	fmt.Fprintf(t.out, "%s %-11s %s\n", t.paint(green, "✓"), step, fmt.Sprintf(format, args...))
}

func (t *tour) run(ctx context.Context) (err error) {
	t.greet()
	defer func() { err = errors.Join(err, t.tidyUp(ctx)) }()
	steps := []func(context.Context) error{t.listSurveys, t.walkResponses}
	if t.write {
		steps = []func(context.Context) error{t.createSurvey, t.mintLinks, t.answer, t.walkResponses, t.comment, t.registerWebhook}
	}
	for _, step := range append(steps, t.showScore, t.salesOS) {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (t *tour) greet() {
	switch {
	case t.fake != nil:
		fmt.Fprintln(t.out, "ClickNPS quickstart, against the fake of both services (set CLICKNPS_API_KEY for the real ones)")
	case t.write:
		fmt.Fprintf(t.out, "ClickNPS quickstart, against the real services (production key: %v), writing\n", t.client.Live())
	default:
		fmt.Fprintf(t.out, "ClickNPS quickstart, against the real services (production key: %v), only reading\n", t.client.Live())
	}
}

func (t *tour) listSurveys(ctx context.Context) error {
	page, err := t.client.Surveys.List(ctx, nil)
	if err != nil {
		return err
	}
	t.say("surveys", "%d in the account", page.Pagination.Total)
	return nil
}

func (t *tour) createSurvey(ctx context.Context) error {
	var err error
	t.survey, err = t.client.Surveys.Create(ctx, &clicknps.SurveyCreateParams{
		Name: "Quickstart", Question: "How likely are you to recommend us?",
	})
	if err != nil {
		return err
	}
	t.say("survey", "%s created: %q", t.survey.ID, t.survey.Question)
	return nil
}

const customers = 300

// subject is the name of the nth customer. The prefix keeps one run apart from the next.
func subject(n int) string { return fmt.Sprintf("quickstart_%03d", n) }

func (t *tour) mintLinks(ctx context.Context) error {
	n := customers
	if t.fake == nil {
		n = 1 // real customers are not asked
	}
	// Most people answer, and most of those are content.
	random := rand.New(rand.NewPCG(4, 2))
	for i := range n {
		links, err := t.client.Links.Mint(ctx, &clicknps.LinkMintParams{SurveyID: t.survey.ID, SubjectID: subject(i)})
		if err != nil {
			return err
		}
		if t.fake == nil {
			t.say("links", "minted for one customer, until %s", links.ExpiresAt.Format(time.DateOnly))
			return nil
		}
		if random.Float64() < 0.85 {
			score := min(10, max(0, int(9.3+1.8*random.NormFloat64())))
			if err := t.click(ctx, links.Links[score]); err != nil {
				return err
			}
			t.ratings = append(t.ratings, score)
		}
	}
	t.say("links", "minted for %d customers, eleven each", n)
	return nil
}

// click is a customer's click on a link.
func (t *tour) click(ctx context.Context, link string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return err
	}
	res, err := t.customer.Do(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

func (t *tour) answer(context.Context) error {
	if t.fake == nil {
		return nil
	}
	t.say("answers", "%d customers have clicked", len(t.ratings))
	// The walk to come shall meet the limit once.
	t.fake.Inject(clicknpstest.Fault{
		Method: http.MethodGet, Path: "/v1/responses", Times: 1,
		Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}},
		Body: `{"error":{"type":"rate_limit_exceeded","message":"Rate limit exceeded. Retry after 1 seconds."}}`,
	})
	return nil
}

func (t *tour) walkResponses(ctx context.Context) error {
	var params clicknps.ResponseListParams
	if t.survey != nil {
		params.SurveyID = t.survey.ID
	}
	var meta clicknps.ResponseMeta
	pages := 0
	all := t.client.Responses.All(ctx, &params, clicknps.WithResponse(&meta), clicknps.WithProgress(func(int, int) {
		pages++
		for i, a := range meta.Attempts[1:] {
			t.say("limit", "met a %d on page %d, waited %v as told, went on", meta.Attempts[i].StatusCode, pages, a.Waited.Round(time.Millisecond))
		}
	}))
	var err error
	if t.tally, err = clicknps.TallyOf(all); err != nil {
		return err
	}
	t.say("responses", "%d walked, on %d pages", t.tally.Total(), pages)
	return nil
}

func (t *tour) comment(ctx context.Context) error {
	for response, err := range t.client.Responses.All(ctx, &clicknps.ResponseListParams{SurveyID: t.survey.ID}) {
		if err != nil {
			return err
		}
		response, err = t.client.Responses.AddComment(ctx, response.ID, &clicknps.CommentParams{Comment: "Called back: wants the CSV export."})
		if err != nil {
			return err
		}
		t.say("comment", "added to %s (score %d): %q", response.ID, response.Score, response.Comment)
		return nil
	}
	t.say("comment", "none added: nobody has answered yet")
	return nil
}

func (t *tour) registerWebhook(ctx context.Context) error {
	var err error
	t.webhook, err = t.client.Webhooks.Create(ctx, &clicknps.WebhookCreateParams{
		URL: "https://example.com/clicknps", Events: []clicknps.EventType{clicknps.EventResponseCreated, clicknps.EventResponseUpdated},
	})
	if err != nil {
		return err
	}
	t.say("webhook", "%s registered for %v", t.webhook.ID, t.webhook.Events)
	return nil
}

// tidyUp deletes what was created, however the tour has ended.
func (t *tour) tidyUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	var errs []error
	if t.webhook != nil {
		errs = append(errs, t.client.Webhooks.Delete(ctx, t.webhook.ID))
	}
	if t.survey != nil {
		errs = append(errs, t.client.Surveys.Delete(ctx, t.survey.ID))
	}
	if t.npsSurvey != nil {
		errs = append(errs, t.client.NPS.Delete(ctx, t.npsSurvey.ID))
	}
	err := errors.Join(errs...)
	if len(errs) > 0 && err == nil {
		t.say("tidied up", "what was created is deleted")
	}
	return err
}
