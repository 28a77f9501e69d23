package clicknpstest

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// RecordedRequest is a request that reached the fake.
type RecordedRequest struct {
	At         time.Time // when it arrived, in the fake's time
	Method     string
	Path       string // as sent, escaped
	Query      url.Values
	Header     http.Header // the values of Authorization, X-API-Key and Cookie are cut
	Body       []byte
	StatusCode int  // as answered, even if the answer was lost; 0: none was made (yet)
	Replayed   bool // answered from the memory of an idempotency key, without an effect
}

// Requests returns all requests in the order of their arrival, those to links and those hit by faults too.
func (s *Server) Requests() []RecordedRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	copies := make([]RecordedRequest, len(s.recorded))
	for i, r := range s.recorded {
		c := *r
		c.Query = url.Values(http.Header(r.Query).Clone())
		c.Header = r.Header.Clone()
		c.Body = bytes.Clone(r.Body)
		copies[i] = c
	}
	return copies
}

// record notes that req has arrived.
func (s *Server) record(req *request) *RecordedRequest {
	entry := &RecordedRequest{
		Method: req.method,
		Path:   req.url.EscapedPath(),
		Query:  req.url.Query(),
		Header: withoutSecrets(req.header),
		Body:   req.body,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	entry.At = s.now()
	s.recorded = append(s.recorded, entry)
	return entry
}

// complete notes a, the answer to req, and gives it its id.
func (s *Server) complete(entry *RecordedRequest, req *request, a *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry.StatusCode, entry.Replayed = a.status, req.replayed
	if a.header.Get("X-Request-Id") == "" {
		s.store.requests++
		a.header.Set("X-Request-Id", fmt.Sprintf("req_%08d", s.store.requests))
	}
}

func withoutSecrets(h http.Header) http.Header {
	h = h.Clone()
	for _, name := range slices.Collect(maps.Keys(h)) {
		switch http.CanonicalHeaderKey(name) {
		case "Authorization", "X-Api-Key", "Cookie":
			h[name] = []string{"[cut]"}
		}
	}
	return h
}
