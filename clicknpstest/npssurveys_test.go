package clicknpstest_test

import (
	"testing"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNPSSurveyLife(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := inProcess(t, srv)
	created := c.call("POST", "/v1/nps-surveys", `{"name":"A","question":"Q","type":"relationship","isActive":false}`)
	require.Equal(t, 201, created.status, created.body)
	id := created.field(t, "id").(string)
	assert.Regexp(t, "^"+uuid+"$", id)
	path := "/v1/nps-surveys/" + id
	assert.Equal(t, created.body, c.get(path).body)

	toggled := c.with("Content-Type", "").call("POST", path+"/toggle", "")
	assert.Equal(t, 201, toggled.status)
	assert.Equal(t, true, toggled.field(t, "isActive"))
	assert.Equal(t, false, c.call("POST", path+"/toggle", `{"anything":1}`).field(t, "isActive"), "sent twice, it undoes itself")

	srv.Advance(time.Second)
	patched := c.call("PATCH", path, `{"name":"B","isActive":true}`)
	assert.Equal(t, 200, patched.status)
	assert.Equal(t, []any{"B", "Q", "relationship", true}, []any{
		patched.field(t, "name"), patched.field(t, "question"), patched.field(t, "type"), patched.field(t, "isActive"),
	})
	assert.NotEqual(t, patched.field(t, "createdAt"), patched.field(t, "updatedAt"))

	srv.AddNPSResponse(clicknps.NPSResponse{SurveyID: id, Score: 1})
	replaced := c.call("PUT", path, `{"name":"C","question":"","type":"transactional","isActive":false}`)
	assert.Equal(t, 200, replaced.status, replaced.body)
	assert.Equal(t, []any{"C", "", "transactional", false, id, created.field(t, "createdAt")}, []any{
		replaced.field(t, "name"), replaced.field(t, "question"), replaced.field(t, "type"), replaced.field(t, "isActive"),
		replaced.field(t, "id"), replaced.field(t, "createdAt"),
	})
	assert.Contains(t, c.get(path+"/responses").body, `"totalResponses":1`, "a replaced survey keeps its responses")

	gone := c.call("DELETE", path, "")
	assert.Equal(t, 204, gone.status)
	assert.Empty(t, gone.body)
	for method, p := range map[string]string{
		"GET": path, "PATCH": path, "PUT": path, "DELETE": path, "POST": path + "/toggle",
	} {
		got := c.call(method, p, `{"name":"x"}`)
		assert.Equal(t, 404, got.status, method)
		assert.JSONEq(t, `{"statusCode":404,"message":"NPS survey not found","error":"Not Found"}`, got.body)
	}
	assert.Equal(t, 404, c.get(path+"/responses").status)
	assert.Equal(t, 404, c.get(path+"/responses/export?format=csv").status)
	assert.Equal(t, "[]", c.get("/v1/nps-surveys").body)
}

func TestSalesOSBodiesAreStrict(t *testing.T) {
	srv := clicknpstest.Run(t)
	before := srv.AddNPSSurvey(clicknps.NPSSurvey{ID: "s"})
	c := inProcess(t, srv)
	assert.JSONEq(t, golden(t, "salesos_error_unknown_field.json"), c.call("POST", "/v1/nps-surveys", `{"name":"A","x":1}`).body)

	for _, tt := range []struct{ method, path, body, message string }{
		{"POST", "", `{}`, `["name must be a string","name should not be empty"]`},
		{"POST", "", ``, `["name must be a string","name should not be empty"]`},
		{"PUT", "/s", ``, `["name must be a string","name should not be empty"]`},
		{"POST", "", `{"name":null}`, `["name must be a string"]`},
		{"POST", "", `{"name":"  "}`, `["name should not be empty"]`},
		{"POST", "", `{"name":"A","type":""}`, `["type must be one of the following values: transactional, relationship"]`},
		{"PATCH", "/s", `{"type":""}`, `["type must be one of the following values: transactional, relationship"]`},
		{"POST", "", `{"name":1,"is_active":true}`, `["property is_active should not exist","name must be a string"]`},
		{"POST", "", `{"name":"A","type":"yearly"}`, `["type must be one of the following values: transactional, relationship"]`},
		{"POST", "", `{"name":"A","isActive":"yes","question":1}`, `["question must be a string","isActive must be a boolean value"]`},
		{"POST", "", `nope`, `["Request body must be a JSON object"]`},
		{"PATCH", "/s", `{"name":""}`, `["name should not be empty"]`},
		{"PATCH", "/s", `{"id":"t"}`, `["property id should not exist"]`},
		{"PUT", "/s", `{"question":"Q"}`, `["name must be a string","name should not be empty"]`},
	} {
		got := c.call(tt.method, "/v1/nps-surveys"+tt.path, tt.body)
		assert.Equal(t, 400, got.status, tt.body)
		assert.JSONEq(t, `{"statusCode":400,"message":`+tt.message+`,"error":"Bad Request"}`, got.body)
	}
	got := c.with("Content-Type", "").call("POST", "/v1/nps-surveys", `{"name":"A"}`)
	assert.JSONEq(t, `{"statusCode":400,"message":["Content-Type must be application/json"],"error":"Bad Request"}`, got.body)
	assert.Equal(t, []clicknps.NPSSurvey{before}, srv.NPSSurveys(), "nothing refused has an effect")
	bare := c.with("Content-Type", "").call("PATCH", "/v1/nps-surveys/s", "")
	assert.Equal(t, 200, bare.status, "no body changes nothing, and needs no content type")
	assert.Equal(t, "transactional", c.call("POST", "/v1/nps-surveys", `{"name":"A"}`).field(t, "type"), "the default")
}
