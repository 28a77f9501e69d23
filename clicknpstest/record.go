package clicknpstest

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

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

	size int // about the number of bytes that it takes
}

// Requests returns copies of the requests in the order of their arrival, with those to links and
// those that a fault applied to. It keeps the latest 10,000 requests, and at most 64 MiB of them.
func (s *Server) Requests() []RecordedRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	copies := make([]RecordedRequest, len(s.log))
	for i, r := range s.log {
		c := *r
		c.Query = url.Values(http.Header(c.Query).Clone())
		c.Header = c.Header.Clone()
		c.Body = bytes.Clone(c.Body)
		copies[i] = c
	}
	return copies
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
		Method: req.Method, Path: req.path(), Query: req.URL.Query(), Header: req.Header.Clone(), Body: req.body,
	}
	for _, name := range []string{"Authorization", "X-Api-Key", "Cookie"} {
		if r.Header[name] != nil {
			r.Header[name] = []string{"[cut]"}
		}
	}
	r.size = len(r.Body) + len(fmt.Sprint(req.URL, r.Header))
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
