// Sync-postgres mirrors all responses into PostgreSQL: the first run takes all, each later run what is
// new. README.md shows how to run it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clicknps/go-sdk"
)

const (
	// A comment that a webhook has stored meanwhile may be newer than the one of the list.
	saveResponse = `
INSERT INTO responses (survey_id, subject_id, id, score, comment, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (survey_id, subject_id) DO UPDATE
SET id = excluded.id, score = excluded.score,
    updated_at = greatest(responses.updated_at, excluded.updated_at),
    comment = CASE WHEN responses.updated_at > excluded.updated_at
                   THEN responses.comment ELSE excluded.comment END`

	saveBookmark = `
INSERT INTO bookmarks (list, bookmark) VALUES ($1, $2)
ON CONFLICT (list) DO UPDATE SET bookmark = excluded.bookmark`

	batchSize = 100 // responses a transaction
)

func main() {
	full := flag.Bool("full", false, "begin anew: find changes of old responses, too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *full, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sync-postgres:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, full bool, out io.Writer) error {
	url := os.Getenv("DATABASE_URL")
	if url == "" {
		return errors.New("DATABASE_URL: not set")
	}
	client, err := clicknps.New(clicknps.WithPlan(clicknps.PlanFree)) // your plan
	if err != nil {
		return err
	}
	db, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	defer db.Close(context.WithoutCancel(ctx))
	n, err := mirror(ctx, client, db, full)
	if errors.Is(err, clicknps.ErrListChanged) { // the bookmark is lost: begin anew, which is safe
		n, err = mirror(ctx, client, db, true)
	}
	fmt.Fprintf(out, "%d responses\n", n)
	return err
}

// mirror stores all responses, or those after the bookmark. Rows and bookmark are committed together, so
// a run that is killed goes on where the last commit was.
//
// A bookmark needs a list that has the oldest first. It does not see what changes before it: comments
// come by webhook (see the example webhook-receiver), and -full finds everything.
func mirror(ctx context.Context, client *clicknps.Client, db *pgx.Conn, full bool) (n int, err error) {
	bookmark := ""
	if !full {
		row := db.QueryRow(ctx, "SELECT bookmark FROM bookmarks WHERE list = 'responses'")
		if err := row.Scan(&bookmark); err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return 0, err
		}
	}
	batch := new(pgx.Batch)
	commit := func() error {
		batch.Queue(saveBookmark, "responses", bookmark)
		err := db.SendBatch(ctx, batch).Close() // in one transaction
		batch = new(pgx.Batch)
		return err
	}
	opts := []clicknps.RequestOption{clicknps.WithBookmark(&bookmark), clicknps.WithPrefetch(2)}
	for r, err := range client.Responses.All(ctx, nil, opts...) {
		if err != nil {
			return n, errors.Join(err, commit())
		}
		// The bookmark stands for the response before this one, and what is queued ends there.
		if batch.Len() == batchSize {
			if err := commit(); err != nil {
				return n, err
			}
		}
		queue(batch, r)
		n++
	}
	return n, commit()
}

func queue(batch *pgx.Batch, r *clicknps.Response) {
	var score *int
	if r.Score != clicknps.NoScore {
		score = &r.Score
	}
	updatedAt := r.UpdatedAt
	if updatedAt.IsZero() {
		updatedAt = r.CreatedAt
	}
	var at *time.Time
	if !updatedAt.IsZero() {
		at = &updatedAt
	}
	comment := strings.ReplaceAll(r.Comment, "\x00", "") // PostgreSQL refuses a zero byte in text
	batch.Queue(saveResponse, r.SurveyID, r.SubjectID, r.ID, score, comment, at)
}
