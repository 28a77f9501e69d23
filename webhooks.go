package clicknps

import "time"

// EventType names what happened. A value that this SDK does not know is kept as it is.
type EventType string

// The events that a webhook can subscribe to.
const (
	EventResponseCreated EventType = "response.created" // a customer has answered
	EventResponseUpdated EventType = "response.updated" // a comment was added
	EventSurveyCompleted EventType = "survey.completed" // the survey has reached its target
)

// Webhook is an endpoint of yours that ClickNPS sends events to.
// Printed with fmt or logged with slog, it shows everything but its Secret.
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
