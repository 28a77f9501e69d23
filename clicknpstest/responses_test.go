package clicknpstest_test

import (
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// until lets a bubble's time pass until it is at.
func until(at time.Time) { <-time.After(time.Until(at)) }

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

func TestRespondCountsOnce(t *testing.T) {
	srv := clicknpstest.Run(t)
	first := srv.Respond("one", "a", 10, "Good")
	assert.Equal(t, first, srv.Respond("one", "a", 0, "Bad"))
	assert.Equal(t, []clicknps.Response{first}, srv.Responses())
	assert.Equal(t, "Good", first.Comment)
	assert.NotEqual(t, first.ID, srv.Respond("two", "a", 0, "").ID, "another survey is another answer")
}

var token = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

func TestMintedLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t)
		until(time.Date(2026, 11, 22, 0, 31, 48, 215_000_000, time.UTC))
		c := inProcess(t, srv)
		const body = `{"survey_id":"onboarding","subject_id":"user_42"}`
		first := c.call("POST", "/v1/links/mint", body)
		assert.Equal(t, 201, first.status)
		assert.JSONEq(t, golden(t, "links_minted.json"),
			token.ReplaceAllString(first.body, "00000000-0000-4000-8000-000000000000"))

		srv.Advance(time.Hour)
		assert.Equal(t, first.body, c.call("POST", "/v1/links/mint", body).body, "minting twice gives the same links")
		other := c.call("POST", "/v1/links/mint", `{"survey_id":"onboarding","subject_id":"user_43"}`)
		assert.NotEqual(t, token.FindString(first.body), token.FindString(other.body))

		srv.Respond("onboarding", "user_42", 0, "")
		assert.EqualValues(t, 0, c.call("POST", "/v1/links/mint", body).field(t, "response"))
	})
}

func TestMintValidation(t *testing.T) {
	c := inProcess(t, clicknpstest.Run(t))
	for body, field := range map[string]string{
		`{"subject_id":"a"}`:                                          "survey_id",
		`{"survey_id":"a b","subject_id":"a"}`:                        "survey_id",
		`{"survey_id":"s"}`:                                           "subject_id",
		`{"survey_id":"s","subject_id":"ü"}`:                          "subject_id",
		`{"survey_id":"s","subject_id":"a","ttl_days":0}`:             "ttl_days",
		`{"survey_id":"s","subject_id":"a","ttl_days":366}`:           "ttl_days",
		`{"survey_id":"s","subject_id":"a","ttl_days":1.5}`:           "ttl_days",
		`{"survey_id":"s","subject_id":"a","redirect_url":"/thanks"}`: "redirect_url",
	} {
		got := c.call("POST", "/v1/links/mint", body)
		assert.Equal(t, 400, got.status, body)
		assert.Contains(t, got.body, `"field":"`+field+`"`, body)
	}
}

func TestACustomerClicksALink(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := inProcess(t, srv)
	minted := c.call("POST", "/v1/links/mint", `{"survey_id":"s","subject_id":"a","ttl_days":1}`)
	customer := c.with("Authorization", "")
	click := func(score string) reply {
		link := minted.field(t, "links").(map[string]any)[score].(string)
		require.True(t, strings.HasPrefix(link, c.base+"/r/"), link)
		return customer.get(strings.TrimPrefix(link, c.base))
	}
	thanks := click("9")
	assert.Equal(t, 200, thanks.status)
	assert.Equal(t, "text/html; charset=utf-8", thanks.header.Get("Content-Type"))
	assert.Equal(t, 200, click("2").status, "a later click is answered, and ignored")
	require.Len(t, srv.Responses(), 1)
	assert.Equal(t, 9, srv.Responses()[0].Score)

	path := "/r/" + token.FindString(minted.body)
	for _, query := range []string{"", "?score=11", "?score=-1", "?score=x"} {
		assert.Equal(t, 400, customer.get(path+query).status, query)
	}
	assert.Equal(t, 404, customer.get("/r/unknown?score=1").status)
	srv.Advance(24 * time.Hour)
	assert.Equal(t, 410, click("9").status, "the links lived for a day")
	again := c.call("POST", "/v1/links/mint", `{"survey_id":"s","subject_id":"a"}`)
	assert.NotEqual(t, token.FindString(minted.body), token.FindString(again.body))
}

func TestAClickIsRedirected(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := overSocket(t, srv)
	minted := c.call("POST", "/v1/links/mint", `{"survey_id":"s","subject_id":"a","redirect_url":"https://example.com/thanks?a=b"}`)
	link := minted.field(t, "links").(map[string]any)["10"].(string)
	got := c.get(strings.TrimPrefix(link, c.base))
	assert.Equal(t, 302, got.status)
	assert.Equal(t, "https://example.com/thanks?a=b", got.header.Get("Location"))
	assert.Equal(t, 10, srv.Responses()[0].Score)
}

func TestWebhookLife(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := inProcess(t, srv)
	created := c.call("POST", "/v1/webhooks", `{"url":"https://example.com/hooks/clicknps","events":["response.created","survey.completed"]}`)
	require.Equal(t, 201, created.status, created.body)
	hook := srv.Webhooks()[0]
	stamp := hook.CreatedAt.Format("2006-01-02T15:04:05.999Z")
	want := strings.NewReplacer("webhook_abc123", hook.ID, "2025-01-15T10:30:00Z", stamp).Replace(golden(t, "webhook.json"))
	assert.JSONEq(t, want, created.body)
	assert.Equal(t, srv.WebhookSecret(), hook.Secret)
	assert.Equal(t, []string{hook.ID}, c.get("/v1/webhooks").names(t, "id"))

	for body, field := range map[string]string{
		`{"events":["response.created"]}`:                               "url",
		`{"url":"/hook","events":["response.created"]}`:                 "url",
		`{"url":"ftp://example.com","events":["response.created"]}`:     "url",
		`{"url":"https://example.com"}`:                                 "events",
		`{"url":"https://example.com","events":[]}`:                     "events",
		`{"url":"https://example.com","events":["response.forgotten"]}`: "events",
	} {
		got := c.call("POST", "/v1/webhooks", body)
		assert.Equal(t, 400, got.status, body)
		assert.Contains(t, got.body, `"field":"`+field+`"`, body)
	}
	assert.Equal(t, 200, c.call("DELETE", "/v1/webhooks/"+hook.ID, "").status)
	assert.Equal(t, 404, c.call("DELETE", "/v1/webhooks/"+hook.ID, "").status)
	assert.Empty(t, srv.Webhooks())
}
