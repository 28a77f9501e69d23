package redisstore

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	clicknps "github.com/clicknps/go-sdk"
)

const (
	// margin is added to every window. It covers Redis' clock being read in milliseconds, a server that
	// counts both ends of its window, and one whose clock is a little slower (7 ppm, over an hour).
	margin    = 25 * time.Millisecond
	patience  = 2 * time.Second        // with an answer of Redis
	slack     = patience + time.Second // of a lease, beyond the attempt: its grant may be under way so long
	lookAgain = time.Second            // while somebody waits (others may give permits back), or after a failure
	spread    = 10 * time.Millisecond  // between processes that wait for the same permit
)

// rule allows at most limit requests in any window.
type rule struct {
	limit  int
	window time.Duration
}

// Limiter is a [clicknps.RateLimiter] for all processes that share one quota. The package comment
// says what it promises. It is safe for concurrent use, and idle while nobody calls and Redis answers.
type Limiter struct {
	client  redis.UniversalClient
	keys    []string // of the permits and of the grants
	process string   // begins the ids of this process' permits
	rules   []rule   // the shortest window first; windows include the margin
	reserve int      // permits of the longest window, for interactive calls only
	away    Away
	lease   time.Duration
	turn    map[bool]chan struct{} // by Call.Bulk; full while a waiting call asks for the others
	permits atomic.Uint64          // asked for so far

	mu      sync.Mutex
	last    int64     // when Redis last granted one, in milliseconds of its clock
	used    int64     // permits of all processes in the longest window, at usedAt
	usedAt  time.Time // when Redis last answered
	failure error     // of Redis, at failed
	failed  time.Time
	share   *share         // nil: Redis answers
	untold  map[string]any // of permits: how long ago they were answered, as releaseScript takes it
}

// Option configures a [Limiter].
type Option func(*Limiter)

// WhenAway sets what happens while Redis does not answer: [Stop], which is the default, or
// [FairShare].
func WhenAway(a Away) Option { return func(l *Limiter) { l.away = a } }

// WithAttemptTimeout sets the longest time from Acquire to release, which must be positive: the
// clients' AttemptTimeout in [clicknps.RetryPolicy], or more. The default is 30 seconds, as it is
// there. The permits of a process that dies count as answered after this time and three seconds.
func WithAttemptTimeout(d time.Duration) Option { return func(l *Limiter) { l.lease = d + slack } }

// WithReserve keeps the last requests of the plan's hour, which must be fewer than PerHour, for
// interactive calls: bulk calls never take them. Give every process the same reserve. With
// [FairShare], each process keeps its part of the reserve, rounded up.
func WithReserve(requests int) Option { return func(l *Limiter) { l.reserve = requests } }

// NewLimiter returns a limiter for all processes that use the same Redis, key and plan. The key
// names the quota, for example by its account: each account needs limiters of its own. NewLimiter
// does not ask Redis.
//
// The error is [clicknps.ErrInvalidParams] if client or an option is nil, key is empty or begins
// with "}", the plan is negative, [FairShare] leaves a process less than one request, or an
// option is out of range.
func NewLimiter(
	client redis.UniversalClient, key string, plan clicknps.Plan, opts ...Option,
) (*Limiter, error) {
	return newLimiter(client, key, []rule{{plan.PerMinute, time.Minute}, {plan.PerHour, time.Hour}}, opts...)
}

func newLimiter(client redis.UniversalClient, key string, rules []rule, opts ...Option) (*Limiter, error) {
	if client == nil || key == "" || strings.HasPrefix(key, "}") {
		return nil, invalid("NewLimiter", "needs a client, and a key that does not begin with }")
	}
	l := &Limiter{
		client: client,
		keys:   []string{"{" + key + "}:permits", "{" + key + "}:grants"},
		lease:  30*time.Second + slack,
		turn:   map[bool]chan struct{}{false: make(chan struct{}, 1), true: make(chan struct{}, 1)},
		usedAt: time.Now(),
		untold: make(map[string]any),
	}
	for _, opt := range opts {
		if opt == nil {
			return nil, invalid("NewLimiter", "an option is nil")
		}
		opt(l)
	}
	for _, r := range rules {
		switch {
		case r.limit < 0:
			return nil, invalid("NewLimiter", "a number of requests must not be negative")
		case r.limit > 0 && r.limit < l.away.processes:
			return nil, invalid("FairShare", "the plan has less than one request for each process")
		case r.limit > 0:
			l.rules = append(l.rules, rule{r.limit, r.window + margin})
		}
	}
	if l.lease <= slack {
		return nil, invalid("WithAttemptTimeout", "must be positive")
	} else if l.reserve < 0 || l.reserve > 0 && l.reserve >= rules[len(rules)-1].limit {
		return nil, invalid("WithReserve", "must be below the plan's requests in an hour, and not negative")
	}
	l.process = fmt.Sprintf("%s-%d", rand.Text(), l.lease.Milliseconds())
	return l, nil
}

