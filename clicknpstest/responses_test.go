package clicknpstest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
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
		srv.AddSurvey(clicknps.Survey{ID: "other"})
		srv.SetTarget("survey_abc123", 2)
		until(documented.Add(5 * time.Minute))
		for _, click := range []struct{ survey, subject string }{{"survey_abc123", "a"}, {"other", "b"}, {"survey_abc123", "a"}} {
			srv.Respond(click.survey, click.subject, 9, "")
		}
		srv.Advance(0)
		require.Empty(t, srv.Deliveries(), "one customer of two; the other survey has no target")
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
		srv.RemoveResponse(srv.AddResponse(clicknps.Response{SurveyID: reached.ID, SubjectID: "a"}).ID)
		srv.SetTarget(reached.ID, 1)
		srv.Advance(0)
		require.Len(t, srv.Deliveries(), 2, "a removed response does not count")
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

// observedStep is a request that a customer or the survey's owner sends, and what comes of it.
type observedStep struct {
	after      time.Duration // the step before
	request    string        // method, path and body
	answer     string        // status, media type, Location and how the body begins
	deliveries string        // a line each: attempt, webhook, status, comment
}

// observedSteps are what was observed on the public server, with its answers. Only the documents
// promise that a late comment is delivered.
func observedSteps(links [11]string, minted string) []observedStep {
	const (
		mint     = `POST /v1/links/mint {"survey_id":"onboarding","subject_id":"user_42"}`
		rotation = `POST /v1/webhooks {"url":"https://example.com/new","events":["response.created","response.updated"]}`
		dead     = "404 text/plain  Response link not found or expired"
		page     = "200 text/html; charset=utf-8  <!doctype html><title>ClickNPS</title><p>"
		recorded = page + "Your response was already recorded.</p>\n"
	)
	click, form := "GET "+links[9], "POST "+links[9]+"/comment "
	back := "303  " + links[9]
	commented := back + "?state=commented "
	answered := "201 application/json  " + strings.Replace(minted, `"response":null`, `"response":9`, 1)
	return []observedStep{
		{0, "GET /r/unknown", dead, ""},
		{0, click + "&utm_source=mail", dead, ""},
		{0, form + "comment=before", commented, ""},
		{0, click + "?state=commented", page + "Thank you for your comment!</p>\n", ""},
		{0, click + "?utm_source=mail", page + "Thank you for your feedback!</p>\n", ""},
		{0, "GET " + links[2], recorded, ""},
		{0, mint, answered, ""},
		{157 * time.Second, form + "comment=+%09", back + " ", ""},
		{0, form + "comment=++Good+%26+cheap%0A", commented, ""},
		{180 * time.Second, rotation, "201 application/json  {", "1 /hook 304 {Good & cheap {}}\n"},
		{time.Second, form + "comment=Late", commented, "1 /new 200 { {Late}}\n"},
		{299 * time.Second, click, recorded, "2 /hook 304 {Good & cheap {}}\n"},
		{30 * time.Minute, click, recorded, "3 /hook 304 {Good & cheap {}}\n"},
		{2 * time.Hour, click, recorded, "4 /hook 304 {Good & cheap {}}\n"},
		{6 * time.Hour, click, recorded, "5 /hook 304 {Good & cheap {}}\n"},
		{12 * time.Hour, click, recorded, "6 /hook 304 {Good & cheap {}}\n"},
		{24 * time.Hour, click, recorded, "7 /hook 304 {Good & cheap {}}\n"},
		{30*24*time.Hour - 44*time.Hour - 40*time.Minute - 37*time.Second, click, dead, ""},
		{0, form + "comment=dead", dead, ""},
		{0, mint, answered, ""},
	}
}

func TestTheObservedSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, _ := subscribed(t, `["response.created"]`)
		srv.DeliverTo(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/hook" {
				w.WriteHeader(http.StatusNotModified) // what is no 2xx is a failure
			}
		}))
		srv.AddSurvey(clicknps.Survey{ID: "onboarding"})
		links, minted := mint(t, c, `{"survey_id":"onboarding","subject_id":"user_42"}`)
		customer := c.with("Authorization", "").with("Content-Type", "application/x-www-form-urlencoded")
		seen := 0
		deliveries := func() (lines string) {
			for _, d := range srv.Deliveries()[seen:] {
				var body struct {
					Comment string
					Data    struct{ Comment string }
				}
				require.NoError(t, json.Unmarshal(d.Body, &body))
				lines += fmt.Sprintln(d.Attempt, strings.TrimPrefix(d.URL, "https://example.com"), d.StatusCode, body)
				seen++
			}
			return lines
		}
		for _, step := range observedSteps(links, minted.body) {
			srv.Advance(step.after - 1)
			require.Empty(t, deliveries(), "before %+v", step)
			srv.Advance(min(step.after, 1))
			request := append(strings.Split(step.request, " "), "")
			by := customer
			if strings.HasPrefix(request[1], "/v1/") {
				by = c
			}
			got := by.call(request[0], request[1], request[2])
			answer := fmt.Sprint(got.status, " ", got.header.Get("Content-Type"), " ", got.header.Get("Location"), " ", got.body)
			require.True(t, strings.HasPrefix(answer, step.answer), "%+v: %s", step, answer)
			srv.Advance(0)
			require.Equal(t, step.deliveries, deliveries(), step)
		}
		assert.Equal(t, "Late", srv.Responses()[0].Comment)
	})
}
