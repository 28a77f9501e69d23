package clicknpstest

import (
	"cmp"
	"crypto/sha256"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clicknps/go-sdk"
)

// clickNPS does before next what every ClickNPS endpoint does: check the key, the quota and the
// rules for bodies.
func (s *Server) clickNPS(req *request, next handler) answer {
	if req.Header.Get("Authorization") != "Bearer "+s.key {
		return failure(req, http.StatusUnauthorized, "")
	}
	wait := 0
	for length, limit := range map[time.Duration]int{time.Minute: s.plan.PerMinute, time.Hour: s.plan.PerHour} {
		if left, rest := s.hit(length.String(), length, limit); limit > 0 && left < 0 {
			wait = max(wait, seconds(rest))
		}
	}
	if wait > 0 {
		a := failure(req, http.StatusTooManyRequests, strconv.Itoa(wait))
		a.header.Set("Retry-After", strconv.Itoa(wait))
		return a
	}
	if req.Method != "POST" && req.Method != "PATCH" {
		return next(req)
	}
	if problem := req.readFields(); problem != "" {
		return badRequest(problem)
	}
	if key := req.Header.Get("Idempotency-Key"); key != "" && req.Method == "POST" {
		return s.once(key, req, next)
	}
	return next(req)
}

// window counts requests in a fixed window that begins with its first request.
type window struct {
	start time.Time
	count int
}

// hit counts a request in the window called name. It returns how many requests the limit leaves,
// which is negative if this one is over it, and how long the window still lasts.
func (s *Server) hit(name string, length time.Duration, limit int) (left int, rest time.Duration) {
	w, now := s.windows[name], s.now()
	if now.Sub(w.start) >= length {
		w = window{start: now}
	}
	w.count++
	s.windows[name] = w
	return limit - w.count, length - now.Sub(w.start)
}

// seconds rounds up, so that the window has ended after that wait. It is at least 1.
func seconds(d time.Duration) int { return max(int((d+time.Second-1)/time.Second), 1) }

// remembered is the outcome of the first request with an idempotency key.
type remembered struct {
	request [sha256.Size]byte // of path and body
	answer  answer
}

// once lets a request with this key have its effect once. Only a success is remembered: a request
// that was refused had no effect, and may be corrected under the same key.
func (s *Server) once(key string, req *request, next handler) answer {
	if len(key) > 255 {
		return badRequest("Idempotency-Key must not be longer than 255 characters")
	}
	digest := sha256.Sum256(slices.Concat([]byte(req.path()), []byte{0}, req.body))
	first, ok := s.idempotency[key]
	switch {
	case ok && first.request != digest:
		message := "Idempotency-Key was used before with another request"
		return clickNPSError(http.StatusConflict, "idempotency_conflict", message, "")
	case ok:
		req.replayed = true
		first.answer.header = first.answer.header.Clone()
		first.answer.header.Set("Idempotent-Replayed", "true")
		return first.answer
	}
	a := next(req)
	if a.status < 300 {
		s.idempotency[key] = remembered{digest, answer{a.status, a.header.Clone(), a.body}}
	}
	return a
}

func clickNPSError(status int, kind, message, field string) answer {
	if field != "" {
		return jsonAnswer(status, `{"error":{"type":%s,"message":%s,"field":%s}}`, kind, message, field)
	}
	return jsonAnswer(status, `{"error":{"type":%s,"message":%s}}`, kind, message)
}

func badRequest(message string) answer {
	return clickNPSError(http.StatusBadRequest, "invalid_request", message, "")
}

func invalid(field, message string) answer {
	return clickNPSError(http.StatusBadRequest, "validation_error", message, field)
}

func notFound(message string) answer {
	return clickNPSError(http.StatusNotFound, "not_found", message, "")
}

// list answers a page of a collection. name is what [ByName] sorts by.
func list[T any](s *Server, c *collection[T], name func(*T) string) handler {
	return func(req *request) answer { return listPage(s, req, c.items, name) }
}

