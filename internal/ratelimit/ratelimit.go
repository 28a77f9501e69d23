// Package ratelimit keeps requests within a server's quota, so that the server need not refuse
// any.
//
// [Plan] keeps a quota that is known beforehand. [Headers] learns the quota from the headers of
// the answers. Both serve waiting calls in the same order: interactive calls before bulk calls,
// and first come, first served.
package ratelimit

import (
	"context"
	"net/http"
	"time"
)

// Limiter grants permits, one for each attempt. It is safe for concurrent use.
type Limiter interface {
	// Acquire waits for a permit for one attempt of call, or until ctx ends; the error then wraps
	// ctx.Err and the cause. A wait that would be too long is not begun: the error is a
	// [*backoff.RefusedError]. release must be called once, with what came of the attempt. It is
	// not nil if err is nil.
	Acquire(ctx context.Context, call Call) (release func(Outcome), err error)

	// Quotas returns what is left of each quota, as far as it is known.
	Quotas(ctx context.Context) ([]Quota, error)
}

// Call describes the call that an attempt belongs to.
type Call struct {
	Service   string
	Operation string
	Method    string
	Route     string
	Attempt   int  // 1 for the first
	Bulk      bool // the call belongs to a batch; interactive calls go first
}

// Outcome says what came of an attempt.
type Outcome struct {
	Sent       bool        // false: nothing was sent, and the permit is unused
	StatusCode int         // 0: no answer came
	Header     http.Header // of the answer
}

// Quota is what is left of one quota.
type Quota struct {
	Window time.Duration
	Limit  int // requests in any Window
	Left   int // requests that could be sent now; never negative
}

// Unlimited is a [Limiter] that grants every permit at once.
type Unlimited struct{}

// Acquire implements [Limiter].
func (Unlimited) Acquire(context.Context, Call) (func(Outcome), error) { return func(Outcome) {}, nil }

// Quotas implements [Limiter]. There is none.
func (Unlimited) Quotas(context.Context) ([]Quota, error) { return nil, nil }
