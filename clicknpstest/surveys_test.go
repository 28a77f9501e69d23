package clicknpstest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var documented = time.Date(2025, 1, 15, 10, 30, 0, 0, time.UTC)

func TestSurveyIsTheDocumentsOwnExample(t *testing.T) {
	srv := clicknpstest.Run(t)
	srv.AddSurvey(clicknps.Survey{ID: "survey_abc123", CreatedAt: documented})
	got := inProcess(t, srv).get("/v1/surveys/survey_abc123")
	assert.Equal(t, 200, got.status)
	assert.Equal(t, "application/json", got.header.Get("Content-Type"))
	assert.JSONEq(t, golden(t, "survey.json"), got.body)
}

func TestSurveyLife(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := inProcess(t, srv)

	created := c.call("POST", "/v1/surveys", golden(t, "survey_create.json"))
	require.Equal(t, 201, created.status, created.body)
	id := created.field(t, "id").(string)
	assert.Regexp(t, `^survey_[a-z0-9]{12}$`, id)
	assert.Equal(t, "active", created.field(t, "status"))
	assert.Nil(t, created.field(t, "updated_at"))
	assert.Equal(t, created.body, c.get("/v1/surveys/"+id).body)

	srv.Advance(time.Minute)
	patched := c.call("PATCH", "/v1/surveys/"+id, `{"status":"paused","name":"Other","unknown":1}`)
	assert.Equal(t, 200, patched.status)
	assert.Equal(t, "Other", patched.field(t, "name"))
	assert.Equal(t, "paused", patched.field(t, "status"))
	assert.Equal(t, "How likely are you to recommend us?", patched.field(t, "question"))
	assert.NotNil(t, patched.field(t, "updated_at"))
	assert.Equal(t, clicknps.SurveyStatusPaused, srv.Surveys()[0].Status)

	gone := c.call("DELETE", "/v1/surveys/"+id, "")
	assert.Equal(t, 200, gone.status)
	assert.JSONEq(t, `{"id":"`+id+`","deleted":true}`, gone.body)
	assert.Empty(t, srv.Surveys())
	for _, method := range []string{"GET", "PATCH", "DELETE"} {
		again := c.call(method, "/v1/surveys/"+id, `{"name":"x"}`)
		assert.Equal(t, 404, again.status, method)
		assert.JSONEq(t, clickNPSError("not_found", "Survey not found", ""), again.body)
	}
}

func TestSurveyValidation(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := inProcess(t, srv)
	assert.JSONEq(t, golden(t, "error_validation.json"), c.call("POST", "/v1/surveys", `{"name":"","question":"Q"}`).body)

	before := srv.AddSurvey(clicknps.Survey{ID: "s"})
	for _, tt := range []struct{ method, path, body, want string }{
		{"POST", "/v1/surveys", `{"question":"Q"}`, clickNPSError("validation_error", "Invalid survey name", "name")},
		{"POST", "/v1/surveys", `{"name":"N"}`, clickNPSError("validation_error", "Invalid survey question", "question")},
		{"POST", "/v1/surveys", `{"Name":"N","question":"Q"}`, clickNPSError("validation_error", "Invalid survey name", "name")},
		{"PATCH", "/v1/surveys/s", `{"name":null}`, clickNPSError("validation_error", "Invalid survey name", "name")},
		{"PATCH", "/v1/surveys/s", `{"name":5}`, clickNPSError("validation_error", "Invalid survey name", "name")},
		{"PATCH", "/v1/surveys/s", `{"name":"N","status":"lost"}`, clickNPSError("validation_error", "Invalid survey status", "status")},
		{"PATCH", "/v1/surveys/s", `{"name":`, clickNPSError("invalid_request", "Request body must be a JSON object", "")},
		{"POST", "/v1/surveys", `[]`, clickNPSError("invalid_request", "Request body must be a JSON object", "")},
		{"POST", "/v1/surveys", `null`, clickNPSError("invalid_request", "Request body must be a JSON object", "")},
		{"POST", "/v1/surveys", ``, clickNPSError("invalid_request", "Request body must be a JSON object", "")},
	} {
		got := c.call(tt.method, tt.path, tt.body)
		assert.Equal(t, 400, got.status, tt.body)
		assert.JSONEq(t, tt.want, got.body, tt.body)
	}
	assert.Equal(t, []clicknps.Survey{before}, srv.Surveys(), "nothing refused has an effect")
}

