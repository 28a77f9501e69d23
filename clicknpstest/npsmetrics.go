package clicknpstest

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"strconv"
)

type npsMetrics struct {
	NPSScore       float64 `json:"npsScore"`
	Promoters      int     `json:"promoters"`
	Passives       int     `json:"passives"`
	Detractors     int     `json:"detractors"`
	TotalResponses int     `json:"totalResponses"`
	AverageScore   float64 `json:"averageScore"`
}

func measure(responses []*npsResponse) npsMetrics {
	m := npsMetrics{TotalResponses: len(responses)}
	if m.TotalResponses == 0 {
		return m
	}
	sum := 0
	for _, r := range responses {
		sum += r.Score
		switch {
		case r.Score >= 9:
			m.Promoters++
		case r.Score >= 7:
			m.Passives++
		default:
			m.Detractors++
		}
	}
	n := float64(m.TotalResponses)
	m.NPSScore = 100 * float64(m.Promoters-m.Detractors) / n
	m.AverageScore = float64(sum) / n
	return m
}

// allNPSResponses are those to all SalesOS surveys.
func (s *Server) allNPSResponses() []*npsResponse {
	var all []*npsResponse
	for _, sv := range s.store.npsSurveys.items {
		all = append(all, sv.responses...)
	}
	return all
}

func (s *Server) npsMetrics(*request) answer {
	return jsonAnswer(http.StatusOK, measure(s.allNPSResponses()))
}

func (s *Server) npsStats(*request) answer {
	active := 0
	for _, sv := range s.store.npsSurveys.items {
		if sv.IsActive {
			active++
		}
	}
	m := measure(s.allNPSResponses())
	return jsonAnswer(http.StatusOK, struct {
		TotalSurveys   int     `json:"totalSurveys"`
		ActiveSurveys  int     `json:"activeSurveys"`
		TotalResponses int     `json:"totalResponses"`
		AverageScore   float64 `json:"averageScore"`
	}{len(s.store.npsSurveys.items), active, m.TotalResponses, m.AverageScore})
}

func (s *Server) npsResponses(_ *request, sv *npsSurvey) answer {
	return jsonAnswer(http.StatusOK, struct {
		Data    []*npsResponse `json:"data"`
		Metrics npsMetrics     `json:"metrics"`
	}{append([]*npsResponse{}, sv.responses...), measure(sv.responses)})
}

func (s *Server) exportNPSResponses(req *request, sv *npsSurvey) answer {
	var a answer
	format := req.url.Query().Get("format")
	switch format {
	case "csv":
		a = textAnswer(http.StatusOK, "text/csv; charset=utf-8", csvOf(sv.responses))
	case "json":
		a = jsonAnswer(http.StatusOK, append([]*npsResponse{}, sv.responses...))
	default:
		return salesOSBadRequest("format must be one of the following values: csv, json")
	}
	a.header.Set("Content-Disposition", `attachment; filename="nps-responses.`+format+`"`)
	return a
}

func csvOf(responses []*npsResponse) string {
	var buf bytes.Buffer
	w := csv.NewWriter(&buf)
	rows := [][]string{{"id", "surveyId", "score", "comment", "email", "createdAt"}}
	for _, r := range responses {
		rows = append(rows, []string{
			r.ID, r.SurveyID, strconv.Itoa(r.Score), orEmpty(r.Comment), orEmpty(r.Email), r.CreatedAt.Format(isoMillis),
		})
	}
	_ = w.WriteAll(rows) // a buffer takes everything
	return buf.String()
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
