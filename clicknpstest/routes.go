package clicknpstest

import (
	"net/http"
	"net/url"
	"path"
	"strings"
)

// handler answers a request. The server's lock is held.
type handler func(req *request) answer

type route struct {
	method, path string
	handle       handler
}

// endpoints returns all routes. The first that matches applies.
func (s *Server) endpoints() []route {
	st := &s.store
	return []route{
		{"GET", "/v1/surveys", list(s, &st.surveys, func(sv *survey) string { return sv.Name })},
		{"POST", "/v1/surveys", s.createSurvey},
		{"GET", "/v1/surveys/{id}", withItem(&st.surveys, show)},
		{"PATCH", "/v1/surveys/{id}", withItem(&st.surveys, s.updateSurvey)},
		{"DELETE", "/v1/surveys/{id}", deleteFrom(&st.surveys)},
		{"GET", "/v1/responses", s.listResponses},
		{"GET", "/v1/responses/{id}", withItem(&st.responses, show)},
		{"POST", "/v1/responses/{id}/comment", withItem(&st.responses, s.addComment)},
		{"GET", "/v1/webhooks", list(s, &st.webhooks, func(w *hook) string { return w.URL })},
		{"POST", "/v1/webhooks", s.createWebhook},
		{"DELETE", "/v1/webhooks/{id}", deleteFrom(&st.webhooks)},
		{"POST", "/v1/links/mint", s.mintLinks},

		{"GET", "/r/{token}", s.withLink(s.followLink)},
		{"HEAD", "/r/{token}", s.withLink(s.followLink)},
		{"POST", "/r/{token}", s.withLink(s.followLink)},
		{"POST", "/r/{token}/comment", s.withLink(s.commentOnLink)},

		{"GET", "/v1/nps-surveys", s.listNPSSurveys},
		{"POST", "/v1/nps-surveys", s.createNPSSurvey},
		{"GET", "/v1/nps-surveys/metrics/nps", s.npsMetrics},
		{"GET", "/v1/nps-surveys/nps-metrics", s.npsMetrics},
		{"GET", "/v1/nps-surveys/stats", s.npsStats},
		{"GET", "/v1/nps-surveys/{id}", withItem(&st.npsSurveys, show)},
		{"PATCH", "/v1/nps-surveys/{id}", withItem(&st.npsSurveys, s.updateNPSSurvey)},
		{"PUT", "/v1/nps-surveys/{id}", withItem(&st.npsSurveys, s.updateNPSSurvey)},
		{"DELETE", "/v1/nps-surveys/{id}", withItem(&st.npsSurveys, s.deleteNPSSurvey)},
		{"POST", "/v1/nps-surveys/{id}/toggle", withItem(&st.npsSurveys, s.toggleNPSSurvey)},
		{"GET", "/v1/nps-surveys/{id}/responses", withItem(&st.npsSurveys, s.npsResponses)},
		{"GET", "/v1/nps-surveys/{id}/responses/export", withItem(&st.npsSurveys, s.exportNPSResponses)},
	}
}

func isAPI(path string) bool { return strings.HasPrefix(path, "/v1/") }

func isSalesOS(path string) bool { return strings.HasPrefix(path+"/", "/v1/nps-surveys/") }

// route answers req by the endpoint that it names.
func (s *Server) route(req *request) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.routes {
		element, ok := matchPath(r.path, req.path())
		if !ok || r.method != req.Method {
			continue
		}
		req.element = element
		switch {
		case isSalesOS(r.path):
			return s.salesOS(req, r.handle)
		case isAPI(r.path):
			return s.clickNPS(req, r.handle)
		}
		return r.handle(req)
	}
	if isSalesOS(req.path()) {
		return salesOSError(http.StatusNotFound, "Cannot "+req.Method+" "+req.path(), "Not Found")
	}
	return textAnswer(http.StatusNotFound, "text/plain", "Not found")
}

// matchPath reports whether the escaped path has the form of pattern. A {…} element of either fits
// any element that is not empty; the other elements of pattern are as in [path.Match]. It returns
// the element in place of the pattern's {…}, unescaped.
func matchPath(pattern, escaped string) (element string, ok bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(escaped, "/")
	if len(want) != len(got) {
		return "", false
	}
	for i := range want {
		switch {
		case want[i] == got[i]:
		case isWildcard(want[i]) && got[i] != "":
			element, _ = url.PathUnescape(got[i]) // which an escaped path allows
		case isWildcard(got[i]) && want[i] != "":
		default:
			if ok, err := path.Match(want[i], got[i]); !ok || err != nil {
				return "", false
			}
		}
	}
	return element, true
}

func isWildcard(element string) bool {
	return strings.HasPrefix(element, "{") && strings.HasSuffix(element, "}")
}
