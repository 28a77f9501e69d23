package clicknpstest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// request is a request that has arrived whole, from either transport.
type request struct {
	method   string
	scheme   string // http or https: with host, what minted links begin with
	host     string
	url      *url.URL
	header   http.Header
	body     []byte
	element  string // the {…} element of the route's path, unescaped
	replayed bool   // answered from an idempotency key's memory
}

// answer is what a handler says.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// cut says where the line breaks.
type cut int

const (
	cutNowhere cut = iota
	cutBeforeAnswer
	cutInBody
)

// exchange handles one request, faults and all. It is everything that the two transports share.
func (s *Server) exchange(ctx context.Context, req *request) (answer, cut) {
	entry := s.record(req)
	if pause(ctx, s.latency) != nil {
		return answer{}, cutBeforeAnswer
	}
	fault := s.fault(req)
	if pause(ctx, fault.Delay) != nil || fault.DropBefore {
		return answer{}, cutBeforeAnswer
	}
	a, instead := fault.answer()
	if !instead {
		a = s.route(req)
	}
	s.complete(entry, req, &a)

	switch {
	case fault.DropAfter, fault.Truncate && len(a.body) == 0:
		return answer{}, cutBeforeAnswer
	case fault.Truncate:
		return a, cutInBody
	}
	return a, cutNowhere
}

// ServeHTTP answers requests to both services.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the request broke off; nobody is there to be answered
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	a, cut := s.exchange(r.Context(), &request{
		method: r.Method, scheme: scheme, host: r.Host, url: r.URL, header: r.Header, body: body,
	})
	if cut == cutBeforeAnswer {
		hangUp(w)
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if a.status != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	if cut == cutInBody {
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(a.body)
}

// hangUp cuts the connection under w and does not return. The first line of an answer goes out before: when a
// connection that was used before ends without any, net/http repeats the request by itself, and hides the fault.
func hangUp(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\n"))
		_ = conn.Close()
	}
	panic(http.ErrAbortHandler)
}

// jsonAnswer says v, with no HTML escaping, as both services do.
func jsonAnswer(status int, v any) answer {
	return answer{status: status, header: contentType("application/json"), body: marshal(v)}
}

func textAnswer(status int, mediaType, text string) answer {
	return answer{status: status, header: contentType(mediaType), body: []byte(text)}
}

func contentType(mediaType string) http.Header { return http.Header{"Content-Type": {mediaType}} }

func marshal(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("clicknpstest: a wire struct that can't be encoded: %v", err))
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
