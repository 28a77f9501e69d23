package main

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/webhook"
)

const (
	insert = `
INSERT INTO responses (survey_id, subject_id, score, comment, updated_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (survey_id, subject_id) `

	// A response.created comes late if its first attempts failed. It says nothing that a row of the
	// same response does not know.
	saveCreated = insert + `DO NOTHING`

	// A response.updated holds the whole response, so the latest one wins.
	saveUpdated = insert + `DO UPDATE
SET score = excluded.score, comment = excluded.comment, updated_at = excluded.updated_at
WHERE responses.updated_at IS NULL OR responses.updated_at <= excluded.updated_at`
)

// database is a connection pool or a transaction.
type database interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// save stores the response of e. Saving events again or in another order ends in the same row, as
// long as the updates have different times.
//
// The time of an update is OccurredAt. SentAt can't order events: it is the time of the attempt, so
// a late attempt of an old event has a late SentAt. Two updates of the same time, or without any,
// can't be ordered: the one that arrives last is kept.
func save(ctx context.Context, db database, e *webhook.Event) error {
	var sql string
	var updatedAt *time.Time
	switch e.Type {
	case clicknps.EventResponseCreated:
		sql = saveCreated
	case clicknps.EventResponseUpdated:
		sql = saveUpdated
		if !e.OccurredAt.IsZero() {
			updatedAt = &e.OccurredAt
		}
	default:
		return nil // not about a response, or newer than this program
	}
	var score *int
	if e.Response.Score != clicknps.NoScore {
		score = &e.Response.Score
	}
	// PostgreSQL refuses text with a zero byte, and the event would fail at every attempt.
	comment := strings.ReplaceAll(e.Response.Comment, "\x00", "")
	_, err := db.Exec(ctx, sql, e.SurveyID, e.Response.SubjectID, score, comment, updatedAt)
	return err
}
