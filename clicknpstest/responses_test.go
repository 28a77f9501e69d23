package clicknpstest_test

import (
	"net/url"
	"strconv"
	"strings"
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

// mint returns the paths of the minted links by score, and the whole reply.
func mint(t *testing.T, c caller, body string) (links [11]string, whole reply) {
	t.Helper()
	whole = c.call("POST", "/v1/links/mint", body)
	require.Equal(t, 201, whole.status, whole.body)
	for score, link := range whole.field(t, "links").(map[string]any) {
		i, err := strconv.Atoi(score)
		require.NoError(t, err)
		links[i] = strings.TrimPrefix(link.(string), c.base)
	}
	return links, whole
}

func TestMintedLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t)
		until(time.Date(2026, 11, 22, 0, 31, 48, 215_000_000, time.UTC))
		srv.AddSurvey(clicknps.Survey{ID: "onboarding"})
		c := inProcess(t, srv)
		const body = `{"survey_id":"onboarding","subject_id":"user_42"}`
		links, first := mint(t, c, body)
		seen := map[string]bool{}
		for _, link := range links {
			assert.Regexp(t, `^/r/[0-9a-f]{32}$`, link, "a token, without a query")
			seen[link] = true
		}
		assert.Len(t, seen, 11, "one token for each score")
		assert.Contains(t, first.body, `"0":"https://clicknps.test/r/`)
		assert.Contains(t, first.body, `},"expires_at":"2026-12-22T00:31:48.215Z","response":null}`)

		srv.Advance(time.Hour)
		assert.Equal(t, first.body, c.call("POST", "/v1/links/mint", body).body, "minting twice gives the same links")
		other, _ := mint(t, c, `{"survey_id":"onboarding","subject_id":"user_43"}`)
		assert.NotEqual(t, links, other)

		srv.Respond("onboarding", "user_42", 0, "")
		assert.EqualValues(t, 0, c.call("POST", "/v1/links/mint", body).field(t, "response"))
		srv.AddResponse(clicknps.Response{SurveyID: "onboarding", SubjectID: "user_43", Score: clicknps.NoScore})
		_, unscored := mint(t, c, `{"survey_id":"onboarding","subject_id":"user_43"}`)
		assert.Contains(t, unscored.body, `"response":null`)

		srv.Advance(30*24*time.Hour - time.Hour)
		again := c.call("POST", "/v1/links/mint", body)
		assert.Equal(t, 201, again.status)
		assert.Contains(t, again.body, `"expires_at":"2026-12-22T00:31:48.215Z"`, "the links are dead, and stay the same")
		assert.Equal(t, first.field(t, "links"), again.field(t, "links"))
	})
}

func TestMintValidation(t *testing.T) {
	srv := clicknpstest.Run(t)
	srv.AddSurvey(clicknps.Survey{ID: "s"})
	c := inProcess(t, srv)
	long := strings.Repeat("x", 256)
	for body, field := range map[string]string{
		`{"subject_id":"a"}`:                                          "survey_id",
		`{"survey_id":"a b","subject_id":"a"}`:                        "survey_id",
		`{"survey_id":"s"}`:                                           "subject_id",
		`{"survey_id":"s","subject_id":"ü"}`:                          "subject_id",
		`{"survey_id":"s","subject_id":"` + long + `"}`:               "subject_id",
		`{"survey_id":"s","subject_id":"a","ttl_days":0}`:             "ttl_days",
		`{"survey_id":"s","subject_id":"a","ttl_days":366}`:           "ttl_days",
		`{"survey_id":"s","subject_id":"a","ttl_days":1.5}`:           "ttl_days",
		`{"survey_id":"s","subject_id":"a","redirect_url":"/thanks"}`: "redirect_url",
	} {
		got := c.call("POST", "/v1/links/mint", body)
		assert.Equal(t, 400, got.status, body)
		assert.Contains(t, got.body, `"field":"`+field+`"`, body)
	}
	mint(t, c, `{"survey_id":"s","subject_id":"`+long[:255]+`","ttl_days":365}`)
	got := c.call("POST", "/v1/links/mint", `{"survey_id":"S","subject_id":"a"}`)
	assert.Equal(t, 404, got.status)
	assert.JSONEq(t, clickNPSError("not_found", "Survey not found. Please create the survey first.", ""), got.body)
}

