// Clicknps-check checks the services behind your credentials against their documents, and prints what it
// finds, with secrets cut, for an issue. It quotes what differs, so read it before you paste it.
//
//	CLICKNPS_API_KEY=… go run github.com/clicknps/go-sdk/cmd/clicknps-check@latest
//
// It reads the environment as clicknps.New does. It only reads from the services, unless -writes allows it to
// create objects and delete them again. It exits with 0 if all holds, 1 if something differs, and 2 if it
// could not begin.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

func main() {
	flags := flag.NewFlagSet("clicknps-check", flag.ExitOnError)
	asJSON := flags.Bool("json", false, "print JSON")
	writes := flags.Bool("writes", false, "create objects, and delete them again")
	_ = flags.Parse(os.Args[1:]) // exits on an error
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, err := run(ctx, *writes)
	if err != nil {
		fmt.Fprintln(os.Stderr, "clicknps-check:", err)
		os.Exit(2)
	}
	if *asJSON {
		err = json.NewEncoder(os.Stdout).Encode(r)
	} else {
		err = r.print(os.Stdout)
	}
	if err != nil || r.differs() {
		os.Exit(1)
	}
}

// report is what a run has found.
type report struct {
	Version     string                 `json:"version"`
	TestMode    bool                   `json:"test_mode"`
	Connections []connection           `json:"connections"`
	Findings    []clicknpstest.Finding `json:"findings"`
}

// connection is what the answers of a host show.
type connection struct {
	Host        string            `json:"host"`
	Protocol    string            `json:"protocol"`              // of HTTP
	TLS         string            `json:"tls,omitempty"`         // its version
	Certificate string            `json:"certificate,omitempty"` // when it ends
	ClockSkew   string            `json:"clock_skew"`            // of the server's clock, by its Date header
	Limits      map[string]string `json:"limits"`                // X-RateLimit headers
	Requests    int               `json:"requests"`
	Refused     int               `json:"refused"` // with status 429
}

func run(ctx context.Context, writes bool) (*report, error) {
	seen := &recorder{byHost: map[string]*connection{}}
	client, err := clicknps.New(clicknps.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
		seen.next = next
		return seen
	}), clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: 1}))
	if err != nil {
		return nil, err
	}
	var opts []clicknpstest.ServiceOption
	if writes {
		opts = append(opts, clicknpstest.WithWrites())
	}
	r := &report{Version: clicknps.Version, TestMode: client.TestMode()}
	r.Findings = clicknpstest.CheckService(ctx, client, opts...)
	for i := range r.Findings {
		r.Findings[i].Detail = withoutSecrets(r.Findings[i].Detail) // a server may echo them
	}
	if len(seen.hosts) == 0 && ctx.Err() == nil {
		return nil, fmt.Errorf("no service could be reached: %w", seen.err)
	}
	for _, host := range seen.hosts {
		r.Connections = append(r.Connections, *seen.byHost[host])
	}
	return r, ctx.Err()
}

// withoutSecrets cuts the credentials out of a text.
func withoutSecrets(text string) string {
	for _, name := range []string{"CLICKNPS_API_KEY", "SALESOS_TOKEN", "SALESOS_API_KEY"} {
		if secret := os.Getenv(name); secret != "" {
			text = strings.ReplaceAll(text, secret, "[redacted]")
		}
	}
	return text
}

// recorder is a transport that notes what the answers of each host show.
type recorder struct {
	next http.RoundTripper

	mu     sync.Mutex
	err    error // of the latest request without an answer
	hosts  []string
	byHost map[string]*connection
}

// RoundTrip implements http.RoundTripper.
func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.next.RoundTrip(req)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.err = err
		return resp, err
	}
	c := r.byHost[req.URL.Host]
	if c == nil {
		c = &connection{Host: req.URL.Host, Limits: map[string]string{}}
		r.hosts, r.byHost[req.URL.Host] = append(r.hosts, req.URL.Host), c
	}
	c.note(resp)
	return resp, nil
}

func (c *connection) note(resp *http.Response) {
	c.Requests++
	if resp.StatusCode == http.StatusTooManyRequests {
		c.Refused++
	}
	c.Protocol = resp.Proto
	if resp.TLS != nil {
		c.TLS = tls.VersionName(resp.TLS.Version)
		if len(resp.TLS.PeerCertificates) > 0 {
			c.Certificate = resp.TLS.PeerCertificates[0].NotAfter.Format(time.DateOnly)
		}
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		c.ClockSkew = time.Until(date).Round(time.Second).String()
	}
	for name, values := range resp.Header {
		if strings.HasPrefix(name, "X-Ratelimit-Limit") {
			c.Limits[name] = values[0]
		}
	}
}

func (r *report) differs() bool {
	for _, f := range r.Findings {
		if f.Status == clicknpstest.Differs {
			return true
		}
	}
	return false
}

// print writes the report as tables.
func (r *report) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "clicknps-go %s, test key: %t\n\n", r.Version, r.TestMode)
	fmt.Fprintln(w, "host\tprotocol\tTLS\tcertificate until\tclock skew\tlimits\trequests\trefused")
	for _, c := range r.Connections {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\n", c.Host, c.Protocol, c.TLS, c.Certificate, c.ClockSkew,
			strings.TrimPrefix(fmt.Sprint(c.Limits), "map"), c.Requests, c.Refused)
	}
	fmt.Fprintln(w, "\nservice\tcheck\tstatus\tdetail")
	for _, f := range r.Findings {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Service, f.Check, f.Status, f.Detail)
	}
	return w.Flush()
}
