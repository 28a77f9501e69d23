// Mail-links mints links for each customer of a CSV file and writes a mail for each, as a file. See
// README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

const workers = 16 // mint links concurrently

var plans = map[string]clicknps.Plan{
	"free": clicknps.PlanFree, "pro": clicknps.PlanPro, "enterprise": clicknps.PlanEnterprise,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "\nmail-links:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mail-links", flag.ContinueOnError)
	file := flags.String("customers", "", "CSV `file` with id, name and email; empty: 10,000 made-up customers")
	survey := flags.String("survey", "demo", "`id` of the survey")
	dir := flags.String("out", "mails", "`folder` for the mails")
	plan := flags.String("plan", "pro", "free, pro or enterprise")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if _, ok := plans[*plan]; !ok {
		return errors.New("-plan must be free, pro or enterprise")
	}
	customers, err := readCustomers(*file)
	if err != nil {
		return err
	}
	client, err := connect(plans[*plan], *survey)
	if err != nil {
		return err
	}
	folder := filepath.Join(*dir, *survey)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	outbox, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer outbox.Close()
	return (&mailer{client: client, survey: *survey, outbox: outbox, out: out}).mailAll(ctx, customers)
}

// connect returns a client of the real service if the environment has a key, and of the fake
// otherwise.
func connect(plan clicknps.Plan, survey string) (*clicknps.Client, error) {
	if os.Getenv("CLICKNPS_API_KEY") != "" {
		return clicknps.New(clicknps.WithPlan(plan))
	}
	fake := clicknpstest.New(clicknpstest.WithPlan(plan))
	fake.AddSurvey(clicknps.Survey{ID: survey})
	return fake.Client(clicknps.WithPlan(plan)), nil
}

// mailer writes mails. A mail that is in the outbox is complete, so the outbox is also the record
// of what is done.
type mailer struct {
	client *clicknps.Client
	survey string
	outbox *os.Root
	out    io.Writer
}

// mailAll mails the customers that have no mail yet. It stops at the first error; start it again to
// go on.
func (m *mailer) mailAll(ctx context.Context, customers []customer) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	queue := make(chan customer)
	var wg sync.WaitGroup
	var minted atomic.Int64
	for range workers {
		wg.Go(func() {
			for c := range queue {
				if err := m.mail(ctx, c); err != nil {
					stop(fmt.Errorf("customer %s: %w", c.id, err))
					return
				}
				minted.Add(1)
			}
		})
	}
	todo, err := m.withoutMail(customers)
	if err != nil {
		stop(err)
	}
	before, start := len(customers)-len(todo), time.Now()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for len(todo) > 0 && ctx.Err() == nil {
		select {
		case queue <- todo[0]:
			todo = todo[1:]
		case <-second.C:
			n := int(minted.Load())
			m.progress(ctx, before+n, len(customers), time.Since(start)/time.Duration(n+1))
		case <-ctx.Done():
		}
	}
	close(queue)
	wg.Wait()
	m.progress(ctx, before+int(minted.Load()), len(customers), 0)
	fmt.Fprintln(m.out)
	return context.Cause(ctx) // nil unless the user or an error stopped it
}

// mail mints the links of one customer and writes the mail.
func (m *mailer) mail(ctx context.Context, c customer) error {
	minted, err := m.client.Links.Mint(ctx,
		&clicknps.LinkMintParams{SurveyID: m.survey, SubjectID: c.id},
		clicknps.WithIdempotencyKey(clicknps.DeriveIdempotencyKey("mail-links", m.survey, c.id)),
		clicknps.WithBulk(), // your program's other calls go first
	)
	if err != nil {
		return err
	}
	if !minted.ExpiresAt.IsZero() && minted.ExpiresAt.Before(time.Now()) {
		return fmt.Errorf("the links expired on %s: ask with a new survey", minted.ExpiresAt.Format(time.DateOnly))
	}
	// The name without .part appears at once and with the whole content, whenever this process is
	// killed.
	part := c.id + ".part"
	if err := m.outbox.WriteFile(part, mailText(c.address, minted.Links), 0o600); err != nil {
		return err
	}
	return m.outbox.Rename(part, c.id+".eml")
}

// progress prints how many customers have a mail and how long the others take: as long as so far,
// or as the plan says.
func (m *mailer) progress(ctx context.Context, done, total int, each time.Duration) {
	left := each * time.Duration(total-done)
	quotas, err := m.client.Quotas(ctx)
	if err == nil {
		for _, q := range quotas {
			over := total - done - q.Left
			left = max(left, time.Duration(over)*q.Window/time.Duration(q.Limit))
		}
	}
	fmt.Fprintf(m.out, "\r%d of %d mails, %v left      ", done, total, left.Round(time.Second))
}
