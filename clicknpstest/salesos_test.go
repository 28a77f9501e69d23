package clicknpstest_test

import (
	"encoding/base64"
	"encoding/json"
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

func TestSalesOSCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t, clicknpstest.WithSalesOSLimit(0))
		anonymous := inProcess(t, srv).with("Authorization", "").with("X-API-Key", "")
		bearer := func(value string) int {
			got := anonymous.with("Authorization", "Bearer "+value).get("/v1/nps-surveys")
			if got.status == 401 {
				assert.JSONEq(t, `{"statusCode":401,"message":"Unauthorized"}`, got.body)
			}
			return got.status
		}
		old := srv.SalesOSToken()
		assert.NotEqual(t, old, srv.SalesOSToken(), "a fresh one each call")
		assert.Equal(t, 200, bearer(old))
		assert.Equal(t, 200, anonymous.with("X-API-Key", srv.SalesOSAPIKey()).get("/v1/nps-surveys").status)

		srv.Advance(24*time.Hour - time.Second)
		assert.Equal(t, 200, bearer(old))
		srv.Advance(time.Second)
		assert.Equal(t, 401, bearer(old), "a token lives for 24 hours")
		assert.Equal(t, 200, bearer(srv.SalesOSToken()))

		for _, value := range []string{"", "x", "a.b.c", srv.APIKey(), old[:len(old)-2] + "xx", "." + old} {
			assert.Equal(t, 401, bearer(value), value)
		}
		assert.Equal(t, 401, anonymous.get("/v1/nps-surveys").status)
		assert.Equal(t, 401, anonymous.with("Authorization", old).get("/v1/nps-surveys").status, "a bare token")
		parts := strings.Split(srv.SalesOSToken(), ".")
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		require.NoError(t, err)
		forged := strings.Replace(string(payload), "user_1", "user_2", 1)
		require.NotEqual(t, string(payload), forged)
		parts[1] = base64.RawURLEncoding.EncodeToString([]byte(forged))
		assert.Equal(t, 401, bearer(strings.Join(parts, ".")), "a changed payload")
		assert.Equal(t, 401, anonymous.with("X-API-Key", srv.APIKey()).get("/v1/nps-surveys").status)
	})
}

func TestSalesOSTokenIsAJWT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parts := strings.Split(clicknpstest.Run(t).SalesOSToken(), ".")
		require.Len(t, parts, 3)
		var claims struct{ Iat, Exp int64 }
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(payload, &claims))
		assert.Equal(t, time.Now().Unix(), claims.Iat)
		assert.Equal(t, time.Now().Add(24*time.Hour).Unix(), claims.Exp)
	})
}

func TestSalesOSRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t)
		c := inProcess(t, srv)
		reset := strconv.FormatInt(time.Now().Add(time.Minute).Unix(), 10)
		for i := range 100 {
			got := c.get("/v1/nps-surveys/none")
			require.Equal(t, 404, got.status)
			require.Equal(t, "100", got.header.Get("X-RateLimit-Limit"))
			require.Equal(t, strconv.Itoa(99-i), got.header.Get("X-RateLimit-Remaining"))
			require.Equal(t, reset, got.header.Get("X-RateLimit-Reset"))
		}
		until(time.Now().Add(29*time.Second + time.Millisecond))
		got := c.get("/v1/nps-surveys")
		assert.Equal(t, 429, got.status)
		assert.JSONEq(t, golden(t, "salesos_error_rate_limit.json"), got.body)
		assert.Equal(t, "31", got.header.Get("Retry-After"))
		assert.Equal(t, "0", got.header.Get("X-RateLimit-Remaining"))
		assert.Equal(t, reset, got.header.Get("X-RateLimit-Reset"))

		user := c.with("X-API-Key", "").with("Authorization", "Bearer "+srv.SalesOSToken())
		assert.Equal(t, "99", user.get("/v1/nps-surveys").header.Get("X-RateLimit-Remaining"), "a user is not a key")
		user = user.with("Authorization", "Bearer "+srv.SalesOSToken())
		assert.Equal(t, "98", user.get("/v1/nps-surveys").header.Get("X-RateLimit-Remaining"), "a user's tokens share the limit")
		assert.Equal(t, 401, c.with("X-API-Key", "other").get("/v1/nps-surveys").status)

		srv.Advance(31 * time.Second)
		got = c.get("/v1/nps-surveys")
		assert.Equal(t, "99", got.header.Get("X-RateLimit-Remaining"))
		want := time.Now().Add(time.Minute + time.Second - time.Nanosecond).Unix()
		assert.Equal(t, strconv.FormatInt(want, 10), got.header.Get("X-RateLimit-Reset"), "in the client's time, whatever was advanced")
	})
}

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

