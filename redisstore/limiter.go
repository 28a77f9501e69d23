package redisstore

import (
	"container/list"
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	clicknps "github.com/clicknps/go-sdk"
)

const (
	// margin is added to every window. It covers Redis' clock being told in milliseconds, a server that counts both ends
	// of its window, and one whose clock runs a little slower than Redis' (7 ppm, over an hour).
	margin = 25 * time.Millisecond
	// hold is how long a slot is kept that nobody uses.
	hold = 500 * time.Millisecond
	// patience is how long an answer of Redis is waited for.
	patience = 2 * time.Second

	defaultAttemptTimeout = 30 * time.Second
)

// rule allows at most limit requests in any window.
type rule struct {
	limit  int
	window time.Duration
}

// Limiter is a [clicknps.RateLimiter] for any number of processes that share one quota. See the package's comment for
// what it promises. It is safe for concurrent use, and has no goroutine or timer while it is idle.
type Limiter struct {
	client         redis.UniversalClient
	key            string
	process        string // begins the names of this process' slots
	rules          []rule // the shortest window first
	reserve        int    // of the longest window, for interactive requests only
	away           Away
	attemptTimeout time.Duration

	mu       sync.Mutex
	line     line
	spare    []slot               // leased, and not used yet
	answered map[string]time.Time // slots that Redis is to be told of: when they were answered, or will have been
	unused   []string             // slots that Redis is to take back
	leased   int                  // slots that Redis has granted so far
	alone    int                  // slots taken of a share so far
	handed   int                  // slots handed out since Redis was last asked for some
	visit    *visit               // under way, or nil
	askedAt  time.Time            // when Redis was last asked for slots
	askAt    time.Time            // when to ask Redis for slots again, if somebody waits; zero: that visit is under way
	tellAt   time.Time            // when to tell Redis, if there is something to tell
	retryAt  time.Time            // not before this time, after a failure
	reading  *reading             // asked for, or nil
	known    usage                // of the whole fleet
	witness  *witness
	share    *share // nil: Redis is there
	alarm    *time.Timer
}

// slot is the right to make one request.
type slot struct {
	id        string
	grantedAt int64 // by Redis' clock, in milliseconds
	useBy     time.Time
	reserved  bool   // not for a bulk request
	share     *share // that it was taken of; nil: it was leased of Redis
}

// waiter is a call of Acquire.
type waiter struct {
	lane     lane
	done     chan struct{} // closed when slot or err is set
	place    *list.Element // in line; nil: it has left
	deadline time.Time     // zero: none, or it is known that the wait can end before it
	slot     slot
	err      error
}

// Option configures a [Limiter].
type Option func(*Limiter) error

// WhenAway sets what happens while Redis does not answer: [Stop], which is the default, or [FairShare].
func WhenAway(a Away) Option {
	return func(l *Limiter) error {
		l.away = a
		return nil
	}
}

// WithAttemptTimeout sets the longest time from Acquire to release: the clients' AttemptTimeout in
// [clicknps.RetryPolicy], or more. The default is 30 seconds, as it is there. A slot whose process dies counts as
// answered after this time and two and a half seconds. A duration that is not positive is [clicknps.ErrInvalidParams].
func WithAttemptTimeout(d time.Duration) Option {
	return func(l *Limiter) error {
		if d <= 0 {
			return invalid("WithAttemptTimeout", "must be positive")
		}
		l.attemptTimeout = d
		return nil
	}
}

// WithReserve keeps the last requests of the plan's hour for interactive requests: those that are bulk ([clicknps.IsBulk])
// leave them alone. Every process should have the same reserve; one that has less lets its bulk requests take of it. Of a
// [FairShare], each process keeps its part of the reserve, rounded up. The requests must be below the plan's PerHour, and
// not negative, or it is [clicknps.ErrInvalidParams].
func WithReserve(requests int) Option {
	return func(l *Limiter) error {
		if requests < 0 {
			return invalid("WithReserve", "the number of requests must not be negative")
		}
		l.reserve = requests
		return nil
	}
}

