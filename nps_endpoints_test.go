package clicknps_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

var (
	npsSurvey = clicknps.NPSSurvey{
		ID: salesOSID, Name: "My Survey", Question: askUs, Type: clicknps.NPSRelationship, IsActive: true, CreatedAt: day, UpdatedAt: day,
	}
	npsMetrics = clicknps.NPSMetrics{Score: 25, Promoters: 2, Passives: 1, Detractors: 1, TotalResponses: 4, AverageScore: 7.75}
)

var salesOSEndpoints = []endpoint{
	{
		name: "list surveys", method: "GET", target: "/v1/nps-surveys", status: 200,
		answer: func(t testing.TB) string { return "[" + golden(t, "salesos_survey.json") + "]" },
		call:   func(ctx context.Context, c *clicknps.Client) (any, error) { return c.SalesOS.NPS.List(ctx, nil) },
		want:   clicknps.Page[clicknps.NPSSurvey]{Data: []clicknps.NPSSurvey{npsSurvey}, Pagination: clicknps.Pagination{Total: -1}},
	},
	{
		name: "create a survey", method: "POST", target: "/v1/nps-surveys", status: 201, answer: file("salesos_survey.json"),
		body: `{"name":"My Survey","question":"How likely are you to recommend us?","type":"relationship","isActive":true}`,
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return c.SalesOS.NPS.Create(ctx, &clicknps.NPSSurveyCreateParams{Name: "My Survey", Question: askUs, Type: clicknps.NPSRelationship, IsActive: new(true)})
		},
		want: npsSurvey,
	},
	{
		name: "create a survey with its name only", method: "POST", target: "/v1/nps-surveys", status: 201, answer: file("salesos_survey.json"),
		body: `{"name":"My Survey"}`,
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return c.SalesOS.NPS.Create(ctx, &clicknps.NPSSurveyCreateParams{Name: "My Survey"})
		},
		want: npsSurvey,
	},
	{
		name: "metrics from the frontend's path", method: "GET", target: "/v1/nps-surveys/metrics/nps", status: 200, answer: file("salesos_metrics.json"),
		call: func(ctx context.Context, c *clicknps.Client) (any, error) { return c.SalesOS.NPS.DashboardMetrics(ctx) },
		want: npsMetrics,
	},
	{
		name: "metrics", method: "GET", target: "/v1/nps-surveys/nps-metrics", status: 200, answer: file("salesos_metrics.json"),
		call: func(ctx context.Context, c *clicknps.Client) (any, error) { return c.SalesOS.NPS.Metrics(ctx) },
		want: npsMetrics,
	},
	{
		name: "stats", method: "GET", target: "/v1/nps-surveys/stats", status: 200, answer: file("salesos_stats.json"),
		call: func(ctx context.Context, c *clicknps.Client) (any, error) { return c.SalesOS.NPS.Stats(ctx) },
		want: clicknps.NPSStats{TotalSurveys: 2, ActiveSurveys: 1, TotalResponses: 4, AverageScore: 7.75},
	},
	{
		name: "get a survey", method: "GET", target: "/v1/nps-surveys/" + salesOSID, status: 200, answer: file("salesos_survey.json"),
		call: func(ctx context.Context, c *clicknps.Client) (any, error) { return c.SalesOS.NPS.Get(ctx, salesOSID) },
		want: npsSurvey,
	},
	{
		name: "update a survey", method: "PATCH", target: "/v1/nps-surveys/" + salesOSID, status: 200, answer: file("salesos_survey.json"),
		body: `{"question":"How likely are you to recommend us?","type":"relationship","isActive":false}`,
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return c.SalesOS.NPS.Update(ctx, salesOSID, &clicknps.NPSSurveyUpdateParams{Question: new(askUs), Type: new(clicknps.NPSRelationship), IsActive: new(false)})
		},
		want: npsSurvey,
	},
	{
		name: "replace a survey: all fields are sent", method: "PUT", target: "/v1/nps-surveys/" + salesOSID, status: 200, answer: file("salesos_survey.json"),
		body: `{"name":"My Survey","question":"","type":"relationship","isActive":false}`,
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return c.SalesOS.NPS.Replace(ctx, salesOSID, &clicknps.NPSSurveyReplaceParams{Name: "My Survey", Type: clicknps.NPSRelationship})
		},
		want: npsSurvey,
	},
	{
		name: "delete a survey", method: "DELETE", target: "/v1/nps-surveys/" + salesOSID, status: 204, answer: text(""),
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return nil, c.SalesOS.NPS.Delete(ctx, salesOSID)
		},
	},
	{
		name: "toggle a survey", method: "POST", target: "/v1/nps-surveys/" + salesOSID + "/toggle", status: 201, answer: file("salesos_survey.json"),
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return c.SalesOS.NPS.Toggle(ctx, salesOSID)
		},
		want: npsSurvey,
	},
	{
		name: "responses", method: "GET", target: "/v1/nps-surveys/" + salesOSID + "/responses", status: 200, answer: file("salesos_responses.json"),
		call: func(ctx context.Context, c *clicknps.Client) (any, error) {
			return c.SalesOS.NPS.Responses(ctx, salesOSID, nil)
		},
		want: clicknps.NPSResponses{
			Pagination: clicknps.Pagination{Total: -1},
			Data: []clicknps.NPSResponse{
				{
					ID: "0b5c3a52-6f2e-4f0e-9c1c-3a1d5a1f2b01", SurveyID: salesOSID, Score: 10,
					Comment: `Fast, "really" fast`, Email: "user@example.com", CreatedAt: day,
				},
				{ID: "0b5c3a52-6f2e-4f0e-9c1c-3a1d5a1f2b02", SurveyID: salesOSID, Score: 5, CreatedAt: day},
			},
			Metrics: clicknps.NPSMetrics{Promoters: 1, Detractors: 1, TotalResponses: 2, AverageScore: 7.5},
		},
	},
}

