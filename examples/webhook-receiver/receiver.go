package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	clicknps "github.com/clicknps/go-sdk"
)

const (
	path       = "/webhooks/clicknps"
	confidence = 0.95
	// grace is how long the receiver may take to end: less than the 30 s after which Kubernetes kills.
	grace = 25 * time.Second
)

type handlerFunc = func(context.Context, *clicknps.Event) error

// receiver prints responses and keeps the score.
type receiver struct {
	verifier *clicknps.WebhookVerifier

	mu    sync.Mutex // events are handled at the same time
	out   io.Writer
	tally clicknps.Tally
}

func newReceiver(secrets []string, out io.Writer) (*receiver, error) {
	r := &receiver{out: out}
	var err error
	r.verifier, err = clicknps.NewWebhookVerifier(secrets, clicknps.WithErrorHandler(r.report))
	return r, err
}

// endpoint is what ClickNPS is to know a receiver at socket by.
func endpoint(socket net.Listener) string { return "http://" + socket.Addr().String() + path }

// serve receives until ctx ends, and returns when all that was acknowledged is handled.
func (r *receiver) serve(ctx context.Context, socket net.Listener, fn handlerFunc, queueSize int) error {
	mux := http.NewServeMux()
	drain := func(context.Context) error { return nil }
	if queueSize == 0 {
		mux.Handle(path, r.verifier.Handler(fn))
	} else {
		queue := r.verifier.Queue(fn, clicknps.QueueOptions{Size: queueSize})
		mux.Handle(path, queue)
		drain = queue.Shutdown
	}
	server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(socket) }()

	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	// In this order: the server lets the deliveries under way come to their end, and only then can the queue be closed.
	err = errors.Join(err, server.Shutdown(ending), drain(ending))
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.out, "score     %s from %d responses: %d promoters, %d passives, %d detractors\n",
		score(r.tally), r.tally.Total(), r.tally.Promoters, r.tally.Passives, r.tally.Detractors)
	return err
}

// handle is called once for each event. When it fails the event comes again.
func (r *receiver) handle(_ context.Context, e *clicknps.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e.Type {
	case clicknps.EventResponseCreated:
		if err := r.tally.Add(e.Response.Score); err != nil {
			return err
		}
		return r.print("response", e.Response)
	case clicknps.EventResponseUpdated: // a comment on a response that was counted when it was created
		return r.print("comment", e.Response)
	case clicknps.EventSurveyCompleted:
		fmt.Fprintf(r.out, "completed survey %s has reached its target\n", e.SurveyID)
	default: // newer than this program
		fmt.Fprintf(r.out, "other     event of type %q\n", e.Type)
	}
	return nil
}

// print shows a response in one line. The caller holds r.mu.
func (r *receiver) print(what string, response *clicknps.Response) error {
	category, err := clicknps.Categorize(response.Score)
	if err != nil {
		return err
	}
	comment := ""
	if response.Comment != "" {
		comment = fmt.Sprintf("  %q", response.Comment) // in quotes a customer's line feed starts no line
	}
	_, err = fmt.Fprintf(r.out, "%-9s %-8s %2d %-9s  %s%s\n", what, response.SubjectID, response.Score, category, score(r.tally), comment)
	return err
}

func score(tally clicknps.Tally) string {
	return fmt.Sprintf("NPS %+6.1f ± %5.1f", tally.NPS(), tally.MarginOfError(confidence))
}

// report prints what went wrong with a delivery or an event.
func (r *receiver) report(_ context.Context, e *clicknps.Event, err error) {
	if e == nil {
		r.say("refused   %v\n        → %s", err, advice(err))
		return
	}
	r.say("failed    %v\n        → the event, should it not come again: %s", err, e.RawJSON())
}

// say prints a line.
func (r *receiver) say(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.out, format+"\n", args...)
}
