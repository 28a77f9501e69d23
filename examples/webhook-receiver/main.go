// Webhook-receiver takes in the webhooks of ClickNPS: it prints each response and keeps a running Net Promoter Score.
//
//	go run ./examples/webhook-receiver -demo
//
// shows it at work in a few seconds, driven by the fake that comes with the SDK. To receive real webhooks, give it the
// secret that ClickNPS showed when the webhook was created, and an address that ClickNPS reaches:
//
//	CLICKNPS_WEBHOOK_SECRET=whsec_… go run ./examples/webhook-receiver -addr :8090
//
// An interrupt or SIGTERM ends it when all that it has acknowledged is handled.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	clicknps "github.com/clicknps/go-sdk"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := run(ctx, os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2) // the flag package has printed the usage
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "✗ %v\n  → %s\n", err, advice(err))
		os.Exit(1)
	}
}

type settings struct {
	addr  string
	queue int
	demo  bool
}

// run receives until ctx ends, or runs the demo.
func run(ctx context.Context, args []string, out io.Writer) error {
	set, err := parse(args)
	if err != nil {
		return err
	}
	socket, err := net.Listen("tcp", set.addr)
	if err != nil {
		return err
	}
	defer socket.Close()
	if set.demo {
		return runDemo(ctx, socket, set.queue, out)
	}
	// Several secrets, separated by spaces, while one is being replaced by another.
	r, err := newReceiver(strings.Fields(os.Getenv("CLICKNPS_WEBHOOK_SECRET")), out)
	if err != nil {
		return err
	}
	r.say("listening at %s", endpoint(socket))
	return r.serve(ctx, socket, r.handle, set.queue)
}

func parse(args []string) (settings, error) {
	var set settings
	flags := flag.NewFlagSet("webhook-receiver", flag.ContinueOnError)
	flags.StringVar(&set.addr, "addr", "", "`host:port` to listen on (default 127.0.0.1:8090, with -demo a free port)")
	flags.IntVar(&set.queue, "queue", 0, "acknowledge first and handle later: how many `events` may wait (default 0: handle first)")
	flags.BoolVar(&set.demo, "demo", false, "receive from the fake for a few seconds, then end")
	if err := flags.Parse(args); err != nil {
		return set, err
	}
	if flags.NArg() > 0 {
		return set, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	switch {
	case set.addr != "":
	case set.demo:
		set.addr = "127.0.0.1:0"
	default:
		set.addr = "127.0.0.1:8090"
	}
	return set, nil
}

// advice is what to do about an error.
func advice(err error) string {
	opErr, _ := errors.AsType[*net.OpError](err)
	switch {
	case errors.Is(err, clicknps.ErrInvalidSignature):
		return "If ClickNPS sent it: set CLICKNPS_WEBHOOK_SECRET to this webhook's secret, and let no proxy change the body."
	case errors.Is(err, clicknps.ErrStaleEvent):
		return "If ClickNPS sent it: set this machine's clock. Otherwise somebody has replayed an old delivery."
	case errors.Is(err, clicknps.ErrInvalidParams):
		return "Set CLICKNPS_WEBHOOK_SECRET to the secret that ClickNPS showed when the webhook was created; -demo needs none."
	case errors.Is(err, context.DeadlineExceeded):
		return "It took too long to end. What was acknowledged and not handled is printed above."
	case errors.Is(err, context.Canceled):
		return "You ended it."
	case opErr != nil && opErr.Op == "listen":
		return "Give -addr a host:port of this machine that no other program listens on."
	}
	return "See -help; -demo shows the receiver at work."
}