func TestSalesOSEndpoints(t *testing.T) {
	t.Parallel()
	for _, e := range salesOSEndpoints {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			e.test(t, false)
		})
	}
}

func TestExportEndpoint(t *testing.T) {
	t.Parallel()
	for format, query := range map[clicknps.ExportFormat]string{
		clicknps.ExportCSV: "format=csv", clicknps.ExportJSON: "format=json", "x l&s": "format=x+l%26s",
	} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			body := golden(t, "salesos_export.csv")
			if format == clicknps.ExportJSON {
				body = golden(t, "salesos_responses.json")
			}
			w := newWire(reply(200, body, "Content-Type", "text/csv"))
			var got strings.Builder
			n, err := w.client(t).SalesOS.NPS.Export(t.Context(), salesOSID, format, &got)
			require.NoError(t, err)
			assert.Equal(t, body, got.String())
			assert.EqualValues(t, got.Len(), n)
			require.Len(t, w.sent(), 1)
			req := w.sent()[0]
			assert.Equal(t, "GET /v1/nps-surveys/"+salesOSID+"/responses/export", req.Method+" "+req.Path)
			assert.Equal(t, query, req.Query)
			assert.Equal(t, []string{"*/*"}, req.Header["Accept"])
			assert.Equal(t, []string{"Bearer " + testToken}, req.Header["Authorization"])
			assert.NotContains(t, req.Header, "Content-Type")
		})
	}
}

func TestSalesOSKeyIsSentAsXAPIKey(t *testing.T) {
	t.Parallel()
	w := newWire(reply(200, golden(t, "salesos_survey.json")))
	client, err := clicknps.New(clicknps.WithSalesOSAPIKey("sos_key_1"), through(w))
	require.NoError(t, err)
	_, err = client.SalesOS.NPS.Get(t.Context(), salesOSID)
	require.NoError(t, err)
	assert.Equal(t, "sos_key_1", w.sent()[0].Header.Get("X-API-Key"))
	assert.NotContains(t, w.sent()[0].Header, "Authorization")
}

func TestTestModeIsKnown(t *testing.T) {
	t.Parallel()
	for key, test := range map[string]bool{
		"sk_live_abc123xyz789": false, "sk_test_abc123xyz789": true, "ck_self_hosted": false, "x_sk_test_": false,
	} {
		client, err := clicknps.New(clicknps.WithAPIKey(key))
		require.NoError(t, err)
		assert.Equal(t, test, client.TestMode(), key)
	}
	source := clicknps.TokenSourceFunc(func(context.Context) (clicknps.Token, error) { return clicknps.Token{Value: "sk_test_x"}, nil })
	client, err := clicknps.New(clicknps.WithAPIKey("sk_test_x"), clicknps.WithAPIKeySource(source))
	require.NoError(t, err)
	assert.False(t, client.TestMode(), "nobody knows")
}
