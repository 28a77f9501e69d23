package clicknps

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"
)

// ResponsesService reads responses to ClickNPS surveys and comments on them.
type ResponsesService struct{ api *service }

// Response is one customer's answer to a ClickNPS survey.
type Response struct {
	ID        string    `json:"id"` // empty in a flat webhook delivery
	SurveyID  string    `json:"survey_id"`
	SubjectID string    `json:"subject_id"`        // the customer, as named when the links were minted
	Score     int       `json:"score" absent:"-1"` // 0–10, or NoScore
	Comment   string    `json:"comment,omitzero"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"` // zero if the server sent none

	RawJSON json.RawMessage `json:"-"` // as received; nil without [WithRawJSON]
}

// ResponseListParams selects a page, or where a walk begins. Negative numbers are
// [ErrInvalidParams].
type ResponseListParams struct {
	SurveyID string `url:"survey_id,omitempty"` // only responses to this survey; empty: to all
	Limit    int    `url:"limit,omitempty"`     // items a page; 0: the server's default in List, 100 in All
	Offset   int    `url:"offset,omitempty"`    // items to skip
}

// CommentParams is the body of [ResponsesService.AddComment]. Comment is required.
type CommentParams struct {
	Comment string `json:"comment"`
}

// List returns one page of responses (GET /v1/responses).
func (s *ResponsesService) List(
	ctx context.Context, params *ResponseListParams, opts ...RequestOption,
) (*Page[Response], error) {
	return list[Response](ctx, s.api,
		call{operation: "Responses.List", route: "/responses"}, valueOf(params), opts)
}

// All walks the responses (GET /v1/responses). It may end with [ErrListChanged].
func (s *ResponsesService) All(
	ctx context.Context, params *ResponseListParams, opts ...RequestOption,
) iter.Seq2[*Response, error] {
	c := call{operation: "Responses.All", route: "/responses"}
	return all[Response](ctx, s.api, c, valueOf(params), opts)
}

// Get returns a response (GET /v1/responses/{id}). It fails with [ErrNotFound].
func (s *ResponsesService) Get(ctx context.Context, id string, opts ...RequestOption) (*Response, error) {
	c := call{operation: "Responses.Get", method: http.MethodGet, route: "/responses/{id}", id: id}
	return fetch[Response](ctx, s.api, c, opts)
}

// AddComment adds a comment to a response and returns it (POST /v1/responses/{id}/comment). It
// fails with [ErrInvalidParams], [ErrNotFound], [ErrConflict] or [ErrOutcomeUnknown].
func (s *ResponsesService) AddComment(
	ctx context.Context, id string, params *CommentParams, opts ...RequestOption,
) (*Response, error) {
	c := call{
		operation: "Responses.AddComment", method: http.MethodPost, route: "/responses/{id}/comment",
		id: id, body: params,
	}
	return fetch[Response](ctx, s.api, c, opts)
}

func (r *Response) parts() (*string, *json.RawMessage) { return &r.ID, &r.RawJSON }

func (p ResponseListParams) validate() error {
	return first(
		validText("survey_id", "SurveyID", p.SurveyID),
		notNegative("limit", "Limit", p.Limit),
		notNegative("offset", "Offset", p.Offset),
	)
}

func (p *CommentParams) validate() error { return required("comment", "Comment", p.Comment) }
