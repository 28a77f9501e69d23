package clicknps

import (
	"context"
	"net/http"
	"time"

	"github.com/clicknps/go-sdk/internal/engine"
	"github.com/clicknps/go-sdk/internal/ratelimit"
)

// Plan is the number of requests that a ClickNPS account may make. 0 means unlimited.
type Plan struct {
	Name      string
	PerMinute int
	PerHour   int
}

// The plans that ClickNPS sells.
var (
	PlanFree       = Plan{Name: "Free", PerMinute: 60, PerHour: 1_000}
	PlanPro        = Plan{Name: "Pro", PerMinute: 600, PerHour: 10_000}
	PlanEnterprise = Plan{Name: "Enterprise"}
)

// RateLimiter paces requests. Every attempt asks for room, repeats too.
// It must be safe for concurrent use.
type RateLimiter interface {
	// Acquire waits until there is room for one request, or until ctx ends.
	// release is called exactly once, when the answer is in or the attempt has failed.
	// An error that wraps ErrRateLimited says that the wait would be too long.
	Acquire(ctx context.Context) (release func(), err error)
}

// WithPlan paces ClickNPS calls so that this client alone never exceeds p, whether the server counts fixed or sliding
// windows. A wait that would outlive the context's deadline is refused at once, with [ErrRateLimited].
func WithPlan(p Plan) Option {
	return func(c *config) error {
		if p.PerMinute < 0 || p.PerHour < 0 {
			return invalidOption("WithPlan", "a number of requests must not be negative")
		}
		c.plan = &p
		return nil
	}
}

// WithReserve keeps the last requests of the plan's hour for interactive calls: walks by All and exports leave them alone.
// It needs [WithPlan]; requests must be below the plan's PerHour.
func WithReserve(requests int) Option {
	return func(c *config) error {
		if requests < 0 {
			return invalidOption("WithReserve", "the number of requests must not be negative")
		}
		c.reserve = requests
		return nil
	}
}

// Quota is what is left of one of a plan's limits.
type Quota struct {
	Window time.Duration // a minute or an hour
	Limit  int           // requests in any Window
	Left   int           // requests that could be made now
}

// Quotas returns what is left of the plan that [WithPlan] gave, as far as this client has used it. It is empty without
// a plan, or with one that is unlimited. It is safe for concurrent use.
func (c *Client) Quotas() []Quota {
	if c.limiter == nil {
		return nil
	}
	var quotas []Quota
	for _, budget := range c.limiter.Remaining() {
		quotas = append(quotas, Quota{Window: budget.Window, Limit: budget.Limit, Left: budget.Left})
	}
	return quotas
}

// EstimateWait returns how long it takes until as many more ClickNPS requests of a walk or an export can have been sent, behind all that
// wait already: so that a program can say "412 requests, 37 minutes" before it begins. It assumes that answers are
// prompt, and that nobody else uses the plan. It is 0 without a plan. It is safe for concurrent use.
func (c *Client) EstimateWait(requests int) time.Duration {
	if c.limiter == nil || requests <= 0 {
		return 0
	}
	return c.limiter.Estimate(ratelimit.Bulk, requests)
}

// WithRateLimiter paces ClickNPS calls with l, for example one quota for a whole fleet.
func WithRateLimiter(l RateLimiter) Option {
	return func(c *config) error {
		if l == nil {
			return invalidOption("WithRateLimiter", "the limiter is nil")
		}
		c.rateLimiter = l
		return nil
	}
}

// WithSalesOSRateLimiter paces SalesOS calls with l instead of by the X-RateLimit headers of its answers.
func WithSalesOSRateLimiter(l RateLimiter) Option {
	return func(c *config) error {
		if l == nil {
			return invalidOption("WithSalesOSRateLimiter", "the limiter is nil")
		}
		c.salesOSRateLimiter = l
		return nil
	}
}

// planLimiter is nil without a plan.
func (c *config) planLimiter() *ratelimit.Limiter {
	if c.plan == nil {
		return nil
	}
	return ratelimit.New(
		ratelimit.Rule{Limit: c.plan.PerMinute, Window: time.Minute},
		ratelimit.Rule{Limit: c.plan.PerHour, Window: time.Hour, Reserve: c.reserve},
	)
}

func (c *config) salesOSLimiter() engine.Limiter {
	if c.salesOSRateLimiter != nil {
		return paced{c.salesOSRateLimiter}
	}
	return new(ratelimit.HeaderPacer)
}

// paced is a RateLimiter for the engine: it does not care what the answer says.
type paced struct{ RateLimiter }

func (p paced) Acquire(ctx context.Context) (func(http.Header), error) {
	release, err := p.RateLimiter.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	if release == nil {
		return func(http.Header) {}, nil
	}
	return func(http.Header) { release() }, nil
}
