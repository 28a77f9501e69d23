// Export writes the responses of both services to CSV or JSON Lines files, and can be resumed. See
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
	"slices"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "\nexport:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("export", flag.ContinueOnError)
	format := flags.String("format", "csv", "csv or jsonl")
	dir := flags.String("out", "exported", "`folder` for the files")
	if err := flags.Parse(args); err != nil {
		return err
	}
	client, err := connect()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*dir, 0o700); err != nil {
		return err
	}
	e := &exporter{client: client, out: out}
	for _, service := range []struct {
		file   string
		export func(context.Context, *output) error
	}{
		{"clicknps", e.clickNPS}, {"salesos", e.salesOS},
	} {
		o, err := openOutput(filepath.Join(*dir, service.file), *format)
		if err != nil {
			return err
		}
		err = service.export(ctx, o)
		if errors.Is(err, clicknps.ErrMissingCredentials) {
			fmt.Fprintf(out, "%s: skipped, there are no credentials\n", service.file)
			err = nil
		}
		if err := errors.Join(err, o.close()); err != nil {
			return fmt.Errorf("%s: %w", service.file, err)
		}
	}
	return nil
}

// connect returns a client of the real services if the environment has a key, and of the fake
// otherwise.
func connect() (*clicknps.Client, error) {
	if os.Getenv("CLICKNPS_API_KEY") != "" {
		return clicknps.New()
	}
	fake := clicknpstest.New()
	fill(fake, 20_000)
	return fake.Client(), nil
}

type exporter struct {
	client *clicknps.Client
	out    io.Writer
}

// clickNPS appends the responses that the file lacks. The next run appends those that are new by
// then.
func (e *exporter) clickNPS(ctx context.Context, o *output) error {
	rows := 0
	for r, err := range e.client.Responses.All(ctx, nil, clicknps.WithBookmark(&o.state.Bookmark),
		clicknps.WithPrefetch(4), clicknps.WithProgress(e.progress("clicknps"))) {
		if err == nil && rows%1000 == 0 {
			err = o.save() // the bookmark stands for the row before this one
		}
		if err == nil {
			err = o.write(row{r.ID, r.SurveyID, r.SubjectID, score(r.Score), r.Comment, r.CreatedAt})
		}
		if err != nil {
			return err
		}
		rows++
	}
	fmt.Fprintf(e.out, "\rclicknps: %d new responses in %s\n", rows, o.file.Name())
	return o.save()
}

// salesOS writes the responses survey by survey. After an interruption it goes on with the first
// survey that is not complete; once all are, the next run starts anew.
func (e *exporter) salesOS(ctx context.Context, o *output) error {
	for survey, err := range e.client.SalesOS.NPS.All(ctx, nil) {
		if err != nil {
			return err
		}
		if slices.Contains(o.state.Surveys, survey.ID) {
			continue
		}
		progress := clicknps.WithProgress(e.progress(survey.Name))
		for r, err := range e.client.SalesOS.NPS.AllResponses(ctx, survey.ID, nil, progress) {
			if errors.Is(err, clicknps.ErrNotFound) {
				break // somebody has deleted the survey
			}
			if err == nil {
				err = o.write(row{r.ID, r.SurveyID, r.Email, score(r.Score), r.Comment, r.CreatedAt})
			}
			if err != nil {
				return err
			}
		}
		o.state.Surveys = append(o.state.Surveys, survey.ID)
		if err := o.save(); err != nil {
			return err
		}
	}
	fmt.Fprintf(e.out, "\rsalesos: %d surveys in %s\n", len(o.state.Surveys), o.file.Name())
	return o.forget()
}

// progress returns a function that prints a line every 100 responses.
func (e *exporter) progress(what string) func(done, total int64) {
	return func(done, total int64) {
		if done%100 == 0 && total < 0 {
			fmt.Fprintf(e.out, "\r%s: %d", what, done)
		} else if done%100 == 0 {
			fmt.Fprintf(e.out, "\r%s: %d of %d", what, done, total)
		}
	}
}
