package clicknpstest

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// clickNPS puts in front of next what every ClickNPS endpoint does: the key, the quota, the rules for bodies.
func clickNPS(next handler) handler {
	return func(s *Server, req *request) answer {
		if req.header.Get("Authorization") != "Bearer "+s.key {
			return clickNPSError(http.StatusUnauthorized, "unauthorized", "Invalid or missing API key", "")
		}
		if refused, ok := s.useQuota(); !ok {
			return refused
		}
		if (req.method == "POST" || req.method == "PATCH") && !isJSON(req.header) {
			return badRequest("Content-Type must be application/json", "")
		}
		if key := req.header.Get("Idempotency-Key"); key != "" && req.method == "POST" {
			return s.once(key, req, next)
		}
		return next(s, req)
	}
}

func (s *Server) useQuota() (refused answer, ok bool) {
	now, wait := s.now(), 0
	for _, w := range s.quota {
		if ok, rest := w.hit(now); !ok {
			wait = max(wait, seconds(rest))
		}
	}
	if wait == 0 {
		return answer{}, true
	}
	message := fmt.Sprintf("Rate limit exceeded. Retry after %d seconds.", wait)
	refused = clickNPSError(http.StatusTooManyRequests, "rate_limit_exceeded", message, "")
	refused.header.Set("Retry-After", strconv.Itoa(wait))
	return refused, false
}

func isJSON(h http.Header) bool {
	mediaType, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && mediaType == "application/json"
}

// remembered is the outcome of the first request with an idempotency key.
type remembered struct {
	request [sha256.Size]byte // of path and body
	answer  answer
}

// once lets a request with this key have its effect once. Only a success is remembered: a request that was
// refused had no effect, and may be put right under the same key. Requests are handled under the server's
// lock, so that of two at once the second finds what the first has done.
func (s *Server) once(key string, req *request, next handler) answer {
	if len(key) > 255 {
		return badRequest("Idempotency-Key must not be longer than 255 characters", "")
	}
	digest := sha256.Sum256(slices.Concat([]byte(req.url.EscapedPath()), []byte{0}, req.body))
	if first, ok := s.idempotency[key]; ok {
		if first.request != digest {
			message := "Idempotency-Key was used before with another request"
			return clickNPSError(http.StatusConflict, "idempotency_conflict", message, "")
		}
		req.replayed = true
		again := answer{status: first.answer.status, header: first.answer.header.Clone(), body: first.answer.body}
		again.header.Set("Idempotent-Replayed", "true")
		return again
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

func badRequest(message, field string) answer {
	return clickNPSError(http.StatusBadRequest, "invalid_request", message, field)
}

func invalid(field, message string) answer {
	return clickNPSError(http.StatusBadRequest, "validation_error", message, field)
}

func notFound(what string) answer {
	return clickNPSError(http.StatusNotFound, "not_found", what+" not found", "")
}

func deleted(id string) answer {
	return jsonAnswer(http.StatusOK, struct {
		ID      string `json:"id"`
		Deleted bool   `json:"deleted"`
	}{id, true})
}

func malformed() answer { return badRequest("Request body must be a JSON object", "") }

type pagination struct {
	Total   int  `json:"total"`
	Limit   int  `json:"limit"`
	Offset  int  `json:"offset"`
	HasMore bool `json:"has_more"`
}

// listPage answers the page of items that req asks for. name is what [ByName] sorts by.
func listPage[T any](s *Server, req *request, items []*T, name func(*T) string) answer {
	const defaultLimit = 10
	limit, ok := intParam(req.url.Query(), "limit", defaultLimit, 1)
	if !ok {
		return invalid("limit", "Invalid limit")
	}
	offset, ok := intParam(req.url.Query(), "offset", 0, 0)
	if !ok {
		return invalid("offset", "Invalid offset")
	}
	if s.order == ByName {
		items = slices.SortedStableFunc(slices.Values(items), func(a, b *T) int { return cmp.Compare(name(a), name(b)) })
	}
	limit = min(limit, s.maxLimit)
	total := len(items)
	start := min(offset, total)
	data := make([]*T, min(limit, total-start))
	for i := range data {
		at := start + i
		if s.order == NewestFirst {
			at = total - 1 - at
		}
		data[i] = items[at]
	}
	return jsonAnswer(http.StatusOK, struct {
		Data       []*T       `json:"data"`
		Pagination pagination `json:"pagination"`
	}{data, pagination{total, limit, offset, start+len(data) < total}})
}

func intParam(query url.Values, name string, missing, least int) (value int, ok bool) {
	if !query.Has(name) {
		return missing, true
	}
	value, err := strconv.Atoi(query.Get(name))
	return value, err == nil && value >= least
}
