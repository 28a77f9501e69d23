package clicknps

import (
	"time"

	"github.com/clicknps/go-sdk/internal/engine"
)

// RetryPolicy says how often and how long a call is repeated. The zero value is the default.
//
// What is repeated: a request that was never sent, and a 429, always; a request whose answer was lost, and a 500, 502,
// 503, 504 or 408, if it can be made twice safely. That is everything but a POST to SalesOS, which knows no idempotency
// keys: its outcome is then [ErrOutcomeUnknown].
type RetryPolicy struct {
	MaxRetries     int           // repeats after a failure; 0 means 4, -1 none. A wait that the server asked for does not count
	MinBackoff     time.Duration // shortest wait before a repeat; 0 means 500 ms
	MaxBackoff     time.Duration // longest wait before a repeat; 0 means 8 s
	MaxRetryAfter  time.Duration // longest wait that a server may ask for; 0 means 2 min. A longer one ends the call
	AttemptTimeout time.Duration // of one attempt, not of the waits between; 0 means 30 s
}

var defaultRetryPolicy = engine.Policy{
	MaxRetries:     4,
	MinBackoff:     500 * time.Millisecond,
	MaxBackoff:     8 * time.Second,
	MaxRetryAfter:  2 * time.Minute,
	AttemptTimeout: 30 * time.Second,
}

// WithRetryPolicy sets how calls are repeated. A bound that is given draws a default along that would contradict it.
func WithRetryPolicy(p RetryPolicy) Option {
	return func(c *config) error {
		if p.MaxRetries < -1 {
			return invalidOption("WithRetryPolicy", "MaxRetries must not be below -1")
		}
		if min(p.MinBackoff, p.MaxBackoff, p.MaxRetryAfter, p.AttemptTimeout) < 0 {
			return invalidOption("WithRetryPolicy", "a duration must not be negative")
		}
		if p.MaxBackoff != 0 && p.MinBackoff > p.MaxBackoff {
			return invalidOption("WithRetryPolicy", "MinBackoff must not be above MaxBackoff")
		}
		c.policy = defaultRetryPolicy
		override(&c.policy.MaxRetries, p.MaxRetries)
		override(&c.policy.MaxRetryAfter, p.MaxRetryAfter)
		override(&c.policy.AttemptTimeout, p.AttemptTimeout)
		c.policy.MaxBackoff = max(c.policy.MaxBackoff, p.MinBackoff)
		override(&c.policy.MaxBackoff, p.MaxBackoff)
		c.policy.MinBackoff = min(c.policy.MinBackoff, c.policy.MaxBackoff/2)
		override(&c.policy.MinBackoff, p.MinBackoff)
		return nil
	}
}

func override[T comparable](setting *T, value T) {
	var unset T
	if value != unset {
		*setting = value
	}
}
