package clicknpstest_test

import (
	"testing"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
