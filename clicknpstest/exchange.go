package clicknpstest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxBody is the size in bytes of the longest request body that is accepted.
const maxBody = 10 << 20

// request is a request that has arrived whole.
type request struct {
	*http.Request
	body     []byte
	fields   fields // of the body; nil if it was not read
	element  string // the {…} element of the route's path, unescaped
	replayed bool   // answered from the memory of an idempotency key
}

// path is the path as sent, escaped.
func (r *request) path() string { return r.URL.EscapedPath() }

// fields is a JSON object in a request's body.
type fields map[string]json.RawMessage

// readFields decodes the body, or describes what is wrong with it.
func (r *request) readFields() (problem string) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return "Content-Type must be application/json"
	}
	if json.Unmarshal(r.body, &r.fields) != nil || r.fields == nil {
		return "Request body must be a JSON object"
	}
	return ""
}

// take reads a field into dst, and leaves dst alone if there is none. It returns false for null
// and for another type.
func take[T any](f fields, name string, dst *T) bool {
	raw, ok := f[name]
	if !ok {
		return true
	}
	return string(raw) != "null" && json.Unmarshal(raw, dst) == nil
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// ServeHTTP answers requests to both services.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req, tooLong := &request{Request: r}, false
	if r.Body != nil {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if _, tooLong = errors.AsType[*http.MaxBytesError](err); err == nil {
			req.body = body
		} else if !tooLong {
			panic(http.ErrAbortHandler) // the request broke off; nobody is there to be answered
		}
	}
	entry := s.record(req)
	if pause(r.Context(), s.latency) != nil {
		hangUp(w)
	}
	fault := s.fault(req)
	if pause(r.Context(), fault.Delay) != nil || fault.DropBefore {
		hangUp(w)
	}
	var a answer
	switch {
	case fault.answers():
		a = fault.answer(req)
	case tooLong:
		a = failure(req, http.StatusRequestEntityTooLarge, "")
	default:
		a = s.route(req)
	}
	s.complete(entry, req, &a)
	if fault.DropAfter || fault.Truncate && len(a.body) == 0 {
		hangUp(w)
	}
	maps.Copy(w.Header(), a.header)
	if a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	if fault.Truncate {
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(a.body)
}

// hangUp cuts the connection under w and does not return. Over a socket it writes the first line
// of an answer before: if a reused connection ends without a byte, net/http sends the request
// again by itself.
func hangUp(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\n"))
		_ = conn.Close()
	}
	panic(http.ErrAbortHandler)
}

// ownErrors are the errors, by status, that do not depend on the endpoint.
var ownErrors = map[int]struct{ clickNPSType, clickNPS, salesOS, salesOSError string }{
	400: {"invalid_request", "Bad Request", "Bad Request", "Validation failed"},
	401: {"unauthorized", "Invalid or missing API key", "Unauthorized", ""},
	403: {"forbidden", "Insufficient permissions", "Forbidden resource", "Forbidden"},
	404: {"not_found", "Not found", "NPS survey not found", "Not Found"},
	409: {"conflict", "Conflict", "Conflict", "Conflict"},
	422: {"validation_error", "Invalid parameters", "Unprocessable Entity", "Unprocessable Entity"},
	429: {"rate_limit_exceeded", "Rate limit exceeded. Retry after 60 seconds.", "Too Many Requests", ""},
	500: {"server_error", "Internal Server Error", "Internal server error", ""},
}

// failure is the error that the service that req calls sends with status. wait is the number of
// seconds in the message of a ClickNPS 429, which clients read, too; empty: 60.
func failure(req *request, status int, wait string) answer {
	text := http.StatusText(status)
	own, ok := ownErrors[status]
	if !ok {
		own.clickNPSType, own.clickNPS, own.salesOS, own.salesOSError = "invalid_request", text, text, text
		if status >= 500 {
			own.clickNPSType = "server_error"
		}
	}
	switch {
	case isSalesOS(req.path()):
		return salesOSError(status, own.salesOS, own.salesOSError)
	case isAPI(req.path()):
		message := strings.Replace(own.clickNPS, "60", cmp.Or(wait, "60"), 1)
		return clickNPSError(status, own.clickNPSType, message, "")
	}
	return textAnswer(status, "text/plain", text)
}

