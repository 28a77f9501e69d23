// Package engine makes HTTP calls that repeat safely. It knows HTTP and nothing of surveys: it returns facts
// (status, header, body, attempts), and its caller turns them into the API's values and errors.
package engine

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/clicknps/go-sdk/internal/backoff"
)

// Config is what an [Engine] is made of. Every field but Limiter and Middleware is required.
type Config struct {
	Service    string       // for the log
	HTTPClient *http.Client // its Transport, Jar and Timeout are used; it is not changed
	Middleware []func(http.RoundTripper) http.RoundTripper
	Policy     Policy
	Credential Credential
	Limiter    Limiter
	Holds      bool // Limiter's room may be held for longer than an attempt takes
	Logger     *slog.Logger
}

// Policy is a retry policy with its defaults filled in.
type Policy struct {
	MaxRetries     int // negative: nothing is repeated
	MinBackoff     time.Duration
	MaxBackoff     time.Duration
	MaxRetryAfter  time.Duration
	AttemptTimeout time.Duration
}

// Credential lets a request in.
type Credential interface {
	// Authorize sets the credential's header.
	Authorize(ctx context.Context, header http.Header) error
	// Renew is told the header of a request that was answered 401. It reports whether Authorize will set another credential now.
	Renew(rejected http.Header) bool
	// Cut returns text without the secret: a server may send back anything that it was sent.
	Cut(text string) string
	// Hide returns err, with a text without the secret.
	Hide(err error) error
}

// Limiter paces attempts.
type Limiter interface {
	// Acquire waits for room for one attempt. done is called once: with the answer's header, or nil if none came.
	Acquire(ctx context.Context) (done func(answer http.Header), err error)
}

// Call is one request, and whether it may be made twice.
type Call struct {
	Method string
	URL    url.URL
	Header func() http.Header // anew for every attempt: middleware, a Jar and the credential write into it
	Body   []byte             // nil: none
	Once   bool               // a request that may have arrived must not be sent again
	Stream bool               // a 2xx answer's body is handed over unread
}

// Result is what is known of a call when it ends, whether it succeeded or not.
type Result struct {
	StatusCode int // of the last attempt; 0: it got no answer
	Header     http.Header
	Body       []byte
	Stream     *Stream // instead of Body, if the call asked for it and the answer is a 2xx; the caller closes it
	RetryAfter time.Duration
	Attempts   []Attempt
	Arrived    bool // an attempt may have taken effect though its answer did not say so
	Complete   bool // the last attempt's answer arrived whole
}

// Attempt is one request of a call and what came of it.
type Attempt struct {
	StatusCode int
	Err        error
	Waited     time.Duration // before it
	Took       time.Duration
	RequestID  string
	neverSent  bool
}

// Engine makes calls to one service. It is safe for concurrent use.
type Engine struct {
	service    string
	policy     Policy
	credential Credential
	limiter    Limiter
	holds      bool
	logger     *slog.Logger
	loop       *retryablehttp.Client
	gate       gate
	budget     budget
}

// loopWait is what the retry loop itself waits, and admit does the rest: the loop's hook can't see the call. It is not 0,
// for many timers of 0 at once crash the race detector in a testing/synctest bubble (Go issue 78156).
const loopWait = time.Nanosecond

// New returns an engine for c.
func New(c Config) (*Engine, error) {
	e := &Engine{
		service: c.Service, policy: c.Policy, credential: c.Credential, limiter: c.Limiter, holds: c.Holds, logger: c.Logger,
		budget: budget{tokens: budgetSize},
	}
	e.gate.learner.Longest = c.Policy.MaxRetryAfter
	if t := c.HTTPClient.Timeout; t > 0 {
		// As the client's own Timeout it would also cut a stream short.
		e.policy.AttemptTimeout = min(e.policy.AttemptTimeout, t)
	}
	var next http.RoundTripper = c.HTTPClient.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	for i := len(c.Middleware) - 1; i >= 0; i-- {
		if next = c.Middleware[i](next); next == nil {
			return nil, errors.New("a middleware returned no RoundTripper")
		}
	}
	e.loop = &retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: attempter{engine: e, next: next}, Jar: c.HTTPClient.Jar},
		RetryMax:     math.MaxInt, // check decides
		CheckRetry:   e.check,
		Backoff:      func(_, _ time.Duration, _ int, _ *http.Response) time.Duration { return loopWait },
		PrepareRetry: e.admit,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	return e, nil
}

