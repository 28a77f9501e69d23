package clicknpstest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/clicknps/go-sdk"
)

var (
	npsSurveyFieldNames = []string{"name", "question", "type", "isActive"}
	npsSurveyTypes      = []string{"transactional", "relationship"}
)

func (s *Server) listNPSSurveys(*request) answer {
	return jsonAnswer(http.StatusOK, append([]*npsSurvey{}, s.store.npsSurveys.items...))
}

// blankNPSSurvey has what SalesOS fills in.
func blankNPSSurvey(id string, createdAt time.Time) npsSurveyFields {
	return npsSurveyFields{
		ID: id, Type: clicknps.NPSTransactional, IsActive: true, CreatedAt: createdAt, UpdatedAt: createdAt,
	}
}

func (s *Server) createNPSSurvey(req *request) answer {
	sv := npsSurvey{npsSurveyFields: blankNPSSurvey(s.store.newUUID(), s.instant())}
	if problem, ok := sv.apply(req); !ok {
		return problem
	}
	s.store.npsSurveys.put(sv.ID, &sv)
	return jsonAnswer(http.StatusCreated, sv)
}

// updateNPSSurvey is PATCH and PUT. A PUT begins with a blank survey.
func (s *Server) updateNPSSurvey(req *request, sv *npsSurvey) answer {
	changed := *sv
	if req.Method == http.MethodPut {
		changed.npsSurveyFields = blankNPSSurvey(sv.ID, sv.CreatedAt)
	}
	if problem, ok := changed.apply(req); !ok {
		return problem
	}
	changed.UpdatedAt = s.instant()
	*sv = changed
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

// apply sets what the body of req names, and checks the result. No body at all counts as an empty
// object.
func (sv *npsSurvey) apply(req *request) (problem answer, ok bool) {
	f := fields{}
	if len(req.body) > 0 {
		if !isJSON(req.Header) {
			return salesOSBadRequest("Content-Type must be application/json"), false
		}
		if f, ok = decodeFields(req.body); !ok {
			return salesOSBadRequest("Request body must be a JSON object"), false
		}
	}
	var problems []string
	require := func(ok bool, problem string) {
		if !ok {
			problems = append(problems, problem)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f)) {
		require(slices.Contains(npsSurveyFieldNames, name), "property "+name+" should not exist")
	}
	hadName, isString := sv.Name != "", take(f, "name", &sv.Name)
	require(isString && (f["name"] != nil || hadName), "name must be a string")
	require(!isString || strings.TrimSpace(sv.Name) != "", "name should not be empty")
	require(take(f, "question", &sv.Question), "question must be a string")
	isType := take(f, "type", &sv.Type) && slices.Contains(npsSurveyTypes, string(sv.Type))
	require(isType, "type must be one of the following values: "+strings.Join(npsSurveyTypes, ", "))
	require(take(f, "isActive", &sv.IsActive), "isActive must be a boolean value")
	return salesOSBadRequest(problems...), problems == nil
}

func salesOSBadRequest(problems ...string) answer {
	return salesOSError(http.StatusBadRequest, problems, "Bad Request")
}