func TestEveryBodyMustBeAnObject(t *testing.T) {
	srv := clicknpstest.Run(t)
	r := srv.Respond("s", "a", 9, "")
	c := inProcess(t, srv)
	for _, path := range []string{"/v1/surveys", "/v1/webhooks", "/v1/links/mint", "/v1/responses/" + r.ID + "/comment"} {
		got := c.call("POST", path, `"text"`)
		assert.Equal(t, 400, got.status, path)
		assert.JSONEq(t, clickNPSError("invalid_request", "Request body must be a JSON object", ""), got.body)
	}
}

func TestPaginationIsTheDocumentsOwnExample(t *testing.T) {
	srv := clicknpstest.Run(t)
	for i := range 45 {
		srv.AddSurvey(clicknps.Survey{ID: fmt.Sprintf("s%02d", i)})
	}
	got := inProcess(t, srv).get("/v1/surveys?limit=10&offset=20")
	assert.JSONEq(t, golden(t, "pagination.json"), toJSON(t, got.field(t, "pagination")))
	ids := got.names(t, "id")
	assert.Len(t, ids, 10)
	assert.Equal(t, "s20", ids[0])
	assert.Equal(t, "s29", ids[9])
}

func TestPageEdges(t *testing.T) {
	srv := clicknpstest.Run(t, clicknpstest.WithMaxLimit(50))
	for i := range 120 {
		srv.AddSurvey(clicknps.Survey{ID: fmt.Sprintf("s%03d", i)})
	}
	c := inProcess(t, srv)
	for _, tt := range []struct {
		query                       string
		items, limit, offset, total int
		more                        bool
	}{
		{"", 10, 10, 0, 120, true},
		{"?limit=50&offset=69", 50, 50, 69, 120, true},
		{"?limit=50&offset=70", 50, 50, 70, 120, false},
		{"?limit=50&offset=119", 1, 50, 119, 120, false},
		{"?limit=50&offset=120", 0, 50, 120, 120, false},
		{"?offset=9223372036854775807", 0, 10, 9223372036854775807, 120, false},
		{"?limit=1000", 50, 50, 0, 120, true},
	} {
		got := c.get("/v1/surveys" + tt.query)
		require.Equal(t, 200, got.status, tt.query)
		assert.Len(t, got.names(t, "id"), tt.items, tt.query)
		assert.Contains(t, got.body, fmt.Sprintf(`"pagination":{"total":%d,"limit":%d,"offset":%d,"has_more":%t}`,
			tt.total, tt.limit, tt.offset, tt.more), tt.query)
	}
	for query, field := range map[string]string{
		"limit=0": "limit", "limit=-1": "limit", "limit=x": "limit", "limit=": "limit",
		"offset=-1": "offset", "offset=1.5": "offset",
	} {
		got := c.get("/v1/surveys?" + query)
		assert.Equal(t, 400, got.status, query)
		assert.JSONEq(t, clickNPSError("validation_error", "Invalid "+field, field), got.body, query)
	}
	assert.Contains(t, inProcess(t, clicknpstest.Run(t)).get("/v1/surveys").body, `"data":[]`, "an empty list is no null")
}

