package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/clicknps/go-sdk/internal/backoff"
)

// maxTold bounds the repeats after waits that the server asked for, which do not count against MaxRetries.
const maxTold = 32

// check decides whether an attempt is followed by another: the repeat table.
func (e *Engine) check(ctx context.Context, _ *http.Response, err error) (bool, error) {
	x := exchangeOf(ctx)
	if len(x.result.Attempts) == x.checked { // net/http's Client refused the request: nothing was attempted
		x.settle(withoutURL(err))
		return false, nil
	}
	x.checked++
	if x.last().StatusCode != http.StatusTooManyRequests {
		e.gate.admitted(x.scout != nil, x.idleSince)
	}
	again := e.decide(ctx, x)
	x.free(x.result.Header) // not before: a 429's pause must hold for those who wait for this room
	x.back()
	e.logAttempt(ctx, x, again)
	return again, nil
}

func (x *exchange) settle(cause error) bool {
	x.settled, x.cause = true, cause
	return false
}

func (e *Engine) decide(ctx context.Context, x *exchange) (again bool) {
	x.wait, x.result.RetryAfter = 0, 0
	last := x.last()
	switch {
	case errors.Is(last.Err, ErrTooLarge):
		x.result.Arrived = true
		return x.settle(last.Err)
	case last.Err != nil:
		x.result.Arrived = x.result.Arrived || !last.neverSent
		if ctx.Err() != nil || (x.call.Once && !last.neverSent) {
			return x.settle(last.Err)
		}
		return e.repeat(ctx, x, last.Err)
	case last.StatusCode == http.StatusUnauthorized && !x.renewed && e.credential.Renew(x.header):
		x.renewed = true
		return true
	}

	told, isTold := backoff.Told(last.StatusCode, x.result.Header, x.result.Body)
	x.result.RetryAfter = told
	switch last.StatusCode {
	case http.StatusTooManyRequests:
		return e.obey(ctx, x, isTold)
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable,
		http.StatusGatewayTimeout, http.StatusRequestTimeout:
		x.result.Arrived = true
		if x.call.Once {
			return x.settle(nil)
		}
		return e.repeat(ctx, x, nil)
	}
	e.budget.gain()
	return x.settle(nil)
}

// obey answers a 429: every call to the service waits, and this one is repeated. It changed nothing, and costs no budget.
func (e *Engine) obey(ctx context.Context, x *exchange, told bool) bool {
	x.wait = cmp.Or(x.result.RetryAfter, e.jitter(x))
	e.gate.pause(x.wait)
	if e.policy.MaxRetries < 0 || !x.count(told, e.policy.MaxRetries) {
		return x.settle(nil)
	}
	return e.begin(ctx, x, nil)
}

// repeat answers a failure that a repeat can mend, while retries, budget and time last.
func (e *Engine) repeat(ctx context.Context, x *exchange, cause error) bool {
	x.wait = max(x.result.RetryAfter, e.jitter(x))
	if e.policy.MaxRetries < 0 || !x.count(x.result.RetryAfter > 0, e.policy.MaxRetries) {
		return x.settle(cause)
	}
	cost := repeatCost
	if is[TimeoutError](cause) {
		cost = timeoutCost
	}
	if !e.budget.take(cost) {
		e.logger.WarnContext(ctx, "clicknps: retry budget exhausted", slog.String("service", e.service))
		return x.settle(cause)
	}
	return e.begin(ctx, x, cause)
}

// begin begins the wait before a repeat, unless it would outlive the deadline or the server asks for more than it may.
func (e *Engine) begin(ctx context.Context, x *exchange, cause error) bool {
	longest := x.wait // our own waits have their bounds already
	if x.result.RetryAfter > e.policy.MaxRetryAfter {
		longest = e.policy.MaxRetryAfter
	}
	refused := refusal(ctx, x.wait, longest)
	if refused == nil {
		return true
	}
	if x.result.RetryAfter == 0 { // nobody asked for the wait: it is our own
		refused = fmt.Errorf("a repeat would outlive the deadline: %w", context.DeadlineExceeded)
	}
	if cause != nil {
		refused = fmt.Errorf("%w; %w", cause, refused)
	}
	return x.settle(refused)
}

// count counts a repeat, and reports whether there may be one.
func (x *exchange) count(told bool, maxRetries int) bool {
	if told {
		x.told++
		return x.told <= maxTold
	}
	x.retries++
	return x.retries <= maxRetries
}

func (e *Engine) jitter(x *exchange) time.Duration {
	return backoff.Jitter(e.policy.MinBackoff, e.policy.MaxBackoff, x.retries+x.told)
}

// logAttempt logs facts only: no query, no header, no body.
func (e *Engine) logAttempt(ctx context.Context, x *exchange, again bool) {
	level := slog.LevelDebug
	if again {
		level = slog.LevelInfo
	}
	if !e.logger.Enabled(ctx, level) {
		return
	}
	last := x.last()
	attrs := []slog.Attr{
		slog.String("service", e.service), slog.String("method", x.call.Method), slog.String("path", x.call.URL.EscapedPath()),
		slog.Int("attempt", len(x.result.Attempts)), slog.Int("status", last.StatusCode), slog.Duration("took", last.Took),
	}
	if last.RequestID != "" {
		attrs = append(attrs, slog.String("request_id", last.RequestID))
	}
	if last.Err != nil {
		attrs = append(attrs, slog.String("error", last.Err.Error()))
	}
	message := "clicknps: request"
	if again {
		message = "clicknps: request is repeated"
		attrs = append(attrs, slog.Duration("wait", x.wait))
	}
	e.logger.LogAttrs(ctx, level, message, attrs...)
}
