package clicknpstest

import (
	"net/http"
	"net/url"
	"slices"
)

var eventTypes = []string{"response.created", "response.updated", "survey.completed"}

func (s *Server) listWebhooks(req *request) answer {
	return listPage(s, req, s.store.webhooks.items, func(w *webhook) string { return w.URL })
}

func (s *Server) createWebhook(req *request) answer {
	f, ok := decodeFields(req.body)
	if !ok {
		return malformed()
	}
	w := webhook{CreatedAt: s.instant(), Secret: webhookSecret}
	if !take(f, "url", &w.URL) || !isWebURL(w.URL) {
		return invalid("url", "Invalid webhook URL")
	}
	unknown := func(event string) bool { return !slices.Contains(eventTypes, event) }
	if !take(f, "events", &w.Events) || len(w.Events) == 0 || slices.ContainsFunc(w.Events, unknown) {
		return invalid("events", "Invalid webhook events")
	}
	w.ID = s.store.newID("webhook")
	s.store.webhooks.put(w.ID, &w)
	s.arm()
	return jsonAnswer(http.StatusCreated, w)
}

func (s *Server) deleteWebhook(req *request) answer {
	if !s.store.webhooks.remove(req.element) {
		return notFound("Webhook")
	}
	return deleted(req.element)
}

// isWebURL reports whether raw is absolute, with a host, and http or https.
func isWebURL(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