func invalid(what, problem string) error {
	return fmt.Errorf("redisstore: %w: %s: %s", clicknps.ErrInvalidParams, what, problem)
}

// Acquire waits until one request may be sent, or until ctx ends. Calls are served in no certain
// order, but a bulk call looks for the next permit a little later than interactive calls of all
// processes do.
//
// If the wait can't end before the deadline of ctx, Acquire returns as soon as Redis has said so.
// The error is [clicknps.ErrRateLimited], [context.DeadlineExceeded], and a [*clicknps.Error] whose
// RetryAfter is the shortest possible wait. If ctx ends, the error wraps ctx.Err and
// [context.Cause]. With [Stop], the error is Redis' own while Redis does not answer.
//
// release must be called when the answer has come, or when none will come. It does not wait for
// Redis. Further calls do nothing.
func (l *Limiter) Acquire(
	ctx context.Context, call clicknps.Call,
) (release func(clicknps.RateOutcome), err error) {
	if ctx.Err() != nil {
		return nil, ended(ctx)
	}
	if len(l.rules) == 0 {
		return func(clicknps.RateOutcome) {}, nil
	}
	id, kept, late := fmt.Sprintf("%s:%d", l.process, l.permits.Add(1)), 0, time.Duration(0)
	if call.Bulk {
		kept, late = l.reserve, spread
	}
	for first := true; ; first = false {
		wait, err := l.try(ctx, id, kept, first)
		if err != nil {
			return nil, err
		}
		if wait <= 0 {
			var once sync.Once
			return func(o clicknps.RateOutcome) { once.Do(func() { l.release(id, o.Sent) }) }, nil
		}
		if deadline, ok := ctx.Deadline(); ok && time.Now().Add(wait).After(deadline) {
			return nil, fmt.Errorf("redisstore: %w: %w", context.DeadlineExceeded, &clicknps.Error{
				Type: clicknps.ErrorTypeRateLimitExceeded, RetryAfter: wait,
				Message: fmt.Sprintf("a wait of %v would outlive the deadline", wait),
			})
		}
		turn, pause := l.turn[call.Bulk], (<-chan time.Time)(nil) // one of all waiting calls goes on to ask
		if !first {
			turn, pause = nil, time.After(min(wait, lookAgain)+late+mathrand.N(spread))
		}
		select {
		case turn <- struct{}{}:
			defer func() { <-l.turn[call.Bulk] }()
		case <-pause:
		case <-ctx.Done():
			return nil, ended(ctx)
		}
	}
}

// Quotas asks Redis what is left of each window of the plan, the shortest first. The requests of
// all processes count. The result is empty for an unlimited plan. Quotas returns Redis' error
// while Redis does not answer, whatever [WhenAway] says. If ctx ends, the error wraps ctx.Err and
// [context.Cause].
func (l *Limiter) Quotas(ctx context.Context) ([]clicknps.Quota, error) {
	if len(l.rules) == 0 {
		return nil, nil
	}
	_, left, err := l.ask(ctx, "", 0)
	if err != nil {
		return nil, err
	}
	quotas := make([]clicknps.Quota, len(l.rules))
	for i, r := range l.rules {
		quotas[i] = clicknps.Quota{Window: r.window - margin, Limit: r.limit, Left: max(0, int(left[i]))}
	}
	return quotas, nil
}

// ended describes a wait that the end of ctx has ended.
func ended(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != ctx.Err() {
		return fmt.Errorf("redisstore: waiting for the rate limit: %w: %w", ctx.Err(), cause)
	}
	return fmt.Errorf("redisstore: waiting for the rate limit: %w", ctx.Err())
}
