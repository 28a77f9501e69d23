package clicknps

import (
	"context"
	"iter"
	"net/http"
	"time"
)

// SurveysService manages ClickNPS surveys. It is safe for concurrent use.
type SurveysService struct{ api *service }

// SurveyStatus is the state of a survey. A value that this SDK does not know is kept as it is.
type SurveyStatus string

// The states of a survey.
const (
	SurveyStatusActive    SurveyStatus = "active"
	SurveyStatusPaused    SurveyStatus = "paused"
	SurveyStatusCompleted SurveyStatus = "completed"
)

// Survey is a ClickNPS survey: one question that customers answer with a score from 0 to 10.
type Survey struct {
	ID        string       `json:"id"`
	Name      string       `json:"name"`
	Question  string       `json:"question"`
	Status    SurveyStatus `json:"status,omitzero"`
	CreatedAt time.Time    `json:"created_at,omitzero"`
	UpdatedAt time.Time    `json:"updated_at,omitzero"` // zero if the server sent none

	origin
}

// SurveyListParams are the query parameters of [SurveysService.List] and [SurveysService.All].
type SurveyListParams struct {
	ListOptions
}

// SurveyCreateParams is the body of [SurveysService.Create]. Both fields are required.
type SurveyCreateParams struct {
	Name     string `json:"name"`
	Question string `json:"question"`
}

// SurveyUpdateParams is the body of [SurveysService.Update]. A nil field is left as it is on the server;
// at least one must be set.
type SurveyUpdateParams struct {
	Name     *string       `json:"name,omitempty"`
	Question *string       `json:"question,omitempty"`
	Status   *SurveyStatus `json:"status,omitempty"`
}

// List returns one page of surveys. params may be nil.
//
// GET /v1/surveys
func (s *SurveysService) List(ctx context.Context, params *SurveyListParams, opts ...RequestOption) (*Page[Survey], error) {
	return list[Survey](ctx, s.api, "surveys", valueOf(params), opts)
}

// All walks all surveys, page by page: each that exists from the walk's start to its end exactly once. It ends with
// the first error; [ErrListChanged] says that others changed the list too fast for that promise. params may be nil.
//
// GET /v1/surveys
func (s *SurveysService) All(ctx context.Context, params *SurveyListParams, opts ...RequestOption) iter.Seq2[*Survey, error] {
	return all[Survey](ctx, s.api, "surveys", valueOf(params), opts)
}

// Create creates a survey. It fails with [ErrInvalidParams] if a field is missing, [ErrValidation] if the server does not take one,
// [ErrConflict] if the idempotency key was used for something else, and [ErrOutcomeUnknown] if all answers were lost.
//
// POST /v1/surveys
func (s *SurveysService) Create(ctx context.Context, params *SurveyCreateParams, opts ...RequestOption) (*Survey, error) {
	return fetch[Survey](ctx, s.api, call{method: http.MethodPost, path: []string{"surveys"}, body: params}, opts)
}

// Get returns the survey with this id, or [ErrNotFound].
//
// GET /v1/surveys/{id}
func (s *SurveysService) Get(ctx context.Context, id string, opts ...RequestOption) (*Survey, error) {
	return fetch[Survey](ctx, s.api, call{method: http.MethodGet, path: []string{"surveys", id}}, opts)
}

// Update changes the fields that params sets, and returns the survey as it is then. It fails with [ErrInvalidParams] if params set
// nothing, [ErrNotFound] if there is no such survey, and [ErrValidation] if the server does not take a field.
//
// PATCH /v1/surveys/{id}
func (s *SurveysService) Update(ctx context.Context, id string, params *SurveyUpdateParams, opts ...RequestOption) (*Survey, error) {
	return fetch[Survey](ctx, s.api, call{method: http.MethodPatch, path: []string{"surveys", id}, body: params}, opts)
}

// Delete deletes the survey with this id. It fails with [ErrNotFound] if there is none.
//
// DELETE /v1/surveys/{id}
func (s *SurveysService) Delete(ctx context.Context, id string, opts ...RequestOption) error {
	return s.api.delete(ctx, []string{"surveys", id}, opts)
}

func (s *Survey) identity() string { return s.ID }

func (p *SurveyCreateParams) validate() error {
	return first(required("name", "Name", p.Name), required("question", "Question", p.Question))
}

func (p *SurveyUpdateParams) validate() error {
	return first(notEmptied("name", "Name", p.Name), notEmptied("question", "Question", p.Question), notEmptied("status", "Status", p.Status))
}