func TestOrdersOfLists(t *testing.T) {
	for order, want := range map[clicknpstest.Order][]string{
		clicknpstest.OldestFirst: {"b", "c", "a"},
		clicknpstest.NewestFirst: {"a", "c", "b"},
		clicknpstest.ByName:      {"a", "b", "c"},
	} {
		srv := clicknpstest.Run(t, clicknpstest.WithOrder(order))
		for _, name := range []string{"b", "c", "a"} {
			srv.AddSurvey(clicknps.Survey{ID: name, Name: name})
			srv.AddResponse(clicknps.Response{ID: name, SubjectID: name})
		}
		c := inProcess(t, srv)
		for _, host := range []string{"b", "c", "a"} {
			c.call("POST", "/v1/webhooks", `{"url":"https://`+host+`","events":["response.created"]}`)
		}
		var hosts []string
		for _, u := range c.get("/v1/webhooks").names(t, "url") {
			hosts = append(hosts, strings.TrimPrefix(u, "https://"))
		}
		assert.Equal(t, want, hosts)
		assert.Equal(t, want, c.get("/v1/surveys").names(t, "id"))
		assert.Equal(t, want, c.get("/v1/responses").names(t, "id"))
		pages := c.get("/v1/surveys?limit=2").names(t, "id")
		assert.Equal(t, want, append(pages, c.get("/v1/surveys?limit=2&offset=2").names(t, "id")...))
		assert.Equal(t, "b", srv.Surveys()[0].ID, "inspectors keep the order of creation")
	}
}

func TestClickNPSWantsItsKey(t *testing.T) {
	srv := clicknpstest.Run(t, clicknpstest.WithKey("sk_test_mine"))
	assert.Equal(t, "sk_test_mine", srv.APIKey())
	c := inProcess(t, srv)
	assert.Equal(t, 200, c.get("/v1/surveys").status)
	for _, value := range []string{"", "Bearer", "Bearer sk_test_other", "sk_test_mine", "Basic sk_test_mine"} {
		got := c.with("Authorization", value).get("/v1/surveys")
		assert.Equal(t, 401, got.status, value)
		assert.JSONEq(t, clickNPSError("unauthorized", "Invalid or missing API key", ""), got.body)
	}
	assert.Regexp(t, `^sk_test_`, clicknpstest.Run(t).APIKey())
}

func TestRequestsWithoutTheJSONContentTypeAreRefused(t *testing.T) {
	srv := clicknpstest.Run(t)
	srv.AddSurvey(clicknps.Survey{ID: "s"})
	c := inProcess(t, srv)
	for _, value := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json5"} {
		for method, path := range map[string]string{"POST": "/v1/surveys", "PATCH": "/v1/surveys/s"} {
			got := c.with("Content-Type", value).call(method, path, golden(t, "survey_create.json"))
			assert.Equal(t, 400, got.status, value)
			assert.JSONEq(t, clickNPSError("invalid_request", "Content-Type must be application/json", ""), got.body)
		}
	}
	withCharset := c.with("Content-Type", "application/json; charset=utf-8")
	assert.Equal(t, 201, withCharset.call("POST", "/v1/surveys", golden(t, "survey_create.json")).status)
}

func TestUnknownRoutes(t *testing.T) {
	c := inProcess(t, clicknpstest.Run(t))
	for _, path := range []string{"/", "/v1", "/v1/", "/v1/surveys/", "/v1/surveys/a/b", "/v2/surveys", "/v1/nps-surveys/a/b/c", "/r/"} {
		got := c.get(path)
		assert.Equal(t, 404, got.status, path)
		assert.Equal(t, "text/plain", got.header.Get("Content-Type"))
		assert.Equal(t, "Not found", got.body)
	}
	got := c.call("PUT", "/v1/surveys", "{}")
	assert.Equal(t, 405, got.status)
	assert.Equal(t, "GET, POST", got.header.Get("Allow"))
}

func TestIDsAreUnescapedOnce(t *testing.T) {
	srv := clicknpstest.Run(t)
	srv.AddSurvey(clicknps.Survey{ID: "a/b%2F ü"})
	got := inProcess(t, srv).get("/v1/surveys/a%2Fb%252F%20%C3%BC")
	assert.Equal(t, 200, got.status, got.body)
	assert.Equal(t, "a/b%2F ü", got.field(t, "id"))
	assert.Equal(t, "/v1/surveys/a%2Fb%252F%20%C3%BC", srv.Requests()[0].Path)
}
