// Tenants reads the scores of many customers' ClickNPS accounts, with a client for each. See
// README.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// tenant is what you store about a customer.
type tenant struct {
	Name string        `json:"name"`
	Key  string        `json:"key"`
	Plan clicknps.Plan `json:"plan"` // {"PerMinute": 60, "PerHour": 1000}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "tenants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("tenants", flag.ContinueOnError)
	file := flags.String("tenants", "", "JSON `file` with a list of name, key and plan; empty: three fakes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	tenants, transport := fakes()
	if *file != "" {
		var err error
		if tenants, err = readTenants(*file); err != nil {
			return err
		}
		transport = newTransport()
	}
	return printScores(ctx, newClients(tenants.find, transport), tenants.names, out)
}

// newTransport returns the transport that all clients share: one pool of connections, however many
// tenants there are.
func newTransport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 20
	return t
}

// printScores prints a line for each tenant. The failure of one does not keep the others from
// theirs.
func printScores(ctx context.Context, clients *clients, names []string, out io.Writer) error {
	lines, errs := make([]string, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() { lines[i], errs[i] = score(ctx, clients, name) })
	}
	wg.Wait()
	fmt.Fprint(out, strings.Join(lines, ""))
	return errors.Join(errs...)
}

func score(ctx context.Context, clients *clients, name string) (line string, err error) {
	client, err := clients.get(ctx, name)
	if err != nil {
		return "", err
	}
	tally, err := clicknps.TallyOf(client.Responses.All(ctx, nil))
	if err != nil {
		return "", fmt.Errorf("tenant %s: %w", name, err)
	}
	quotas, err := client.Quotas(ctx)
	if err != nil {
		return "", fmt.Errorf("tenant %s: %w", name, err)
	}
	line = fmt.Sprintf("%-8s NPS %+.0f from %d responses", name, tally.NPS(), tally.Total())
	for _, q := range quotas {
		line += fmt.Sprintf(", %d of %d requests left in %v", q.Left, q.Limit, q.Window)
	}
	return line + "\n", nil
}

// directory stands for your table of tenants.
type directory struct {
	names   []string
	tenants map[string]tenant
}

// find returns a tenant as it is stored now.
func (d *directory) find(_ context.Context, name string) (tenant, error) {
	t, ok := d.tenants[name]
	if !ok {
		return tenant{}, fmt.Errorf("there is no tenant %q", name)
	}
	return t, nil
}

func newDirectory(tenants ...tenant) *directory {
	d := &directory{tenants: map[string]tenant{}}
	for _, t := range tenants {
		d.names = append(d.names, t.Name)
		d.tenants[t.Name] = t
	}
	return d
}

func readTenants(file string) (*directory, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var tenants []tenant
	if err := json.Unmarshal(text, &tenants); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return newDirectory(tenants...), nil
}

// fakes returns tenants with an account each, and a transport that finds the account by the key, as
// the service does.
func fakes() (*directory, http.RoundTripper) {
	accounts := accounts{}
	tenants := []tenant{
		{"acme", "sk_test_acme", clicknps.PlanFree},
		{"globex", "sk_test_globex", clicknps.PlanPro},
		{"initech", "sk_test_initech", clicknps.PlanEnterprise},
	}
	for i, t := range tenants {
		fake := clicknpstest.New(clicknpstest.WithKey(t.Key), clicknpstest.WithPlan(t.Plan))
		for n := range 40 * (i + 1) {
			fake.Respond("demo", fmt.Sprint("customer_", n), (n*(i+3))%11, "")
		}
		accounts["Bearer "+t.Key] = fake.Transport()
	}
	return newDirectory(tenants...), accounts
}

// accounts are fakes, by the Authorization header.
type accounts map[string]http.RoundTripper

func (a accounts) RoundTrip(r *http.Request) (*http.Response, error) {
	if account, ok := a[r.Header.Get("Authorization")]; ok {
		return account.RoundTrip(r)
	}
	for _, account := range a {
		return account.RoundTrip(r) // which answers that it does not know the key
	}
	return nil, errors.New("there are no accounts")
}
