package clicknps_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// sentinels are all that an answer can be.
var sentinels = map[string]error{
	"bad request": clicknps.ErrBadRequest, "unauthorized": clicknps.ErrUnauthorized, "forbidden": clicknps.ErrForbidden,
	"not found": clicknps.ErrNotFound, "conflict": clicknps.ErrConflict, "validation": clicknps.ErrValidation,
	"rate limited": clicknps.ErrRateLimited, "server": clicknps.ErrServer,
	"missing credentials": clicknps.ErrMissingCredentials, "invalid params": clicknps.ErrInvalidParams,
	"outcome unknown": clicknps.ErrOutcomeUnknown, "list changed": clicknps.ErrListChanged,
	"too many": clicknps.ErrTooMany,
}

// assertIs checks that err is each of these sentinels, and none of the others.
func assertIs(t *testing.T, err error, names ...string) {
	t.Helper()
	for name, sentinel := range sentinels {
		if slices.Contains(names, name) {
			assert.ErrorIs(t, err, sentinel)
		} else {
			assert.NotErrorIs(t, err, sentinel)
		}
	}
}

func TestSentinelsByStatus(t *testing.T) {
	t.Parallel()
	for status, is := range map[int][]string{
		301: nil,
		304: nil,
		400: {"bad request"},
		401: {"unauthorized"},
		402: nil,
		403: {"forbidden"},
		404: {"not found"},
		405: nil,
		408: nil,
		409: {"conflict"},
		410: nil,
		422: {"bad request", "validation"},
		429: {"rate limited"},
		499: nil,
		500: {"server"},
		501: {"server"},
		503: {"server"},
		599: {"server"},
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			client := answering(t, status, `{"message":"no"}`)
			_, err := client.Surveys.Get(t.Context(), "s")
			assertIs(t, err, is...)
			assert.Equal(t, status, asError(t, err).StatusCode)
			assert.NotContains(t, err.Error(), " :", "a status without a name leaves no gap")

			_, err = client.SalesOS.NPS.Toggle(t.Context(), "s")
			if status >= 500 || status == 408 {
				is = append(slices.Clone(is), "outcome unknown")
			}
			assertIs(t, err, is...)
		})
	}
}

