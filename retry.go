package clicknps

import "time"

// RetryPolicy says how calls are retried. The zero value is the default.
//
// A request that was never sent, or was answered 429, is retried. So is one whose answer was lost,
// or was 408, 500, 502–504, 520–527, 529 or 530, except a POST to SalesOS, which may not be sent
// twice: it fails with [ErrOutcomeUnknown].
//
// A wait that the server asks for is kept and does not count against MaxRetries; a call keeps at
// most 32. After a 429 or 503, it pauses all calls of the client to that service, and one probe
// goes first when it ends. Any other wait is random, between MinBackoff and a bound that doubles
// up to MaxBackoff, and delays its own call only. A wait that would outlive the context's deadline
// is not begun: the call ends, with the wait that the server asked for in RetryAfter of the
// [*Error].
type RetryPolicy struct {
	MaxRetries     int           // retries after a failure; 0 means 4, -1 none, not even after a 429
	MinBackoff     time.Duration // shortest wait before a retry; 0 means 500 ms
	MaxBackoff     time.Duration // longest wait before a retry; 0 means 8 s
	MaxRetryAfter  time.Duration // longest wait that a server may ask for; 0 means 2 min
	AttemptTimeout time.Duration // of one attempt, not of the waits between; 0 means 30 s
	// Budget is the reserve of retries that all calls to a service share; 0 means 500, -1 no
	// bound. A retry takes one, except after a 429, and a success gives one back. An empty budget
	// is full again after a minute. It can't be set for one call.
	Budget int
}

var defaultRetryPolicy = RetryPolicy{
	MaxRetries:     4,
	MinBackoff:     500 * time.Millisecond,
	MaxBackoff:     8 * time.Second,
	MaxRetryAfter:  2 * time.Minute,
	AttemptTimeout: 30 * time.Second,
	Budget:         500,
}

// WithRetryPolicy sets how calls are retried. For one call, zero fields are as the client has
// them. If one backoff bound is given, the other is adjusted so that MinBackoff <= MaxBackoff.
func WithRetryPolicy(p RetryPolicy) SharedOption {
	return sharedOption(func(s *callSettings) error {
		if err := p.validate(); err != nil {
			return err
		}
		if p.Budget != 0 && s.ofCall {
			return invalid("Budget",
				"WithRetryPolicy: Budget is the client's, and can't be set for one call")
		}
		policy := p.over(*s.policy)
		s.policy = &policy
		return nil
	})
}

func (p RetryPolicy) validate() error {
	switch {
	case p.MaxRetries < -1:
		return invalid("MaxRetries", "WithRetryPolicy: MaxRetries must not be below -1")
	case p.Budget < -1:
		return invalid("Budget", "WithRetryPolicy: Budget must not be below -1")
	case min(p.MinBackoff, p.MaxBackoff, p.MaxRetryAfter, p.AttemptTimeout) < 0:
		return invalid("RetryPolicy", "WithRetryPolicy: a duration must not be negative")
	case p.MaxBackoff != 0 && p.MinBackoff > p.MaxBackoff:
		return invalid("MinBackoff", "WithRetryPolicy: MinBackoff must not be above MaxBackoff")
	}
	return nil
}

// over returns base with the fields that p sets.
func (p RetryPolicy) over(base RetryPolicy) RetryPolicy {
	set(&base.MaxRetries, p.MaxRetries)
	set(&base.MaxRetryAfter, p.MaxRetryAfter)
	set(&base.AttemptTimeout, p.AttemptTimeout)
	set(&base.Budget, p.Budget)
	if p.MinBackoff != 0 {
		base.MinBackoff, base.MaxBackoff = p.MinBackoff, max(base.MaxBackoff, p.MinBackoff)
	}
	if p.MaxBackoff != 0 {
		base.MaxBackoff = p.MaxBackoff
		if p.MinBackoff == 0 {
			base.MinBackoff = min(base.MinBackoff, p.MaxBackoff/2)
		}
	}
	return base
}

func set[T comparable](setting *T, value T) {
	var unset T
	if value != unset {
		*setting = value
	}
}
