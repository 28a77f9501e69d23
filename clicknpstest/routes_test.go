package clicknpstest_test

import (
	"testing"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
)

func TestUnknownRoutes(t *testing.T) {
	c := inProcess(t, clicknpstest.Run(t))
	for _, path := range []string{"/", "/v1", "/v1/", "/v1/surveys/", "/v1/surveys/a/b", "/v2/surveys", "/r/"} {
		got := c.get(path)
		assert.Equal(t, 404, got.status, path)
		assert.Equal(t, "text/plain", got.header.Get("Content-Type"))
		assert.Equal(t, "Not found", got.body)
	}
	got := c.call("PUT", "/v1/nps-surveys", "{}")
	assert.Equal(t, 404, got.status)
	assert.JSONEq(t, `{"statusCode":404,"message":"Cannot PUT /v1/nps-surveys","error":"Not Found"}`, got.body)
	assert.Contains(t, c.get("/v1/nps-surveys/a/b/c").body, "Cannot GET /v1/nps-surveys/a/b/c")
	got = c.call("PUT", "/v1/surveys", "{}")
	assert.Equal(t, 404, got.status)
	assert.Equal(t, "Not found", got.body)
}

func TestIDsAreUnescapedOnce(t *testing.T) {
	srv := clicknpstest.Run(t)
	srv.AddSurvey(clicknps.Survey{ID: "a/b%2F ü"})
	got := inProcess(t, srv).get("/v1/surveys/a%2Fb%252F%20%C3%BC")
	assert.Equal(t, 200, got.status, got.body)
	assert.Equal(t, "a/b%2F ü", got.field(t, "id"))
	assert.Equal(t, "/v1/surveys/a%2Fb%252F%20%C3%BC", srv.Requests()[0].Path)
}
