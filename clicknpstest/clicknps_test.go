package clicknpstest_test

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMinuteQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t, clicknpstest.WithPlan(clicknps.PlanFree))
		c := inProcess(t, srv)
		for range 60 {
			require.Equal(t, 200, c.get("/v1/surveys").status)
		}
		got := c.get("/v1/surveys")
		assert.Equal(t, 429, got.status)
		assert.Equal(t, "60", got.header.Get("Retry-After"))
		assert.JSONEq(t, golden(t, "error_rate_limit.json"), got.body)

		until(time.Now().Add(59*time.Second + time.Millisecond))
		got = c.get("/v1/surveys")
		assert.Equal(t, "1", got.header.Get("Retry-After"), "rounded up: after that wait there is room")
		assert.JSONEq(t, clickNPSError("rate_limit_exceeded", "Rate limit exceeded. Retry after 1 seconds.", ""), got.body)
		assert.Equal(t, 401, c.with("Authorization", "").get("/v1/surveys").status, "no key, no quota")

		until(time.Now().Add(time.Second))
		assert.Equal(t, 200, c.get("/v1/surveys").status)
	})
}

func TestHourQuotaCountsEveryAuthenticatedRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t, clicknpstest.WithPlan(clicknps.Plan{PerMinute: 2, PerHour: 5}))
		c := inProcess(t, srv)
		statuses := func(n int) (got []int) {
			for range n {
				got = append(got, c.get("/v1/responses/none").status)
			}
			return got
		}
		assert.Equal(t, []int{404, 404, 429}, statuses(3))
		srv.Advance(time.Minute)
		assert.Equal(t, []int{404, 404, 429}, statuses(3), "the sixth of the hour")
		srv.Advance(time.Minute)
		got := c.get("/v1/surveys")
		assert.Equal(t, 429, got.status, "the hour's five are used up, one of them by a refusal")
		assert.Equal(t, strconv.Itoa(58*60), got.header.Get("Retry-After"))
		srv.Advance(58 * time.Minute)
		assert.Equal(t, []int{404, 404, 429}, statuses(3))
	})
}

func TestIdempotentReplay(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := inProcess(t, srv).with("Idempotency-Key", "unique-key-123")
	first := c.call("POST", "/v1/surveys", golden(t, "survey_create.json"))
	again := c.call("POST", "/v1/surveys", golden(t, "survey_create.json"))
	assert.Equal(t, 201, again.status)
	assert.Equal(t, first.body, again.body)
	assert.Empty(t, first.header.Get("Idempotent-Replayed"))
	assert.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
	assert.NotEqual(t, first.header.Get("X-Request-Id"), again.header.Get("X-Request-Id"), "another request, the same outcome")
	third := c.call("POST", "/v1/surveys", golden(t, "survey_create.json"))
	assert.NotEqual(t, again.header.Get("X-Request-Id"), third.header.Get("X-Request-Id"))
	assert.Len(t, srv.Surveys(), 1)
	assert.False(t, srv.Requests()[0].Replayed)
	assert.True(t, srv.Requests()[1].Replayed)

	for path, body := range map[string]string{
		"/v1/surveys":    `{"name":"Other","question":"Q"}`,
		"/v1/webhooks":   golden(t, "survey_create.json"),
		"/v1/links/mint": `{"survey_id":"s","subject_id":"a"}`,
	} {
		got := c.call("POST", path, body)
		assert.Equal(t, 409, got.status, path)
		assert.JSONEq(t, clickNPSError("idempotency_conflict", "Idempotency-Key was used before with another request", ""), got.body)
	}
	assert.Equal(t, 201, c.with("Idempotency-Key", "other").call("POST", "/v1/surveys", golden(t, "survey_create.json")).status)
	assert.Len(t, srv.Surveys(), 2)
}

func TestARefusedRequestMayBePutRightUnderItsKey(t *testing.T) {
	c := inProcess(t, clicknpstest.Run(t)).with("Idempotency-Key", "k")
	assert.Equal(t, 400, c.call("POST", "/v1/surveys", `{"name":"N"}`).status)
	assert.Equal(t, 201, c.call("POST", "/v1/surveys", `{"name":"N","question":"Q"}`).status)
}

func TestIdempotencyKeyLength(t *testing.T) {
	c := inProcess(t, clicknpstest.Run(t))
	key := fmt.Sprintf("%0255d", 1)
	assert.Equal(t, 201, c.with("Idempotency-Key", key).call("POST", "/v1/surveys", golden(t, "survey_create.json")).status)
	assert.Equal(t, 400, c.with("Idempotency-Key", key+"2").call("POST", "/v1/surveys", golden(t, "survey_create.json")).status)
}

func TestConcurrentRequestsWithOneKeyHaveOneEffect(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := inProcess(t, srv).with("Idempotency-Key", "k")
	body := golden(t, "survey_create.json")
	answers := make([]string, 64)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			if r, err := c.try("POST", "/v1/surveys", body); err == nil {
				answers[i] = r.body
			}
		})
	}
	wg.Wait()
	require.Len(t, srv.Surveys(), 1)
	for _, answer := range answers {
		assert.Contains(t, answer, srv.Surveys()[0].ID)
	}
}

func TestALostAnswerIsReplayed(t *testing.T) {
	srv := clicknpstest.Run(t)
	srv.Inject(clicknpstest.Fault{DropAfter: true, Times: 1})
	c := inProcess(t, srv).with("Idempotency-Key", "k")
	_, err := c.try("POST", "/v1/surveys", golden(t, "survey_create.json"))
	require.Error(t, err)
	again := c.call("POST", "/v1/surveys", golden(t, "survey_create.json"))
	assert.Equal(t, http.StatusCreated, again.status)
	assert.Len(t, srv.Surveys(), 1)
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
		{"?offset=" + strconv.Itoa(math.MaxInt), 0, 10, math.MaxInt, 120, false},
		{"?limit=1000", 50, 50, 0, 120, true},
	} {
		got := c.get("/v1/surveys" + tt.query)
		require.Equal(t, 200, got.status, tt.query)
		assert.Len(t, got.names(t, "id"), tt.items, tt.query)
		assert.Contains(t, got.body, fmt.Sprintf(`"pagination":{"total":%d,"limit":%d,"offset":%d,"has_more":%t}`,
			tt.total, tt.limit, tt.offset, tt.more), tt.query)
	}
	for query, field := range map[string]string{
		"limit=0": "limit", "limit=-1": "limit", "limit=x": "limit",
		"offset=-1": "offset", "offset=1.5": "offset",
	} {
		got := c.get("/v1/surveys?" + query)
		assert.Equal(t, 400, got.status, query)
		assert.JSONEq(t, clickNPSError("validation_error", "Invalid "+field, field), got.body, query)
	}
	assert.Contains(t, inProcess(t, clicknpstest.Run(t)).get("/v1/surveys").body, `"data":[]`, "an empty list is no null")
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
