package main

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/clicknps/go-sdk/webhook"
)

// customers are those of the demo.
var customers = []struct {
	subjectID string
	score     int
	comment   string
}{
	{"anna", 10, "Loving it"},
	{"bert", 9, ""},
	{"carla", 3, ""},
	{"dirk", 8, "Fine, but slow"},
	{"eva", 9, ""},
	{"fritz", 6, ""},
}

// demo is a receiver whose deliveries come from the fake.
type demo struct {
	*receiver
	fake  *clicknpstest.Server
	shown int // deliveries
}

func runDemo(ctx context.Context, out io.Writer) error {
	d := &demo{receiver: newReceiver(out), fake: clicknpstest.New()}
	defer d.fake.Close()
	verifier, err := d.verifier(d.fake.WebhookSecret())
	if err != nil {
		return err
	}
	d.fake.DeliverTo(verifier.Handler(failOnce(d.handle)))
	if err := d.run(ctx, d.fake.Client()); err != nil {
		return err
	}
	d.say("%s", d.score())
	return nil
}

// failOnce returns fn with a failure before its first call.
func failOnce(fn handlerFunc) handlerFunc {
	var failed atomic.Bool
	return func(ctx context.Context, e *webhook.Event) error {
		if failed.CompareAndSwap(false, true) {
			return errors.New("no connection to the database (once, for this demo)")
		}
		return fn(ctx, e)
	}
}

// run lets customers answer, and time pass.
func (d *demo) run(ctx context.Context, client *clicknps.Client) error {
	_, err := client.Webhooks.Create(ctx, &clicknps.WebhookCreateParams{
		URL: "https://example.com" + path,
		Events: []clicknps.EventType{
			clicknps.EventResponseCreated, clicknps.EventResponseUpdated, clicknps.EventSurveyCompleted,
		},
	})
	if err != nil {
		return err
	}
	survey := d.fake.AddSurvey(clicknps.Survey{Name: "Demo"})
	ids := map[string]string{}
	for _, c := range customers {
		ids[c.subjectID] = d.fake.Respond(survey.ID, c.subjectID, c.score, c.comment).ID
	}
	d.say("+3 min     ClickNPS delivers the answers of %d customers", len(customers))
	d.advance(3 * time.Minute)
	d.say("+5 min     ClickNPS tries again")
	d.advance(5 * time.Minute)
	d.say("+0 min     a customer adds a comment")
	params := &clicknps.CommentParams{Comment: "The export never ends"}
	if _, err := client.Responses.AddComment(ctx, ids["carla"], params); err != nil {
		return err
	}
	d.advance(0)
	d.say("+0 min     ClickNPS delivers the same event again; it is not handled twice")
	if _, err := d.fake.Redeliver(len(d.fake.Deliveries()) - 1); err != nil {
		return err
	}
	d.advance(0)
	d.say("+0 min     the survey reaches its target")
	d.fake.SetTarget(survey.ID, len(customers))
	d.advance(0)
	return nil
}

// advance lets time pass, and prints the deliveries that failed or were repeated.
func (d *demo) advance(by time.Duration) {
	d.fake.Advance(by)
	deliveries := d.fake.Deliveries()
	for _, delivery := range deliveries[d.shown:] {
		if delivery.Attempt > 1 || delivery.StatusCode >= 300 {
			d.say("           attempt %d of a %s: %d", delivery.Attempt, delivery.Event, delivery.StatusCode)
		}
	}
	d.shown = len(deliveries)
}
