package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// demo runs a whole fleet in this process, with the SDK's fake.
func demo(
	ctx context.Context, rdb redis.UniversalClient, plan clicknps.Plan, of, customers int, out io.Writer,
) error {
	fake := clicknpstest.New(clicknpstest.WithPlan(plan))
	defer fake.Close()
	fake.AddSurvey(clicknps.Survey{ID: survey})
	newClient := func(opts ...clicknps.Option) (*clicknps.Client, error) { return fake.Client(opts...), nil }
	workers := make([]*worker, of)
	for i := range workers {
		var err error
		if workers[i], err = newWorker(rdb, plan, fake.WebhookSecret(), newClient); err != nil {
			return err
		}
	}
	params := &clicknps.WebhookCreateParams{
		URL: "https://fleet.example/events", Events: []clicknps.EventType{clicknps.EventResponseCreated},
	}
	if _, err := workers[0].client.Webhooks.Create(ctx, params); err != nil {
		return err
	}
	if err := mintAll(ctx, workers, customers, out); err != nil {
		return err
	}
	refused := 0
	for _, r := range fake.Requests() {
		if r.StatusCode == http.StatusTooManyRequests {
			refused++
		}
	}
	fmt.Fprintf(out, "The service got %d requests and refused %d.\n", len(fake.Requests()), refused)
	return deliverTwice(fake, workers, out)
}

func mintAll(ctx context.Context, workers []*worker, customers int, out io.Writer) error {
	minted, errs := make([]int, len(workers)), make([]error, len(workers))
	var wg sync.WaitGroup
	for i, w := range workers {
		wg.Go(func() { minted[i], errs[i] = w.mint(ctx, i, len(workers), customers) })
	}
	wg.Wait()
	total := 0
	for _, n := range minted {
		total += n
	}
	fmt.Fprintf(out, "%d workers minted links for %d of %d customers.\n", len(workers), total, customers)
	return errors.Join(errs...)
}

// deliverTwice has each event delivered to one worker, and once more to another.
func deliverTwice(fake *clicknpstest.Server, workers []*worker, out io.Writer) error {
	var next atomic.Int64
	fake.DeliverTo(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // the load balancer
		workers[int(next.Add(1))%len(workers)].events.ServeHTTP(w, r)
	}))
	for i := range 10 {
		fake.Respond(survey, fmt.Sprint("customer_", i), 9, "")
	}
	fake.Advance(3 * time.Minute)
	for i := range 10 {
		if _, err := fake.Redeliver(i); err != nil {
			return err
		}
	}
	var handled int64
	for _, w := range workers {
		handled += w.handled.Load()
	}
	fmt.Fprintf(out, "%d deliveries came, and %d events were handled.\n", len(fake.Deliveries()), handled)
	return nil
}
