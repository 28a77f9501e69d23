package clicknpstest

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"strconv"

	"github.com/clicknps/go-sdk"
)

type npsMetrics struct {
	NPSScore       float64 `json:"npsScore"`
	Promoters      int     `json:"promoters"`
	Passives       int     `json:"passives"`
	Detractors     int     `json:"detractors"`
	TotalResponses int     `json:"totalResponses"`
	AverageScore   float64 `json:"averageScore"`
}

// measure computes the metrics of the responses that have a score.
func measure(responses []*npsResponse) npsMetrics {
	var t clicknps.Tally
	sum := 0
	for _, r := range responses {
		_ = t.Add(int(r.Score)) // scores were checked when they were added
		sum += max(int(r.Score), 0)
	}
	average := float64(sum) / float64(max(t.Total(), 1))
	return npsMetrics{t.NPS(), t.Promoters, t.Passives, t.Detractors, t.Total(), average}
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
	format := req.URL.Query().Get("format")
	switch format {
	case "csv":
		var buf bytes.Buffer
		w := csv.NewWriter(&buf)
		_ = w.Write([]string{"id", "surveyId", "score", "comment", "email", "createdAt"})
		for _, r := range sv.responses {
			value := ""
			if r.Score != clicknps.NoScore {
				value = strconv.Itoa(int(r.Score))
			}
			_ = w.Write([]string{
				r.ID, r.SurveyID, value, string(r.Comment), string(r.Email), r.CreatedAt.Format(isoMillis),
			})
		}
		w.Flush() // a buffer takes everything
		a = textAnswer(http.StatusOK, "text/csv; charset=utf-8", buf.String())
	case "json":
		a = jsonAnswer(http.StatusOK, append([]*npsResponse{}, sv.responses...))
	default:
		return salesOSBadRequest("format must be one of the following values: csv, json")
	}
	a.header.Set("Content-Disposition", `attachment; filename="nps-responses.`+format+`"`)
	return a
}
