package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/clicknps/go-sdk/internal/backoff"
	"github.com/clicknps/go-sdk/internal/ratelimit"
)

// maxAskedWaits bounds the retries after waits that the server asked for, which do not count
// against MaxRetries.
const maxAskedWaits = 32

// loop is the state of one call in go-retryablehttp's retry loop. Only the call's own goroutine
// uses it.
type loop struct {
	engine     *Engine
	call       Call
	result     *Result
	permit     permit
	header     http.Header // of the attempt
	credential string      // that the latest attempt was sent with
	idleSince  time.Time   // when the wait for the next attempt began
	wait       time.Duration
	retries    int  // that count against MaxRetries
	askedWaits int  // retries after a wait that the server asked for
	renewed    bool // the credential was renewed after a 401
	resent     bool // a request was sent again at once, for its connection was stale
	charged    bool // the budget was charged for a retry that was not made yet
	decided    bool // check has said that the call ends
}

// prepare comes before every attempt: nothing is sent during a pause, beyond the limit, or without
// a credential.
func (l *loop) prepare(req *http.Request) (err error) {
	l.call.Info.Attempt++
	ctx := req.Context()
	if l.permit, err = l.engine.admit(ctx, &l.call); err != nil {
		return err
	}
	l.header = l.call.Header()
	if l.credential, err = l.engine.credential.Authorize(ctx, l.header); err != nil {
		return err
	}
	req.Header = noHeader // net/http's Client makes a copy of it
	if l.engine.jar != nil {
		req.Header = l.header
	}
	l.charged = false
	return nil
}

var noHeader = http.Header{}

// end gives back what the call has not used.
func (l *loop) end() {
	l.permit.giveBack(ratelimit.Outcome{}, false)
	if l.charged {
		l.engine.budget.refund()
	}
}

// check decides whether another attempt follows the latest one.
func (l *loop) check(ctx context.Context, _ *http.Response, _ error) (bool, error) {
	last := l.last()
	asked, _ := backoff.Asked(last.StatusCode, l.result.Header, l.result.Body)
	l.result.RetryAfter = asked
	busy := last.StatusCode == http.StatusTooManyRequests || last.StatusCode == http.StatusServiceUnavailable
	pauses := busy && asked > 0
	if pauses {
		l.engine.pause.begin(asked)
	}
	again := l.decide(ctx)
	l.decided = !again
	// Not before: whoever waits for this permit must find the pause.
	outcome := ratelimit.Outcome{Sent: last.sent, StatusCode: last.StatusCode, Header: l.result.Header}
	l.permit.giveBack(outcome, last.StatusCode != 0 && !pauses)
	l.log(ctx, again)
	return again, nil
}

// decide looks the latest attempt up in the retry table, and applies the bounds on retries. It
// sets the wait before the next attempt, or the error that the call ends with.
func (l *loop) decide(ctx context.Context) (again bool) {
	last := l.last()
	l.wait = 0
	l.result.Err = last.Err
	v := judge(&l.call, last, l.result.Uncertain)
	l.result.Uncertain = l.result.Uncertain || v.uncertain
	switch {
	case ctx.Err() != nil && last.Err != nil:
		return false
	case last.StatusCode == http.StatusUnauthorized && !l.renewed && l.engine.credential.Renew(l.credential):
		l.renewed = true
		return true
	case !v.retry:
		if is2xx(last.StatusCode) {
			l.engine.budget.succeed()
		}
		return false
	case last.stale && !l.resent:
		l.resent = true
		return true
	case !l.count(l.result.RetryAfter > 0):
		return false
	}
	l.wait = backoff.Jitter(l.call.Policy.MinBackoff, l.call.Policy.MaxBackoff, l.retries+l.askedWaits-1)
	throttled := last.StatusCode == http.StatusTooManyRequests
	switch {
	case throttled && l.result.RetryAfter > 0:
		l.wait = l.result.RetryAfter
	case !throttled:
		l.wait = max(l.wait, l.result.RetryAfter)
		if !l.engine.budget.charge() {
			l.result.Err = join(l.result.Err, errBudget)
			return false
		}
		l.charged = true
	}
	return l.mayWait(ctx)
}

// errBudget says why a call was not retried.
var errBudget = errors.New("not retried: the retry budget of all calls is used up (RetryPolicy.Budget)")

// count counts a retry, and reports whether there may be one.
func (l *loop) count(asked bool) bool {
	if l.call.Policy.MaxRetries < 0 {
		return false
	}
	if asked {
		l.askedWaits++
		return l.askedWaits <= maxAskedWaits
	}
	l.retries++
	return l.retries <= l.call.Policy.MaxRetries
}

// mayWait reports whether the wait may begin. If not, the result's error says why.
func (l *loop) mayWait(ctx context.Context) bool {
	longest := l.call.Policy.MaxRetryAfter
	if l.wait > l.result.RetryAfter { // it is our own backoff, which has its own bounds
		longest = l.wait
	}
	refused := backoff.Check(ctx, l.wait, longest)
	if refused == nil {
		return true
	}
	if l.result.RetryAfter == 0 {
		refused = fmt.Errorf("a retry would outlive the deadline: %w", context.DeadlineExceeded)
	}
	l.result.Err = join(l.result.Err, refused)
	return false
}

// backoff is the wait before the next attempt. A timer of 0 in a synctest bubble crashes the race
// detector (Go issue 78156).
func (l *loop) backoff(_, _ time.Duration, _ int, _ *http.Response) time.Duration {
	return max(l.wait, time.Nanosecond)
}

func (l *loop) last() *Attempt { return &l.result.Attempts[len(l.result.Attempts)-1] }

// join is both errors in one line; first may be nil.
func join(first, second error) error {
	if first == nil {
		return second
	}
	return fmt.Errorf("%w; %w", first, second)
}

// log writes one record an attempt: no query, no header, no body.
func (l *loop) log(ctx context.Context, again bool) {
	level, message := slog.LevelDebug, "clicknps: request"
	if again {
		level, message = slog.LevelInfo, "clicknps: request is retried"
	}
	if !l.engine.logger.Enabled(ctx, level) {
		return
	}
	info, last := &l.call.Info, l.last()
	attrs := []slog.Attr{
		slog.String("service", info.Service), slog.String("operation", info.Operation),
		slog.String("method", info.Method), slog.String("path", l.call.URL.EscapedPath()),
		slog.Int("attempt", info.Attempt), slog.Int("status", last.StatusCode),
		slog.Duration("waited", last.Waited), slog.Duration("took", last.Took),
	}
	if last.RequestID != "" {
		attrs = append(attrs, slog.String("request_id", last.RequestID))
	}
	if last.Err != nil {
		attrs = append(attrs, slog.String("error", last.Err.Error()))
	}
	if again {
		attrs = append(attrs, slog.Duration("wait", l.wait))
	}
	l.engine.logger.LogAttrs(ctx, level, message, attrs...)
}
