package clicknpstest

import (
	"time"

	"github.com/clicknps/go-sdk"
)

// Option configures a [Server].
type Option func(*config)

type config struct {
	plan         clicknps.Plan
	salesOSLimit int
	throttler    string // suffix of the X-RateLimit headers
	pageSize     int    // of SalesOS lists; 0: they are not paged
	latency      time.Duration
	key          string
	seed         uint64
	order        Order
	maxLimit     int
}

// WithPlan sets the quota of the ClickNPS account; the default is [clicknps.PlanEnterprise]. Minute
// and hour are fixed windows that begin with their first request. Refused requests count, too.
func WithPlan(p clicknps.Plan) Option { return func(c *config) { c.plan = p } }

// WithSalesOSLimit sets how many requests a minute SalesOS allows each user and each API key.
// The default is 100, as documented; 0 means no limit and no X-RateLimit-* headers.
func WithSalesOSLimit(perMinute int) Option { return func(c *config) { c.salesOSLimit = perMinute } }

// WithSalesOSThrottler gives the X-RateLimit headers and Retry-After of SalesOS a suffix, such as
// "medium", and lets X-RateLimit-Reset-<name> count seconds from now. The server's source does so.
func WithSalesOSThrottler(name string) Option { return func(c *config) { c.throttler = name } }

// WithSalesOSPaging lets the lists of SalesOS page, as other lists of that service do: by the query
// parameters page, from 1, and limit, at most 100, with the total in X-Total-Count. Without a limit, a
// page has that many items. By default the lists are whole.
func WithSalesOSPaging(items int) Option { return func(c *config) { c.pageSize = max(items, 1) } }

// WithLatency delays every request by d before it is handled.
func WithLatency(d time.Duration) Option { return func(c *config) { c.latency = d } }

// WithKey sets the ClickNPS API key. The default is a test-mode key, sk_test_….
func WithKey(key string) Option { return func(c *config) { c.key = key } }

// WithSeed sets the seed of generated ids and of [Fault.Probability]. The default is the test's
// name with [Run], and 1 with [New]: two runs with the same requests in the same order give the
// same ids.
func WithSeed(seed uint64) Option { return func(c *config) { c.seed = seed } }

// Order is the order of the ClickNPS lists.
type Order int

// The orders of lists.
const (
	OldestFirst Order = iota // by creation; the default
	NewestFirst              // by creation, backwards
	ByName                   // surveys by name, responses by subject, webhooks by URL; equals by creation
)

// WithOrder sets the order of the ClickNPS lists.
func WithOrder(o Order) Option { return func(c *config) { c.order = o } }

// WithMaxLimit caps the page size of the ClickNPS lists without an error, as many servers do. It
// is at least 1. The default is 100.
func WithMaxLimit(items int) Option { return func(c *config) { c.maxLimit = max(items, 1) } }
