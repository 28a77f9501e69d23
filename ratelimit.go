package clicknps

import "context"

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
	Acquire(ctx context.Context) (release func(), err error)
}
