package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/clicknps/go-sdk/internal/ratelimit"
)

// How much of an answer is read, in bytes.
const (
	MaxBody      = 32 << 20 // of a 2xx: more is an error
	MaxErrorBody = 64 << 10 // of any other: the rest is cut
	maxDrain     = 1 << 20  // beyond that, so that the connection can be used again
)

// ErrTooLarge is the error of a 2xx answer of more than [MaxBody] bytes.
var ErrTooLarge = fmt.Errorf("the answer is larger than %d MiB", MaxBody>>20)

// RoundTrip makes one attempt. It implements [http.RoundTripper] for the retry loop, and alone
// reads and closes bodies: a body that is cut off is a failed attempt.
func (l *loop) RoundTrip(req *http.Request) (*http.Response, error) {
	start := time.Now()
	r := l.result
	r.Free()
	r.StatusCode, r.Header = 0, nil
	r.Attempts = append(r.Attempts, Attempt{Waited: start.Sub(l.idleSince)})
	a := l.last()
	w := newWatch(req.Context(), l.timeout())
	defer func() {
		l.idleSince = time.Now()
		a.Took = l.idleSince.Sub(start)
		if r.Stream == nil {
			w.stop()
		}
	}()
	resp, err := l.engine.send(l.request(req, w))
	if err == nil && resp == nil {
		err = errors.New("the transport returned neither an answer nor an error")
	}
	if err != nil {
		closeBody(resp)
		l.fail(a, w, err)
		return nil, a.Err
	}
	a.sent = true
	l.engine.innermost.answered(&w.conn)
	if err := l.read(resp, w); err != nil {
		a.Err, a.final = err, errors.Is(err, ErrTooLarge)
		return nil, err
	}
	return seen(resp), nil
}

// timeout bounds an attempt. As http.Client's own time-out it would also cut a stream short.
func (l *loop) timeout() time.Duration {
	if t := l.engine.timeout; t > 0 {
		return min(t, l.call.Policy.AttemptTimeout)
	}
	return l.call.Policy.AttemptTimeout
}

// request is req as one attempt sends it. A GET is always safe to retry, so only other methods
// need to know whether the request was sent.
func (l *loop) request(req *http.Request, w *watch) *http.Request {
	ctx, u := w.ctx, &l.call.URL
	if req.Method != http.MethodGet {
		ctx = w.conn.withConnTrace(ctx)
	}
	if l.engine.observed { // and perhaps changed
		ctx, u = ContextWithCall(ctx, l.call.Info), new(*u)
	}
	if l.engine.innermost != nil {
		ctx = context.WithValue(ctx, traceKey{}, &w.conn)
	}
	header := l.header
	if l.engine.jar != nil {
		header = req.Header // with its cookies
	}
	req = req.WithContext(ctx)
	req.URL, req.Header = u, header
	return req
}

// fail records an attempt that got no answer.
func (l *loop) fail(a *Attempt, w *watch, err error) {
	a.final = isFinal(err)
	unsent := w.conn.neverSent(err) || l.engine.innermost.stopped(&w.conn)
	a.sent = !unsent || errors.Is(err, errAbandoned)
	a.Err = l.engine.credential.RedactError(w.explain(l.engine.viaProxy(&l.call.URL, withoutURL(err))))
	a.stale = a.sent && w.conn.isStale() && w.ctx.Err() == nil
}

// viaProxy names the proxy in an error. What a proxy says when it refuses to connect, such as
// "Forbidden", reads as if the service had said it.
func (e *Engine) viaProxy(u *url.URL, err error) error {
	if e.proxy == nil {
		return err
	}
	proxy, _ := e.proxy(&http.Request{URL: u}) // its error is err
	if proxy == nil {
		return err
	}
	return fmt.Errorf("through the proxy %s: %w", proxy.Host, err)
}

// read reads an answer. Only a 2xx must arrive whole: the status of any other says enough.
func (l *loop) read(resp *http.Response, w *watch) (err error) {
	r, a := l.result, l.last()
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	r.StatusCode, r.Header = resp.StatusCode, resp.Header
	a.StatusCode, a.RequestID = resp.StatusCode, resp.Header.Get("X-Request-Id")
	switch {
	case resp.StatusCode < 200: // a protocol switch, whose body is a connection, or no status at all
		resp.Body.Close()
		return fmt.Errorf("the server answered with status %03d, which ends no request", resp.StatusCode)
	case l.call.Stream && is2xx(resp.StatusCode):
		r.Stream, err = newStream(resp, w)
		return err
	}
	defer resp.Body.Close()
	limit := int64(MaxErrorBody)
	if is2xx(resp.StatusCode) {
		limit = MaxBody + 1
	}
	r.buffer = newBuffer()
	err = r.buffer.readFrom(resp.Body, limit, resp.ContentLength)
	r.Body = r.buffer.data
	switch {
	case !is2xx(resp.StatusCode):
		io.CopyN(io.Discard, resp.Body, maxDrain) //nolint:errcheck // what can't be drained is closed
		return nil
	case err != nil:
		return w.explain(err)
	case len(r.Body) > MaxBody:
		return ErrTooLarge
	}
	return nil
}

// seen is resp as the retry loop sees it: with its status and header, and its body read.
// net/http's Client must not find a Location, for redirects are not followed.
func seen(resp *http.Response) *http.Response {
	resp.Body = http.NoBody
	if resp.Header.Get("Location") != "" {
		resp.Header = resp.Header.Clone() // the result keeps it
		resp.Header.Del("Location")
	}
	return resp
}

func is2xx(status int) bool { return status/100 == 2 }

// watch ends an attempt that takes too long.
type watch struct {
	parent  context.Context
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	timeout time.Duration
	conn    connTrace
}

func newWatch(parent context.Context, timeout time.Duration) *watch {
	w := &watch{parent: parent, timeout: timeout}
	w.ctx, w.cancel = context.WithCancelCause(parent)
	w.timer = time.AfterFunc(timeout, func() { w.cancel(TimeoutError(w.timeout)) })
	return w
}

// restart gives the next read its own time.
func (w *watch) restart() { w.timer.Reset(w.timeout) }

// suspend stops the time until the next restart.
func (w *watch) suspend() { w.timer.Stop() }

func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// explain returns the reason for the attempt's end instead of err, if the attempt was ended.
func (w *watch) explain(err error) error {
	if ended := cancellation(w.parent); ended != nil {
		return ended
	}
	if timeout, ok := errors.AsType[TimeoutError](context.Cause(w.ctx)); ok {
		return timeout
	}
	return err
}

// TimeoutError is the error of an attempt that took too long. It is a net.Error and a
// [context.DeadlineExceeded], as a time-out of http.Client is.
type TimeoutError time.Duration

func (e TimeoutError) Error() string {
	return fmt.Sprintf("no answer within the attempt's time-out of %v (RetryPolicy.AttemptTimeout)",
		time.Duration(e))
}

// Timeout implements net.Error.
func (TimeoutError) Timeout() bool { return true }

// Temporary implements net.Error.
func (TimeoutError) Temporary() bool { return true }

// Is makes it a [context.DeadlineExceeded].
func (TimeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

type callKey struct{}

// ContextWithCall returns a context that bears call, for middleware.
func ContextWithCall(ctx context.Context, call ratelimit.Call) context.Context {
	return context.WithValue(ctx, callKey{}, call)
}

// CallFromContext returns the call that ctx bears.
func CallFromContext(ctx context.Context) (ratelimit.Call, bool) {
	call, ok := ctx.Value(callKey{}).(ratelimit.Call)
	return call, ok
}
