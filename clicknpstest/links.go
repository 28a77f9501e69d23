package clicknpstest

import (
	"html"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// isoMillis is how the public ClickNPS server writes time: always three decimals.
const isoMillis = "2006-01-02T15:04:05.000Z"

var linkID = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// linkSet is what one customer can answer one survey with: the same token in eleven links.
type linkSet struct {
	asked
	token       string
	redirectURL string
	expiresAt   time.Time
}

func (s *Server) mintLinks(req *request) answer {
	f, ok := decodeFields(req.body)
	if !ok {
		return malformed()
	}
	links, days := &linkSet{}, 30
	switch {
	case !take(f, "survey_id", &links.surveyID) || !linkID.MatchString(links.surveyID):
		return invalid("survey_id", "Invalid survey_id")
	case !take(f, "subject_id", &links.subjectID) || !linkID.MatchString(links.subjectID):
		return invalid("subject_id", "Invalid subject_id")
	case !take(f, "ttl_days", &days) || days < 1 || days > 365:
		return invalid("ttl_days", "ttl_days must be between 1 and 365")
	case !take(f, "redirect_url", &links.redirectURL) || f["redirect_url"] != nil && !isWebURL(links.redirectURL):
		return invalid("redirect_url", "Invalid redirect_url")
	}
	if held, ok := s.store.minted[links.asked]; ok && s.now().Before(held.expiresAt) {
		links = held // minting again gives the same links
	} else {
		links.token = s.store.newUUID()
		links.expiresAt = s.instant().AddDate(0, 0, days)
		s.store.minted[links.asked], s.store.links[links.token] = links, links
	}
	return jsonAnswer(http.StatusCreated, s.wireLinks(links, req.scheme+"://"+req.host))
}

func (s *Server) wireLinks(links *linkSet, base string) mintedLinks {
	wire := mintedLinks{Links: map[string]string{}, ExpiresAt: links.expiresAt.Format(isoMillis)}
	for score := range 11 {
		text := strconv.Itoa(score)
		wire.Links[text] = base + "/r/" + links.token + "?score=" + text
	}
	if r, ok := s.store.answered[links.asked]; ok {
		wire.Response = &r.Score
	}
	return wire
}

// followLink is a customer's click on a minted link.
func (s *Server) followLink(req *request) answer {
	links, ok := s.store.links[req.element]
	if !ok {
		return textAnswer(http.StatusNotFound, "text/plain", "Not found")
	}
	if !s.now().Before(links.expiresAt) {
		return htmlAnswer(http.StatusGone, "This link has expired.")
	}
	score, ok := intParam(req.url.Query(), "score", -1, 0)
	if !ok || score < 0 || score > 10 {
		return htmlAnswer(http.StatusBadRequest, "This link has no score from 0 to 10.")
	}
	s.answerSurvey(links.asked, score, nil)
	if links.redirectURL != "" {
		return answer{status: http.StatusFound, header: http.Header{"Location": {links.redirectURL}}}
	}
	return htmlAnswer(http.StatusOK, "Thank you for your feedback!")
}

func htmlAnswer(status int, text string) answer {
	page := "<!doctype html><title>ClickNPS</title><p>" + html.EscapeString(text) + "</p>\n"
	return textAnswer(status, "text/html; charset=utf-8", page)
}
