package clicknpstest_test

import (
	"testing"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
