package clicknps_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

const (
	salesOSID  = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
	askUs      = "How likely are you to recommend us?"
	surveyJSON = `{"name":"My Survey","question":"How likely are you to recommend us?"}`
)

var day = time.Date(2025, 1, 15, 10, 30, 0, 0, time.UTC)

// endpoint is one call of one endpoint: what is sent, what is answered and what the caller gets.
type endpoint struct {
	name   string
	call   func(context.Context, *clicknps.Client) (any, error)
	method string
	target string // path and query
	body   string // as sent, byte for byte; empty: none
	status int
	answer func(testing.TB) string
	want   any
}

func (e endpoint) test(t *testing.T, keyed bool) {
	w := newWire(reply(e.status, e.answer(t)))
	got, err := e.call(t.Context(), w.client(t))
	require.NoError(t, err)
	assert.JSONEq(t, encode(t, e.want), encode(t, got)) // every exported field

	require.Len(t, w.sent(), 1)
	req := w.sent()[0]
	target := req.Path
	if req.Query != "" {
		target += "?" + req.Query
	}
	assert.Equal(t, e.method+" "+e.target, req.Method+" "+target)
	assert.Equal(t, e.body, req.Body)

	want := http.Header{
		"Accept":        {"application/json"},
		"User-Agent":    {"clicknps-go/" + clicknps.Version},
		"Authorization": {"Bearer " + testToken},
	}
	if e.body != "" {
		want["Content-Type"] = []string{"application/json"}
	}
	if keyed {
		want["Authorization"] = []string{"Bearer " + testKey}
		if e.method == http.MethodPost {
			assert.NotEmpty(t, req.Header["Idempotency-Key"])
			want["Idempotency-Key"] = req.Header["Idempotency-Key"]
		}
	}
	assert.Equal(t, want, req.Header)
}