// NewLimiter returns a limiter of all processes that have the same Redis, key and plan. The key names the quota, for
// example by the account: each account's requests have a limiter of their own. Redis is not asked before the
// limiter is used.
//
// An empty key, no client, a negative plan, or a fair share of less than one request is [clicknps.ErrInvalidParams].
func NewLimiter(client redis.UniversalClient, key string, plan clicknps.Plan, opts ...Option) (*Limiter, error) {
	if plan.PerMinute < 0 || plan.PerHour < 0 {
		return nil, invalid("NewLimiter", "a number of requests must not be negative")
	}
	return newLimiter(client, key, []rule{{plan.PerMinute, time.Minute}, {plan.PerHour, time.Hour}}, opts...)
}

func newLimiter(client redis.UniversalClient, key string, rules []rule, opts ...Option) (*Limiter, error) {
	if client == nil || key == "" {
		return nil, invalid("NewLimiter", "needs a client and a key")
	}
	l := &Limiter{
		client:         client,
		key:            "{" + key + "}:slots",
		process:        rand.Text(),
		attemptTimeout: defaultAttemptTimeout,
		answered:       make(map[string]time.Time),
		known:          usage{at: time.Now()},
	}
	for _, r := range rules {
		if r.limit > 0 {
			l.rules = append(l.rules, r)
		}
	}
	for _, opt := range opts {
		if opt == nil {
			return nil, invalid("NewLimiter", "an option is nil")
		}
		if err := opt(l); err != nil {
			return nil, err
		}
	}
	if l.reserve > 0 && l.reserve >= rules[len(rules)-1].limit {
		return nil, invalid("WithReserve", "the reserve must be below the plan's requests in an hour")
	}
	for _, r := range l.rules {
		if r.limit < l.away.processes {
			return nil, invalid("FairShare", "the plan has less than one request for each process")
		}
	}
	return l, nil
}

func invalid(what, problem string) error {
	return fmt.Errorf("redisstore: %w: %s: %s", clicknps.ErrInvalidParams, what, problem)
}

// Acquire waits until one request may be sent, or until ctx ends; it then returns the [context.Cause]. In one process,
// those that are not bulk ([clicknps.IsBulk]) go before all that are, and else first come is first served; among processes
// it is chance. A wait that can't end before the deadline of ctx is refused as soon as Redis has said so: the error is
// [clicknps.ErrRateLimited] and [context.DeadlineExceeded], and a [*clicknps.Error] whose RetryAfter is the shortest wait
// that was possible. With [Stop], Redis' own error is returned while it does not answer.
//
// release must be called when the answer has come, or when there is none to come. It does not wait for Redis. Further
// calls do nothing.
func (l *Limiter) Acquire(ctx context.Context) (release func(), err error) {
	if ctx.Err() != nil {
		return nil, gaveUp(ctx)
	}
	if len(l.rules) == 0 {
		return func() {}, nil
	}
	w := l.enter(ctx)
	select {
	case <-w.done:
	case <-ctx.Done():
		l.leave(w)
		return nil, gaveUp(ctx)
	}
	if w.err != nil {
		return nil, w.err
	}
	return sync.OnceFunc(func() { l.answer(w.slot) }), nil
}

// Flush tells Redis now what it would be told within a tenth of a second: which requests were answered, and which slots
// are not needed. A program calls it before it ends, or its last requests count as if their answers had taken as long
// as they can. It returns Redis' error, or the [context.Cause].
func (l *Limiter) Flush(ctx context.Context) error {
	for {
		v, mine := l.flush()
		if v == nil {
			return nil
		}
		select {
		case <-v.done:
		case <-ctx.Done():
			return gaveUp(ctx)
		}
		if mine {
			return v.err
		}
	}
}

// flush begins a visit. If one is under way it returns that one, and nil if there is no need for any.
func (l *Limiter) flush() (v *visit, mine bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.visit != nil {
		return l.visit, false
	}
	for _, s := range l.spare {
		l.giveBack(s.id)
	}
	l.spare = nil
	if len(l.answered)+len(l.unused) == 0 {
		return nil, false
	}
	return l.begin(time.Now()), true
}

func gaveUp(ctx context.Context) error {
	return fmt.Errorf("redisstore: waiting for the rate limit: %w", context.Cause(ctx))
}

// refused is a wait that can't end before its deadline.
func refused(wait time.Duration) error {
	return fmt.Errorf("redisstore: %w: %w", context.DeadlineExceeded, &clicknps.Error{
		Type:       clicknps.ErrorTypeRateLimitExceeded,
		Message:    fmt.Sprintf("a wait of %v would outlive the deadline", wait),
		RetryAfter: wait,
	})
}
