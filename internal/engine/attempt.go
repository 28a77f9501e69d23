package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// How much of an answer is read.
const (
	MaxBody      = 32 << 20 // of a 2xx: larger JSON is an error
	MaxErrorBody = 64 << 10 // of any other: the rest is cut
	maxDrain     = 1 << 20  // beyond that, to use the connection again
)

// ErrTooLarge is a 2xx answer of more than [MaxBody] bytes.
var ErrTooLarge = fmt.Errorf("the answer is larger than %d MiB", MaxBody>>20)

// attempter is the RoundTripper inside the retry loop: one attempt. It alone reads and closes bodies; the loop and
// net/http's Client see no more than that there was an answer, so that neither follows a redirect nor drains anything.
type attempter struct {
	engine *Engine
	next   http.RoundTripper
}

func (t attempter) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req.Context())
	start := time.Now()
	x.result.StatusCode, x.result.Header, x.result.Body, x.result.Complete = 0, nil, nil, false
	x.result.Attempts = append(x.result.Attempts, Attempt{Waited: start.Sub(x.idleSince)})
	watch := newWatch(req.Context(), t.engine.policy.AttemptTimeout)
	handedOver := false
	defer func() {
		x.idleSince = time.Now()
		x.last().Took = x.idleSince.Sub(start)
		if !handedOver {
			watch.stop()
		}
	}()

	resp, err := t.next.RoundTrip(x.request(req, watch))
	if err == nil && resp == nil {
		err = errors.New("the transport returned neither an answer nor an error")
	}
	if err != nil {
		if resp != nil && resp.Body != nil {
			resp.Body.Close()
		}
		x.last().Err = t.engine.credential.Hide(watch.explain(withoutURL(err)))
		x.last().neverSent = neverSent(err, watch)
		return nil, x.last().Err
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	x.result.StatusCode, x.result.Header = resp.StatusCode, resp.Header
	x.last().StatusCode, x.last().RequestID = resp.StatusCode, t.engine.credential.Cut(resp.Header.Get("X-Request-Id"))
	if x.call.Stream && is2xx(resp.StatusCode) {
		if x.result.Stream, err = newStream(resp, watch); err != nil {
			x.last().Err = err
			return nil, err
		}
		handedOver = true
	} else if err := x.read(resp, watch); err != nil {
		x.last().Err = err
		return nil, err
	}
	x.result.Complete = true
	if cookies := resp.Header["Set-Cookie"]; cookies != nil {
		return answeredWith(cookies), nil
	}
	return answered, nil
}

// request is what is sent. What middleware does to it, the next attempt does not see. The loop's own request is bare:
// of a header and for a Host, net/http's Client makes copies.
func (x *exchange) request(req *http.Request, watch *watch) *http.Request {
	copyCookies(x.header, req.Header)
	ctx := watch.ctx
	if req.Method != http.MethodGet { // which changes nothing, whether it was sent or not
		ctx = watch.traced()
	}
	req = req.WithContext(ctx)
	u := x.call.URL
	req.URL, req.Host, req.Header = &u, u.Host, x.header
	return req
}

func copyCookies(to, from http.Header) {
	if cookies := from["Cookie"]; cookies != nil {
		to["Cookie"] = cookies
	}
}

// read reads the answer's body. Only a 2xx must arrive whole: the status of any other says enough.
func (x *exchange) read(resp *http.Response, watch *watch) error {
	defer resp.Body.Close()
	limit := int64(MaxErrorBody)
	if is2xx(resp.StatusCode) {
		limit = MaxBody + 1
	}
	x.limited = io.LimitedReader{R: resp.Body, N: limit}
	body, err := readAll(&x.limited, min(resp.ContentLength, limit, 1<<20)) // a length is only a claim
	x.result.Body = body
	switch {
	case !is2xx(resp.StatusCode):
		io.CopyN(io.Discard, resp.Body, maxDrain) //nolint:errcheck // what can't be drained is closed
		return nil
	case err != nil:
		return watch.explain(err)
	case len(body) > MaxBody:
		return ErrTooLarge
	}
	return nil
}

// answered is what the loop and net/http's Client see of every answer: that there is one. check knows what it says.
var answered = &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}

// answeredWith is the same for a Jar.
func answeredWith(cookies []string) *http.Response {
	resp := *answered
	resp.Header = http.Header{"Set-Cookie": cookies}
	return &resp
}

// readAll is [io.ReadAll] for about size bytes, in one piece of memory if that is true.
func readAll(r io.Reader, size int64) ([]byte, error) {
	buf := make([]byte, 0, cmp.Or(max(size, 0), bytes.MinRead)+1) // the one more is for the end to be seen
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

func is2xx(status int) bool { return status/100 == 2 }

// watch ends an attempt that takes too long.
type watch struct {
	parent  context.Context
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	timeout time.Duration
	conn    connection
}

func newWatch(parent context.Context, timeout time.Duration) *watch {
	w := &watch{parent: parent, timeout: timeout}
	w.ctx, w.cancel = context.WithCancelCause(parent)
	w.timer = time.AfterFunc(timeout, func() { w.cancel(TimeoutError(w.timeout)) })
	return w
}

// restart gives the next read its own time.
func (w *watch) restart() { w.timer.Reset(w.timeout) }

// pause lets no time run until then.
func (w *watch) pause() { w.timer.Stop() }

func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// explain puts the reason for an attempt's end in err's place, if the attempt was ended.
func (w *watch) explain(err error) error {
	if ended := cancellation(w.parent); ended != nil {
		return ended
	}
	if timeout, ok := errors.AsType[TimeoutError](context.Cause(w.ctx)); ok {
		return timeout
	}
	return err
}

// TimeoutError is an attempt that took too long.
type TimeoutError time.Duration

func (e TimeoutError) Error() string {
	return fmt.Sprintf("no answer within the attempt's time-out of %v", time.Duration(e))
}

// Timeout tells package net's users that this is a time-out.
func (TimeoutError) Timeout() bool { return true }

// Is makes it a context.DeadlineExceeded, as a time-out of http.Client is.
func (TimeoutError) Is(target error) bool { return target == context.DeadlineExceeded }
