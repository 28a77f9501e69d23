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

func (c *config) limiter() engine.Limiter {
	switch {
	case c.rateLimiter != nil:
		return paced{c.rateLimiter}
	case c.plan != nil:
		return paced{ratelimit.New(
			ratelimit.Rule{Limit: c.plan.PerMinute, Window: time.Minute},
			ratelimit.Rule{Limit: c.plan.PerHour, Window: time.Hour},
		)}
	}
	return nil
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
	return func(http.Header) { release() }, nil
}
