package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

func TestTourAgainstTheFake(t *testing.T) {
	t.Setenv("CLICKNPS_API_KEY", "")
	synctest.Test(t, func(t *testing.T) {
		tour, err := newTour(false)
		require.NoError(t, err)
		defer tour.fake.Close()
		var out strings.Builder
		tour.out = &out
		start := time.Now()
		require.NoError(t, tour.run(t.Context()))

		require.Less(t, time.Since(start), 10*time.Second)
		for _, want := range []string{
			"survey_", "minted for 300 customers", "met a 429 on page 1, waited 1s", "comment     added to", "webhook_", "NPS +", "± ",
			"█", "▓", "░", "renamed", "toggled, once: active true → false", "of CSV", "tidied up",
		} {
			require.Contains(t, out.String(), want)
		}
		require.Equal(t, len(tour.ratings), tour.tally.Total(), "every customer who answered is counted once")
		require.Empty(t, tour.fake.Surveys())
		require.Empty(t, tour.fake.Webhooks())
		require.Empty(t, tour.fake.NPSSurveys())
	})
}

// With a real key, nothing is changed unless -write says so; and what -write creates is deleted.
func TestTourOfARealAccount(t *testing.T) {
	t.Parallel()
	for _, write := range []bool{false, true} {
		t.Run(fmt.Sprintf("write=%v", write), func(t *testing.T) {
			t.Parallel()
			srv := clicknpstest.Run(t)
			srv.AddSurvey(clicknps.Survey{ID: "survey_own", Name: "Somebody's own"})
			srv.AddNPSSurvey(clicknps.NPSSurvey{Name: "Somebody's own"})
			var out strings.Builder
			tour := &tour{client: srv.Client(), out: &out, write: write}
			require.NoError(t, tour.run(t.Context()))

			changed := false
			for _, r := range srv.Requests() {
				changed = changed || r.Method != http.MethodGet
			}
			require.Equal(t, write, changed)
			require.Len(t, srv.Surveys(), 1)
			require.Len(t, srv.NPSSurveys(), 1)
			require.Empty(t, srv.Webhooks())
		})
	}
}

func TestEveryErrorHasItsAdvice(t *testing.T) {
	t.Parallel()
	seen := map[string]error{}
	for _, err := range []error{
		context.Canceled, clicknps.ErrMissingCredentials, &clicknps.Error{StatusCode: 401}, &clicknps.Error{StatusCode: 403},
		&clicknps.Error{StatusCode: 404}, &clicknps.Error{StatusCode: 422}, &clicknps.Error{StatusCode: 429}, &clicknps.Error{StatusCode: 503},
		clicknps.ErrOutcomeUnknown, errors.New("connection refused"),
	} {
		text := advice(err)
		require.NotEmpty(t, text)
		require.NoError(t, seen[text], "%v and %v have the same advice", seen[text], err)
		seen[text] = err
	}
}