// Do makes the call. The order of things, each of which happens once an attempt:
//
//	admit      wait: before a repeat, at the gate, for room under the limit; then set the credential
//	RoundTrip  send through middleware and transport, read the answer
//	check      decide by the repeat table whether to do it again
//
// err is nil if an answer arrived whole and was not refused a repeat for lack of time. The result is never nil.
func (e *Engine) Do(ctx context.Context, call Call) (*Result, error) {
	x := &exchange{call: call, idleSince: time.Now()}
	x.result.Attempts = x.attempts[:0]
	defer x.back()
	defer x.free(nil)
	ctx = context.WithValue(ctx, exchangeKey{}, x)
	req := &retryablehttp.Request{Request: (&http.Request{
		Method: call.Method, URL: &x.call.URL, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)}
	if call.Body != nil {
		if err := req.SetBody(call.Body); err != nil {
			return &x.result, err
		}
	}
	if err := e.admit(req.Request); err != nil {
		return &x.result, explained(ctx, err)
	}
	if x.header["Idempotency-Key"] != nil {
		req.GetBody = nil // or net/http would send it again by itself, uncounted; any other only if nothing of it was written
	}
	if _, err := e.loop.Do(req); err != nil && !x.settled {
		return &x.result, explained(ctx, withoutURL(err)) // no attempt could be made, or the wait before it was ended
	}
	return &x.result, x.cause
}

// admit comes before every attempt: nothing is sent too early, during a pause, over the limit, or without a credential.
func (e *Engine) admit(req *http.Request) error {
	ctx := req.Context()
	x := exchangeOf(ctx)
	if err := sleep(ctx, x.wait-loopWait); err != nil {
		return err
	}
	for {
		scout, passed, err := e.gate.enter(ctx, e.policy.MaxRetryAfter)
		if err != nil {
			return err
		}
		x.scout = scout
		if x.done == nil {
			if x.done, err = e.room(ctx, scout != nil); err != nil {
				return err
			}
		}
		if x.done == nil { // there was none to wait for
			break
		}
		again := e.gate.pausedAgain(passed) // while we waited for room
		if e.limiter != nil {
			again = e.gate.paused() // the scout may stand at the end of this limiter's line: nobody in it waits for that
		}
		if !again {
			break
		}
		if !e.holds {
			x.free(nil)
		}
		x.back()
	}
	x.header = x.call.Header()
	if err := e.credential.Authorize(ctx, x.header); err != nil {
		return err
	}
	req.Header = make(http.Header) // for a Jar to add to
	copyCookies(req.Header, x.header)
	return nil
}

// room waits for room under the limit: the one that is known, else the one that was learned, which scouts put to the test.
func (e *Engine) room(ctx context.Context, scout bool) (done func(http.Header), err error) {
	switch {
	case e.limiter != nil:
		return e.limiter.Acquire(ctx)
	case scout:
		return nil, nil
	}
	release, err := e.gate.learner.Acquire(ctx)
	if release == nil {
		return nil, err
	}
	return func(http.Header) { release() }, nil
}

// Backoff waits as before the nth repeat of a call, from 0, or until ctx ends.
func (e *Engine) Backoff(ctx context.Context, n int) error {
	return sleep(ctx, backoff.Jitter(e.policy.MinBackoff, e.policy.MaxBackoff, n))
}

// exchange is the state of a call while it is made. Only the call's own goroutine touches it.
type exchange struct {
	call      Call
	result    Result
	attempts  [1]Attempt // where most results' Attempts are
	limited   io.LimitedReader
	header    http.Header       // of the coming or latest attempt
	done      func(http.Header) // gives the limiter's room back
	scout     func()            // this attempt goes first, and others wait for it
	idleSince time.Time         // when the wait for the coming attempt began
	wait      time.Duration     // before the coming attempt
	retries   int               // repeats that count against MaxRetries
	told      int               // repeats after a wait that the server asked for
	renewed   bool              // the credential was renewed after a 401
	checked   int               // attempts that check has seen
	settled   bool              // check has said that the call ends
	cause     error             // why it ends, unless the answer says it
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

func (x *exchange) free(answer http.Header) {
	if x.done != nil {
		done := x.done
		x.done = nil
		done(answer)
	}
}

// back lets those go on who wait for this attempt's outcome.
func (x *exchange) back() {
	if x.scout != nil {
		scout := x.scout
		x.scout = nil
		scout()
	}
}

func (x *exchange) last() *Attempt { return &x.result.Attempts[len(x.result.Attempts)-1] }

// withoutURL strips net/http's wrapping: it prints the URL with its query.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
