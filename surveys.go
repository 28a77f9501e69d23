package clicknps

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"
)

// SurveysService manages ClickNPS surveys.
type SurveysService struct{ api *service }

// SurveyStatus is the state of a survey. Unknown values are kept.
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

	RawJSON json.RawMessage `json:"-"` // as received; nil without [WithRawJSON]
}

// SurveyListParams selects a page, or where a walk begins. Negative numbers are
// [ErrInvalidParams].
type SurveyListParams struct {
	Limit  int `url:"limit,omitempty"`  // items a page; 0: the server's default in List, 100 in All
	Offset int `url:"offset,omitempty"` // items to skip
}

// SurveyCreateParams is the body of [SurveysService.Create]. Both fields are required.
type SurveyCreateParams struct {
	Name     string `json:"name"`
	Question string `json:"question"`
}

// SurveyUpdateParams is the body of [SurveysService.Update]. Nil fields are not changed; one must
// be set.
type SurveyUpdateParams struct {
	Name     *string       `json:"name,omitempty"`
	Question *string       `json:"question,omitempty"`
	Status   *SurveyStatus `json:"status,omitempty"`
}

// List returns one page of surveys (GET /v1/surveys).
func (s *SurveysService) List(
	ctx context.Context, params *SurveyListParams, opts ...RequestOption,
) (*Page[Survey], error) {
	return list[Survey](ctx, s.api, call{operation: "Surveys.List", route: "/surveys"}, valueOf(params), opts)
}

// All walks the surveys (GET /v1/surveys). It may end with [ErrListChanged].
func (s *SurveysService) All(
	ctx context.Context, params *SurveyListParams, opts ...RequestOption,
) iter.Seq2[*Survey, error] {
	return all[Survey](ctx, s.api, call{operation: "Surveys.All", route: "/surveys"}, valueOf(params), opts)
}

// Create creates a survey (POST /v1/surveys). It fails with [ErrInvalidParams], [ErrValidation],
// [ErrConflict] or [ErrOutcomeUnknown].
func (s *SurveysService) Create(
	ctx context.Context, params *SurveyCreateParams, opts ...RequestOption,
) (*Survey, error) {
	c := call{operation: "Surveys.Create", method: http.MethodPost, route: "/surveys", body: params}
	return fetch[Survey](ctx, s.api, c, opts)
}

const surveyRoute = "/surveys/{id}"

// Get returns a survey (GET /v1/surveys/{id}). It fails with [ErrNotFound].
func (s *SurveysService) Get(ctx context.Context, id string, opts ...RequestOption) (*Survey, error) {
	c := call{operation: "Surveys.Get", method: http.MethodGet, route: surveyRoute, id: id}
	return fetch[Survey](ctx, s.api, c, opts)
}

// Update changes the fields that params set, and returns the survey (PATCH /v1/surveys/{id}). It
// fails with [ErrInvalidParams], [ErrNotFound] or [ErrValidation].
func (s *SurveysService) Update(
	ctx context.Context, id string, params *SurveyUpdateParams, opts ...RequestOption,
) (*Survey, error) {
	c := call{operation: "Surveys.Update", method: http.MethodPatch, route: surveyRoute, id: id, body: params}
	return fetch[Survey](ctx, s.api, c, opts)
}

// Delete deletes a survey (DELETE /v1/surveys/{id}). It fails with [ErrNotFound].
func (s *SurveysService) Delete(ctx context.Context, id string, opts ...RequestOption) error {
	return s.api.remove(ctx, call{operation: "Surveys.Delete", route: surveyRoute, id: id}, opts)
}

func (s *Survey) parts() (*string, *json.RawMessage) { return &s.ID, &s.RawJSON }

func (p SurveyListParams) validate() error {
	return first(notNegative("limit", "Limit", p.Limit), notNegative("offset", "Offset", p.Offset))
}

func (p *SurveyCreateParams) validate() error {
	return first(required("name", "Name", p.Name), required("question", "Question", p.Question))
}

func (p *SurveyUpdateParams) validate() error {
	return first(
		notEmptied("name", "Name", p.Name),
		notEmptied("question", "Question", p.Question),
		notEmptied("status", "Status", p.Status),
	)
}
