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
	if query := req.URL.Query(); query.Has("survey_id") {
		id := query.Get("survey_id")
		items = slices.DeleteFunc(slices.Clone(items), func(r *response) bool { return r.SurveyID != id })
	}
	return listPage(s, req, items, func(r *response) string { return r.SubjectID })
}

func (s *Server) addComment(req *request, r *response) answer {
	var comment text
	if !take(req.fields, "comment", &comment) || strings.TrimSpace(string(comment)) == "" {
		return invalid("comment", "Invalid comment")
	}
	s.comment(r, comment)
	return jsonAnswer(http.StatusOK, r)
}

// comment stores a comment. One that comes before the delivery starts the time to comment anew,
// and is delivered with the click; one that comes after it is an event of its own.
func (s *Server) comment(r *response, comment text) {
	r.Comment, r.UpdatedAt = comment, s.instant()
	if r.UpdatedAt.Before(r.announced) {
		r.announced = r.UpdatedAt.Add(commentTime)
		s.postpone(r)
		return
	}
	s.publish(clicknps.EventResponseUpdated, s.now(), *r)
}

// answerSurvey is a customer's click. Only the first one counts: a later one changes nothing and
// returns the first.
func (s *Server) answerSurvey(who asked, value int, comment text) (r *response, isFirst bool) {
	if first, ok := s.store.answered[who]; ok {
		return first, false
	}
	r = &response{
		ID: s.store.newID("response"), SurveyID: who.surveyID, SubjectID: who.subjectID,
		Score: score(value), Comment: comment,
		CreatedAt: s.instant(), announced: s.instant().Add(commentTime),
	}
	s.store.answered[who] = r
	s.store.responses.put(r.ID, r)
	s.publish(clicknps.EventResponseCreated, r.announced, *r)
	if sv, ok := s.store.surveys.byID[r.SurveyID]; ok {
		s.completeSurvey(sv)
	}
	return r, true
}

// completeSurvey ends sv if it has reached its target.
func (s *Server) completeSurvey(sv *survey) {
	missing := sv.target
	for _, r := range s.store.responses.items {
		if r.SurveyID == sv.ID {
			missing--
		}
	}
	if sv.target > 0 && missing <= 0 && sv.Status != "completed" {
		sv.Status, sv.UpdatedAt = "completed", s.instant()
		s.publish(clicknps.EventSurveyCompleted, s.now(), *sv)
	}
}