func TestTheFirstClickCounts(t *testing.T) {
	onBothTransports(t, func(t *testing.T, srv *clicknpstest.Server, c caller) {
		srv.AddSurvey(clicknps.Survey{ID: "s"})
		links, _ := mint(t, c, `{"survey_id":"s","subject_id":"a","ttl_days":1}`)
		customer := c.with("Authorization", "")
		thanks := customer.get(links[9] + "?utm_source=mail")
		assert.Equal(t, 200, thanks.status)
		assert.Equal(t, "text/html; charset=utf-8", thanks.header.Get("Content-Type"))
		assert.Contains(t, thanks.body, "Thank you")
		again := customer.get(links[2])
		assert.Equal(t, 200, again.status)
		assert.Contains(t, again.body, "already recorded")
		require.Len(t, srv.Responses(), 1)
		assert.Equal(t, 9, srv.Responses()[0].Score)

		const dead = "Response link not found or expired"
		for _, path := range []string{"/r/unknown", links[9] + "&utm_source=mail"} {
			got := customer.get(path)
			assert.Equal(t, 404, got.status, path)
			assert.Equal(t, dead, got.body)
			assert.Equal(t, "text/plain", got.header.Get("Content-Type"))
		}
		srv.Advance(24 * time.Hour)
		assert.Equal(t, reply{404, nil, dead}, reply{customer.get(links[9]).status, nil, customer.get(links[9]).body})
		assert.Equal(t, 404, customer.call("POST", links[9]+"/comment", "comment=late").status)
	})
}

func TestMailScannersClick(t *testing.T) {
	for _, method := range []string{"HEAD", "POST"} {
		onBothTransports(t, func(t *testing.T, srv *clicknpstest.Server, c caller) {
			srv.AddSurvey(clicknps.Survey{ID: "s"})
			links, _ := mint(t, c, `{"survey_id":"s","subject_id":"a"}`)
			got := c.call(method, links[0], "")
			assert.Equal(t, 200, got.status)
			assert.Equal(t, method == "HEAD", got.body == "")
			require.Len(t, srv.Responses(), 1)
			assert.Equal(t, 0, srv.Responses()[0].Score)
		})
	}
}

func TestTheFirstClickIsRedirected(t *testing.T) {
	srv := clicknpstest.Run(t)
	srv.AddSurvey(clicknps.Survey{ID: "s"})
	c := overSocket(t, srv)
	links, _ := mint(t, c, `{"survey_id":"s","subject_id":"a","redirect_url":"https://example.com/thanks?a=b"}`)
	got := c.get(links[10])
	assert.Equal(t, 303, got.status)
	assert.Equal(t, "https://example.com/thanks?a=b", got.header.Get("Location"))
	assert.Equal(t, 10, srv.Responses()[0].Score)
	assert.Equal(t, 200, c.get(links[10]).status, "a later click gets the page")
}

func TestTheCommentForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, _ := subscribed(t, allEvents)
		srv.AddSurvey(clicknps.Survey{ID: "s"})
		links, _ := mint(t, c, `{"survey_id":"s","subject_id":"a"}`)
		form := c.with("Authorization", "").with("Content-Type", "application/x-www-form-urlencoded")
		comment := func(text, location string) {
			t.Helper()
			got := form.call("POST", links[9]+"/comment", url.Values{"comment": {text}}.Encode())
			assert.Equal(t, 303, got.status)
			assert.Equal(t, links[9]+location, got.header.Get("Location"))
		}
		comment("too early", "?state=commented")
		assert.Equal(t, 200, form.get(links[9]+"?state=commented").status)
		assert.Empty(t, srv.Responses(), "neither the comment nor its page is a click")

		form.get(links[9])
		assert.Empty(t, srv.Responses()[0].Comment, "a comment without a click is never delivered")
		until(time.Now().Add(157 * time.Second))
		comment(" \t ", "")
		assert.Empty(t, srv.Responses()[0].Comment)
		comment("  Good & cheap\n", "?state=commented")
		assert.Equal(t, "Good & cheap", srv.Responses()[0].Comment, "trimmed")
		until(time.Now().Add(commentTime - 1))
		synctest.Wait()
		require.Empty(t, srv.Deliveries(), "each comment starts the delay anew")
		until(time.Now().Add(1))
		synctest.Wait()
		require.Len(t, srv.Deliveries(), 1)
		assert.Contains(t, string(srv.Deliveries()[0].Body), `"score":9,"comment":"Good & cheap"`)

		comment("Late", "?state=commented")
		srv.Advance(0)
		require.Len(t, srv.Deliveries(), 2)
		assert.Equal(t, clicknps.EventResponseUpdated, srv.Deliveries()[1].Event)
		assert.Contains(t, string(srv.Deliveries()[1].Body), `"comment":"Late"`)
	})
}
