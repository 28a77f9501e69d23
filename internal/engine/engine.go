// Package engine makes HTTP calls with safe retries. It knows HTTP and nothing of surveys: it
// returns facts (status, header, body, attempts), and its caller turns them into values and
// errors.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/clicknps/go-sdk/internal/auth"
	"github.com/clicknps/go-sdk/internal/ratelimit"
)

// Config configures an [Engine]. Every field but Middleware is required.
type Config struct {
	HTTPClient *http.Client // its Transport, Jar and Timeout are used; it is not changed
	Middleware []func(http.RoundTripper) http.RoundTripper
	Observed   bool // the Transport is the user's, and may ask for the call of a request
	Credential *auth.Credential
	Limiter    ratelimit.Limiter
	Budget     int // retries in reserve; negative: no bound
	Logger     *slog.Logger
}

// Policy is a retry policy with its defaults filled in.
type Policy struct {
	MaxRetries     int // negative: nothing is retried
	MinBackoff     time.Duration
	MaxBackoff     time.Duration
	MaxRetryAfter  time.Duration
	AttemptTimeout time.Duration
	Budget         int // of all calls: see Config
}

// Call is one call: the request, how it may be retried, and how its answer is read.
type Call struct {
	Info   ratelimit.Call
	URL    url.URL
	Header func() http.Header // makes the header of one attempt; the attempt may change it
	Body   []byte             // nil: none
	Policy *Policy
	Once   bool // a request that may have been sent must not be sent again
	Keyed  bool // the request bears an idempotency key
	Stream bool // a 2xx answer's body is handed over unread
}

// Result holds the facts of a call that has ended, successful or not.
type Result struct {
	StatusCode int // of the last attempt; 0: it got no answer
	Header     http.Header
	Body       []byte  // valid until Free
	Stream     *Stream // of a 2xx, instead of Body, if the call asked for it; valid until Free
	RetryAfter time.Duration
	Attempts   []Attempt
	Uncertain  bool  // an attempt may have taken effect without an answer that says so
	Err        error // why there is no answer, or why the call was not retried; nil: the answer stands

	attempts [1]Attempt // backs Attempts in the usual case
	buffer   *buffer
}

// Attempt is one request of a call.
type Attempt struct {
	StatusCode int // 0: no answer
	Err        error
	Waited     time.Duration // before it
	Took       time.Duration
	RequestID  string

	sent  bool // it may have reached the server
	stale bool // it failed on a kept-alive connection before any byte of an answer
	final bool // a retry would fail alike
}

// Engine makes calls to one service. It is safe for concurrent use.
type Engine struct {
	transport  http.RoundTripper
	innermost  *innermost // below the middleware; nil: there is none
	jar        http.CookieJar
	timeout    time.Duration                         // of http.Client; 0: none
	observed   bool                                  // code of the user's sees requests
	proxy      func(*http.Request) (*url.URL, error) // nil: none, or unknown
	obedient   bool                                  // the transport returns when the request's context ends
	credential *auth.Credential
	limiter    ratelimit.Limiter
	logger     *slog.Logger
	pause      pause
	budget     budget
}

// New returns an engine for c.
func New(c Config) (*Engine, error) {
	e := &Engine{
		transport: c.HTTPClient.Transport, jar: c.HTTPClient.Jar, timeout: c.HTTPClient.Timeout,
		observed:   c.Observed || len(c.Middleware) > 0,
		credential: c.Credential, limiter: c.Limiter, logger: c.Logger, budget: newBudget(c.Budget),
	}
	if e.transport == nil {
		e.transport = http.DefaultTransport
	}
	if t, ok := e.transport.(*http.Transport); ok {
		e.obedient, e.proxy = true, t.Proxy
	}
	if len(c.Middleware) > 0 {
		e.obedient = false
		e.innermost = &innermost{RoundTripper: e.transport}
		e.transport = e.innermost
	}
	for i := len(c.Middleware) - 1; i >= 0; i-- {
		if e.transport = c.Middleware[i](e.transport); e.transport == nil {
			return nil, errors.New("a middleware returned no RoundTripper")
		}
	}
	return e, nil
}

