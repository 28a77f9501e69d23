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

// Advance moves the fake's time forward by d; a d below 0 counts as 0. It makes all webhook
// deliveries that fall due on the way, each at its time and with all retries that fall due too,
// before it returns. So Advance(0) waits for the deliveries that are due now. Do not call it from
// the receiver of a delivery.
//
// A client's own waits are in the client's time, which Advance does not change: use
// [testing/synctest] for them.
func (s *Server) Advance(d time.Duration) {
	s.delivering <- struct{}{}
	defer func() { <-s.delivering }()

	s.mu.Lock()
	goal := s.offset + max(d, 0)
	s.mu.Unlock()
	for batch := s.nextBatch(goal); len(batch) > 0; batch = s.nextBatch(goal) {
		s.deliver(batch)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset = max(s.offset, goal)
	s.arm()
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	if d > 0 {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}
