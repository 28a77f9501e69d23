package clicknps

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"
	"unicode/utf8"
)

// WebhooksService manages the endpoints that ClickNPS sends events to. It is safe for concurrent use.
type WebhooksService struct{ api *service }

// EventType names what happened. A value that this SDK does not know is kept as it is.
type EventType string

// The events that a webhook can subscribe to.
const (
	EventResponseCreated EventType = "response.created" // a customer has answered
	EventResponseUpdated EventType = "response.updated" // a comment was added
	EventSurveyCompleted EventType = "survey.completed" // the survey has reached its target
)

// Webhook is an endpoint of yours that ClickNPS sends events to.
// Printed with fmt or logged with slog as a value of its own, it shows everything but its Secret. Encoded as JSON it is whole: what
// stores it must keep the Secret.
type Webhook struct {
	ID        string      `json:"id"`
	URL       string      `json:"url"`
	Events    []EventType `json:"events"`
	Secret    string      `json:"secret,omitzero"` // what deliveries are signed with; empty if the server keeps it to itself
	CreatedAt time.Time   `json:"created_at,omitzero"`

	origin
}

// WebhookListParams are the query parameters of [WebhooksService.List] and [WebhooksService.All].
type WebhookListParams struct {
	ListOptions
}

// WebhookCreateParams is the body of [WebhooksService.Create]. Both fields are required.
type WebhookCreateParams struct {
	URL    string      `json:"url"` // absolute, http or https
	Events []EventType `json:"events"`
}

// List returns one page of webhooks. params may be nil.
//
// GET /v1/webhooks
func (s *WebhooksService) List(ctx context.Context, params *WebhookListParams, opts ...RequestOption) (*Page[Webhook], error) {
	return list[Webhook](ctx, s.api, "webhooks", valueOf(params), opts)
}

// All walks all webhooks, page by page: each that exists from the walk's start to its end exactly once. It ends with
// the first error; [ErrListChanged] says that others changed the list too fast for that promise. params may be nil.
//
// GET /v1/webhooks
func (s *WebhooksService) All(ctx context.Context, params *WebhookListParams, opts ...RequestOption) iter.Seq2[*Webhook, error] {
	return all[Webhook](ctx, s.api, "webhooks", valueOf(params), opts)
}

// Create subscribes an endpoint to events. It fails with [ErrInvalidParams] if the URL is not absolute or there is no event,
// [ErrValidation] if the server does not take a field, [ErrConflict] if the idempotency key was used for something else, and
// [ErrOutcomeUnknown] if all answers were lost.
//
// POST /v1/webhooks
func (s *WebhooksService) Create(ctx context.Context, params *WebhookCreateParams, opts ...RequestOption) (*Webhook, error) {
	return fetch[Webhook](ctx, s.api, call{method: http.MethodPost, path: []string{"webhooks"}, body: params}, opts)
}

// Delete ends the subscription with this id. It fails with [ErrNotFound] if there is none.
//
// DELETE /v1/webhooks/{id}
func (s *WebhooksService) Delete(ctx context.Context, id string, opts ...RequestOption) error {
	return s.api.delete(ctx, []string{"webhooks", id}, opts)
}

func (w *Webhook) identity() string { return w.ID }

// String implements [fmt.Stringer].
func (w Webhook) String() string {
	return fmt.Sprintf("{%s %s %v %s %v}", w.ID, w.URL, w.Events, w.shownSecret(), w.CreatedAt)
}

// GoString implements [fmt.GoStringer].
func (w Webhook) GoString() string {
	return fmt.Sprintf("clicknps.Webhook{ID:%q, URL:%q, Events:%#v, Secret:%q, CreatedAt:%#v}", w.ID, w.URL, w.Events, w.shownSecret(), w.CreatedAt)
}

// LogValue implements [slog.LogValuer].
func (w Webhook) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("id", w.ID), slog.String("url", w.URL), slog.Any("events", w.Events),
		slog.String("secret", w.shownSecret()), slog.Time("created_at", w.CreatedAt),
	)
}

func (w Webhook) shownSecret() string {
	if w.Secret == "" {
		return ""
	}
	return redacted
}

func (p *WebhookCreateParams) validate() error {
	u, err := url.Parse(p.URL)
	switch {
	case p.URL == "":
		return invalid("url", "URL must not be empty")
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return invalid("url", "URL must be absolute, and http or https")
	case len(p.Events) == 0:
		return invalid("events", "Events must not be empty")
	case slices.ContainsFunc(p.Events, func(e EventType) bool { return e == "" || !utf8.ValidString(string(e)) }):
		return invalid("events", "Events must not have one that is empty or not valid UTF-8")
	}
	return nil
}
