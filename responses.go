package clicknps

import "time"

// Response is one customer's answer to a ClickNPS survey.
type Response struct {
	ID        string    `json:"id"`
	SurveyID  string    `json:"survey_id"`
	SubjectID string    `json:"subject_id"` // the customer, as named when the links were minted
	Score     int       `json:"score"`      // 0–10
	Comment   string    `json:"comment,omitzero"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"` // zero if the server sent none

	origin
}

// ResponseListParams are the query parameters of [ResponsesService.List] and [ResponsesService.All].
type ResponseListParams struct {
	ListOptions
	SurveyID string `url:"survey_id,omitempty"` // only responses to this survey; empty: to all
}

// CommentParams is the body of [ResponsesService.AddComment]. Comment is required.
type CommentParams struct {
	Comment string `json:"comment"`
}
