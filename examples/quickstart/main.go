// Quickstart calls both services in the order in which a program first needs them. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

func main() {
	write := flag.Bool("write", false, "with a real key: also create, change and delete")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	t, err := newTour(*write)
	if err == nil {
		err = t.run(ctx)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "\n%v\n%s\n", err, advice(err))
		os.Exit(1)
	}
}

// tour calls both services.
type tour struct {
	client  *clicknps.Client
	fake    *clicknpstest.Server // nil: the real services
	write   bool
	out     io.Writer
	cleanup []func(context.Context) error // deletes what was created
}

// newTour returns a tour of the real services if the environment has a key, and of the fake
// otherwise.
func newTour(write bool) (*tour, error) {
	if os.Getenv("CLICKNPS_API_KEY") != "" {
		client, err := clicknps.New()
		return &tour{client: client, write: write, out: os.Stdout}, err
	}
	fake := clicknpstest.New()
	return &tour{client: fake.Client(), fake: fake, write: true, out: os.Stdout}, nil
}

func (t *tour) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, t.deleteAll(ctx)) }()
	if t.fake != nil {
		fmt.Fprintln(t.out, "Calling the SDK's fake. Set CLICKNPS_API_KEY to call the real services.")
	} else {
		access := map[bool]string{true: "reading and writing", false: "only reading"}[t.write]
		fmt.Fprintf(t.out, "Calling with CLICKNPS_API_KEY (test key: %v), %s.\n", t.client.TestMode(), access)
	}
	var params clicknps.ResponseListParams // those of all surveys
	if t.write {
		if params.SurveyID, err = t.createSurvey(ctx); err != nil {
			return err
		}
	}
	if err := t.readScore(ctx, &params); err != nil {
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

// readScore reads all responses, or those of one survey, and prints their Net Promoter Score.
func (t *tour) readScore(ctx context.Context, params *clicknps.ResponseListParams) error {
	page, err := t.client.Surveys.List(ctx, nil)
	if err != nil {
		return err
	}
	t.say("surveys", "%d in the account", page.Pagination.Total)
	tally, err := clicknps.TallyOf(t.client.Responses.All(ctx, params, clicknps.WithPrefetch(2)))
	if err != nil {
		return err
	}
	if tally.Total() == 0 {
		t.say("score", "none: there are no responses yet")
		return nil
	}
	low, high := tally.Interval(0.95)
	t.say("score", "NPS %+.1f (95 %% confidence: %+.1f to %+.1f): %d promoters, %d passives, %d detractors",
		tally.NPS(), low, high, tally.Promoters, tally.Passives, tally.Detractors)
	return nil
}

// advice returns what the user can do about err.
func advice(err error) string {
	for _, a := range []struct {
		err  error
		text string
	}{
		{context.Canceled, "You interrupted the program."},
		{clicknps.ErrOutcomeUnknown, "The request may have taken effect. Look before you send it again."},
		{clicknps.ErrMissingCredentials, "Set CLICKNPS_API_KEY, and SALESOS_TOKEN or SALESOS_API_KEY for SalesOS."},
		{clicknps.ErrUnauthorized, "Copy the key or token from the dashboard again. A SalesOS token expires."},
		{clicknps.ErrForbidden, "The key is valid, but it needs more permissions."},
		{clicknps.ErrRateLimited, "The quota is used up. Try again later, or pace the client with WithPlan."},
		{clicknps.ErrInvalidParams, "Correct the parameter that the error names."},
		{clicknps.ErrValidation, "Correct the field that the error names."},
		{clicknps.ErrNotFound, "It was deleted, or it belongs to another account."},
		{clicknps.ErrServer, "The service has a problem. Try again later, and give the request id to its support."},
	} {
		if errors.Is(err, a.err) {
			return a.text
		}
	}
	return "Check the network connection and the proxy settings, and try again."
}