func TestNPSSurveyGoldens(t *testing.T) {
	srv := clicknpstest.Run(t)
	addGoldenNPSSurvey(srv)
	c := inProcess(t, srv)
	path := "/v1/nps-surveys/" + npsID
	assert.JSONEq(t, golden(t, "salesos_survey.json"), c.get(path).body)
	assert.JSONEq(t, "["+golden(t, "salesos_survey.json")+"]", c.get("/v1/nps-surveys").body, "a list is a bare array")
	assert.JSONEq(t, golden(t, "salesos_responses.json"), c.get(path+"/responses").body)

	export := c.get(path + "/responses/export?format=csv")
	assert.Equal(t, golden(t, "salesos_export.csv"), export.body)
	assert.Equal(t, "text/csv; charset=utf-8", export.header.Get("Content-Type"))
	assert.Equal(t, `attachment; filename="nps-responses.csv"`, export.header.Get("Content-Disposition"))
	export = c.get(path + "/responses/export?format=json")
	assert.JSONEq(t, toJSON(t, c.get(path+"/responses").field(t, "data")), export.body)
	assert.Equal(t, "application/json", export.header.Get("Content-Type"))
	for _, query := range []string{"", "?format=", "?format=xlsx"} {
		got := c.get(path + "/responses/export" + query)
		assert.Equal(t, 400, got.status, query)
		assert.JSONEq(t, `{"statusCode":400,"message":["format must be one of the following values: csv, json"],"error":"Bad Request"}`, got.body)
	}
}

func TestNPSMetricsFollowFromTheResponses(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := inProcess(t, srv)
	const nothing = `{"npsScore":0,"promoters":0,"passives":0,"detractors":0,"totalResponses":0,"averageScore":0}`
	assert.JSONEq(t, nothing, c.get("/v1/nps-surveys/nps-metrics").body)

	addGoldenNPSSurvey(srv)
	other := srv.AddNPSSurvey(clicknps.NPSSurvey{})
	srv.AddNPSResponse(clicknps.NPSResponse{SurveyID: other.ID, Score: 9})
	srv.AddNPSResponse(clicknps.NPSResponse{SurveyID: other.ID, Score: 7})
	assert.JSONEq(t, golden(t, "salesos_metrics.json"), c.get("/v1/nps-surveys/nps-metrics").body)
	assert.Equal(t, c.get("/v1/nps-surveys/nps-metrics").body, c.get("/v1/nps-surveys/metrics/nps").body)
	assert.JSONEq(t, golden(t, "salesos_stats.json"), c.get("/v1/nps-surveys/stats").body)
	assert.Contains(t, c.get("/v1/nps-surveys/"+other.ID+"/responses").body, `"metrics":{"npsScore":50,"promoters":1,"passives":1,"detractors":0,"totalResponses":2,"averageScore":8}`)

	require.Equal(t, 204, c.call("DELETE", "/v1/nps-surveys/"+npsID, "").status)
	assert.Contains(t, c.get("/v1/nps-surveys/stats").body, `"totalResponses":2`, "responses go with their survey")
}

func TestTheCategoriesOfScores(t *testing.T) {
	for score, want := range map[int]string{
		0:                `{"npsScore":-100,"promoters":0,"passives":0,"detractors":1,"totalResponses":1,"averageScore":0}`,
		6:                `{"npsScore":-100,"promoters":0,"passives":0,"detractors":1,"totalResponses":1,"averageScore":6}`,
		7:                `{"npsScore":0,"promoters":0,"passives":1,"detractors":0,"totalResponses":1,"averageScore":7}`,
		8:                `{"npsScore":0,"promoters":0,"passives":1,"detractors":0,"totalResponses":1,"averageScore":8}`,
		9:                `{"npsScore":100,"promoters":1,"passives":0,"detractors":0,"totalResponses":1,"averageScore":9}`,
		10:               `{"npsScore":100,"promoters":1,"passives":0,"detractors":0,"totalResponses":1,"averageScore":10}`,
		clicknps.NoScore: `{"npsScore":0,"promoters":0,"passives":0,"detractors":0,"totalResponses":0,"averageScore":0}`,
	} {
		srv := clicknpstest.Run(t)
		sv := srv.AddNPSSurvey(clicknps.NPSSurvey{})
		srv.AddNPSResponse(clicknps.NPSResponse{SurveyID: sv.ID, Score: score})
		assert.JSONEq(t, want, inProcess(t, srv).get("/v1/nps-surveys/nps-metrics").body)
	}
}

func TestAResponseWithoutAScore(t *testing.T) {
	srv := clicknpstest.Run(t)
	sv := srv.AddNPSSurvey(clicknps.NPSSurvey{ID: "s"})
	r := srv.AddNPSResponse(clicknps.NPSResponse{ID: "r", SurveyID: sv.ID, Score: clicknps.NoScore, CreatedAt: documented})
	assert.Equal(t, clicknps.NoScore, r.Score)
	assert.Equal(t, []clicknps.NPSResponse{r}, srv.NPSResponses())
	c := inProcess(t, srv)
	assert.Contains(t, c.get("/v1/nps-surveys/s/responses").body, `"id":"r","surveyId":"s","score":null,"comment":null`)
	assert.Contains(t, c.get("/v1/nps-surveys/s/responses/export?format=csv").body, "\nr,s,,,,2025-01-15T10:30:00.000Z\n")
}