func TestErrorVocabularies(t *testing.T) {
	t.Parallel()
	email := []clicknps.FieldError{{Field: "email", Message: "must be a valid email"}}
	tests := []struct {
		name    string
		status  int
		body    string
		typ     clicknps.ErrorType
		message string
		fields  []clicknps.FieldError
		is      []string
	}{
		{
			name: "ClickNPS validation", status: 400, body: golden(t, "error_validation.json"),
			typ: clicknps.ErrorTypeValidation, message: "Invalid survey name",
			fields: []clicknps.FieldError{{Field: "name", Message: "Invalid survey name"}}, is: []string{"bad request", "validation"},
		},
		{
			name: "ClickNPS rate limit", status: 429, body: golden(t, "error_rate_limit.json"),
			typ: clicknps.ErrorTypeRateLimitExceeded, message: "Rate limit exceeded. Retry after 60 seconds.", is: []string{"rate limited"},
		},
		{
			name: "ClickNPS type that is new", status: 403, body: `{"error":{"type":"plan_exceeded","message":"Upgrade","docs":"https://x"}}`,
			typ: "plan_exceeded", message: "Upgrade", is: []string{"forbidden"},
		},
		{
			name: "ClickNPS validation under another status", status: 409, body: `{"error":{"type":"validation_error","message":"taken","field":"name"}}`,
			typ: clicknps.ErrorTypeValidation, message: "taken", fields: []clicknps.FieldError{{Field: "name", Message: "taken"}},
			is: []string{"conflict", "validation"},
		},
		{
			name: "ClickNPS rate limit under another status", status: 403, body: `{"error":{"type":"rate_limit_exceeded","message":"slow down"}}`,
			typ: clicknps.ErrorTypeRateLimitExceeded, message: "slow down", is: []string{"forbidden", "rate limited"},
		},
		{name: "a string in error", status: 401, body: golden(t, "error_string.json"), message: "Invalid or missing API key", is: []string{"unauthorized"}},
		{
			name: "SalesOS error", status: 400, body: golden(t, "salesos_error.json"),
			message: "Bad Request", is: []string{"bad request", "validation"},
		},
		{
			name: "SalesOS list of strings", status: 400, body: golden(t, "salesos_error_validation.json"),
			message: "email must be an email; firstName should not be empty",
			fields: []clicknps.FieldError{
				{Field: "email", Message: "email must be an email"}, {Field: "firstName", Message: "firstName should not be empty"},
			},
			is: []string{"bad request", "validation"},
		},
		{
			name: "SalesOS unknown field", status: 400, body: golden(t, "salesos_error_unknown_field.json"), message: "property x should not exist",
			fields: []clicknps.FieldError{{Field: "x", Message: "property x should not exist"}}, is: []string{"bad request", "validation"},
		},
		{
			name: "SalesOS list of objects", status: 400, body: golden(t, "salesos_error_fields.json"),
			message: "Validation failed", fields: email, is: []string{"bad request", "validation"},
		},
		{
			name: "SalesOS rate limit", status: 429, body: golden(t, "salesos_error_rate_limit.json"),
			message: "Too Many Requests", is: []string{"rate limited"},
		},
		{
			name: "list of objects as the message", status: 422, body: `{"message":[{"property":"email","message":"must be a valid email"}]}`,
			message: "email must be a valid email", fields: email, is: []string{"bad request", "validation"},
		},
		{
			name: "errors without a message", status: 400, body: `{"errors":[{"field":"email","message":"must be a valid email"}]}`,
			message: "email must be a valid email", fields: email, is: []string{"bad request", "validation"},
		},
		{name: "message and error differ", status: 404, body: `{"message":"no such survey","error":"Not Found"}`, message: "no such survey", is: []string{"not found"}},
		{name: "a string", status: 400, body: `"no"`, message: "no", is: []string{"bad request"}},
		{name: "a list of strings", status: 400, body: `["no","never"]`, message: "no; never", is: []string{"bad request"}},
		{name: "a byte order mark", status: 400, body: "\ufeff" + `{"error":"no"}`, message: "no", is: []string{"bad request"}},
		{name: "the wrong types", status: 400, body: `{"error":{"type":1,"message":2,"field":[3]},"message":null,"errors":7}`, is: []string{"bad request"}},
		{name: "lists of nothing", status: 400, body: `{"message":[{},{},null,3,""],"errors":[]}`, is: []string{"bad request"}},
		{name: "null", status: 400, body: `null`, is: []string{"bad request"}},
		{name: "an empty object", status: 500, body: `{}`, is: []string{"server"}},
		{name: "nothing", status: 502, is: []string{"server"}},
		{name: "HTML", status: 503, body: "<html>down</html>", is: []string{"server"}},
		{name: "cut off", status: 404, body: `{"error":{"message":"no su`, is: []string{"not found"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client := answering(t, tt.status, tt.body, "X-Request-Id", "req_1")
			_, clickNPS := client.Surveys.Get(t.Context(), "s/1")
			_, salesOS := client.SalesOS.NPS.Get(t.Context(), "s/1")
			for service, err := range map[string]error{"clicknps": clickNPS, "salesos": salesOS} {
				e := asError(t, err)
				assert.Equal(t, service, e.Service)
				assert.Equal(t, tt.status, e.StatusCode)
				assert.Equal(t, tt.typ, e.Type)
				assert.Equal(t, tt.message, e.Message)
				assert.Equal(t, tt.fields, e.Fields)
				if len(tt.fields) > 0 {
					assert.Equal(t, tt.fields[0].Field, e.Field)
				} else {
					assert.Empty(t, e.Field)
				}
				assert.Equal(t, tt.body, string(e.Body))
				assert.Equal(t, "req_1", e.RequestID)
				assert.Equal(t, http.MethodGet, e.Method)
				assert.True(t, strings.HasSuffix(e.Path, "surveys/s%2F1"), e.Path)
				assert.Equal(t, 1, e.Attempts)
				assertIs(t, err, tt.is...)
				for _, part := range []string{e.Method, e.Path, http.StatusText(tt.status), tt.message, e.Field, "req_1"} {
					assert.Contains(t, err.Error(), part)
				}
			}
		})
	}
}

