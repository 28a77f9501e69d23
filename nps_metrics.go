package clicknps

import (
	"context"
	"encoding/json"
	"net/http"
)

// NPSMetrics is a Net Promoter Score with the counts behind it.
type NPSMetrics struct {
	Score          float64 `json:"npsScore"` // −100 to +100
	Promoters      int     `json:"promoters"`
	Passives       int     `json:"passives"`
	Detractors     int     `json:"detractors"`
	TotalResponses int     `json:"totalResponses"`
	AverageScore   float64 `json:"averageScore"` // 0–10

	RawJSON json.RawMessage `json:"-"` // as received; nil without [WithRawJSON]
}

// NPSStats holds the counts of all SalesOS surveys of the account.
type NPSStats struct {
	TotalSurveys   int     `json:"totalSurveys"`
	ActiveSurveys  int     `json:"activeSurveys"`
	TotalResponses int     `json:"totalResponses"`
	AverageScore   float64 `json:"averageScore"` // 0–10

	RawJSON json.RawMessage `json:"-"` // as received; nil without [WithRawJSON]
}

// Metrics returns the Net Promoter Score of all surveys (GET /v1/nps-surveys/nps-metrics).
func (s *NPSService) Metrics(ctx context.Context, opts ...RequestOption) (*NPSMetrics, error) {
	c := call{operation: "NPS.Metrics", method: http.MethodGet, route: "/nps-surveys/nps-metrics"}
	return fetch[NPSMetrics](ctx, s.api, c, opts)
}

// DashboardMetrics is Metrics at the path of the SalesOS frontend
// (GET /v1/nps-surveys/metrics/nps).
func (s *NPSService) DashboardMetrics(ctx context.Context, opts ...RequestOption) (*NPSMetrics, error) {
	c := call{operation: "NPS.DashboardMetrics", method: http.MethodGet, route: "/nps-surveys/metrics/nps"}
	return fetch[NPSMetrics](ctx, s.api, c, opts)
}

// Stats returns the counts of all surveys (GET /v1/nps-surveys/stats).
func (s *NPSService) Stats(ctx context.Context, opts ...RequestOption) (*NPSStats, error) {
	c := call{operation: "NPS.Stats", method: http.MethodGet, route: "/nps-surveys/stats"}
	return fetch[NPSStats](ctx, s.api, c, opts)
}

func (m *NPSMetrics) parts() (*string, *json.RawMessage) { return nil, &m.RawJSON }
func (s *NPSStats) parts() (*string, *json.RawMessage)   { return nil, &s.RawJSON }
