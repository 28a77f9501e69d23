package clicknps

import (
	"context"
	"net/http"
	"time"

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

// IsBulk reports whether a request is one of many: of a walk by All, an export, or a call [WithBulk]. It is for a
// [RateLimiter], which gets the request's context; others should go first.
func IsBulk(ctx context.Context) bool { return ratelimit.LaneOf(ctx) == ratelimit.Bulk }

// RateLimiter paces requests. Every attempt asks for room, repeats too.
// It must be safe for concurrent use.
type RateLimiter interface {
	// Acquire waits until there is room for one request, or until ctx ends. [IsBulk] says who should go first.
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

// WithReserve keeps the last requests of the plan's hour for interactive calls: walks by All and calls [WithBulk] leave them alone.
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

// Quota is what is left of one limit.
type Quota struct {
	Window time.Duration
	Limit  int // requests in any Window
	Left   int // requests that could be made now
}

// quota keeps a service's requests within its limits.
type quota interface {
	Remaining() []ratelimit.Budget
	Estimate(lane ratelimit.Lane, requests int) time.Duration
}

// Quotas returns what is left of the plan that [WithPlan] gave, as far as this client has used it: of a minute, and of an
// hour. It is empty without a plan, or with one that is unlimited; a [RateLimiter] may tell of its own. It is safe for
// concurrent use.
func (c *Client) Quotas() []Quota { return c.Surveys.api.quotas() }

// EstimateWait returns how long it takes until as many more ClickNPS requests of a walk by All, or [WithBulk], can have
// been sent, behind all that wait already: so that a program can say "412 requests, 37 minutes" before it begins. It
// assumes that answers are prompt, and that nobody else uses the plan. It is 0 without a plan. It takes time and memory in
// proportion to requests, and is safe for concurrent use.
func (c *Client) EstimateWait(requests int) time.Duration {
	return c.Surveys.api.estimateWait(requests)
}

// Quotas returns what is left of the minute, as far as SalesOS' latest answers told. It is empty before the first
// answer, and with [WithSalesOSRateLimiter]. It is safe for concurrent use.
func (s *NPSService) Quotas() []Quota { return s.api.quotas() }

// EstimateWait returns how long it takes until as many more SalesOS requests can have been sent, like
// [Client.EstimateWait]. It is 0 while there are no Quotas. It is safe for concurrent use.
func (s *NPSService) EstimateWait(requests int) time.Duration { return s.api.estimateWait(requests) }

func (s *service) quotas() []Quota {
	if s.quota == nil {
		return nil
	}
	var quotas []Quota
	for _, b := range s.quota.Remaining() {
		quotas = append(quotas, Quota{Window: b.Window, Limit: b.Limit, Left: b.Left})
	}
	return quotas
}

func (s *service) estimateWait(requests int) time.Duration {
	if s.quota == nil {
		return 0
	}
	return s.quota.Estimate(ratelimit.Bulk, requests)
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

func (p Plan) limiter(reserve int) *ratelimit.Limiter {
	return ratelimit.New(
		ratelimit.Rule{Limit: p.PerMinute, Window: time.Minute},
		ratelimit.Rule{Limit: p.PerHour, Window: time.Hour, Reserve: reserve},
	)
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
