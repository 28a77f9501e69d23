package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/redisstore"
	"github.com/clicknps/go-sdk/webhook"
)

// connect stands for redis.NewUniversalClient with the address of your Redis.
func connect() (rdb redis.UniversalClient, stop func()) {
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		panic(err)
	}
	rdb = redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{m.Addr()}})
	return rdb, func() {
		rdb.Close()
		m.Close()
	}
}

func ExampleNewLimiter() {
	rdb, stop := connect()
	defer stop()

	limiter, err := redisstore.NewLimiter(rdb, "clicknps:acme", clicknps.PlanFree,
		redisstore.WhenAway(redisstore.FairShare(8)))
	if err != nil {
		panic(err)
	}
	client, err := clicknps.New(clicknps.WithAPIKey("sk_live_abc123"), clicknps.WithRateLimiter(limiter))
	if err != nil {
		panic(err)
	}
	fmt.Println(client.Surveys != nil)
	// Output: true
}

func ExampleLimiter_Acquire() {
	rdb, stop := connect()
	defer stop()

	plan := clicknps.Plan{PerMinute: 2}
	for process := range 3 { // as if each ran on its own machine
		limiter, err := redisstore.NewLimiter(rdb, "clicknps:acme", plan)
		if err != nil {
			panic(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		release, err := limiter.Acquire(ctx, clicknps.Call{})
		if errors.Is(err, clicknps.ErrRateLimited) {
			fmt.Println("process", process, "would have to wait for a minute")
			continue
		} else if err != nil {
			panic(err)
		}
		fmt.Println("process", process, "makes its request")
		release(clicknps.RateOutcome{Sent: true, StatusCode: 200})
	}
	// Output:
	// process 0 makes its request
	// process 1 makes its request
	// process 2 would have to wait for a minute
}

func ExampleLimiter_Quotas() {
	rdb, stop := connect()
	defer stop()

	limiter, err := redisstore.NewLimiter(rdb, "clicknps:acme", clicknps.PlanFree, redisstore.WithReserve(100))
	if err != nil {
		panic(err)
	}
	quotas, err := limiter.Quotas(context.Background())
	if err != nil {
		panic(err)
	}
	for _, q := range quotas {
		fmt.Printf("%d of %d requests left in %v\n", q.Left, q.Limit, q.Window)
	}
	// Output:
	// 60 of 60 requests left in 1m0s
	// 1000 of 1000 requests left in 1h0m0s
}

func ExampleNewDeduper() {
	rdb, stop := connect()
	defer stop()

	ctx := context.Background()
	for _, process := range []string{"A", "B"} { // both receive the same event
		deduper, err := redisstore.NewDeduper(rdb, "clicknps:events")
		if err != nil {
			panic(err)
		}
		result, err := deduper.Claim(ctx, "event_1", process, time.Minute)
		if err != nil {
			panic(err)
		}
		if result != webhook.ClaimGranted {
			fmt.Println("process", process, "leaves it to another")
			continue
		}
		fmt.Println("process", process, "handles it")
	}
	// Output:
	// process A handles it
	// process B leaves it to another
}
