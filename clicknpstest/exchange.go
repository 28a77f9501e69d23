package clicknpstest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// maxBody is the size in bytes of the longest request body that is accepted.
const maxBody = 10 << 20

// request is a request that has arrived whole.
type request struct {
	*http.Request
	body     []byte
	tooLong  bool   // the body was over maxBody, and was dropped
	fields   fields // of a ClickNPS POST or PATCH
	element  string // the {…} element of the route's path, unescaped
	replayed bool   // answered from the memory of an idempotency key
}

// path is the path as sent, escaped.
func (r *request) path() string { return r.URL.EscapedPath() }

type answer struct {
	status int
	header http.Header
	body   []byte
}

// ServeHTTP answers requests to both services.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req := &request{Request: r}
	if r.Body != nil {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if _, req.tooLong = errors.AsType[*http.MaxBytesError](err); !req.tooLong {
			req.body = body
			if err != nil {
				panic(http.ErrAbortHandler) // the request broke off; nobody is there to be answered
			}
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
	case req.tooLong:
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
// seconds that the message of a ClickNPS 429 asks for; empty: 60.
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

// jsonAnswer answers v, with no HTML escaping, as both services do.
func jsonAnswer(status int, v any) answer {
	return answer{status, http.Header{"Content-Type": {"application/json"}}, marshal(v)}
}

func textAnswer(status int, mediaType, text string) answer {
	return answer{status, http.Header{"Content-Type": {mediaType}}, []byte(text)}
}

func marshal(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("clicknpstest: a wire struct that can't be encoded: %v", err))
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
