package clicknpstest

import (
	"cmp"
	"crypto/sha256"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"time"
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
		return next(s, req)
	}
	if !isJSON(req.Header) {
		return badRequest("Content-Type must be application/json")
	}
	var ok bool
	if req.fields, ok = decodeFields(req.body); !ok {
		return badRequest("Request body must be a JSON object")
	}
	if key := req.Header.Get("Idempotency-Key"); key != "" && req.Method == "POST" {
		return s.once(key, req, next)
	}
	return next(s, req)
}

func isJSON(h http.Header) bool {
	mediaType, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && mediaType == "application/json"
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
	a := next(s, req)
	if a.status < 300 {
		s.idempotency[key] = remembered{digest, answer{a.status, a.header.Clone(), a.body}}
	}
	return a
}

func clickNPSError(status int, kind, message, field string) answer {
	type detail struct {
		Type    string `json:"type"`
		Message string `json:"message"`
		Field   string `json:"field,omitempty"`
	}
	return jsonAnswer(status, struct {
		Error detail `json:"error"`
	}{detail{kind, message, field}})
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
func list[T any](in func(*store) *collection[T], name func(*T) string) handler {
	return func(s *Server, req *request) answer { return listPage(s, req, in(&s.store).items, name) }
}

// deleteFrom deletes the item that the path names.
func deleteFrom[T any](in func(*store) *collection[T]) handler {
	return withItem(in, func(s *Server, req *request, _ *T) answer {
		in(&s.store).remove(req.element)
		return jsonAnswer(http.StatusOK, struct {
			ID      string `json:"id"`
			Deleted bool   `json:"deleted"`
		}{req.element, true})
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
		byName := func(a, b *T) int { return cmp.Compare(name(a), name(b)) }
		items = slices.SortedStableFunc(slices.Values(items), byName)
	case NewestFirst:
		items = slices.Clone(items)
		slices.Reverse(items)
	}
	limit = min(limit, s.maxLimit)
	total := len(items)
	start := min(offset, total)
	end := start + min(limit, total-start)
	type pagination struct {
		Total   int  `json:"total"`
		Limit   int  `json:"limit"`
		Offset  int  `json:"offset"`
		HasMore bool `json:"has_more"`
	}
	return jsonAnswer(http.StatusOK, struct {
		Data       []*T       `json:"data"`
		Pagination pagination `json:"pagination"`
	}{append([]*T{}, items[start:end]...), pagination{total, limit, offset, end < total}})
}
