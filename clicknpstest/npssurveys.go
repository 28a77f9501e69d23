package clicknpstest

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
)

const defaultNPSType = "transactional"

var (
	npsSurveyFields = []string{"name", "question", "type", "isActive"}
	npsSurveyTypes  = []string{defaultNPSType, "relationship"}
)

// withNPSSurvey finds the survey that the path names.
func withNPSSurvey(next func(*Server, *request, *npsSurvey) answer) handler {
	return func(s *Server, req *request) answer {
		sv, ok := s.store.npsSurveys.byID[req.element]
		if !ok {
			return salesOSError(http.StatusNotFound, "NPS survey not found", "Not Found")
		}
		return next(s, req, sv)
	}
}

func (s *Server) listNPSSurveys(*request) answer {
	return jsonAnswer(http.StatusOK, append([]*npsSurvey{}, s.store.npsSurveys.items...))
}

func (s *Server) createNPSSurvey(req *request) answer {
	sv := npsSurvey{IsActive: true, CreatedAt: s.instant(), UpdatedAt: s.instant()}
	if problem, ok := sv.apply(req); !ok {
		return problem
	}
	sv.ID = s.store.newUUID()
	s.store.npsSurveys.put(sv.ID, &sv)
	return jsonAnswer(http.StatusCreated, sv)
}

func (s *Server) getNPSSurvey(_ *request, sv *npsSurvey) answer {
	return jsonAnswer(http.StatusOK, sv)
}

func (s *Server) updateNPSSurvey(req *request, sv *npsSurvey) answer {
	return s.changeNPSSurvey(req, sv, *sv)
}

func (s *Server) replaceNPSSurvey(req *request, sv *npsSurvey) answer {
	blank := npsSurvey{ID: sv.ID, IsActive: true, CreatedAt: sv.CreatedAt, responses: sv.responses}
	return s.changeNPSSurvey(req, sv, blank)
}

// changeNPSSurvey makes sv what the request makes of from.
func (s *Server) changeNPSSurvey(req *request, sv *npsSurvey, from npsSurvey) answer {
	if problem, ok := from.apply(req); !ok {
		return problem
	}
	from.UpdatedAt = s.instant()
	*sv = from
	return jsonAnswer(http.StatusOK, sv)
}

func (s *Server) deleteNPSSurvey(_ *request, sv *npsSurvey) answer {
	s.store.npsSurveys.remove(sv.ID)
	return answer{status: http.StatusNoContent, header: http.Header{}}
}

// toggleNPSSurvey needs no body, and ignores one.
func (s *Server) toggleNPSSurvey(_ *request, sv *npsSurvey) answer {
	sv.IsActive, sv.UpdatedAt = !sv.IsActive, s.instant()
	return jsonAnswer(http.StatusCreated, sv)
}

// apply sets what the body of req names, and checks the result.
func (sv *npsSurvey) apply(req *request) (problem answer, ok bool) {
	if !isJSON(req.header) {
		return salesOSBadRequest("Content-Type must be application/json"), false
	}
	f, ok := decodeFields(req.body)
	if !ok {
		return salesOSBadRequest("Request body must be a JSON object"), false
	}
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if !slices.Contains(npsSurveyFields, name) {
			problems = append(problems, "property "+name+" should not exist")
		}
	}
	if !take(f, "name", &sv.Name) {
		problems = append(problems, "name must be a string")
	} else if strings.TrimSpace(sv.Name) == "" {
		problems = append(problems, "name should not be empty")
	}
	if !take(f, "question", &sv.Question) {
		problems = append(problems, "question must be a string")
	}
	ok = take(f, "type", &sv.Type)
	sv.Type = cmp.Or(sv.Type, defaultNPSType)
	if !ok || !slices.Contains(npsSurveyTypes, sv.Type) {
		problems = append(problems, "type must be one of the following values: "+strings.Join(npsSurveyTypes, ", "))
	}
	if !take(f, "isActive", &sv.IsActive) {
		problems = append(problems, "isActive must be a boolean value")
	}
	return salesOSBadRequest(problems...), problems == nil
}

func salesOSBadRequest(problems ...string) answer {
	return salesOSError(http.StatusBadRequest, problems, "Bad Request")
}