// Do makes the call. Each attempt passes these steps, in this order:
//
//	prepare    wait for the end of a pause and for a permit, set the credential
//	RoundTrip  send through middleware and transport, read the answer
//	check      look the outcome up in the retry table
//	backoff    the wait before the next attempt
//
// The result is never nil.
func (e *Engine) Do(ctx context.Context, call Call) *Result {
	l := &loop{engine: e, call: call, result: &Result{}, idleSince: time.Now()}
	l.result.Attempts = l.result.attempts[:0]
	defer l.end()
	client := &retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: l, Jar: e.jar},
		RetryMax:     retryMax(call.Policy),
		CheckRetry:   l.check,
		Backoff:      l.backoff,
		PrepareRetry: l.prepare,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	req := &retryablehttp.Request{Request: (&http.Request{
		Method: call.Info.Method, URL: &l.call.URL, Host: call.URL.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)}
	if call.Body != nil {
		if err := req.SetBody(call.Body); err != nil {
			l.result.Err = err
			return l.result
		}
	}
	if err := l.prepare(req.Request); err != nil {
		l.result.Err = explained(ctx, err)
		return l.result
	}
	if _, err := client.Do(req); err != nil && !l.decided { // a wait was ended, or refused
		l.result.Err = join(l.result.Err, explained(ctx, err))
	}
	return l.result
}

// retryMax is more than check ever grants: a renewed credential and a stale connection have one retry each.
func retryMax(p *Policy) int { return min(max(p.MaxRetries, 0), math.MaxInt16) + maxAskedWaits + 2 }

// admit waits until an attempt may be made: for the end of a pause, and for the limiter's permit.
func (e *Engine) admit(ctx context.Context, call *Call) (permit, error) {
	longest := call.Policy.MaxRetryAfter
	for {
		if err := e.pause.wait(ctx, longest, e.logger, call.Info.Operation); err != nil {
			return permit{}, err
		}
		release, err := e.acquire(ctx, call.Info)
		if err != nil {
			return permit{}, err
		}
		if probe, ok := e.pause.enter(longest); ok {
			return permit{release, probe}, nil
		}
		release(ratelimit.Outcome{}) // a pause has begun meanwhile: the permit goes back unused
	}
}

// acquire waits for the limiter's permit. Nobody can tell how long, so the wait is logged when it
// has lasted a second.
func (e *Engine) acquire(ctx context.Context, info ratelimit.Call) (func(ratelimit.Outcome), error) {
	if e.logger.Enabled(ctx, slog.LevelInfo) {
		defer time.AfterFunc(longWait, func() {
			e.logger.InfoContext(ctx, "clicknps: waiting for a permit of the rate limiter",
				"operation", info.Operation)
		}).Stop()
	}
	return e.limiter.Acquire(ctx, info)
}

// permit is the right to make one attempt.
type permit struct {
	release func(ratelimit.Outcome) // nil: there is none
	probe   *probe                  // nil: the attempt is no probe
}

// giveBack ends the permit. It does nothing the second time.
func (p *permit) giveBack(outcome ratelimit.Outcome, endsPause bool) {
	given := *p
	*p = permit{}
	if given.probe != nil {
		defer given.probe.done(endsPause) // whatever release does, which may be the user's
	}
	if given.release != nil {
		given.release(outcome)
	}
}

// withoutURL strips net/http's wrapping, which shows the URL with its query.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// Sleep waits for d, or until ctx ends; the error then has ctx's error and its cause in the chain.
func Sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() == nil && d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
			return nil
		}
	}
	return cancellation(ctx)
}

// cancellation is ctx's error together with its cause, or nil while ctx lasts.
func cancellation(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return explained(ctx, ctx.Err())
}

// explained is err with ctx's error and its cause in the chain, if ctx has ended.
func explained(ctx context.Context, err error) error {
	for _, reason := range []error{ctx.Err(), context.Cause(ctx)} {
		if reason != nil && !errors.Is(err, reason) {
			err = fmt.Errorf("%w: %w", err, reason)
		}
	}
	return err
}
