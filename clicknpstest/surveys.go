package clicknpstest

import (
	"net/http"
	"slices"
	"strings"
)

var surveyStatuses = []string{"active", "paused", "completed"}

func (s *Server) createSurvey(req *request) answer {
	sv := survey{ID: s.store.newID("survey"), CreatedAt: s.instant(), Status: "active"}
	delete(req.fields, "status") // a new survey is active; ClickNPS ignores fields that it does not take
	if problem, ok := sv.apply(req.fields); !ok {
		return problem
	}
	s.store.surveys.put(sv.ID, &sv)
	return jsonAnswer(http.StatusCreated, sv)
}

func (s *Server) updateSurvey(req *request, sv *survey) answer {
	changed := *sv
	if problem, ok := changed.apply(req.fields); !ok {
		return problem
	}
	changed.UpdatedAt = s.instant()
	*sv = changed
	return jsonAnswer(http.StatusOK, sv)
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