// Error() of what is not understood shows the content type and the first bytes.
func TestErrorShowsStrangeAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, contentType, body, want string }{
		{"HTML", "text/html; charset=utf-8", "<html>\r\n<h1>Bad\tGateway</h1>", `text/html "Bad Gateway"`},
		{"nothing", "application/json", "", "application/json, empty body"},
		{"plain text", "text/plain", "Not found", `text/plain "Not found"`},
		{"no type", "", "?", `no content type "?"`},
		{"a type that is none", ";;", "?", `no content type "?"`},
		{"bytes", "image/png", "\x89PNG\x00\x1b[31m", `image/png "�PNG [31m"`},
		{"JSON without words", "application/json", `{"code":7}`, `application/json "{\"code\":7}"`},
		{"a long page", "text/html", strings.Repeat("x", 5000), `text/html "` + strings.Repeat("x", 240) + `…"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := answering(t, 502, tt.body, "Content-Type", tt.contentType).Surveys.Get(t.Context(), "s")
			assert.Equal(t, "clicknps: GET /v1/surveys/s: 502 Bad Gateway: "+tt.want, err.Error())
		})
	}
}

func TestErrorTexts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		err  *clicknps.Error
		want string
	}{
		{
			"validation", &clicknps.Error{
				Method: "POST", Path: "/v1/surveys", StatusCode: 400, Type: "validation_error", Message: "Invalid survey", Field: "name",
				Fields: []clicknps.FieldError{{Field: "name", Message: "Invalid survey"}}, RequestID: "r", Attempts: 3,
			},
			"clicknps: POST /v1/surveys: 400 Bad Request (validation_error): name: Invalid survey (after 3 attempts) (request r)",
		},
		{
			"fields beside the message", &clicknps.Error{
				Method: "POST", Path: "/p", StatusCode: 400, Message: "Validation failed", Field: "a",
				Fields: []clicknps.FieldError{{Field: "a", Message: "is short"}, {Field: "b", Message: "is long"}},
			},
			"clicknps: POST /p: 400 Bad Request: Validation failed: a: is short: b: is long",
		},
		{"a message only", &clicknps.Error{Message: "no"}, "clicknps: no"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, tt.err.Error())
		})
	}
}

func TestErrorNeverShowsAQuery(t *testing.T) {
	t.Parallel()
	params := &clicknps.ResponseListParams{SurveyID: "topsecret", Limit: 3}
	for name, respond := range map[string]clicknps.Option{
		"answered": through(newWire(reply(404, `{"message":"no"}`))),
		"broken": clicknps.WithHTTPClient(&http.Client{Transport: inProcess(func(req *http.Request) (*http.Response, error) {
			return http.DefaultTransport.RoundTrip(req)
		})}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, respond, clicknps.WithBaseURL("http://127.0.0.1:1/v1"))
			_, err := client.Responses.List(t.Context(), params)
			e := asError(t, err)
			assert.Equal(t, "/v1/responses", e.Path)
			for _, shown := range printed(t, e) {
				assert.NotContains(t, shown, "topsecret")
				assert.NotContains(t, shown, "limit")
			}
		})
	}
}

func TestErrorBodyIsKeptUpTo64KiB(t *testing.T) {
	t.Parallel()
	for _, size := range []int{64<<10 - 1, 64 << 10, 64<<10 + 1, 3 << 20} {
		body := strings.Repeat("y", size)
		for _, status := range []int{200, 400} {
			_, err := answering(t, status, body, "Content-Type", "text/plain").Surveys.Get(t.Context(), "s")
			e := asError(t, err)
			assert.Equal(t, status, e.StatusCode)
			assert.Len(t, e.Body, min(size, 64<<10))
			assert.Less(t, len(e.Error()), 500)
		}
	}
}

func TestErrorRetryAfter(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		body   string
		header []string
		want   time.Duration
	}{
		"seconds":          {429, "", []string{"Retry-After", "7"}, 7 * time.Second},
		"a date":           {503, "", []string{"Retry-After", "Wed, 15 Jan 2025 10:31:00 GMT", "Date", "Wed, 15 Jan 2025 10:30:00 GMT"}, time.Minute},
		"the window's end": {429, "", []string{"X-RateLimit-Reset", "1736937090", "Date", "Wed, 15 Jan 2025 10:31:00 GMT"}, 30 * time.Second},
		"the message":      {429, golden(t, "error_rate_limit.json"), nil, time.Minute},
		"nothing":          {503, golden(t, "error_rate_limit.json"), nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := answering(t, tt.status, tt.body, tt.header...).Surveys.Get(t.Context(), "s")
			require.Error(t, err)
			assert.Equal(t, tt.want, asError(t, err).RetryAfter)
		})
	}
}

// However much a server says, an error can be read, and ends with what support asks for.
func TestErrorTextIsBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 60<<10)
	for name, body := range map[string]string{
		"message": `{"message":"` + long + `"}`, "field": `{"error":{"message":"m","field":"` + long + `"}}`,
		"fields": `{"message":["` + strings.Repeat(`a must be `+long[:900]+`","`, 60) + `b must be c"]}`,
		"text":   long,
	} {
		err := answering(t, 400, body, "X-Request-Id", "req_1").Surveys.Delete(t.Context(), "s")
		assert.LessOrEqual(t, len(err.Error()), 4<<10+40, name)
		assert.True(t, strings.HasSuffix(err.Error(), " (request req_1)"), name)
	}
}
