package main

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/webhook"
)

type handlerFunc = func(context.Context, *webhook.Event) error

// receiver keeps responses. A real one would keep them in a database.
type receiver struct {
	mu        sync.Mutex // events are handled concurrently
	out       io.Writer
	responses map[answer]clicknps.Response
}

// answer names a response. The id of a response does not: most deliveries have none.
type answer struct{ surveyID, subjectID string }

func newReceiver(out io.Writer) *receiver {
	return &receiver{out: out, responses: map[answer]clicknps.Response{}}
}

func (r *receiver) verifier(secrets ...string) (*webhook.Verifier, error) {
	return webhook.NewVerifier(secrets, webhook.WithErrorHandler(r.report))
}

// handle handles one event. If it failed, the event would be delivered again.
func (r *receiver) handle(_ context.Context, e *webhook.Event) error {
	switch e.Type {
	case clicknps.EventResponseCreated, clicknps.EventResponseUpdated:
		if r.store(e) {
			r.say("response   %s", describe(e.Response))
		}
	case clicknps.EventSurveyCompleted:
		r.say("completed  survey %s has reached its target", e.SurveyID)
	default: // an event that is newer than this program
		r.say("ignored    event of type %q", e.Type)
	}
	return nil
}

// store reports whether it has stored the response. Events arrive out of order, so a response.created
// must not overwrite the response.updated of the same answer.
func (r *receiver) store(e *webhook.Event) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := answer{e.SurveyID, e.Response.SubjectID}
	if _, exists := r.responses[key]; exists && e.Type == clicknps.EventResponseCreated {
		return false
	}
	r.responses[key] = *e.Response
	return true
}

// describe describes a response in one line. It quotes what a customer could have written.
func describe(response *clicknps.Response) string {
	text := response.SubjectID + " no score"
	if category, err := clicknps.Categorize(response.Score); err == nil {
		text = fmt.Sprintf("%s %d %s", response.SubjectID, response.Score, category)
	}
	if response.Comment != "" {
		text += fmt.Sprintf(" %q", response.Comment)
	}
	return text
}

// score describes the Net Promoter Score of all responses.
func (r *receiver) score() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var tally clicknps.Tally
	for _, response := range r.responses {
		_ = tally.Add(response.Score) // a verified event has a valid score, or none
	}
	low, high := tally.Interval(0.95)
	return fmt.Sprintf("score      NPS %+.1f (95 %% confidence: %+.1f to %+.1f) from %d responses",
		tally.NPS(), low, high, tally.Total())
}

// report prints why a delivery was refused, or why an event was not handled.
func (r *receiver) report(_ context.Context, e *webhook.Event, err error) {
	if e == nil {
		r.say("refused    %v", err)
		return
	}
	r.say("failed     %v: %s", err, e.RawJSON)
}

// say prints a line.
func (r *receiver) say(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.out, format+"\n", args...)
}