func encode(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

// file answers with a golden body, page with a page of it.
func file(name string) func(testing.TB) string {
	return func(t testing.TB) string { return golden(t, name) }
}

func page(name string) func(testing.TB) string {
	return func(t testing.TB) string { return goldenPage(t, golden(t, name)) }
}

func text(s string) func(testing.TB) string { return func(testing.TB) string { return s } }

var (
	survey    = clicknps.Survey{ID: "survey_abc123", Name: "My Survey", Question: askUs, Status: clicknps.SurveyStatusActive, CreatedAt: day}
	response  = clicknps.Response{ID: "response_abc123", SurveyID: "survey_abc123", SubjectID: "user_42", Score: 9, CreatedAt: day}
	commented = clicknps.Response{
		ID: "response_abc123", SurveyID: "survey_abc123", SubjectID: "user_42", Score: 9,
		Comment: "Loving it", CreatedAt: day, UpdatedAt: day.Add(time.Minute),
	}
	hook = clicknps.Webhook{
		ID: "webhook_abc123", URL: "https://example.com/hooks/clicknps",
		Events: []clicknps.EventType{clicknps.EventResponseCreated, clicknps.EventSurveyCompleted},
		Secret: "whsec_def456uvw012", CreatedAt: day,
	}
	documentedPages = clicknps.Pagination{Total: 45, Limit: 10, Offset: 20, HasMore: true}
)

var clickNPSEndpoints = []endpoint{
	{
		name: "list surveys", method: "GET", target: "/v1/surveys?limit=10&offset=20", status: 200, answer: page("survey.json"),
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return c.Surveys.List(ctx, &clicknps.SurveyListParams{Limit: 10, Offset: 20})
		},
		want: clicknps.Page[clicknps.Survey]{Data: []clicknps.Survey{survey}, Pagination: documentedPages},
	},
	{
		name: "list surveys without params", method: "GET", target: "/v1/surveys", status: 200,
		answer: text(`{"data":[],"pagination":{"total":0,"limit":50,"offset":0,"has_more":false}}`),
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return c.Surveys.List(ctx, nil)
		},
		want: clicknps.Page[clicknps.Survey]{Data: []clicknps.Survey{}, Pagination: clicknps.Pagination{Limit: 50}},
	},
	{
		name: "create a survey", method: "POST", target: "/v1/surveys", body: surveyJSON, status: 201, answer: file("survey.json"),
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return c.Surveys.Create(ctx, &clicknps.SurveyCreateParams{Name: "My Survey", Question: askUs})
		},
		want: survey,
	},
	{
		name: "get a survey", method: "GET", target: "/v1/surveys/survey_abc123", status: 200, answer: file("survey.json"),
		call: func(ctx context.Context, c *clicknps.Client) (any, error) { return c.Surveys.Get(ctx, "survey_abc123") },
		want: survey,
	},
	{
		name: "update a survey", method: "PATCH", target: "/v1/surveys/survey_abc123", status: 200, answer: file("survey.json"),
		body: `{"name":"My Survey","status":"active"}`,
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return c.Surveys.Update(ctx, "survey_abc123", &clicknps.SurveyUpdateParams{Name: new("My Survey"), Status: new(clicknps.SurveyStatusActive)})
		},
		want: survey,
	},
	{
		name: "delete a survey", method: "DELETE", target: "/v1/surveys/survey_abc123", status: 204, answer: text(""),
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return nil, c.Surveys.Delete(ctx, "survey_abc123")
		},
	},
	{
		name: "delete a survey, answered with a body", method: "DELETE", target: "/v1/surveys/survey_abc123", status: 200, answer: text(`{"deleted":true}`),
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return nil, c.Surveys.Delete(ctx, "survey_abc123")
		},
	},
	{
		name: "list responses", method: "GET", target: "/v1/responses?limit=10&offset=20&survey_id=survey_abc123", status: 200, answer: page("response_commented.json"),
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return c.Responses.List(ctx, &clicknps.ResponseListParams{SurveyID: "survey_abc123", Limit: 10, Offset: 20})
		},
		want: clicknps.Page[clicknps.Response]{Data: []clicknps.Response{commented}, Pagination: documentedPages},
	},
	{
		name: "get a response", method: "GET", target: "/v1/responses/response_abc123", status: 200, answer: file("response.json"),
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return c.Responses.Get(ctx, "response_abc123")
		},
		want: response,
	},
	{
		name: "add a comment", method: "POST", target: "/v1/responses/response_abc123/comment", status: 201, answer: file("response_commented.json"),
		body: `{"comment":"Loving it"}`,
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return c.Responses.AddComment(ctx, "response_abc123", &clicknps.CommentParams{Comment: "Loving it"})
		},
		want: commented,
	},
	{
		name: "list webhooks", method: "GET", target: "/v1/webhooks?limit=10&offset=20", status: 200, answer: page("webhook.json"),
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return c.Webhooks.List(ctx, &clicknps.WebhookListParams{Limit: 10, Offset: 20})
		},
		want: clicknps.Page[clicknps.Webhook]{Data: []clicknps.Webhook{hook}, Pagination: documentedPages},
	},
	{
		name: "create a webhook", method: "POST", target: "/v1/webhooks", status: 201, answer: file("webhook.json"),
		body: `{"url":"https://example.com/hooks/clicknps","events":["response.created","survey.completed"]}`,
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return c.Webhooks.Create(ctx, &clicknps.WebhookCreateParams{
				URL: "https://example.com/hooks/clicknps", Events: []clicknps.EventType{clicknps.EventResponseCreated, clicknps.EventSurveyCompleted},
			})
		},
		want: hook,
	},
	{
		name: "delete a webhook", method: "DELETE", target: "/v1/webhooks/webhook_abc123", status: 204, answer: text(""),
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return nil, c.Webhooks.Delete(ctx, "webhook_abc123")
		},
	},
	{
		name: "mint links", method: "POST", target: "/v1/links/mint", status: 201, answer: file("links_minted.json"),
		body: `{"survey_id":"onboarding","subject_id":"user_42","ttl_days":30,"redirect_url":"https://example.com/thanks"}`,
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return c.Links.Mint(ctx, &clicknps.LinkMintParams{SurveyID: "onboarding", SubjectID: "user_42", TTLDays: 30, RedirectURL: "https://example.com/thanks"})
		},
		want: mintedLinks(clicknps.NoScore),
	},
	{
		name: "mint links again once the customer has answered", method: "POST", target: "/v1/links/mint", status: 200,
		body: `{"survey_id":"onboarding","subject_id":"user_42"}`,
		answer: func(t testing.TB) string {
			return string(bytes.Replace([]byte(golden(t, "links_minted.json")), []byte(`"response":null`), []byte(`"response":0`), 1))
		},
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return c.Links.Mint(ctx, &clicknps.LinkMintParams{SurveyID: "onboarding", SubjectID: "user_42"})
		},
		want: mintedLinks(0),
	},
}