// jsonAnswer answers template with each %s replaced by a value as JSON.
func jsonAnswer(status int, template string, values ...any) answer {
	return answer{status, http.Header{"Content-Type": {"application/json"}}, jsonf(template, values...)}
}

func textAnswer(status int, mediaType, text string) answer {
	return answer{status, http.Header{"Content-Type": {mediaType}}, []byte(text)}
}

// jsonf returns template with each %s replaced by a value as JSON, with no HTML escaping, as both
// services do.
func jsonf(template string, values ...any) json.RawMessage {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	for _, v := range values {
		before, after, _ := strings.Cut(template, "%s")
		buf.WriteString(before)
		if err := enc.Encode(v); err != nil {
			panic(fmt.Sprintf("clicknpstest: a value that can't be encoded: %v", err))
		}
		buf.Truncate(buf.Len() - 1) // the newline that Encode adds
		template = after
	}
	buf.WriteString(template)
	return buf.Bytes()
}

// The log of requests is kept within both limits.
const (
	maxRecorded      = 10_000
	maxRecordedBytes = 64 << 20
)

// RecordedRequest is a request that reached the fake.
type RecordedRequest struct {
	At         time.Time // when it arrived, in the fake's time
	Method     string
	Path       string // as sent, escaped
	Query      url.Values
	Header     http.Header // the values of Authorization, X-API-Key and Cookie are replaced by [cut]
	Body       []byte      // nil if it was over 10 MiB, which is answered with a 413
	StatusCode int         // as answered, even if the answer was lost; 0: no answer was made (yet)
	Replayed   bool        // answered from the memory of an idempotency key, without an effect

	url  *url.URL // Query is made of it only when asked for: it may take many times the memory
	size int      // about the number of bytes that all takes
}

// Requests returns copies of the requests in the order of their arrival, with those to links and
// those that a fault applied to. It keeps the latest 10,000 requests, and at most 64 MiB of them.
func (s *Server) Requests() []RecordedRequest {
	return inspect(s, &s.log, func(r *RecordedRequest) RecordedRequest {
		c := *r
		c.Query, c.Header, c.Body = r.url.Query(), r.Header.Clone(), bytes.Clone(r.Body)
		return c
	})
}

// ResetRequests forgets the requests so far.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log, s.logBytes = nil, 0
}

// record notes that req has arrived.
func (s *Server) record(req *request) *RecordedRequest {
	r := &RecordedRequest{
		Method: req.Method, Path: req.path(), Header: req.Header.Clone(), Body: req.body, url: req.URL,
	}
	for _, name := range []string{"Authorization", "X-Api-Key", "Cookie"} {
		if r.Header[name] != nil {
			r.Header[name] = []string{"[cut]"}
		}
	}
	r.size = len(r.Method) + len(r.url.String()) + len(r.Body)
	for name, values := range r.Header {
		r.size += 128 + len(name) + len(strings.Join(values, "")) // 128 is about what the map takes
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.At = s.now()
	s.log, s.logBytes = append(s.log, r), s.logBytes+r.size
	for len(s.log) > maxRecorded || s.logBytes > maxRecordedBytes {
		s.logBytes -= s.log[0].size
		s.log[0] = nil // for the garbage collector
		s.log = s.log[1:]
	}
	return r
}

// complete notes a, the answer to req, and gives it its request id.
func (s *Server) complete(r *RecordedRequest, req *request, a *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.StatusCode, r.Replayed = a.status, req.replayed
	if a.header.Get("X-Request-Id") == "" {
		s.store.requests++
		a.header.Set("X-Request-Id", fmt.Sprintf("req_%08d", s.store.requests))
	}
}
