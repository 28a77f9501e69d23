package clicknps

import (
	"context"
	"iter"
	"net/http"
	"time"
)

// ResponsesService reads ClickNPS responses and comments on them. It is safe for concurrent use.
type ResponsesService struct{ api *service }

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

// List returns one page of responses. params may be nil.
//
// GET /v1/responses
func (s *ResponsesService) List(ctx context.Context, params *ResponseListParams, opts ...RequestOption) (*Page[Response], error) {
	return list[Response](ctx, s.api, "responses", valueOf(params), opts)
}

// All walks all responses, page by page: each that exists from the walk's start to its end exactly once. It ends with
// the first error; [ErrListChanged] says that others changed the list too fast for that promise. params may be nil.
//
// GET /v1/responses
func (s *ResponsesService) All(ctx context.Context, params *ResponseListParams, opts ...RequestOption) iter.Seq2[*Response, error] {
	return all[Response](ctx, s.api, "responses", valueOf(params), opts)
}

// Get returns the response with this id, or [ErrNotFound].
//
// GET /v1/responses/{id}
func (s *ResponsesService) Get(ctx context.Context, id string, opts ...RequestOption) (*Response, error) {
	return fetch[Response](ctx, s.api, call{method: http.MethodGet, path: []string{"responses", id}}, opts)
}

// AddComment adds a comment to the response with this id, and returns the response as it is then. It fails with
// [ErrInvalidParams] if the comment is empty, [ErrNotFound] if there is no such response, [ErrConflict] if the idempotency key was used
// for something else, and [ErrOutcomeUnknown] if all answers were lost.
//
// POST /v1/responses/{id}/comment
func (s *ResponsesService) AddComment(ctx context.Context, id string, params *CommentParams, opts ...RequestOption) (*Response, error) {
	return fetch[Response](ctx, s.api, call{method: http.MethodPost, path: []string{"responses", id, "comment"}, body: params}, opts)
}

func (r *Response) identity() string { return r.ID }

func (p *CommentParams) validate() error { return required("comment", "Comment", p.Comment) }
