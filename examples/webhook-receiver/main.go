// Webhook-receiver receives webhooks from ClickNPS, keeps the latest response of each customer, and
// prints the Net Promoter Score.
//
//	go run ./examples/webhook-receiver -demo
//
// shows it at work with deliveries from the fake that comes with the SDK. To receive real ones, set the
// secret that ClickNPS showed when the webhook was created, and listen where ClickNPS can reach you:
//
//	CLICKNPS_WEBHOOK_SECRET=whsec_… go run ./examples/webhook-receiver -addr :8090
//
// After an interrupt or SIGTERM it handles everything that it has acknowledged, and ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/clicknps/go-sdk/webhook"
)

const (
	path = "/webhooks/clicknps"
	// grace is how long the program may take to end. Kubernetes kills it after 30 seconds.
	grace = 25 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "webhook-receiver:", err)
		os.Exit(1)
	}
}

// run receives deliveries until ctx ends, or runs the demo.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("webhook-receiver", flag.ExitOnError)
	addr := flags.String("addr", "127.0.0.1:8090", "`host:port` to listen on")
	queue := flags.Int("queue", 0, "acknowledge first, and let this many `events` wait; 0: handle first")
	demo := flags.Bool("demo", false, "receive deliveries from the fake, then end")
	_ = flags.Parse(args) // exits on an error
	if *demo {
		return runDemo(ctx, out)
	}
	r := newReceiver(out)
	// Several secrets, separated by spaces: list the old one too for 48 hours after a rotation.
	verifier, err := r.verifier(strings.Fields(os.Getenv("CLICKNPS_WEBHOOK_SECRET"))...)
	if err != nil {
		return fmt.Errorf("CLICKNPS_WEBHOOK_SECRET: %w", err)
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	r.say("listening at http://%s%s", listener.Addr(), path)
	err = serve(ctx, listener, verifier, r.handle, *queue)
	r.say("%s", r.score())
	return err
}

// serve passes events to fn until ctx ends. It returns when everything acknowledged is handled.
func serve(
	ctx context.Context, listener net.Listener, verifier *webhook.Verifier, fn handlerFunc, queueSize int,
) error {
	mux := http.NewServeMux()
	shutdownQueue := func(context.Context) error { return nil }
	if queueSize == 0 {
		mux.Handle(path, verifier.Handler(fn))
	} else {
		queue := verifier.Queue(fn, webhook.QueueOptions{Size: queueSize})
		mux.Handle(path, queue)
		shutdownQueue = queue.Shutdown
	}
	server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second} // against slow senders
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()

	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	// The server finishes its deliveries first. After that, nothing enters the queue any more.
	return errors.Join(err, server.Shutdown(ending), shutdownQueue(ending))
}
