// Fleet is a worker of many that share one quota and one record of handled events in Redis. See
// README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/redisstore"
	"github.com/clicknps/go-sdk/webhook"
)

const survey = "demo"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("fleet", flag.ContinueOnError)
	number := flags.Int("worker", 0, "the number of this worker, from 0")
	of := flags.Int("of", 3, "how many workers there are")
	customers := flags.Int("customers", 60, "how many customers there are")
	perMinute := flags.Int("per-minute", 50, "requests a minute that the account has")
	work := flags.Duration("for", 3*time.Second, "how long to work")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *of < 1 || *number < 0 || *number >= *of {
		return errors.New("-worker must be below -of, and not negative")
	}
	ctx, cancel := context.WithTimeout(ctx, *work)
	defer cancel()
	rdb, closeRedis, err := connect()
	if err != nil {
		return err
	}
	defer closeRedis()
	plan := clicknps.Plan{PerMinute: *perMinute, PerHour: 10_000}
	if os.Getenv("CLICKNPS_API_KEY") == "" {
		return demo(ctx, rdb, plan, *of, *customers, out)
	}
	w, err := newWorker(rdb, plan, "", clicknps.New)
	if err != nil {
		return err
	}
	minted, err := w.mint(ctx, *number, *of, *customers)
	fmt.Fprintf(out, "worker %d minted links for %d customers\n", *number, minted)
	return err
}

// connect returns a client of the Redis of REDIS_URL, or of one in this process.
func connect() (rdb redis.UniversalClient, closeAll func(), err error) {
	url := os.Getenv("REDIS_URL")
	if url == "" {
		m := miniredis.NewMiniRedis()
		if err := m.Start(); err != nil {
			return nil, nil, err
		}
		client := redis.NewClient(&redis.Options{Addr: m.Addr()})
		return client, func() { client.Close(); m.Close() }, nil
	}
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, nil, fmt.Errorf("REDIS_URL: %w", err)
	}
	client := redis.NewClient(opts)
	return client, func() { client.Close() }, nil
}

// worker is one process of a fleet. It has nothing in common with the others but Redis.
type worker struct {
	client  *clicknps.Client
	events  http.Handler // to mount as the example webhook-receiver does; nil without a secret
	handled atomic.Int64
}

// newWorker returns a worker. The keys in Redis name the account: another account needs others.
func newWorker(
	rdb redis.UniversalClient, plan clicknps.Plan, secret string,
	newClient func(...clicknps.Option) (*clicknps.Client, error),
) (*worker, error) {
	limiter, err := redisstore.NewLimiter(rdb, "fleet:quota", plan)
	if err != nil {
		return nil, err
	}
	w := &worker{}
	if w.client, err = newClient(clicknps.WithRateLimiter(limiter)); err != nil || secret == "" {
		return w, err
	}
	deduper, err := redisstore.NewDeduper(rdb, "fleet:events")
	if err != nil {
		return nil, err
	}
	verifier, err := webhook.NewVerifier([]string{secret}, webhook.WithDeduper(deduper))
	if err != nil {
		return nil, err
	}
	w.events = verifier.Handler(func(context.Context, *webhook.Event) error {
		w.handled.Add(1)
		return nil
	})
	return w, nil
}

// mint mints links for this worker's part of the customers. It ends early when the quota of all is
// used up for longer than ctx lasts; minting again later gives the same links.
func (w *worker) mint(ctx context.Context, number, of, customers int) (minted int, err error) {
	for i := number; i < customers; i += of {
		params := &clicknps.LinkMintParams{SurveyID: survey, SubjectID: fmt.Sprint("customer_", i)}
		_, err := w.client.Links.Mint(ctx, params, clicknps.WithBulk())
		if errors.Is(err, clicknps.ErrRateLimited) {
			return minted, nil
		}
		if err != nil {
			return minted, err
		}
		minted++
	}
	return minted, nil
}
