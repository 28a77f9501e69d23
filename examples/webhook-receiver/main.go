// Webhook-receiver is a small backend that receives webhooks from ClickNPS and keeps the responses
// in PostgreSQL, one row for each. README.md shows how to run it.
//
// After an interrupt or SIGTERM it answers the deliveries that it is handling, and ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/clicknps/go-sdk/redisstore"
	"github.com/clicknps/go-sdk/webhook"
)

const path = "/webhooks/clicknps"

func main() {
	addr := flag.String("addr", "127.0.0.1:8090", "`host:port` to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := run(ctx, *addr, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "webhook-receiver:", err)
		os.Exit(1)
	}
}

// run saves the responses of all deliveries until ctx ends.
func run(ctx context.Context, addr string, out io.Writer) error {
	verifier, err := newVerifier()
	if err != nil {
		return err
	}
	db, err := openDatabase(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	return serve(ctx, addr, out, verifier.Handler(func(ctx context.Context, e *webhook.Event) error {
		return save(ctx, db, e)
	}))
}

// newVerifier returns a verifier that handles each event once. With REDIS_URL it remembers events
// in Redis, together with other processes. Without, it remembers them until the program ends. That
// will do here, because saving a response again changes nothing.
func newVerifier() (*webhook.Verifier, error) {
	opts := []webhook.Option{webhook.WithErrorHandler(logError)}
	if url := os.Getenv("REDIS_URL"); url != "" {
		config, err := redis.ParseURL(url)
		if err != nil {
			return nil, fmt.Errorf("REDIS_URL: %w", err)
		}
		deduper, err := redisstore.NewDeduper(redis.NewClient(config), "clicknps:events")
		if err != nil {
			return nil, err
		}
		opts = append(opts, webhook.WithDeduper(deduper))
	}
	// Several secrets, separated by spaces: list the old one too for 48 hours after a rotation.
	verifier, err := webhook.NewVerifier(strings.Fields(os.Getenv("CLICKNPS_WEBHOOK_SECRET")), opts...)
	if err != nil {
		return nil, fmt.Errorf("CLICKNPS_WEBHOOK_SECRET: %w", err)
	}
	return verifier, nil
}

// logError logs why a delivery was refused or an event was not handled. It leaves out what a
// customer has written.
func logError(_ context.Context, e *webhook.Event, err error) {
	if e == nil {
		slog.Warn("delivery refused", "error", err)
		return
	}
	slog.Error("event not handled", "type", e.Type, "key", e.Key, "error", err)
}

func openDatabase(ctx context.Context) (*pgxpool.Pool, error) {
	url := os.Getenv("DATABASE_URL")
	if url == "" {
		return nil, errors.New("DATABASE_URL: not set")
	}
	db, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	return db, nil
}

// serve passes deliveries to handler until ctx ends, and then finishes those that it is handling.
func serve(ctx context.Context, addr string, out io.Writer, handler http.Handler) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "listening at http://%s%s\n", listener.Addr(), path)
	mux := http.NewServeMux()
	mux.Handle(path, handler)
	server := &http.Server{
		Handler:     mux,
		ReadTimeout: 10 * time.Second, // for header and body, against slow senders
		IdleTimeout: time.Minute,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	// Kubernetes kills a program 30 seconds after its signal.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 25*time.Second)
	defer cancel()
	return server.Shutdown(ending)
}
