package clicknpstest

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/clicknps/go-sdk"
)

var eventTypes = []clicknps.EventType{"response.created", "response.updated", "survey.completed"}

func (s *Server) createWebhook(req *request) answer {
	w := wireWebhook{ID: s.store.newID("webhook"), CreatedAt: s.instant(), Secret: webhookSecret}
	if !take(req.fields, "url", &w.URL) || !isWebURL(w.URL) {
		return invalid("url", "Invalid webhook URL")
	}
	unknown := func(event clicknps.EventType) bool { return !slices.Contains(eventTypes, event) }
	if !take(req.fields, "events", &w.Events) || len(w.Events) == 0 || slices.ContainsFunc(w.Events, unknown) {
		return invalid("events", "Invalid webhook events")
	}
	s.store.webhooks.put(w.ID, &w)
	return jsonAnswer(http.StatusCreated, w)
}

// isWebURL reports whether raw is absolute, with a host, and http or https.
func isWebURL(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
