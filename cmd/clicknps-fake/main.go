// Command clicknps-fake serves the fake of ClickNPS and SalesOS NPS Surveys on a local address.
//
//	clicknps-fake -addr 127.0.0.1:8080 -plan free
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
	"syscall"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2) // the flag package has printed the usage
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "clicknps-fake:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	addr, opts, err := parse(args)
	if err != nil {
		return err
	}
	fake := clicknpstest.New(opts...)
	defer fake.Close()

	socket, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "CLICKNPS_BASE_URL=http://%s/v1\n", socket.Addr())
	fmt.Fprintf(out, "CLICKNPS_API_KEY=%s\n", fake.APIKey())
	fmt.Fprintf(out, "CLICKNPS_WEBHOOK_SECRET=%s\n", fake.WebhookSecret())
	fmt.Fprintf(out, "SALESOS_TOKEN=%s\n", fake.SalesOSToken())
	fmt.Fprintf(out, "SALESOS_API_KEY=%s\n", fake.SalesOSAPIKey())

	server := &http.Server{Handler: fake, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func parse(args []string) (addr string, opts []clicknpstest.Option, err error) {
	flags := flag.NewFlagSet("clicknps-fake", flag.ContinueOnError)
	flags.StringVar(&addr, "addr", "127.0.0.1:8080", "`host:port` to listen on; port 0 takes a free one")
	plan := clicknps.PlanEnterprise
	flags.Func("plan", "the ClickNPS account's plan: free, pro or enterprise (default enterprise)", func(name string) error {
		plans := map[string]clicknps.Plan{
			"free": clicknps.PlanFree, "pro": clicknps.PlanPro, "enterprise": clicknps.PlanEnterprise,
		}
		var known bool
		if plan, known = plans[name]; !known {
			return errors.New("not free, pro or enterprise")
		}
		return nil
	})
	limit := flags.Int("salesos-limit", 100, "SalesOS requests a minute for each user and key; 0: no limit")
	latency := flags.Duration("latency", 0, "delay of every request")
	seed := flags.Uint64("seed", 1, "seed of generated ids")
	key := flags.String("key", "", "the ClickNPS API `key` (default a test-mode key)")
	if err := flags.Parse(args); err != nil {
		return "", nil, err
	}
	if flags.NArg() > 0 {
		return "", nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	opts = []clicknpstest.Option{
		clicknpstest.WithPlan(plan),
		clicknpstest.WithSalesOSLimit(*limit),
		clicknpstest.WithLatency(*latency),
		clicknpstest.WithSeed(*seed),
	}
	if *key != "" {
		opts = append(opts, clicknpstest.WithKey(*key))
	}
	return addr, opts, nil
}
