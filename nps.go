package clicknps

import (
	"context"
	"net/http"
	"time"
)

// NPSService is the SalesOS NPS Surveys service. It is safe for concurrent use.
//
// SalesOS knows no idempotency keys: a POST whose answer is lost is not repeated, and fails with [ErrOutcomeUnknown].
type NPSService struct{ api *service }

// NPSSurveyType says when a SalesOS survey is sent. A value that this SDK does not know is kept as it is.
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

	origin
}

// NPSSurveyCreateParams is the body of [NPSService.Create]. Name is required.
type NPSSurveyCreateParams struct {
	Name     string        `json:"name"`
	Question string        `json:"question,omitempty"`
	Type     NPSSurveyType `json:"type,omitempty"`
	IsActive *bool         `json:"isActive,omitempty"` // nil: the server's default
}

// NPSSurveyUpdateParams is the body of [NPSService.Update]. A nil field is left as it is on the server;
// at least one must be set.
type NPSSurveyUpdateParams struct {
	Name     *string        `json:"name,omitempty"`
	Question *string        `json:"question,omitempty"`
	Type     *NPSSurveyType `json:"type,omitempty"`
	IsActive *bool          `json:"isActive,omitempty"`
}

// NPSSurveyReplaceParams is the body of [NPSService.Replace]: the whole survey, all fields are sent. Name is required.
type NPSSurveyReplaceParams struct {
	Name     string        `json:"name"`
	Question string        `json:"question"`
	Type     NPSSurveyType `json:"type"`
	IsActive bool          `json:"isActive"`
}

// NPSMetrics is a Net Promoter Score with the numbers behind it.
type NPSMetrics struct {
	Score          float64 `json:"npsScore"` // −100 to +100
	Promoters      int     `json:"promoters"`
	Passives       int     `json:"passives"`
	Detractors     int     `json:"detractors"`
	TotalResponses int     `json:"totalResponses"`
	AverageScore   float64 `json:"averageScore"` // 0–10

	origin
}

// NPSStats are the account's counts across all SalesOS surveys.
type NPSStats struct {
	TotalSurveys   int     `json:"totalSurveys"`
	ActiveSurveys  int     `json:"activeSurveys"`
	TotalResponses int     `json:"totalResponses"`
	AverageScore   float64 `json:"averageScore"` // 0–10

	origin
}

// NPSResponses are a SalesOS survey's responses with their NPS breakdown.
type NPSResponses struct {
	Data    []NPSResponse `json:"data"`
	Metrics NPSMetrics    `json:"metrics"` // zero if the server sent none

	origin
}

// NPSResponse is one customer's answer to a SalesOS survey.
type NPSResponse struct {
	ID        string    `json:"id"`
	SurveyID  string    `json:"surveyId"`
	Score     int       `json:"score"` // 0–10
	Comment   string    `json:"comment,omitzero"`
	Email     string    `json:"email,omitzero"`
	CreatedAt time.Time `json:"createdAt,omitzero"`

	origin
}

// ExportFormat is the format of [NPSService.Export]. The service takes any string; these two are known.
type ExportFormat string

// The known export formats.
const (
	ExportCSV  ExportFormat = "csv"
	ExportJSON ExportFormat = "json"
)

// List returns all surveys.
//
// GET /v1/nps-surveys
func (s *NPSService) List(ctx context.Context, opts ...RequestOption) ([]NPSSurvey, error) {
	surveys, err := fetch[npsSurveyList](ctx, s.api, call{method: http.MethodGet, path: npsPath()}, opts)
	if err != nil {
		return nil, err
	}
	return surveys.items, nil
}

// Create creates a survey. It fails with [ErrInvalidParams] if it has no name, [ErrValidation] if the server does not take a field,
// and [ErrOutcomeUnknown] if the answer was lost: it is not repeated then.
//
// POST /v1/nps-surveys
func (s *NPSService) Create(ctx context.Context, params *NPSSurveyCreateParams, opts ...RequestOption) (*NPSSurvey, error) {
	return fetch[NPSSurvey](ctx, s.api, call{method: http.MethodPost, path: npsPath(), body: params}, opts)
}

// Get returns the survey with this id, or [ErrNotFound].
//
// GET /v1/nps-surveys/{id}
func (s *NPSService) Get(ctx context.Context, id string, opts ...RequestOption) (*NPSSurvey, error) {
	return fetch[NPSSurvey](ctx, s.api, call{method: http.MethodGet, path: npsPath(id)}, opts)
}

