package clicknpstest

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"path"
	"time"
)

// Fault is something that goes wrong with requests. See [Server.Inject].
//
// A Fault with only a Delay delays, and then the request is handled. Status, Header and Body, if any of them
// is set, are answered instead, before any effect; the status is then 200 if none is given. DropBefore and
// DropAfter cut the connection without an answer, before and after the effect; Truncate cuts it in the middle
// of the answer's body, after the effect. The caller sees a connection that was reset (in process) or an
// unexpected EOF (on a socket), never a connection that was not made. After a Delay, DropBefore comes before
// all others.
type Fault struct {
	Method string // empty: any
	Path   string // as in [path.Match], against the escaped path, e.g. "/v1/surveys/*"; empty: any

	Times       int     // how many requests it applies to; 0: until cleared
	Probability float64 // 0–1, how likely it applies to a request that matches; 0: always. The sequence follows WithSeed

	Status int
	Header http.Header
	Body   string

	Delay time.Duration // ends early, with the connection, when the caller gives up

	DropBefore, DropAfter, Truncate bool
}

type faults struct {
	injected []*injectedFault
	random   *rand.Rand
}

type injectedFault struct {
	Fault
	applied int
}

func newFaults(seed uint64) faults {
	return faults{random: rand.New(rand.NewPCG(seed, 2))}
}

// Inject lets f happen to the requests that match it. Of several faults, the first injected one that matches
// and is not used up applies, alone; one that its Probability passes over leaves the request to the next.
func (s *Server) Inject(f Fault) {
	if _, err := path.Match(f.Path, ""); err != nil {
		s.fatalf("clicknpstest: Fault.Path %q: %v", f.Path, err)
	}
	f.Header = canonical(f.Header)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.injected = append(s.faults.injected, &injectedFault{Fault: f})
}

// ClearFaults ends all injected faults.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.injected = nil
}

// fault picks the fault that applies to req; the zero Fault if none does.
func (s *Server) fault(req *request) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults.injected {
		usedUp := f.Times > 0 && f.applied >= f.Times
		if usedUp || !f.matches(req) {
			continue
		}
		if f.Probability > 0 && s.faults.random.Float64() >= f.Probability {
			continue
		}
		f.applied++
		return f.Fault
	}
	return Fault{}
}

func (f *Fault) matches(req *request) bool {
	if f.Method != "" && f.Method != req.method {
		return false
	}
	if f.Path == "" {
		return true
	}
	ok, _ := path.Match(f.Path, req.url.EscapedPath()) // the pattern was checked by Inject
	return ok
}

// canonical returns a copy of h with its names as a client's parser would write them.
func canonical(h http.Header) http.Header {
	if h == nil {
		return nil
	}
	c := http.Header{}
	for name, values := range h {
		for _, v := range values {
			c.Add(name, v)
		}
	}
	return c
}

// answer is what f says instead of the service, if it does.
func (f *Fault) answer() (a answer, instead bool) {
	if f.Status == 0 && f.Header == nil && f.Body == "" {
		return answer{}, false
	}
	a = answer{status: http.StatusOK, header: f.Header.Clone(), body: []byte(f.Body)}
	if f.Status != 0 {
		a.status = f.Status
	}
	if a.header == nil {
		a.header = http.Header{}
	}
	if a.header.Get("Content-Type") == "" && f.Body != "" {
		mediaType := http.DetectContentType(a.body)
		if json.Valid(a.body) {
			mediaType = "application/json"
		}
		a.header.Set("Content-Type", mediaType)
	}
	return a, true
}
