package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// demo drives a receiver by the fake.
type demo struct {
	*receiver
	fake   *clicknpstest.Server
	client *clicknps.Client
	survey *clicknps.Survey
	told   int // deliveries
}

// answers are what the fake's customers think.
var answers = []struct {
	subject string
	score   int
	comment string // written at once
}{
	{"anna", 10, "Loving it"}, {"bert", 9, ""}, {"carla", 3, ""}, {"dirk", 8, "Fine, but slow"}, {"eva", 9, ""}, {"fritz", 6, ""},
}

// runDemo receives at socket what the fake sends.
func runDemo(ctx context.Context, socket net.Listener, queueSize int, out io.Writer) error {
	fake := clicknpstest.New()
	defer fake.Close()
	d := &demo{fake: fake, client: fake.Client()}
	webhook, err := d.client.Webhooks.Create(ctx, &clicknps.WebhookCreateParams{
		URL:    endpoint(socket),
		Events: []clicknps.EventType{clicknps.EventResponseCreated, clicknps.EventResponseUpdated, clicknps.EventSurveyCompleted},
	})
	if err != nil {
		return err
	}
	if d.receiver, err = newReceiver([]string{webhook.Secret}, out); err != nil {
		return err
	}
	d.say("listening at %s, registered at the fake as %s", webhook.URL, webhook.ID)
	serving, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- d.serve(serving, socket, failingOnce(d.handle), queueSize) }()
	err = d.drive(ctx)
	stop()
	return errors.Join(err, <-served)
}

// failingOnce is fn, but for one failure.
func failingOnce(fn handlerFunc) handlerFunc {
	var failed atomic.Bool
	return func(ctx context.Context, e *clicknps.Event) error {
		if failed.CompareAndSwap(false, true) {
			return errors.New("the database is away (once, for this demo)")
		}
		return fn(ctx, e)
	}
}

// drive lets customers answer, and time pass.
func (d *demo) drive(ctx context.Context) error {
	var err error
	d.survey, err = d.client.Surveys.Create(ctx, &clicknps.SurveyCreateParams{
		Name: "Demo", Question: "How likely are you to recommend us?",
	})
	if err != nil {
		return err
	}
	for _, a := range answers {
		if err := d.click(ctx, a.subject, a.score); err != nil {
			return err
		}
		if err := d.comment(ctx, a.subject, a.comment); err != nil {
			return err
		}
	}
	d.say(" +3m0s  %d customers have clicked, ClickNPS delivers", len(answers))
	d.pass(3 * time.Minute)
	d.say(" +1m0s  ClickNPS tries again what was answered with an error")
	d.pass(time.Minute)
	d.say("   +0s  a customer adds a comment")
	if err := d.comment(ctx, "carla", "The export never ends"); err != nil {
		return err
	}
	d.pass(0)
	d.say("   +0s  ClickNPS delivers it once more, by hand")
	if _, err := d.fake.Redeliver(len(d.fake.Deliveries()) - 1); err != nil {
		return err
	}
	d.pass(0)
	d.say("   +0s  the survey's target of %d responses is set", len(answers))
	d.fake.SetTarget(d.survey.ID, len(answers))
	d.pass(0)
	return nil
}

// click is a customer's click on the link of a score.
func (d *demo) click(ctx context.Context, subject string, score int) error {
	minted, err := d.client.Links.Mint(ctx, &clicknps.LinkMintParams{SurveyID: d.survey.ID, SubjectID: subject})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, minted.Links[score], nil)
	if err != nil {
		return err
	}
	res, err := (&http.Client{Transport: d.fake.Transport()}).Do(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// comment adds a comment to a customer's response, if there is something to say.
func (d *demo) comment(ctx context.Context, subject, text string) error {
	for response, err := range d.client.Responses.All(ctx, &clicknps.ResponseListParams{SurveyID: d.survey.ID}) {
		if err != nil {
			return err
		}
		if response.SubjectID == subject && text != "" {
			_, err = d.client.Responses.AddComment(ctx, response.ID, &clicknps.CommentParams{Comment: text})
			return err
		}
	}
	return nil
}

// pass lets time pass at the fake, and tells of the deliveries that failed or were repeated.
func (d *demo) pass(wait time.Duration) {
	d.fake.Advance(wait)
	sent := d.fake.Deliveries()
	for _, s := range sent[d.told:] {
		if s.Attempt > 1 || s.StatusCode >= 300 || s.Err != nil {
			d.say("        attempt %d of a %s was answered %d", s.Attempt, s.Event, s.StatusCode)
		}
	}
	d.told = len(sent)
}
