package clicknps

import "time"

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
