package main

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/webhook"
)

// delivered returns the event that a receiver gets with body.
func delivered(t *testing.T, body string) *webhook.Event {
	t.Helper()
	verifier, err := webhook.NewVerifier([]string{secret})
	require.NoError(t, err)
	header := map[string][]string{webhook.SignatureHeader: {webhook.Sign(secret, []byte(body))}}
	e, err := verifier.Verify(header, []byte(body))
	require.NoError(t, err)
	return e
}

// flat returns the body of a delivery as ClickNPS sends it; fields follow the subject.
func flat(fields string) string {
	return `{"survey_id":"onboarding","subject_id":"anna",` + fields + `,"timestamp":"` +
		time.Now().Format(time.RFC3339Nano) + `"}`
}

// updated returns an envelope whose event happened at a time; "" leaves the time out.
func updated(at, fields string) string {
	if at != "" {
		at = `"created_at":"` + at + `",`
	}
	return `{"type":"response.updated",` + at +
		`"data":{"survey_id":"onboarding","subject_id":"anna",` + fields + `}}`
}

// hour returns a time today or yesterday, so that no delivery is stale.
func hour(n int) string {
	at := time.Now().Add(time.Duration(n-10) * time.Hour).UTC()
	return at.Truncate(time.Millisecond).Format(time.RFC3339Nano)
}

// orders calls fn with each order of the numbers below n.
func orders(n int, fn func([]int)) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	var permute func(int)
	permute = func(k int) {
		if k == n {
			fn(order)
			return
		}
		for i := k; i < n; i++ {
			order[k], order[i] = order[i], order[k]
			permute(k + 1)
			order[k], order[i] = order[i], order[k]
		}
	}
	permute(0)
}

func TestSave(t *testing.T) {
	t.Parallel()
	_, db := startPostgres(t)
	for name, test := range map[string]func(*testing.T, *pgxpool.Pool){
		"every order ends in the same row":       testOrders,
		"equal times keep the last to arrive":    testEqualTimes,
		"there is one row for each response":     testRows,
		"an event that is not saved is an error": testFailure,
	} {
		t.Run(name, func(t *testing.T) {
			execute(t, db, "DELETE FROM responses")
			test(t, db)
		})
	}
}

func testOrders(t *testing.T, db *pgxpool.Pool) {
	created := delivered(t, flat(`"score":9,"comment":"first"`))
	older := delivered(t, updated(hour(1), `"score":9,"comment":"older"`))
	newer := delivered(t, updated(hour(2), `"score":8,"comment":"newer"`))
	untimed := delivered(t, updated("", `"score":8,"comment":"untimed"`))
	late := delivered(t, flat(`"score":9,"comment":"first"`)) // another attempt, with a later SentAt
	for name, test := range map[string]struct {
		events []*webhook.Event
		want   string
	}{
		"created alone":             {[]*webhook.Event{created, late}, "first"},
		"created, updated, doubled": {[]*webhook.Event{created, older, late, older}, "older"},
		"created, updated, updated, doubled": {
			[]*webhook.Event{created, older, newer, late, older, newer}, "newer",
		},
		"no created":             {[]*webhook.Event{newer, older, older, newer}, "newer"},
		"an update without time": {[]*webhook.Event{created, untimed, late, untimed}, "untimed"},
		"updates with and without time": {
			[]*webhook.Event{created, older, untimed, newer, late}, "newer",
		},
	} {
		orders(len(test.events), func(order []int) {
			execute(t, db, "DELETE FROM responses")
			for _, i := range order {
				require.NoError(t, save(t.Context(), db, test.events[i]))
			}
			saved := rows(t, db)
			require.Len(t, saved, 1, "%s: %v", name, order)
			require.Equal(t, test.want, saved[0].Comment, "%s: %v", name, order)
		})
	}
}

type updateTime struct{ At *time.Time }

func testEqualTimes(t *testing.T, db *pgxpool.Pool) {
	at := hour(1)
	occurred, err := time.Parse(time.RFC3339Nano, at)
	require.NoError(t, err)
	for _, test := range []struct {
		at   string
		want *time.Time
	}{{"", nil}, {at, &occurred}} {
		for _, comment := range []string{"a", "b"} {
			e := delivered(t, updated(test.at, `"score":9,"comment":"`+comment+`"`))
			require.NoError(t, save(t.Context(), db, e))
			assert.Equal(t, []row{{"onboarding", "anna", new(9), comment}}, rows(t, db))
			times := query[updateTime](t, db, "SELECT updated_at AT TIME ZONE 'UTC' FROM responses")
			assert.Equal(t, []updateTime{{test.want}}, times)
		}
	}
}

func testRows(t *testing.T, db *pgxpool.Pool) {
	for _, body := range []string{
		flat(`"score":0,"comment":null`),
		`{"survey_id":"onboarding","subject_id":"bert","score":10}`,
		`{"survey_id":"renewal","subject_id":"anna","score":null,"comment":"no\u0000score"}`,
		`{"type":"survey.completed","data":{"id":"onboarding"}}`,
		`{"type":"account.renamed","data":{"name":"ACME"}}`,
		`{"type":"response.archived","data":{"survey_id":"onboarding","subject_id":"bert","score":1}}`,
	} {
		require.NoError(t, save(t.Context(), db, delivered(t, body)), body)
	}
	assert.Equal(t, []row{
		{"onboarding", "anna", new(0), ""},
		{"onboarding", "bert", new(10), ""},
		{"renewal", "anna", nil, "noscore"},
	}, rows(t, db))
}

func testFailure(t *testing.T, db *pgxpool.Pool) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, save(ctx, db, delivered(t, flat(`"score":1`))), context.Canceled)
}
