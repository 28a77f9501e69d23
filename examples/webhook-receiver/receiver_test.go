package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/webhook"
)

// Whatever the order in which events arrive, the receiver ends with the latest response.
func TestEventsOutOfOrder(t *testing.T) {
	t.Parallel()
	created := &webhook.Event{
		Type: clicknps.EventResponseCreated, SurveyID: "onboarding",
		Response: &clicknps.Response{SurveyID: "onboarding", SubjectID: "anna", Score: 9},
	}
	updated := &webhook.Event{
		Type: clicknps.EventResponseUpdated, SurveyID: "onboarding",
		Response: &clicknps.Response{
			ID: "resp_1", SurveyID: "onboarding", SubjectID: "anna", Score: 9, Comment: "Fine",
		},
	}
	for _, events := range [][]*webhook.Event{
		{updated}, {created, updated}, {updated, created}, {created, updated, created, updated},
	} {
		r := newReceiver(&strings.Builder{})
		for _, e := range events {
			require.NoError(t, r.handle(t.Context(), e))
		}
		assert.Equal(t, map[answer]clicknps.Response{{"onboarding", "anna"}: *updated.Response}, r.responses)
	}
}

func TestOtherEvents(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	r := newReceiver(&out)
	unscored := &clicknps.Response{SubjectID: "anna", Score: clicknps.NoScore}
	for _, e := range []*webhook.Event{
		{Type: clicknps.EventSurveyCompleted, SurveyID: "onboarding"},
		{Type: "account.renamed"},
		{Type: clicknps.EventResponseCreated, Response: unscored},
	} {
		require.NoError(t, r.handle(t.Context(), e))
	}
	assert.Equal(t, "completed  survey onboarding has reached its target\n"+
		"ignored    event of type \"account.renamed\"\n"+
		"response   anna no score\n", out.String())
	assert.Contains(t, r.score(), "from 0 responses")
}

func TestRefusedDeliveries(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	r := newReceiver(&out)
	verifier, err := r.verifier("an_old_one", secret)
	require.NoError(t, err)
	srv := httptest.NewServer(verifier.Handler(r.handle))
	defer srv.Close()
	status, err := post(t, srv.URL, "another secret", "anna")
	require.NoError(t, err)
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Equal(t, "refused    webhook: invalid signature: it does not match the body\n", out.String())
	assert.Empty(t, r.responses)
}
