// Quickstart calls both services in the order in which a program first needs them: it creates a
// survey, mints links, reads responses, computes the score, and exports.
//
//	go run ./examples/quickstart
//
// Without CLICKNPS_API_KEY it calls the fake of both services that comes with the SDK. With it, it
// calls the real services and only reads. With -write it also creates surveys and a webhook there,
// and deletes them at the end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

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

// newTour returns a tour of the real services if the environment has a key, and of the fake otherwise.
func newTour(write bool) (*tour, error) {
	if os.Getenv("CLICKNPS_API_KEY") != "" {
		client, err := clicknps.New()
		return &tour{client: client, write: write, out: os.Stdout}, err
	}
	fake := clicknpstest.New()
	return &tour{client: fake.Client(), fake: fake, write: true, out: os.Stdout}, nil
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
