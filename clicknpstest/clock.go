package clicknpstest

import (
	"context"
	"time"
)

// now is the fake's time. The caller holds s.mu.
func (s *Server) now() time.Time { return time.Now().Add(s.offset) }

// instant is now as a service stores it: UTC, in milliseconds. The caller holds s.mu.
func (s *Server) instant() time.Time { return stored(s.now()) }

func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// Advance moves the fake's time on by d; a d below 0 counts as 0. Webhook deliveries that fall due on the way
// are made one after the other, each at its time, with all repeats that fall due too, before Advance returns.
// So Advance(0) waits for the deliveries that are due now. Don't call it from the receiver of a delivery.
func (s *Server) Advance(d time.Duration) {
	s.delivering <- struct{}{}
	defer func() { <-s.delivering }()

	s.mu.Lock()
	goal := s.offset + max(d, 0)
	s.mu.Unlock()
	for {
		a, hook, ok := s.nextAttempt(goal)
		if !ok {
			break
		}
		s.deliver(a, hook)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset = goal
	s.arm()
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