// deleteFrom deletes the item that the path names.
func deleteFrom[T any](c *collection[T]) handler {
	return withItem(c, func(req *request, _ *T) answer {
		c.remove(req.element)
		return jsonAnswer(http.StatusOK, `{"id":%s,"deleted":true}`, req.element)
	})
}

// listPage answers the page of items that req asks for.
func listPage[T any](s *Server, req *request, items []*T, name func(*T) string) answer {
	query := req.URL.Query()
	limit, err := strconv.Atoi(cmp.Or(query.Get("limit"), "10"))
	if err != nil || limit < 1 {
		return invalid("limit", "Invalid limit")
	}
	offset, err := strconv.Atoi(cmp.Or(query.Get("offset"), "0"))
	if err != nil || offset < 0 {
		return invalid("offset", "Invalid offset")
	}
	switch s.order {
	case ByName:
		items = slices.Clone(items)
		slices.SortStableFunc(items, func(a, b *T) int { return cmp.Compare(name(a), name(b)) })
	case NewestFirst:
		items = slices.Clone(items)
		slices.Reverse(items)
	}
	limit = min(limit, s.maxLimit)
	total := len(items)
	start := min(offset, total)
	end := start + min(limit, total-start)
	pagination := jsonf(`{"total":%s,"limit":%s,"offset":%s,"has_more":%s}`, total, limit, offset, end < total)
	return jsonAnswer(http.StatusOK, `{"data":%s,"pagination":%s}`, items[start:end], pagination)
}

var surveyStatuses = []clicknps.SurveyStatus{"active", "paused", "completed"}

func (s *Server) createSurvey(req *request) answer {
	var sv survey
	sv.ID, sv.Status, sv.CreatedAt = s.store.newID("survey"), "active", s.instant()
	delete(req.fields, "status") // a new survey is active; ClickNPS ignores fields that it does not take
	return s.saveSurvey(req, sv, http.StatusCreated)
}

func (s *Server) updateSurvey(req *request, sv *survey) answer {
	changed := *sv
	changed.UpdatedAt = s.instant()
	return s.saveSurvey(req, changed, http.StatusOK)
}

// saveSurvey stores sv with what the body of req names, and answers it with status.
func (s *Server) saveSurvey(req *request, sv survey, status int) answer {
	f := req.fields
	switch {
	case !take(f, "name", &sv.Name) || strings.TrimSpace(sv.Name) == "":
		return invalid("name", "Invalid survey name")
	case !take(f, "question", &sv.Question) || strings.TrimSpace(sv.Question) == "":
		return invalid("question", "Invalid survey question")
	case !take(f, "status", &sv.Status) || f["status"] != nil && !slices.Contains(surveyStatuses, sv.Status):
		return invalid("status", "Invalid survey status")
	}
	s.store.surveys.put(sv.ID, &sv)
	return jsonAnswer(status, "%s", sv)
}

var eventTypes = []clicknps.EventType{"response.created", "response.updated", "survey.completed"}

func (s *Server) createWebhook(req *request) answer {
	w := hook{ID: s.store.newID("webhook"), CreatedAt: s.instant(), Secret: webhookSecret}
	if !take(req.fields, "url", &w.URL) || !isWebURL(w.URL) {
		return invalid("url", "Invalid webhook URL")
	}
	unknown := func(event clicknps.EventType) bool { return !slices.Contains(eventTypes, event) }
	if !take(req.fields, "events", &w.Events) || len(w.Events) == 0 || slices.ContainsFunc(w.Events, unknown) {
		return invalid("events", "Invalid webhook events")
	}
	s.store.webhooks.put(w.ID, &w)
	return jsonAnswer(http.StatusCreated, "%s", w)
}

// isWebURL reports whether raw is absolute, with a host, and http or https.
func isWebURL(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
