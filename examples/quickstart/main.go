// Quickstart takes a survey through its life on both services: created, answered by 300 customers, scored, exported.
//
//	go run ./examples/quickstart
//
// Without CLICKNPS_API_KEY it runs against the fake of both services that comes with the SDK. With it, it calls the real
// ones and only reads; -write lets it create a survey and a webhook, which it deletes at the end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"

	clicknps "github.com/clicknps/go-sdk"
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
		fmt.Fprintf(os.Stderr, "\n✗ %v\n  → %s\n", err, advice(err))
		os.Exit(1)
	}
}

// newTour chooses between the real services and the fake.
func newTour(write bool) (*tour, error) {
	t := &tour{out: os.Stdout, colour: isTerminal(os.Stdout)}
	if os.Getenv("CLICKNPS_API_KEY") != "" {
		var err error
		t.client, err = clicknps.New()
		t.write = write
		return t, err
	}
	t.fake = clicknpstest.New(clicknpstest.WithSeed(1))
	t.client, t.write = t.fake.Client(), true
	t.customer = &http.Client{Transport: t.fake.Transport()}
	return t, nil
}

// advice is what to do about an error.
func advice(err error) string {
	apiErr, _ := errors.AsType[*clicknps.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		return "You ended it. Nothing more is sent."
	case errors.Is(err, clicknps.ErrMissingCredentials):
		return "Set CLICKNPS_API_KEY, and for SalesOS SALESOS_TOKEN or SALESOS_API_KEY."
	case errors.Is(err, clicknps.ErrUnauthorized):
		return "The service does not know this key or token. Copy it anew from the dashboard; a SalesOS token lives 24 hours."
	case errors.Is(err, clicknps.ErrForbidden):
		return "The key is valid, but may not do this. Ask for one with more permissions."
	case errors.Is(err, clicknps.ErrRateLimited):
		return fmt.Sprintf("The quota is used up. Try again in %v, or give the client its plan (WithPlan) so that it paces itself.", apiErr.RetryAfter)
	case errors.Is(err, clicknps.ErrOutcomeUnknown):
		return "The request may have taken effect. Look before you repeat it, or repeat it with the same idempotency key."
	case errors.Is(err, clicknps.ErrInvalidParams), errors.Is(err, clicknps.ErrValidation):
		return "Mend the field that is named, and run it again."
	case errors.Is(err, clicknps.ErrNotFound):
		return "It is not there (any more), or belongs to another account."
	case errors.Is(err, clicknps.ErrServer):
		return "The service has a problem of its own. Try again later; the request's id helps their support."
	}
	return "Check the connection to the service, and a proxy in between, and try again."
}
