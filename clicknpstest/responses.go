package clicknpstest

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
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
	var comment string
	if !take(req.fields, "comment", &comment) || strings.TrimSpace(comment) == "" {
		return invalid("comment", "Invalid comment")
	}
	s.comment(r, comment)
	return jsonAnswer(http.StatusOK, "%s", r)
}

// comment stores a comment. One that comes before the delivery starts the time to comment anew,
// and is delivered with the click; one that comes after it is an event of its own.
func (s *Server) comment(r *response, comment string) {
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
func (s *Server) answerSurvey(who asked, score int, comment string) (r *response, isFirst bool) {
	if first, ok := s.store.answered[who]; ok {
		return first, false
	}
	r = &response{Response: clicknps.Response{
		ID: s.store.newID("response"), SurveyID: who.surveyID, SubjectID: who.subjectID,
		Score: score, Comment: comment, CreatedAt: s.instant(),
	}}
	r.announced = r.CreatedAt.Add(commentTime)
	s.store.addResponse(r)
	s.publish(clicknps.EventResponseCreated, r.announced, *r)
	if sv, ok := s.store.surveys.byID[r.SurveyID]; ok {
		s.completeSurvey(sv)
	}
	return r, true
}

// completeSurvey ends sv if it has reached its target.
func (s *Server) completeSurvey(sv *survey) {
	if sv.target > 0 && s.store.counts[sv.ID] >= sv.target && sv.Status != "completed" {
		sv.Status, sv.UpdatedAt = "completed", s.instant()
		s.publish(clicknps.EventSurveyCompleted, s.now(), *sv)
	}
}

// isoMillis is how the public ClickNPS server writes time: always three decimals.
const isoMillis = "2006-01-02T15:04:05.000Z"

var linkID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

// linkSet holds the links by which one customer can answer one survey.
type linkSet struct {
	asked
	tokens      [11]string // by score
	redirectURL string
	expiresAt   time.Time
}

// link is one of the links of a set.
type link struct {
	set   *linkSet
	score int
}

func (s *Server) mintLinks(req *request) answer {
	f, set, days := req.fields, &linkSet{}, 30
	switch {
	case !take(f, "survey_id", &set.surveyID) || !linkID.MatchString(set.surveyID):
		return invalid("survey_id", "Invalid survey_id")
	case !take(f, "subject_id", &set.subjectID) || !linkID.MatchString(set.subjectID):
		return invalid("subject_id", "Invalid subject_id")
	case !take(f, "ttl_days", &days) || days < 1 || days > 365:
		return invalid("ttl_days", "ttl_days must be between 1 and 365")
	case !take(f, "redirect_url", &set.redirectURL) || f["redirect_url"] != nil && !isWebURL(set.redirectURL):
		return invalid("redirect_url", "Invalid redirect_url")
	case s.store.surveys.byID[set.surveyID] == nil:
		return notFound("Survey not found. Please create the survey first.")
	}
	if minted, ok := s.store.minted[set.asked]; ok {
		set = minted // minting again gives the same links, even if they have expired
	} else {
		set.expiresAt = s.instant().AddDate(0, 0, days)
		for value := range set.tokens {
			set.tokens[value] = s.store.newToken()
			s.store.links[set.tokens[value]] = link{set, value}
		}
		s.store.minted[set.asked] = set
	}
	scheme, links := "http", map[string]string{}
	if req.TLS != nil {
		scheme = "https"
	}
	for value, token := range set.tokens {
		links[strconv.Itoa(value)] = scheme + "://" + req.Host + "/r/" + token
	}
	given := clicknps.NoScore
	if r, ok := s.store.answered[set.asked]; ok {
		given = r.Score
	}
	return jsonAnswer(http.StatusCreated, `{"links":%s,"expires_at":%s,"response":%s}`,
		links, set.expiresAt.Format(isoMillis), orNull(given, clicknps.NoScore))
}

// withLink finds the link that the path names.
func (s *Server) withLink(next func(*request, link) answer) handler {
	return func(req *request) answer {
		l, ok := s.store.links[req.element]
		if !ok || !s.now().Before(l.set.expiresAt) {
			return textAnswer(http.StatusNotFound, "text/plain", "Response link not found or expired")
		}
		return next(req, l)
	}
}

// followLink is a customer's click on a link, or a mail scanner's. The page that the comment form
// leads to is not a click.
func (s *Server) followLink(req *request, l link) answer {
	if req.URL.Query().Has("state") {
		return page("Thank you for your comment!")
	}
	switch _, isFirst := s.answerSurvey(l.set.asked, l.score, ""); {
	case !isFirst:
		return page("Your response was already recorded.")
	case l.set.redirectURL != "":
		return seeOther(l.set.redirectURL)
	}
	return page("Thank you for your feedback!")
}

// commentOnLink is the form on a link's page. Nothing shows a comment that comes before the click.
func (s *Server) commentOnLink(req *request, l link) answer {
	form, _ := url.ParseQuery(string(req.body)) // what can be read of it
	comment := strings.TrimSpace(form.Get("comment"))
	if comment == "" {
		return seeOther("/r/" + req.element)
	}
	if r, ok := s.store.answered[l.set.asked]; ok {
		s.comment(r, comment)
	}
	return seeOther("/r/" + req.element + "?state=commented")
}

func seeOther(location string) answer {
	return answer{status: http.StatusSeeOther, header: http.Header{"Location": {location}}}
}

func page(message string) answer {
	body := "<!doctype html><title>ClickNPS</title><p>" + message + "</p>\n"
	return textAnswer(http.StatusOK, "text/html; charset=utf-8", body)
}
