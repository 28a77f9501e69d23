package clicknpstest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// Fault is something that goes wrong with requests. See [Server.Inject].
//
// A Fault with only a Delay delays a request, which is then handled. If any of Status, Header and
// Body is set, they are answered in place of the service, and the request has no effect. Only one
// of DropBefore, DropAfter and Truncate may be set: they cut the connection before the effect and
// without an answer, after the effect and without an answer, and after the effect in the middle of
// the answer's body. The caller sees a connection that was reset (in process) or an unexpected EOF
// (over a socket).
type Fault struct {
	Method string // empty: any
	// Path selects requests by their escaped path. It is a pattern as in [path.Match], such as
	// "/v1/surveys/*", or a route such as "/surveys/{id}". The prefix /v1 may be left out. Empty:
	// any path.
	Path string

	After       int     // number of matching requests that pass before the fault begins
	Times       int     // number of requests that the fault applies to; 0: until cleared
	Probability float64 // 0–1, of each matching request; 0: always. The sequence follows the seed

	Status int         // 200–999; 0: 200, if Header or Body is set
	Header http.Header // of the answer
	Body   string      // empty: the body that the service itself sends with an error Status

	Delay time.Duration // ends early, without an answer, when the caller gives up

	DropBefore, DropAfter, Truncate bool
}

// Injected is a fault that was injected. It is safe for concurrent use.
type Injected struct {
	server  *Server
	fault   Fault
	matched int
	hits    int
}

// Hits returns the number of requests that the fault has applied to.
func (i *Injected) Hits() int {
	i.server.mu.Lock()
	defer i.server.mu.Unlock()
	return i.hits
}

// Inject lets f happen to the requests that match it. If several faults match a request, only the
// first injected one applies; one that waits for After, is used up or is passed over by its
// Probability leaves the request to the next. A fault that changes nothing, contradicts itself or
// matches no endpoint is misuse.
func (s *Server) Inject(f Fault) *Injected {
	header := http.Header{}
	for name, values := range f.Header {
		header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	f.Header = header
	if problem := f.problem(s.routes); problem != "" {
		s.fatalf("clicknpstest: Fault%s", problem)
	}
	i := &Injected{server: s, fault: f}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.injected = append(s.injected, i)
	return i
}

// problem describes why f is misuse; it is empty if it is not.
func (f *Fault) problem(routes []route) string {
	_, query, _ := strings.Cut(f.Path, "?")
	_, badPattern := path.Match(f.Path, "")
	switch {
	case f.DropBefore && f.DropAfter || f.DropBefore && f.Truncate || f.DropAfter && f.Truncate:
		return ": only one of DropBefore, DropAfter and Truncate may be set"
	case f.After < 0 || f.Times < 0 || f.Delay < 0 || !(f.Probability >= 0 && f.Probability <= 1):
		return ": After, Times and Delay must not be negative, and Probability must be from 0 to 1"
	case f.Status != 0 && (f.Status < 200 || f.Status > 999):
		return fmt.Sprintf(".Status %d is not from 200 to 999", f.Status)
	case !f.DropBefore && !f.DropAfter && !f.Truncate && f.Delay == 0 && !f.answers():
		return " is empty: set Status, Header, Body, Delay, DropBefore, DropAfter or Truncate"
	case badPattern != nil:
		return fmt.Sprintf(".Path %q: %v", f.Path, badPattern)
	case strings.ContainsFunc(f.Path, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Sprintf(".Path %q must be escaped, as in a URL", f.Path)
	case strings.Contains(query, "="):
		return fmt.Sprintf(".Path %q must not have a query", f.Path)
	case !slices.ContainsFunc(routes, func(r route) bool { return f.matches(r.method, r.path) }):
		return fmt.Sprintf(": Method %q and Path %q match no endpoint such as /surveys/{id}", f.Method, f.Path)
	}
	return ""
}

// matches reports whether f is for requests with method to the escaped path, or to a route.
func (f *Fault) matches(method, path string) bool {
	_, whole := matchPath(f.Path, path)
	_, below := matchPath("/v1"+f.Path, path)
	return (f.Method == "" || f.Method == method) && (f.Path == "" || whole || below)
}

// ClearFaults ends all injected faults.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.injected = nil
}

// fault picks the fault that applies to req; the zero Fault if none does.
func (s *Server) fault(req *request) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.injected {
		f := &i.fault
		if !f.matches(req.Method, req.path()) {
			continue
		}
		i.matched++
		usedUp := f.Times > 0 && i.hits >= f.Times
		if i.matched <= f.After || usedUp || f.Probability > 0 && s.chance.Float64() >= f.Probability {
			continue
		}
		i.hits++
		return *f
	}
	return Fault{}
}

// answers reports whether f answers in place of the service.
func (f *Fault) answers() bool { return f.Status != 0 || len(f.Header) > 0 || f.Body != "" }

// answer is what f answers in place of the service.
func (f *Fault) answer(req *request) answer {
	a := textAnswer(cmp.Or(f.Status, http.StatusOK), "application/json", f.Body)
	switch {
	case f.Body == "" && a.status >= http.StatusBadRequest:
		a = failure(req, a.status, f.Header.Get("Retry-After"))
	case f.Body == "":
		a.header.Del("Content-Type")
	case !json.Valid(a.body):
		a.header.Set("Content-Type", http.DetectContentType(a.body))
	}
	maps.Copy(a.header, f.Header.Clone())
	return a
}
