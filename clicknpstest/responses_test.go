package clicknpstest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestACommentInTimeComesWithTheDelivery(t *testing.T) {
	srv, c, _ := subscribed(t, allEvents)
	r := srv.Respond("s", "a", 9, "")
	srv.Advance(commentTime - time.Minute)
	c.call("POST", "/v1/responses/"+r.ID+"/comment", `{"comment":"in time"}`)
	srv.Advance(time.Hour)
	got := srv.Deliveries()
	require.Len(t, got, 1)
	assert.Contains(t, string(got[0].Body), `"comment":"in time"`)
}

func TestALateCommentIsAnUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, _ := subscribed(t, allEvents)
		until(documented)
		srv.AddResponse(clicknps.Response{ID: "response_abc123", SurveyID: "survey_abc123", SubjectID: "user_42", Score: 9})
		until(documented.Add(5 * time.Minute))
		c.call("POST", "/v1/responses/response_abc123/comment", `{"comment":"Loving it"}`)
		srv.Advance(0)
		got := srv.Deliveries()
		require.Len(t, got, 1)
		assert.Equal(t, clicknps.EventResponseUpdated, got[0].Event)
		assert.Equal(t, golden(t, "webhook_response_updated.json"), withoutEventID(t, got[0].Body))
	})
}

func TestASurveyIsCompletedByItsTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, _ := subscribed(t, `["survey.completed"]`)
		until(documented)
		srv.AddSurvey(clicknps.Survey{ID: "survey_abc123"})
		srv.SetTarget("survey_abc123", 2)
		until(documented.Add(5 * time.Minute))
		for _, click := range []struct{ survey, subject string }{{"survey_abc123", "a"}, {"other", "b"}, {"survey_abc123", "a"}} {
			srv.Respond(click.survey, click.subject, 9, "")
		}
		srv.Advance(0)
		require.Empty(t, srv.Deliveries(), "one customer of two")
		srv.Respond("survey_abc123", "b", 9, "")
		srv.Respond("survey_abc123", "c", 9, "")
		srv.Advance(0)
		got := srv.Deliveries()
		require.Len(t, got, 1, "completed once")
		assert.Equal(t, golden(t, "webhook_survey_completed.json"), withoutEventID(t, got[0].Body))
		assert.Equal(t, clicknps.SurveyStatusCompleted, srv.Surveys()[0].Status)

		c.call("PATCH", "/v1/surveys/survey_abc123", `{"name":"Renamed"}`)
		again, err := srv.Redeliver(0)
		require.NoError(t, err)
		assert.Equal(t, string(got[0].Body), string(again.Body), "the event is of its time")

		reached := srv.AddSurvey(clicknps.Survey{})
		srv.AddResponse(clicknps.Response{SurveyID: reached.ID, SubjectID: "a"})
		srv.SetTarget(reached.ID, 1)
		srv.Advance(0)
		assert.Len(t, srv.Deliveries(), 3, "a target that is reached already")
	})
}

func TestResponseAndComment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t)
		until(documented)
		srv.AddResponse(clicknps.Response{ID: "response_abc123", SurveyID: "survey_abc123", SubjectID: "user_42", Score: 9})
		c := inProcess(t, srv)
		assert.JSONEq(t, golden(t, "response.json"), c.get("/v1/responses/response_abc123").body)

		until(documented.Add(time.Minute))
		got := c.call("POST", "/v1/responses/response_abc123/comment", `{"comment":"Loving it"}`)
		assert.Equal(t, 200, got.status)
		assert.JSONEq(t, golden(t, "response_commented.json"), got.body)
		assert.Equal(t, "Loving it", srv.Responses()[0].Comment)

		for _, body := range []string{`{}`, `{"comment":""}`, `{"comment":null}`, `{"comment":["x"]}`} {
			got := c.call("POST", "/v1/responses/response_abc123/comment", body)
			assert.Equal(t, 400, got.status, body)
			assert.JSONEq(t, clickNPSError("validation_error", "Invalid comment", "comment"), got.body, body)
		}
		missing := c.call("POST", "/v1/responses/other/comment", `{"comment":"x"}`)
		assert.Equal(t, 404, missing.status)
		assert.JSONEq(t, clickNPSError("not_found", "Response not found", ""), missing.body)
		assert.Equal(t, 404, c.get("/v1/responses/other").status)
	})
}

func TestResponsesOfOneSurvey(t *testing.T) {
	srv := clicknpstest.Run(t)
	srv.Respond("one", "a", 10, "")
	srv.Respond("two", "b", 5, "")
	srv.Respond("one", "c", 7, "")
	c := inProcess(t, srv)
	assert.Equal(t, []string{"a", "c"}, c.get("/v1/responses?survey_id=one").names(t, "subject_id"))
	assert.Contains(t, c.get("/v1/responses?survey_id=one&limit=1").body, `{"total":2,"limit":1,"offset":0,"has_more":true}`)
	assert.Empty(t, c.get("/v1/responses?survey_id=three").names(t, "subject_id"))
	assert.Equal(t, []string{"a", "b", "c"}, c.get("/v1/responses").names(t, "subject_id"))
}

func TestEachCommentInTimeStartsTheDelayAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, _ := subscribed(t, allEvents)
		r := srv.Respond("s", "a", 9, "")
		other := srv.Respond("s", "b", 9, "")
		comment := func(text string) { c.call("POST", "/v1/responses/"+r.ID+"/comment", `{"comment":"`+text+`"}`) }
		srv.Advance(commentTime - time.Millisecond)
		comment("one")
		srv.Advance(commentTime - time.Millisecond)
		require.Len(t, srv.Deliveries(), 1)
		assert.Contains(t, string(srv.Deliveries()[0].Body), other.SubjectID, "only the commented one waits")
		comment("two")
		srv.Advance(commentTime - time.Millisecond)
		require.Len(t, srv.Deliveries(), 1)
		srv.Advance(time.Millisecond)
		require.Len(t, srv.Deliveries(), 2)
		assert.Contains(t, string(srv.Deliveries()[1].Body), `"comment":"two"`)
		comment("three")
		srv.Advance(0)
		require.Len(t, srv.Deliveries(), 3, "at the delivery's time it is too late")
		assert.Equal(t, clicknps.EventResponseUpdated, srv.Deliveries()[2].Event)
		assert.Contains(t, string(srv.Deliveries()[2].Body), `"comment":"three"`)
	})
}