// Update changes the fields that params sets, and returns the survey as it is then. It fails with [ErrInvalidParams] if params set
// nothing, [ErrNotFound] if there is no such survey, and [ErrValidation] if the server does not take a field.
//
// PATCH /v1/nps-surveys/{id}
func (s *NPSService) Update(ctx context.Context, id string, params *NPSSurveyUpdateParams, opts ...RequestOption) (*NPSSurvey, error) {
	return fetch[NPSSurvey](ctx, s.api, call{method: http.MethodPatch, path: npsPath(id), body: params}, opts)
}

// Replace replaces the whole survey, and returns it. It fails with [ErrInvalidParams] if it has no name, [ErrNotFound] if there is
// no such survey, and [ErrValidation] if the server does not take a field.
//
// PUT /v1/nps-surveys/{id}
func (s *NPSService) Replace(ctx context.Context, id string, params *NPSSurveyReplaceParams, opts ...RequestOption) (*NPSSurvey, error) {
	return fetch[NPSSurvey](ctx, s.api, call{method: http.MethodPut, path: npsPath(id), body: params}, opts)
}

// Delete deletes the survey with this id. It fails with [ErrNotFound] if there is none.
//
// DELETE /v1/nps-surveys/{id}
func (s *NPSService) Delete(ctx context.Context, id string, opts ...RequestOption) error {
	return s.api.delete(ctx, npsPath(id), opts)
}

// Toggle turns an active survey inactive and the other way round, and returns it. Made twice it undoes itself, so
// it is not repeated once it may have arrived, and fails with [ErrOutcomeUnknown] then: [SetActive] is the safe way. It fails with
// [ErrNotFound] if there is no such survey.
//
// POST /v1/nps-surveys/{id}/toggle
//
// [SetActive]: NPSService.SetActive
func (s *NPSService) Toggle(ctx context.Context, id string, opts ...RequestOption) (*NPSSurvey, error) {
	return fetch[NPSSurvey](ctx, s.api, call{method: http.MethodPost, path: npsPath(id, "toggle")}, opts)
}

// Metrics returns the Net Promoter Score across all surveys.
//
// GET /v1/nps-surveys/nps-metrics
func (s *NPSService) Metrics(ctx context.Context, opts ...RequestOption) (*NPSMetrics, error) {
	return fetch[NPSMetrics](ctx, s.api, call{method: http.MethodGet, path: npsPath("nps-metrics")}, opts)
}

// DashboardMetrics returns the same as Metrics, from the path that SalesOS' own frontend uses.
//
// GET /v1/nps-surveys/metrics/nps
func (s *NPSService) DashboardMetrics(ctx context.Context, opts ...RequestOption) (*NPSMetrics, error) {
	return fetch[NPSMetrics](ctx, s.api, call{method: http.MethodGet, path: npsPath("metrics", "nps")}, opts)
}

// Stats returns the account's counts across all surveys.
//
// GET /v1/nps-surveys/stats
func (s *NPSService) Stats(ctx context.Context, opts ...RequestOption) (*NPSStats, error) {
	return fetch[NPSStats](ctx, s.api, call{method: http.MethodGet, path: npsPath("stats")}, opts)
}

// Responses returns a survey's responses with their NPS breakdown, up to 32 MiB of JSON; [AllResponses] streams any number. It fails
// with [ErrNotFound] if there is no such survey.
//
// GET /v1/nps-surveys/{id}/responses
//
// [AllResponses]: NPSService.AllResponses
func (s *NPSService) Responses(ctx context.Context, id string, opts ...RequestOption) (*NPSResponses, error) {
	list, err := fetch[npsResponseList](ctx, s.api, call{method: http.MethodGet, path: npsPath(id, "responses")}, opts)
	if err != nil {
		return nil, err
	}
	return &list.NPSResponses, nil
}

func npsPath(elements ...string) []string { return append([]string{"nps-surveys"}, elements...) }

func (s *NPSSurvey) identity() string  { return s.ID }
func (*NPSMetrics) identity() string   { return known }
func (*NPSStats) identity() string     { return known }
func (*NPSResponses) identity() string { return known }
func (*NPSResponse) identity() string  { return known }

func (p *NPSSurveyCreateParams) validate() error { return required("name", "Name", p.Name) }

func (p *NPSSurveyUpdateParams) validate() error { return notEmptied("name", "Name", p.Name) }

func (p *NPSSurveyReplaceParams) validate() error { return required("name", "Name", p.Name) }
