package clicknpstest

import (
	"context"
	"fmt"
	"log/slog"
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

// TB is what [Run] needs of a test: a part of [testing.TB].
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Server is a fake of both services: an [http.Handler] with state. Create one with [Run] or [New].
// It is safe for concurrent use.
type Server struct {
	config
	fatalf func(format string, args ...any) // for misuse: fails the test, or panics where there is none

	mu          sync.Mutex // guards everything down to the blank line; never held during I/O or a wait
	offset      time.Duration
	store       store
	quota       []*window
	salesQuota  map[string]*window // by user or key
	idempotency map[string]remembered
	faults      faults
	recorded    []*RecordedRequest
	outbox      outbox
	listener    *listener

	delivering chan struct{} // holds a token while deliveries are made
	ctx        context.Context
	cancel     context.CancelFunc
}

// listener is the socket behind [Server.URL].
type listener struct {
	url  string
	http *http.Server
	done chan struct{} // closed when http has stopped
}

// New returns a fake for programs: mount it as an [http.Handler], or call [Server.URL]. Misuse of its
// methods panics. Close it after use.
func New(opts ...Option) *Server {
	c := defaults()
	for _, opt := range opts {
		opt(&c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Server{
		config:      c,
		fatalf:      func(format string, args ...any) { panic(fmt.Sprintf(format, args...)) },
		store:       newStore(c.seed),
		quota:       []*window{{length: time.Minute, limit: c.plan.PerMinute}, {length: time.Hour, limit: c.plan.PerHour}},
		salesQuota:  map[string]*window{},
		idempotency: map[string]remembered{},
		faults:      newFaults(c.seed),
		outbox:      newOutbox(),
		delivering:  make(chan struct{}, 1),
		ctx:         ctx,
		cancel:      cancel,
	}
}

// Run returns a fake for one test; it is closed when the test ends. Misuse of its methods fails the test.
func Run(t TB, opts ...Option) *Server {
	t.Helper()
	s := New(opts...)
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
	s.outbox.stop()
	l := s.listener
	s.mu.Unlock()
	s.delivering <- struct{}{} // a delivery under way has been cancelled; wait until it is gone
	<-s.delivering
	if l != nil {
		_ = l.http.Close()
		<-l.done
	}
}

// URL returns the base URL http://127.0.0.1:PORT/v1, for [clicknps.WithBaseURL] and
// [clicknps.WithSalesOSBaseURL] alike. The fake listens from the first call on.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		s.fatalf("clicknpstest: the fake is closed")
	}
	if s.listener == nil {
		s.listener = s.listen()
	}
	return s.listener.url
}

func (s *Server) listen() *listener {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.fatalf("clicknpstest: can't listen: %v", err)
	}
	l := &listener{
		url:  "http://" + socket.Addr().String() + "/v1",
		http: &http.Server{Handler: s, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)},
		done: make(chan struct{}),
	}
	go func() {
		defer close(l.done)
		_ = l.http.Serve(socket) // always ends with ErrServerClosed, by Close
	}()
	return l
}

// Client returns a client of both services that calls the fake in process: no socket is involved, and it
// works in a [testing/synctest] bubble. opts come after the fake's own options. The SalesOS credential is a
// [Server.SalesOSToken] that is renewed when it expires, unless opts have one.
func (s *Server) Client(opts ...clicknps.Option) *clicknps.Client {
	own := []clicknps.Option{
		clicknps.WithHTTPClient(&http.Client{Transport: s.Transport()}),
		clicknps.WithBaseURL(inProcessURL),
		clicknps.WithAPIKey(s.APIKey()),
		clicknps.WithSalesOSBaseURL(inProcessURL),
	}
	own = append(own, opts...)
	tokens := clicknps.TokenSourceFunc(func(context.Context) (clicknps.Token, error) {
		return clicknps.Token{Value: s.SalesOSToken()}, nil
	})
	client, err := clicknps.New(append(own, clicknps.WithSalesOSTokenSource(tokens))...)
	if err != nil { // perhaps because opts have a SalesOS credential: there may be one only
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
