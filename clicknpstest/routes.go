package clicknpstest

import (
	"net/http"
	"net/url"
	"strings"
)

// handler answers a request. The server's lock is held.
type handler func(s *Server, req *request) answer

// routes are all endpoints. The first that matches applies.
var routes = []struct {
	method, path string
	handle       handler
}{
	{"GET", "/v1/surveys", clickNPS((*Server).listSurveys)},
	{"POST", "/v1/surveys", clickNPS((*Server).createSurvey)},
	{"GET", "/v1/surveys/{id}", clickNPS((*Server).getSurvey)},
	{"PATCH", "/v1/surveys/{id}", clickNPS((*Server).updateSurvey)},
	{"DELETE", "/v1/surveys/{id}", clickNPS((*Server).deleteSurvey)},
	{"GET", "/v1/responses", clickNPS((*Server).listResponses)},
	{"GET", "/v1/responses/{id}", clickNPS((*Server).getResponse)},
	{"POST", "/v1/responses/{id}/comment", clickNPS((*Server).addComment)},
	{"GET", "/v1/webhooks", clickNPS((*Server).listWebhooks)},
	{"POST", "/v1/webhooks", clickNPS((*Server).createWebhook)},
	{"DELETE", "/v1/webhooks/{id}", clickNPS((*Server).deleteWebhook)},
	{"POST", "/v1/links/mint", clickNPS((*Server).mintLinks)},

	{"GET", "/r/{token}", (*Server).followLink},

	{"GET", "/v1/nps-surveys", salesOS((*Server).listNPSSurveys)},
	{"POST", "/v1/nps-surveys", salesOS((*Server).createNPSSurvey)},
	{"GET", "/v1/nps-surveys/metrics/nps", salesOS((*Server).npsMetrics)},
	{"GET", "/v1/nps-surveys/nps-metrics", salesOS((*Server).npsMetrics)},
	{"GET", "/v1/nps-surveys/stats", salesOS((*Server).npsStats)},
	{"GET", "/v1/nps-surveys/{id}", salesOS(withNPSSurvey((*Server).getNPSSurvey))},
	{"PATCH", "/v1/nps-surveys/{id}", salesOS(withNPSSurvey((*Server).updateNPSSurvey))},
	{"PUT", "/v1/nps-surveys/{id}", salesOS(withNPSSurvey((*Server).replaceNPSSurvey))},
	{"DELETE", "/v1/nps-surveys/{id}", salesOS(withNPSSurvey((*Server).deleteNPSSurvey))},
	{"POST", "/v1/nps-surveys/{id}/toggle", salesOS(withNPSSurvey((*Server).toggleNPSSurvey))},
	{"GET", "/v1/nps-surveys/{id}/responses", salesOS(withNPSSurvey((*Server).npsResponses))},
	{"GET", "/v1/nps-surveys/{id}/responses/export", salesOS(withNPSSurvey((*Server).exportNPSResponses))},
}

// route answers req by the endpoint that it names.
func (s *Server) route(req *request) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var allowed []string
	for _, r := range routes {
		element, ok := matchPath(r.path, req.url.EscapedPath())
		switch {
		case ok && r.method == req.method:
			req.element = element
			return r.handle(s, req)
		case ok:
			allowed = append(allowed, r.method)
		}
	}
	if allowed == nil {
		return textAnswer(http.StatusNotFound, "text/plain", "Not found")
	}
	a := textAnswer(http.StatusMethodNotAllowed, "text/plain", "Method not allowed")
	a.header.Set("Allow", strings.Join(allowed, ", "))
	return a
}

// matchPath reports whether path has the shape of pattern, and the element that stands where its {…} is.
func matchPath(pattern, path string) (element string, ok bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return "", false
	}
	for i := range want {
		switch {
		case strings.HasPrefix(want[i], "{") && got[i] != "":
			decoded, err := url.PathUnescape(got[i])
			if err != nil {
				return "", false
			}
			element = decoded
		case want[i] != got[i]:
			return "", false
		}
	}
	return element, true
}
