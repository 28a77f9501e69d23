package clicknpstest

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/clicknps/go-sdk"
)

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
	given := score(clicknps.NoScore)
	if r, ok := s.store.answered[set.asked]; ok {
		given = r.Score
	}
	return jsonAnswer(http.StatusCreated, struct {
		Links     map[string]string `json:"links"`
		ExpiresAt string            `json:"expires_at"`
		Response  score             `json:"response"`
	}{links, set.expiresAt.Format(isoMillis), given})
}

// withLink finds the link that the path names.
func withLink(next func(*Server, *request, link) answer) handler {
	return func(s *Server, req *request) answer {
		l, ok := s.store.links[req.element]
		if !ok || !s.now().Before(l.set.expiresAt) {
			return textAnswer(http.StatusNotFound, "text/plain", "Response link not found or expired")
		}
		return next(s, req, l)
	}
}

// followLink is a customer's click on a link, or a mail scanner's. The page that the comment form
// leads to is not a click.
func (s *Server) followLink(req *request, l link) answer {
	if req.Method == http.MethodGet && req.URL.Query().Has("state") {
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
		s.comment(r, text(comment))
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
