package clicknps

import (
	"context"
	"net/http"
	"time"

	"github.com/clicknps/go-sdk/internal/apierror"
	"github.com/clicknps/go-sdk/internal/engine"
	"github.com/clicknps/go-sdk/internal/ratelimit"
)

// Call describes a call to limiters, middleware and observers.
type Call struct {
	Service   string // "clicknps" or "salesos"
	Operation string // the method that the user called: "Surveys.Get"; "Responses.All" for its pages; "Do"
	Method    string // "GET"
	Route     string // "/surveys/{id}"; empty for Do
	Attempt   int    // 1 for the first; 0 before it
	Bulk      bool   // the call belongs to a batch, such as a walk by All
}

// CallFromContext returns the call that a request belongs to. Requests that [WithMiddleware] sees
// have such a context; for any other, ok is false.
func CallFromContext(ctx context.Context) (call Call, ok bool) {
	c, ok := engine.CallFromContext(ctx)
	return Call(c), ok
}

// ContextWithCall returns a context for tests of middleware: [CallFromContext] returns call from
// it.
func ContextWithCall(ctx context.Context, call Call) context.Context {
	return engine.ContextWithCall(ctx, ratelimit.Call(call))
}

// CallInfo holds the HTTP facts of a call.
type CallInfo struct {
	StatusCode     int         // of the last answer; 0: there was none
	Header         http.Header // of the last answer
	RequestID      string      // X-Request-Id of the last answer
	IdempotencyKey string      // empty if the call had none
	Attempts       []Attempt   // all of them, in order
}

// Attempt is one request of a call.
type Attempt struct {
	StatusCode int           // 0: there was no answer
	Err        error         // why there was none, or why it was cut off
	Waited     time.Duration // before it: for a backoff, a pause, a permit, a credential
	Took       time.Duration // from sending it to the end of its answer
	RequestID  string
}

// WithCallInfo fills in into when the call ends, successful or not. All fills it in for each page.
func WithCallInfo(into *CallInfo) RequestOption {
	return requestOption(func(o *requestOptions) error {
		if into == nil {
			return invalid("into", "WithCallInfo: into must not be nil")
		}
		o.info = into
		return nil
	})
}

// WithObserver calls fn once for each call, before its first wait, and the function that fn
// returns when the call ends, with what the method returns. The call goes on with the context that
// fn returns. Each page of a walk is a call. Concurrent calls call fn concurrently. Observers are
// for spans, metrics and audit logs; middleware sees attempts.
func WithObserver(
	fn func(ctx context.Context, call Call) (context.Context, func(info CallInfo, err error)),
) Option {
	return option(func(c *config) error {
		if fn == nil {
			return invalidOption("WithObserver", "the function is nil")
		}
		c.observers = append(c.observers, fn)
		return nil
	})
}

type observer = func(context.Context, Call) (context.Context, func(CallInfo, error))

// observe calls the observers. done reports the end of the call to them; nil if there are none.
func (s *service) observe(ctx context.Context, call Call) (_ context.Context, done func(CallInfo, error)) {
	if len(s.observers) == 0 || ctx == nil {
		return ctx, nil
	}
	var ends []func(CallInfo, error)
	for _, observe := range s.observers {
		observed, end := observe(ctx, call)
		if observed != nil {
			ctx = observed
		}
		if end != nil {
			ends = append(ends, end)
		}
	}
	return ctx, func(info CallInfo, err error) {
		for i := len(ends) - 1; i >= 0; i-- {
			ends[i](info, err)
		}
	}
}

func (s *service) report(info CallInfo, err error, into *CallInfo, done func(CallInfo, error)) {
	if into != nil {
		*into = info
	}
	if done != nil {
		done(info, err)
	}
}

const maxRequestID = 200 // bytes that are kept

func (s *service) info(res *engine.Result, key string) CallInfo {
	info := CallInfo{IdempotencyKey: key}
	if res == nil {
		return info
	}
	info.StatusCode, info.Header = res.StatusCode, res.Header
	for _, a := range res.Attempts {
		info.RequestID = s.clean(a.RequestID, maxRequestID)
		info.Attempts = append(info.Attempts, Attempt{a.StatusCode, a.Err, a.Waited, a.Took, info.RequestID})
	}
	return info
}

// clean removes the credential, which a server may echo, and control characters from a text.
func (s *service) clean(text string, maxLength int) string {
	return apierror.Clean(s.credential.Redact(text), maxLength)
}
