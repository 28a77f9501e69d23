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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

func TestFake(t *testing.T) {
	t.Setenv("CLICKNPS_API_KEY", "")
	synctest.Test(t, func(t *testing.T) {
		tour, err := newTour(false)
		require.NoError(t, err)
		defer tour.fake.Close()
		var out strings.Builder
		tour.out = &out
		start := time.Now()
		require.NoError(t, tour.run(t.Context()))

		assert.Less(t, time.Since(start), 3*time.Second)
		assert.Equal(t, []string{
			"Calling", "survey", "webhook", "links", "responses", "comment", "survey", "retry", "surveys", "score",
			"SalesOS", "SalesOS", "SalesOS", "SalesOS", "SalesOS", "cleanup",
		}, firstWords(out.String()))
		for _, want := range []string{
			"valid until 2000-01-31", "250 customers have answered", "(score 9)", "attempt 1 was answered with 429",
			"NPS +41.6 (95 % confidence: +31.7 to +50.5): 146 promoters, 62 passives, 42 detractors",
			"toggled to active: false", "exported 251 lines", "NPS +41.6 from 250 responses",
		} {
			assert.Contains(t, out.String(), want)
		}
		assert.Empty(t, tour.fake.Surveys())
		assert.Empty(t, tour.fake.Webhooks())
		assert.Empty(t, tour.fake.NPSSurveys())
	})
}

func firstWords(text string) (words []string) {
	for line := range strings.Lines(text) {
		words = append(words, strings.Fields(line)[0])
	}
	return words
}

// Without -write a real account is only read. What -write creates is deleted.
func TestRealAccount(t *testing.T) {
	t.Parallel()
	for _, write := range []bool{false, true} {
		t.Run(fmt.Sprintf("write=%v", write), func(t *testing.T) {
			t.Parallel()
			srv := clicknpstest.Run(t)
			srv.AddSurvey(clicknps.Survey{Name: "Somebody's own"})
			srv.AddNPSSurvey(clicknps.NPSSurvey{Name: "Somebody's own"})
			var out strings.Builder
			require.NoError(t, (&tour{client: srv.Client(), out: &out, write: write}).run(t.Context()))

			changed := false
			for _, r := range srv.Requests() {
				changed = changed || r.Method != http.MethodGet
			}
			assert.Equal(t, write, changed)
			assert.Contains(t, out.String(), "score      none: there are no responses yet\n")
			assert.Len(t, srv.Surveys(), 1)
			assert.Len(t, srv.NPSSurveys(), 1)
			assert.Empty(t, srv.Webhooks())
		})
	}
}

// What was created is deleted although a later step fails. The error is that of the step.
func TestFailureCleansUp(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t)
	srv.Inject(clicknpstest.Fault{Path: "/links/mint", Status: http.StatusForbidden})
	var out strings.Builder
	err := (&tour{client: srv.Client(), out: &out, write: true}).run(t.Context())
	require.ErrorIs(t, err, clicknps.ErrForbidden)
	assert.Empty(t, srv.Surveys())
	assert.Empty(t, srv.Webhooks())
	assert.Contains(t, out.String(), "cleanup    deleted everything")
}

func TestSalesOSIsSkippedWithoutCredentials(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t)
	client, err := clicknps.New(clicknps.WithoutEnvironment(),
		clicknps.WithAPIKey(srv.APIKey()), clicknps.WithBaseURL(srv.URL()))
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, (&tour{client: client, out: &out}).run(t.Context()))
	assert.Contains(t, out.String(), "SalesOS    skipped")
}

func TestAdvice(t *testing.T) {
	t.Parallel()
	seen := map[string]error{}
	for _, err := range []error{
		context.Canceled, clicknps.ErrMissingCredentials, clicknps.ErrInvalidParams, clicknps.ErrOutcomeUnknown,
		&clicknps.Error{StatusCode: 401}, &clicknps.Error{StatusCode: 403}, &clicknps.Error{StatusCode: 404},
		&clicknps.Error{StatusCode: 422}, &clicknps.Error{StatusCode: 429}, &clicknps.Error{StatusCode: 503},
		errors.New("connection refused"),
	} {
		assert.NoError(t, seen[advice(err)], "the same advice for %v", err)
		seen[advice(err)] = err
	}
}
