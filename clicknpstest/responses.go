package clicknpstest

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/clicknps/go-sdk"
)

// commentTime is how long a customer may add a comment before the response is delivered.
const commentTime = 180 * time.Second

func (s *Server) listResponses(req *request) answer {
	items := s.store.responses.items
	if query := req.url.Query(); query.Has("survey_id") {
		id := query.Get("survey_id")
		items = slices.DeleteFunc(slices.Clone(items), func(r *response) bool { return r.SurveyID != id })
	}
	return listPage(s, req, items, func(r *response) string { return r.SubjectID })
}

func (s *Server) getResponse(req *request) answer {
	r, ok := s.store.responses.byID[req.element]
	if !ok {
		return notFound("Response")
	}
	return jsonAnswer(http.StatusOK, r)
}

func (s *Server) addComment(req *request) answer {
	r, ok := s.store.responses.byID[req.element]
	if !ok {
		return notFound("Response")
	}
	f, ok := decodeFields(req.body)
	if !ok {
		return malformed()
	}
	var comment string
	if !take(f, "comment", &comment) || strings.TrimSpace(comment) == "" {
		return invalid("comment", "Invalid comment")
	}
	r.Comment, r.UpdatedAt = &comment, s.instant()
	if !r.UpdatedAt.Before(r.announced) {
		s.publish(clicknps.EventResponseUpdated, s.now(), r, nil)
	}
	return jsonAnswer(http.StatusOK, r)
}

// answerSurvey is a customer's click. Only the first one counts: a later one changes nothing and returns the first.
func (s *Server) answerSurvey(who asked, score int, comment *string) *response {
	if first, ok := s.store.answered[who]; ok {
		return first
	}
	r := &response{
		ID:        s.store.newID("response"),
		SurveyID:  who.surveyID,
		SubjectID: who.subjectID,
		Score:     score,
		Comment:   comment,
		CreatedAt: s.instant(),
		announced: s.instant().Add(commentTime),
	}
	s.store.answered[who] = r
	s.store.responses.put(r.ID, r)
	s.publish(clicknps.EventResponseCreated, r.announced, r, nil)
	if sv, ok := s.store.surveys.byID[r.SurveyID]; ok {
		s.completeSurvey(sv)
	}
	return r
}

// completeSurvey ends sv if it has reached its target.
func (s *Server) completeSurvey(sv *survey) {
	if sv.target == 0 || sv.Status == "completed" {
		return
	}
	reached := 0
	for _, r := range s.store.responses.items {
		if r.SurveyID == sv.ID {
			reached++
		}
	}
	if reached >= sv.target {
		sv.Status, sv.UpdatedAt = "completed", s.instant()
		s.publish(clicknps.EventSurveyCompleted, s.now(), nil, sv)
	}
}
