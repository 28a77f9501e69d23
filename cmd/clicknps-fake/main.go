// Command clicknps-fake serves the fake of ClickNPS and SalesOS NPS Surveys on a local address.
//
//	clicknps-fake -addr 127.0.0.1:8080 -plan free > fake.env
//
// It prints the environment variables that make clicknps.New call the fake, one NAME=value a line:
//
//	set -a; . ./fake.env; set +a
//
// It answers requests whose Host header names the loopback interface, the host of -addr or the
// address that the request came in at; it refuses others with 403, so that no web page can reach
// it by DNS rebinding.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// shellSafe matches what can stand in an env file without quotes.
var shellSafe = regexp.MustCompile(`^[A-Za-z0-9_.:/+=-]*$`)

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
	base := baseURL(socket.Addr())
	fmt.Fprintf(out, "CLICKNPS_BASE_URL=%s\n", base)
	fmt.Fprintf(out, "CLICKNPS_API_KEY=%s\n", fake.APIKey())
	fmt.Fprintf(out, "CLICKNPS_WEBHOOK_SECRET=%s\n", fake.WebhookSecret())
	fmt.Fprintf(out, "SALESOS_BASE_URL=%s\n", base)
	fmt.Fprintf(out, "SALESOS_TOKEN=%s\n", fake.SalesOSToken())

	listening, _, _ := net.SplitHostPort(addr) // net.Listen has accepted it
	server := newServer(refuseForeignHosts(listening, fake))
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// newServer returns a server that waits for no sender for long.
func newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
	}
}

// baseURL returns the base URL for clients on this machine.
func baseURL(listening net.Addr) string {
	if tcp, ok := listening.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("http://127.0.0.1:%d/v1", tcp.Port)
	}
	return fmt.Sprintf("http://%s/v1", listening)
}

// refuseForeignHosts answers 403 to requests for a host that is neither this machine nor
// listening.
func refuseForeignHosts(listening string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := (&url.URL{Host: r.Host}).Hostname()
		ip := net.ParseIP(host)
		local, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
		switch {
		case strings.EqualFold(host, "localhost"), listening != "" && strings.EqualFold(host, listening):
		case ip != nil && (ip.IsLoopback() || local != nil && ip.Equal(local.IP)):
		default:
			message := "This fake is for local use: foreign host " + strconv.Quote(host)
			http.Error(w, message, http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func parse(args []string) (addr string, opts []clicknpstest.Option, err error) {
	flags := flag.NewFlagSet("clicknps-fake", flag.ContinueOnError)
	flags.StringVar(&addr, "addr", "127.0.0.1:8080", "`host:port` to listen on; port 0 takes a free one")
	plan := clicknps.PlanEnterprise
	const usage = "the ClickNPS account's plan: free, pro or enterprise (default enterprise)"
	flags.Func("plan", usage, func(name string) error {
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
	if !shellSafe.MatchString(*key) {
		return "", nil, errors.New("-key may have letters, digits, and the characters _ - . : / + =")
	}
	if *key != "" {
		opts = append(opts, clicknpstest.WithKey(*key))
	}
	return addr, opts, nil
}
