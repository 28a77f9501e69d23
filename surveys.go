package clicknps

import "time"

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