func mintedLinks(score int) clicknps.MintedLinks {
	minted := clicknps.MintedLinks{ExpiresAt: time.Date(2026, 12, 22, 0, 31, 48, 215e6, time.UTC), Score: score}
	for i := range minted.Links {
		minted.Links[i] = fmt.Sprintf("https://clicknps.test/r/%032d", i)
	}
	return minted
}

func TestClickNPSEndpoints(t *testing.T) {
	t.Parallel()
	for _, e := range clickNPSEndpoints {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			e.test(t, true)
		})
	}
}

// What is in JSON must be in the struct as well: an encoder and a decoder with the same wrong name would agree.
func TestMintedLinksByScore(t *testing.T) {
	t.Parallel()
	minted, err := answering(t, 201, golden(t, "links_minted.json")).Links.Mint(t.Context(), &clicknps.LinkMintParams{SurveyID: "s", SubjectID: "c"})
	require.NoError(t, err)
	want := mintedLinks(clicknps.NoScore)
	assert.Equal(t, want.Links, minted.Links)
	assert.True(t, want.ExpiresAt.Equal(minted.ExpiresAt))
	assert.Equal(t, clicknps.NoScore, minted.Score)
}

// All walks the three lists of ClickNPS with the largest page that the document does not forbid.
func TestAllSendsTheSameAsList(t *testing.T) {
	t.Parallel()
	last := func(t testing.TB, item string) string {
		return `{"data":[` + golden(t, item) + `],"pagination":{"total":1,"limit":100,"offset":0,"has_more":false}}`
	}
	tests := []struct {
		name, item, target string
		walk               func(context.Context, *clicknps.Client) (ids []string, err error)
	}{
		{"surveys", "survey.json", "/v1/surveys?limit=100", func(ctx context.Context, c *clicknps.Client) (ids []string, err error) {
			for s, err := range c.Surveys.All(ctx, nil) {
				if err != nil {
					return nil, err
				}
				ids = append(ids, s.ID)
			}
			return ids, nil
		}},
		{"responses", "response.json", "/v1/responses?limit=7&survey_id=a%26b", func(ctx context.Context, c *clicknps.Client) (ids []string, err error) {
			params := &clicknps.ResponseListParams{SurveyID: "a&b", Limit: 7}
			for r, err := range c.Responses.All(ctx, params) {
				if err != nil {
					return nil, err
				}
				ids = append(ids, r.ID)
			}
			return ids, nil
		}},
		{"webhooks", "webhook.json", "/v1/webhooks?limit=100", func(ctx context.Context, c *clicknps.Client) (ids []string, err error) {
			for w, err := range c.Webhooks.All(ctx, &clicknps.WebhookListParams{}) {
				if err != nil {
					return nil, err
				}
				ids = append(ids, w.ID)
			}
			return ids, nil
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWire(reply(200, last(t, tt.item)))
			ids, err := tt.walk(t.Context(), w.client(t))
			require.NoError(t, err)
			assert.Len(t, ids, 1)
			require.Len(t, w.sent(), 1)
			assert.Equal(t, tt.target, w.sent()[0].Path+"?"+w.sent()[0].Query)
		})
	}
}
