package clicknps

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"
)

// NPSService calls SalesOS NPS Surveys. It has no idempotency keys, so a POST that may have
// arrived is not retried: it fails with [ErrOutcomeUnknown].
type NPSService struct{ api *service }

// NPSSurveyType says when a SalesOS survey is sent. Unknown values are kept.
type NPSSurveyType string

// The types of a SalesOS survey.
const (
	NPSTransactional NPSSurveyType = "transactional" // after an event
	NPSRelationship  NPSSurveyType = "relationship"  // periodically
)

// NPSSurvey is a SalesOS NPS survey.
type NPSSurvey struct {
	ID        string        `json:"id"`
	Name      string        `json:"name"`
	Question  string        `json:"question"`
	Type      NPSSurveyType `json:"type,omitzero"`
	IsActive  bool          `json:"isActive"`
	CreatedAt time.Time     `json:"createdAt,omitzero"`
	UpdatedAt time.Time     `json:"updatedAt,omitzero"`

	RawJSON json.RawMessage `json:"-"` // as received; nil without [WithRawJSON]
}

// NPSSurveyListParams selects a page, or where a walk begins. Negative numbers are
// [ErrInvalidParams].
type NPSSurveyListParams struct {
	Page  int `url:"page,omitempty"`  // from 1
	Limit int `url:"limit,omitempty"` // surveys a page
}

// NPSSurveyCreateParams is the body of [NPSService.Create]. Name is required.
type NPSSurveyCreateParams struct {
	Name     string        `json:"name"`
	Question string        `json:"question,omitempty"`
	Type     NPSSurveyType `json:"type,omitempty"`
	IsActive *bool         `json:"isActive,omitempty"` // nil: the server's default
}

// NPSSurveyUpdateParams is the body of [NPSService.Update]. Nil fields are not changed; one must
// be set.
type NPSSurveyUpdateParams struct {
	Name     *string        `json:"name,omitempty"`
	Question *string        `json:"question,omitempty"`
	Type     *NPSSurveyType `json:"type,omitempty"`
	IsActive *bool          `json:"isActive,omitempty"`
}

// NPSSurveyReplaceParams is the body of [NPSService.Replace]. Name and Type are required.
type NPSSurveyReplaceParams struct {
	Name     string        `json:"name"`
	Question string        `json:"question"`
	Type     NPSSurveyType `json:"type"`
	IsActive bool          `json:"isActive"`
}

// List returns a page of surveys (GET /v1/nps-surveys): all of them, if the server does not page.
func (s *NPSService) List(
	ctx context.Context, params *NPSSurveyListParams, opts ...RequestOption,
) (*Page[NPSSurvey], error) {
	o, p := s.api.options(opts), valueOf(params)
	o.fail(p.validate())
	c := call{operation: "NPS.List", method: http.MethodGet, route: "/nps-surveys", query: p}
	return fetchNPSPage[NPSSurvey](ctx, s.api, c, o, npsPage(p))
}

// All walks the surveys (GET /v1/nps-surveys). It may end with [ErrListChanged].
func (s *NPSService) All(
	ctx context.Context, params *NPSSurveyListParams, opts ...RequestOption,
) iter.Seq2[*NPSSurvey, error] {
	o, p := s.api.options(opts), valueOf(params)
	o.fail(p.validate())
	c := call{operation: "NPS.All", route: "/nps-surveys"}
	return allNPS[NPSSurvey](ctx, s.api, c, o, npsPage(p),
		func(survey *NPSSurvey) string { return survey.ID })
}

// Create creates a survey (POST /v1/nps-surveys). It fails with [ErrInvalidParams],
// [ErrValidation] or [ErrOutcomeUnknown].
func (s *NPSService) Create(
	ctx context.Context, params *NPSSurveyCreateParams, opts ...RequestOption,
) (*NPSSurvey, error) {
	c := call{operation: "NPS.Create", method: http.MethodPost, route: "/nps-surveys", body: params}
	return fetch[NPSSurvey](ctx, s.api, c, opts)
}

const npsSurveyRoute = "/nps-surveys/{id}"

// Get returns a survey (GET /v1/nps-surveys/{id}). It fails with [ErrNotFound].
func (s *NPSService) Get(ctx context.Context, id string, opts ...RequestOption) (*NPSSurvey, error) {
	c := call{operation: "NPS.Get", method: http.MethodGet, route: npsSurveyRoute, id: id}
	return fetch[NPSSurvey](ctx, s.api, c, opts)
}

// Update changes the fields that params set, and returns the survey (PATCH /v1/nps-surveys/{id}).
// It fails with [ErrInvalidParams], [ErrNotFound] or [ErrValidation].
func (s *NPSService) Update(
	ctx context.Context, id string, params *NPSSurveyUpdateParams, opts ...RequestOption,
) (*NPSSurvey, error) {
	c := call{operation: "NPS.Update", method: http.MethodPatch, route: npsSurveyRoute, id: id, body: params}
	return fetch[NPSSurvey](ctx, s.api, c, opts)
}

// Replace replaces a survey and returns it (PUT /v1/nps-surveys/{id}). It fails with
// [ErrInvalidParams], [ErrNotFound] or [ErrValidation].
func (s *NPSService) Replace(
	ctx context.Context, id string, params *NPSSurveyReplaceParams, opts ...RequestOption,
) (*NPSSurvey, error) {
	c := call{operation: "NPS.Replace", method: http.MethodPut, route: npsSurveyRoute, id: id, body: params}
	return fetch[NPSSurvey](ctx, s.api, c, opts)
}

// Delete deletes a survey (DELETE /v1/nps-surveys/{id}). It fails with [ErrNotFound].
func (s *NPSService) Delete(ctx context.Context, id string, opts ...RequestOption) error {
	return s.api.remove(ctx, call{operation: "NPS.Delete", route: npsSurveyRoute, id: id}, opts)
}

// Toggle makes an active survey inactive or an inactive one active, and returns it
// (POST /v1/nps-surveys/{id}/toggle). Toggling twice restores the old state, so a toggle that may
// have arrived fails with [ErrOutcomeUnknown]; [NPSService.SetActive] recovers from that. Toggle
// also fails with [ErrNotFound].
func (s *NPSService) Toggle(ctx context.Context, id string, opts ...RequestOption) (*NPSSurvey, error) {
	c := call{operation: "NPS.Toggle", method: http.MethodPost, route: npsSurveyRoute + "/toggle", id: id}
	return fetch[NPSSurvey](ctx, s.api, c, opts)
}

func (s *NPSSurvey) parts() (*string, *json.RawMessage) { return &s.ID, &s.RawJSON }

func (p NPSSurveyListParams) validate() error {
	return first(notNegative("page", "Page", p.Page), notNegative("limit", "Limit", p.Limit))
}

func (p *NPSSurveyCreateParams) validate() error { return required("name", "Name", p.Name) }

func (p *NPSSurveyUpdateParams) validate() error {
	return first(notEmptied("name", "Name", p.Name), notEmptied("type", "Type", p.Type))
}

func (p *NPSSurveyReplaceParams) validate() error {
	return first(required("name", "Name", p.Name), required("type", "Type", p.Type))
}
