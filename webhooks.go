package clicknps

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/clicknps/go-sdk/internal/auth"
)

// WebhooksService manages the endpoints that ClickNPS sends events to.
type WebhooksService struct{ api *service }

// EventType names what happened. Unknown values are kept.
type EventType string

// The events that a webhook can subscribe to.
const (
	EventResponseCreated EventType = "response.created" // a customer has answered
	EventResponseUpdated EventType = "response.updated" // a comment was added
	EventSurveyCompleted EventType = "survey.completed" // the survey has reached its target
)

// Webhook is an endpoint that ClickNPS sends events to. Printed with fmt, or logged with slog as a
// value of its own, it does not show its Secret. Its JSON does, so that it can be stored.
type Webhook struct {
	ID        string      `json:"id"`
	URL       string      `json:"url"`
	Events    []EventType `json:"events"`
	Secret    string      `json:"secret,omitzero"` // signs deliveries; empty if not shown
	CreatedAt time.Time   `json:"created_at,omitzero"`

	RawJSON json.RawMessage `json:"-"` // as received; nil without [WithRawJSON]
}

// WebhookListParams selects a page, or where a walk begins. Negative numbers are
// [ErrInvalidParams].
type WebhookListParams struct {
	Limit  int `url:"limit,omitempty"`  // items a page; 0: the server's default in List, 100 in All
	Offset int `url:"offset,omitempty"` // items to skip
}

// WebhookCreateParams is the body of [WebhooksService.Create]. Both fields are required.
type WebhookCreateParams struct {
	URL    string      `json:"url"` // absolute, http or https
	Events []EventType `json:"events"`
}

// List returns one page of webhooks (GET /v1/webhooks).
func (s *WebhooksService) List(
	ctx context.Context, params *WebhookListParams, opts ...RequestOption,
) (*Page[Webhook], error) {
	return list[Webhook](ctx, s.api, call{operation: "Webhooks.List", route: "/webhooks"}, valueOf(params), opts)
}

// All walks the webhooks (GET /v1/webhooks). It may end with [ErrListChanged].
func (s *WebhooksService) All(
	ctx context.Context, params *WebhookListParams, opts ...RequestOption,
) iter.Seq2[*Webhook, error] {
	return all[Webhook](ctx, s.api, call{operation: "Webhooks.All", route: "/webhooks"}, valueOf(params), opts)
}

// Create subscribes an endpoint to events (POST /v1/webhooks). It fails with [ErrInvalidParams],
// [ErrValidation], [ErrConflict] or [ErrOutcomeUnknown].
func (s *WebhooksService) Create(
	ctx context.Context, params *WebhookCreateParams, opts ...RequestOption,
) (*Webhook, error) {
	c := call{operation: "Webhooks.Create", method: http.MethodPost, route: "/webhooks", body: params}
	return fetch[Webhook](ctx, s.api, c, opts)
}

// Delete ends a subscription (DELETE /v1/webhooks/{id}). It fails with [ErrNotFound].
func (s *WebhooksService) Delete(ctx context.Context, id string, opts ...RequestOption) error {
	return s.api.remove(ctx, call{operation: "Webhooks.Delete", route: "/webhooks/{id}", id: id}, opts)
}

func (w *Webhook) parts() (*string, *json.RawMessage) { return &w.ID, &w.RawJSON }

func (p WebhookListParams) validate() error {
	return first(notNegative("limit", "Limit", p.Limit), notNegative("offset", "Offset", p.Offset))
}

// String implements [fmt.Stringer].
func (w Webhook) String() string { return fmt.Sprintf("%+v", w.shown()) }

// GoString implements [fmt.GoStringer].
func (w Webhook) GoString() string { return fmt.Sprintf("%#v", w.shown()) }

// LogValue implements [slog.LogValuer].
func (w Webhook) LogValue() slog.Value { return slog.AnyValue(w.shown()) }

// shownWebhook is printed as its fields.
type shownWebhook Webhook

func (w Webhook) shown() shownWebhook {
	w.RawJSON = nil // has the secret too
	if w.Secret != "" {
		w.Secret = auth.Redacted
	}
	return shownWebhook(w)
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
	case slices.Contains(p.Events, ""):
		return invalid("events", "Events must not have one that is empty")
	}
	return nil
}
