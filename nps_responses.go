package clicknps

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/clicknps/go-sdk/internal/engine"
	"github.com/clicknps/go-sdk/internal/lenient"
)

// NPSResponses is a page of responses to a SalesOS survey, with the metrics of the survey.
type NPSResponses struct {
	Data       []NPSResponse `json:"data"`
	Metrics    NPSMetrics    `json:"metrics"` // zero if the server sent none
	Pagination Pagination

	RawJSON json.RawMessage `json:"-"` // as received; nil without [WithRawJSON]
}

// NPSResponse is one customer's answer to a SalesOS survey.
type NPSResponse struct {
	ID        string    `json:"id"`
	SurveyID  string    `json:"surveyId"`
	Score     int       `json:"score" absent:"-1"` // 0–10, or NoScore
	Comment   string    `json:"comment,omitzero"`
	Email     string    `json:"email,omitzero"`
	CreatedAt time.Time `json:"createdAt,omitzero"`

	RawJSON json.RawMessage `json:"-"` // as received; nil without [WithRawJSON]
}

// NPSResponseListParams selects a page, or where a walk begins, as [NPSSurveyListParams] does.
type NPSResponseListParams struct {
	Page  int `url:"page,omitempty"`  // from 1
	Limit int `url:"limit,omitempty"` // responses a page
}

// Responses returns a page of the responses to a survey, with its metrics
// (GET /v1/nps-surveys/{id}/responses): all of them, if the server does not page. More than 32 MiB
// of JSON is an error; [NPSService.AllResponses] has no such bound. It fails with [ErrNotFound].
func (s *NPSService) Responses(
	ctx context.Context, id string, params *NPSResponseListParams, opts ...RequestOption,
) (*NPSResponses, error) {
	o, p := s.api.options(opts), valueOf(params)
	o.fail(p.validate())
	c := call{operation: "NPS.Responses", method: http.MethodGet, route: npsResponsesRoute, id: id, query: p}
	list := new(NPSResponses)
	err := s.api.do(ctx, c, o, func(res *engine.Result) error {
		items := lenient.NewList(bytes.NewReader(res.Body), listNames...)
		page, err := decodeNPSPage[NPSResponse](items, res, npsPage(p), o.rawJSON)
		if err != nil {
			return undecodable(err)
		}
		list.Data, list.Pagination = page.Data, page.Pagination
		if metrics := items.Field("metrics"); metrics != nil {
			if err := lenient.Unmarshal(metrics, &list.Metrics); err != nil {
				return undecodable(fmt.Errorf("metrics: %w", err))
			}
			list.Metrics.RawJSON = rawField(metrics, o.rawJSON)
		}
		list.RawJSON = rawField(res.Body, o.rawJSON)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// AllResponses walks the responses to a survey (GET /v1/nps-surveys/{id}/responses). It may end
// with [ErrNotFound] or [ErrListChanged].
func (s *NPSService) AllResponses(
	ctx context.Context, id string, params *NPSResponseListParams, opts ...RequestOption,
) iter.Seq2[*NPSResponse, error] {
	o, p := s.api.options(opts), valueOf(params)
	o.fail(p.validate())
	c := call{operation: "NPS.AllResponses", route: npsResponsesRoute, id: id}
	return allNPS[NPSResponse](ctx, s.api, c, o, npsPage(p), func(r *NPSResponse) string { return r.ID })
}

const npsResponsesRoute = npsSurveyRoute + "/responses"

func (r *NPSResponse) parts() (*string, *json.RawMessage) { return nil, &r.RawJSON }

func (p NPSResponseListParams) validate() error {
	return first(notNegative("page", "Page", p.Page), notNegative("limit", "Limit", p.Limit))
}
