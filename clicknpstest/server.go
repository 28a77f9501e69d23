package clicknpstest

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/clicknps/go-sdk"
)

const (
	inProcessURL  = "https://clicknps.test/v1"
	webhookSecret = "whsec_def456uvw012"
	salesOSKey    = "sos_test_ghi789rst345"
)

// TB is the part of [testing.TB] that this package needs. It lets programs use the package without
// package testing.
type TB interface {
	Helper()
	Cleanup(func())
	Name() string
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Server is a fake of both services: an [http.Handler] with state. Create one with [Run] or [New].
// It is safe for concurrent use.
type Server struct {
	config
	fatalf func(format string, args ...any) // for misuse: fails the test, or panics if there is none

	mu          sync.Mutex // guards everything down to the blank line; never held during I/O or a wait
	offset      time.Duration
	store       store
	windows     map[string]window // of rate limits, by name
	idempotency map[string]remembered
	injected    []*Injected
	chance      *rand.Rand // for Fault.Probability
	log         []*RecordedRequest
	logBytes    int
	outbox      outbox
	origin      string // of URL; empty: it was not called yet

	routes     []route
	socket     http.Server // behind URL
	serving    sync.WaitGroup
	delivering chan struct{}   // holds a token while deliveries are made
	ctx        context.Context // of deliveries
	cancel     context.CancelFunc
}

// New returns a fake for programs: mount it as an [http.Handler], or call [Server.URL]. Misuse of
// its methods panics. Close it after use.
func New(opts ...Option) *Server {
	c := config{
		plan: clicknps.PlanEnterprise, salesOSLimit: 100, key: "sk_test_abc123xyz789", seed: 1, maxLimit: 100,
	}
	for _, opt := range opts {
		opt(&c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		config:      c,
		fatalf:      func(format string, args ...any) { panic(fmt.Sprintf(format, args...)) },
		store:       newStore(c.seed),
		windows:     map[string]window{},
		idempotency: map[string]remembered{},
		chance:      rand.New(rand.NewPCG(c.seed, 2)),
		outbox:      outbox{client: newReceiverClient()},
		delivering:  make(chan struct{}, 1),
		ctx:         ctx,
		cancel:      cancel,
	}
	s.routes = s.endpoints()
	s.socket = http.Server{Handler: s, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	return s
}

// Run returns a fake for one test; it is closed when the test ends. Misuse of its methods fails
// the test. The test's name is the seed of generated ids, unless [WithSeed] is given: two tests
// get different ids.
func Run(t TB, opts ...Option) *Server {
	t.Helper()
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(t.Name()))
	s := New(append([]Option{WithSeed(hash.Sum64())}, opts...)...)
	s.fatalf = func(format string, args ...any) {
		t.Helper()
		t.Fatalf(format, args...)
		panic("clicknpstest: TB.Fatalf returned")
	}
	t.Cleanup(s.Close)
	return s
}

// Close stops listening, cuts open connections and ends deliveries. State can still be inspected.
// Closing twice does nothing.
func (s *Server) Close() {
	s.cancel()
	s.mu.Lock()
	if s.outbox.timer != nil {
		s.outbox.timer.Stop()
	}
	s.mu.Unlock()
	s.delivering <- struct{}{} // wait until the deliveries that s.cancel has ended are gone
	<-s.delivering
	_ = s.socket.Close()
	s.serving.Wait()
}

// URL returns the base URL http://127.0.0.1:PORT/v1, for [clicknps.WithBaseURL] and
// [clicknps.WithSalesOSBaseURL] alike. The fake listens from the first call on.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		s.fatalf("clicknpstest: the fake is closed")
	}
	if s.origin == "" {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			s.fatalf("clicknpstest: can't listen: %v", err)
		}
		s.origin = "http://" + listener.Addr().String()
		s.serving.Go(func() { _ = s.socket.Serve(listener) }) // ends with ErrServerClosed, by Close
	}
	return s.origin + "/v1"
}

// Client returns a client of both services. It calls the fake in process: no socket is involved,
// and it works in a [testing/synctest] bubble. A base URL in opts that is not the fake's own, such
// as that of a proxy in front of [Server.URL], is dialed by [http.DefaultTransport]. opts come
// after the fake's own options; no environment variable is read. The SalesOS credential is a
// [Server.SalesOSToken] that is renewed when it expires, unless opts have one.
func (s *Server) Client(opts ...clicknps.Option) *clicknps.Client {
	own := []clicknps.Option{
		clicknps.WithoutEnvironment(),
		clicknps.WithHTTPClient(&http.Client{Transport: transport{s, s.owns}}),
		clicknps.WithBaseURL(inProcessURL),
		clicknps.WithAPIKey(s.APIKey()),
		clicknps.WithSalesOSBaseURL(inProcessURL),
	}
	own = append(own, opts...)
	tokens := clicknps.TokenSourceFunc(func(context.Context) (clicknps.Token, error) {
		return clicknps.Token{Value: s.SalesOSToken()}, nil
	})
	client, err := clicknps.New(append(own, clicknps.WithSalesOSTokenSource(tokens))...)
	if err != nil { // perhaps because opts have a SalesOS credential: only one is allowed
		client, err = clicknps.New(own...)
	}
	if err != nil {
		s.fatalf("clicknpstest: no client: %v", err)
	}
	return client
}

// APIKey returns the ClickNPS API key that the fake accepts.
func (s *Server) APIKey() string { return s.key }

// SalesOSAPIKey returns the SalesOS key that the fake accepts in X-API-Key.
func (s *Server) SalesOSAPIKey() string { return salesOSKey }

// WebhookSecret returns the secret that all deliveries are signed with.
func (s *Server) WebhookSecret() string { return webhookSecret }

// now is the fake's time. The caller holds s.mu.
func (s *Server) now() time.Time { return time.Now().Add(s.offset) }

// instant is now as a service stores it: UTC, in milliseconds. The caller holds s.mu.
func (s *Server) instant() time.Time { return stored(s.now()) }

func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// Advance moves the fake's time forward by d; a d below 0 counts as 0. It makes all webhook
// deliveries that fall due on the way, each at its time and with all retries that fall due too,
// before it returns. So Advance(0) waits for the deliveries that are due now. Do not call it from
// the receiver of a delivery.
//
// A client's own waits are in the client's time, which Advance does not change: use
// [testing/synctest] for them.
func (s *Server) Advance(d time.Duration) {
	s.delivering <- struct{}{}
	defer func() { <-s.delivering }()

	s.mu.Lock()
	goal := s.offset + max(d, 0)
	s.mu.Unlock()
	for batch := s.nextBatch(goal); len(batch) > 0; batch = s.nextBatch(goal) {
		s.deliver(batch, true)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset = max(s.offset, goal)
	s.arm()
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	if d > 0 {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}
