// Weekly-report prints the Net Promoter Score by week and segment, and writes it as an HTML page.
// See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

const (
	week       = 7 * 24 * time.Hour
	confidence = 0.95
	everyone   = "all customers" // with a space, which no id of a customer has
	smooth     = 4               // weeks that a point of the trend line covers
	compared   = 13              // weeks at the end that are compared with as many before
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "weekly-report:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("weekly-report", flag.ContinueOnError)
	survey := flags.String("survey", "", "`id` of the survey; empty: all")
	page := flags.String("html", "weekly-report.html", "`file` for the page")
	if err := flags.Parse(args); err != nil {
		return err
	}
	client, err := connect()
	if err != nil {
		return err
	}
	r, err := newReport(ctx, client, *survey)
	if err != nil {
		return err
	}
	if err := r.print(out); err != nil {
		return err
	}
	html, err := r.html()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "\nThe page is in", *page)
	return os.WriteFile(*page, html, 0o600)
}

// connect returns a client of the real service if the environment has a key, and of the fake
// otherwise.
func connect() (*clicknps.Client, error) {
	if os.Getenv("CLICKNPS_API_KEY") != "" {
		return clicknps.New()
	}
	fake := clicknpstest.New()
	addYear(fake)
	return fake.Client(), nil
}

// report has a tally for each week, of all customers (everyone) and of each segment. Weeks without an
// answer are there too.
type report struct {
	First    time.Time // the Monday of the first week
	Segments []string  // everyone first
	tallies  map[string][]clicknps.Tally
}

// bucket is what a response counts for.
type bucket struct {
	week    time.Time
	segment string
}

// segment returns the customer's segment. Look it up in your CRM; here, it is what the customer's
// id begins with.
func segment(subjectID string) string {
	name, _, ok := strings.Cut(subjectID, "_")
	if !ok {
		return "other"
	}
	return name
}

// newReport reads all responses once, and counts them.
func newReport(ctx context.Context, client *clicknps.Client, survey string) (*report, error) {
	params := &clicknps.ResponseListParams{SurveyID: survey}
	all := client.Responses.All(ctx, params, clicknps.WithPrefetch(4))
	counted, err := clicknps.TallyBy(all, func(r *clicknps.Response) (bucket, bool) {
		// Truncate counts from year 1, which began with a Monday.
		return bucket{r.CreatedAt.UTC().Truncate(week), segment(r.SubjectID)}, !r.CreatedAt.IsZero()
	})
	if err != nil {
		return nil, err
	}
	if len(counted) == 0 {
		return nil, errors.New("there are no responses yet")
	}
	r := &report{tallies: map[string][]clicknps.Tally{}}
	var last time.Time
	for b := range counted {
		if r.First.IsZero() || b.week.Before(r.First) {
			r.First = b.week
		}
		if b.week.After(last) {
			last = b.week
		}
	}
	weeks := int(last.Sub(r.First)/week) + 1
	r.tallies[everyone] = make([]clicknps.Tally, weeks)
	for b, tally := range counted {
		if r.tallies[b.segment] == nil {
			r.tallies[b.segment] = make([]clicknps.Tally, weeks)
			r.Segments = append(r.Segments, b.segment)
		}
		i := int(b.week.Sub(r.First) / week)
		r.tallies[b.segment][i].Merge(tally)
		r.tallies[everyone][i].Merge(tally)
	}
	slices.Sort(r.Segments)
	r.Segments = append([]string{everyone}, r.Segments...)
	return r, nil
}

// sum returns the tally of the weeks from one up to, and without, another. Weeks out of range have
// no scores.
func (r *report) sum(segment string, from, to int) (sum clicknps.Tally) {
	for i := max(from, 0); i < min(to, len(r.tallies[segment])); i++ {
		sum.Merge(r.tallies[segment][i])
	}
	return sum
}
