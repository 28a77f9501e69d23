package clicknpstest

import (
	"net/http"
	"net/url"
	"path"
	"strings"
)

// handler answers a request. The server's lock is held.
type handler func(s *Server, req *request) answer

type route struct {
	method, path string
	handle       handler
}

// routes are all endpoints. The first that matches applies.
var routes = []route{
	{"GET", "/v1/surveys", list(surveys, func(sv *survey) string { return sv.Name })},
	{"POST", "/v1/surveys", (*Server).createSurvey},
	{"GET", "/v1/surveys/{id}", withItem(surveys, show)},
	{"PATCH", "/v1/surveys/{id}", withItem(surveys, (*Server).updateSurvey)},
	{"DELETE", "/v1/surveys/{id}", deleteFrom(surveys)},
	{"GET", "/v1/responses", (*Server).listResponses},
	{"GET", "/v1/responses/{id}", withItem(responses, show)},
	{"POST", "/v1/responses/{id}/comment", withItem(responses, (*Server).addComment)},
	{"GET", "/v1/webhooks", list(webhooks, func(w *wireWebhook) string { return w.URL })},
	{"POST", "/v1/webhooks", (*Server).createWebhook},
	{"DELETE", "/v1/webhooks/{id}", deleteFrom(webhooks)},
	{"POST", "/v1/links/mint", (*Server).mintLinks},

	{"GET", "/r/{token}", withLink((*Server).followLink)},
	{"HEAD", "/r/{token}", withLink((*Server).followLink)},
	{"POST", "/r/{token}", withLink((*Server).followLink)},
	{"POST", "/r/{token}/comment", withLink((*Server).commentOnLink)},

	{"GET", "/v1/nps-surveys", (*Server).listNPSSurveys},
	{"POST", "/v1/nps-surveys", (*Server).createNPSSurvey},
	{"GET", "/v1/nps-surveys/metrics/nps", (*Server).npsMetrics},
	{"GET", "/v1/nps-surveys/nps-metrics", (*Server).npsMetrics},
	{"GET", "/v1/nps-surveys/stats", (*Server).npsStats},
	{"GET", "/v1/nps-surveys/{id}", withItem(npsSurveys, show)},
	{"PATCH", "/v1/nps-surveys/{id}", withItem(npsSurveys, (*Server).updateNPSSurvey)},
	{"PUT", "/v1/nps-surveys/{id}", withItem(npsSurveys, (*Server).updateNPSSurvey)},
	{"DELETE", "/v1/nps-surveys/{id}", withItem(npsSurveys, (*Server).deleteNPSSurvey)},
	{"POST", "/v1/nps-surveys/{id}/toggle", withItem(npsSurveys, (*Server).toggleNPSSurvey)},
	{"GET", "/v1/nps-surveys/{id}/responses", withItem(npsSurveys, (*Server).npsResponses)},
	{"GET", "/v1/nps-surveys/{id}/responses/export", withItem(npsSurveys, (*Server).exportNPSResponses)},
}

func isAPI(path string) bool { return strings.HasPrefix(path, "/v1/") }

func isSalesOS(path string) bool { return strings.HasPrefix(path+"/", "/v1/nps-surveys/") }

// route answers req by the endpoint that it names.
func (s *Server) route(req *request) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range routes {
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
		return r.handle(s, req)
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
