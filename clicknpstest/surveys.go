package clicknpstest

import (
	"net/http"
	"slices"
	"strings"
)

var surveyStatuses = []string{"active", "paused", "completed"}

func (s *Server) listSurveys(req *request) answer {
	return listPage(s, req, s.store.surveys.items, func(sv *survey) string { return sv.Name })
}

func (s *Server) createSurvey(req *request) answer {
	sv := survey{CreatedAt: s.instant(), Status: "active"}
	f, ok := decodeFields(req.body)
	if !ok {
		return malformed()
	}
	delete(f, "status") // a new survey is active; ClickNPS ignores the fields that it doesn't take
	if problem, ok := sv.apply(f); !ok {
		return problem
	}
	sv.ID = s.store.newID("survey")
	s.store.surveys.put(sv.ID, &sv)
	return jsonAnswer(http.StatusCreated, sv)
}

func (s *Server) getSurvey(req *request) answer {
	sv, ok := s.store.surveys.byID[req.element]
	if !ok {
		return notFound("Survey")
	}
	return jsonAnswer(http.StatusOK, sv)
}

func (s *Server) updateSurvey(req *request) answer {
	sv, ok := s.store.surveys.byID[req.element]
	if !ok {
		return notFound("Survey")
	}
	f, ok := decodeFields(req.body)
	if !ok {
		return malformed()
	}
	changed := *sv
	if problem, ok := changed.apply(f); !ok {
		return problem
	}
	changed.UpdatedAt = s.instant()
	*sv = changed
	return jsonAnswer(http.StatusOK, sv)
}

func (s *Server) deleteSurvey(req *request) answer {
	if !s.store.surveys.remove(req.element) {
		return notFound("Survey")
	}
	return deleted(req.element)
}

// apply sets what f names, and checks the result.
func (sv *survey) apply(f fields) (problem answer, ok bool) {
	switch {
	case !take(f, "name", &sv.Name) || strings.TrimSpace(sv.Name) == "":
		return invalid("name", "Invalid survey name"), false
	case !take(f, "question", &sv.Question) || strings.TrimSpace(sv.Question) == "":
		return invalid("question", "Invalid survey question"), false
	case !take(f, "status", &sv.Status) || f["status"] != nil && !slices.Contains(surveyStatuses, sv.Status):
		return invalid("status", "Invalid survey status"), false
	}
	return answer{}, true
}
