package clicknps

import (
	"context"
	"net/http"
	"time"

	"github.com/clicknps/go-sdk/internal/engine"
	"github.com/clicknps/go-sdk/internal/ratelimit"
)

// Plan is the number of requests that a ClickNPS account may make. 0 means unlimited.
type Plan struct{ PerMinute, PerHour int }

// The plans that ClickNPS sells.
var (
	PlanFree       = Plan{PerMinute: 60, PerHour: 1_000}
	PlanPro        = Plan{PerMinute: 600, PerHour: 10_000}
	PlanEnterprise = Plan{}
)

// RateLimiter paces attempts, including retries. It must be safe for concurrent use. It may also
// have a method Quotas(context.Context) ([]Quota, error), which [Client.Quotas] calls.
// clicknpstest.TestRateLimiter tests an implementation.
type RateLimiter interface {
	// Acquire waits for a permit for one attempt of call, or until ctx ends. Bulk calls should
	// give way to others. release is called once, with what came of the attempt. An error ends the
	// call. If the wait would be too long, wrap [ErrRateLimited], best in an [*Error] with
	// RetryAfter.
	Acquire(ctx context.Context, call Call) (release func(RateOutcome), err error)
}

// RateOutcome says what came of an attempt that a [RateLimiter] permitted.
type RateOutcome struct {
	Sent       bool        // false: nothing was sent, and the permit was not used
	StatusCode int         // of the answer; 0: there was none
	Header     http.Header // of the answer
}

// Quota is what is left of one limit.
type Quota struct {
	Window time.Duration
	Limit  int // requests in any Window
	Left   int // requests that could be made now
}

// WithPlan paces ClickNPS calls so that this client alone never exceeds p, whether the server
// counts fixed or sliding windows. A wait that would outlive the context's deadline fails at once
// with [ErrRateLimited].
func WithPlan(p Plan) Option {
	return option(func(c *config) error {
		if p.PerMinute < 0 || p.PerHour < 0 {
			return invalidOption("WithPlan", "a number of requests must not be negative")
		}
		c.plan = &p
		return nil
	})
}

// WithReserve keeps the last requests of the plan's hour for interactive calls: see [WithBulk]. It
// needs [WithPlan]; requests must be below PerHour.
func WithReserve(requests int) Option {
	return option(func(c *config) error {
		if requests < 0 {
			return invalidOption("WithReserve", "the number of requests must not be negative")
		}
		c.reserve = requests
		return nil
	})
}

// WithRateLimiter paces ClickNPS calls with l, such as one quota for a fleet. It excludes
// [WithPlan].
func WithRateLimiter(l RateLimiter) Option {
	return option(func(c *config) error {
		if l == nil {
			return invalidOption("WithRateLimiter", "the limiter is nil")
		}
		c.rateLimiter = l
		return nil
	})
}

// WithSalesOSRateLimiter paces SalesOS calls with l instead of by the X-RateLimit headers.
func WithSalesOSRateLimiter(l RateLimiter) Option {
	return option(func(c *config) error {
		if l == nil {
			return invalidOption("WithSalesOSRateLimiter", "the limiter is nil")
		}
		c.salesOSRateLimiter = l
		return nil
	})
}

// Quotas returns what this client has left of each limit of [WithPlan], or what the limiter of
// [WithRateLimiter] returns. It is empty if nothing is known.
func (c *Client) Quotas(ctx context.Context) ([]Quota, error) { return c.api.quotas(ctx) }

// Quotas returns what is left of the minute according to the latest answers, or what the limiter
// of [WithSalesOSRateLimiter] returns. It is empty before the first answer.
func (s *SalesOS) Quotas(ctx context.Context) ([]Quota, error) { return s.api.quotas(ctx) }

func (s *service) quotas(ctx context.Context) ([]Quota, error) {
	known, err := s.limiter.Quotas(ctx)
	var quotas []Quota
	for _, q := range known {
		quotas = append(quotas, Quota(q))
	}
	return quotas, err
}

func (c *config) clickNPSLimiter() ratelimit.Limiter {
	if c.rateLimiter != nil {
		return userLimiter{c.rateLimiter}
	}
	plan := valueOf(c.plan)
	if plan == PlanEnterprise {
		return ratelimit.Unlimited{}
	}
	return ratelimit.NewPlan(plan.PerMinute, plan.PerHour, c.reserve)
}

func (c *config) salesOSLimiter() ratelimit.Limiter {
	if c.salesOSRateLimiter != nil {
		return userLimiter{c.salesOSRateLimiter}
	}
	return ratelimit.NewHeaders(time.Minute, c.defaults.policy.MaxRetryAfter)
}

// userLimiter adapts a RateLimiter to the engine.
type userLimiter struct{ l RateLimiter }

// Acquire returns when ctx ends, even if the user's limiter does not, and so does release.
func (u userLimiter) Acquire(ctx context.Context, call ratelimit.Call) (func(ratelimit.Outcome), error) {
	release, err := engine.Within(ctx,
		func() (func(RateOutcome), error) { return u.l.Acquire(ctx, Call(call)) },
		func(release func(RateOutcome)) { giveBack(release, RateOutcome{}) })
	if err != nil {
		return nil, err
	}
	return func(o ratelimit.Outcome) {
		_, _ = engine.Within(ctx, func() (struct{}, error) { //nolint:errcheck // release tells nothing
			giveBack(release, RateOutcome(o))
			return struct{}{}, nil
		}, func(struct{}) {})
	}, nil
}

func giveBack(release func(RateOutcome), o RateOutcome) {
	if release != nil {
		release(o)
	}
}

func (u userLimiter) Quotas(ctx context.Context) (quotas []ratelimit.Quota, err error) {
	teller, ok := u.l.(interface {
		Quotas(ctx context.Context) ([]Quota, error)
	})
	if !ok {
		return nil, nil
	}
	known, err := teller.Quotas(ctx)
	for _, q := range known {
		quotas = append(quotas, ratelimit.Quota(q))
	}
	return quotas, err
}
