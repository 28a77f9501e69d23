package webhook

import (
	"context"
	"sync"
	"time"
)

// ClaimResult is the answer of [Deduper.Claim].
type ClaimResult int

// The answers of [Deduper.Claim]. Any other counts as a failure of the Deduper.
const (
	_            ClaimResult = iota
	ClaimGranted             // the holder may handle the event
	ClaimHeld                // another holder is handling the event
	ClaimDone                // the event has been handled
)

// Deduper remembers which events are being handled and which have been, by [Event.Key].
//
// A claim belongs to its holder, whose name is random and stands for one delivery in one process.
// It ends when it is completed or released, or when its lease has passed. So a process that dies
// with a claim loses nothing: a later delivery of the event is granted it.
//
// Each method must be atomic and safe for concurrent use. A [Verifier] waits 5 seconds for a call
// and then abandons it, even if it ignores its context. Keys are unique within one account only.
type Deduper interface {
	// Claim claims key for holder. The claim ends after lease, which is at least a millisecond,
	// unless it is extended. If holder has the claim already, Claim extends it to lease from now.
	Claim(ctx context.Context, key, holder string, lease time.Duration) (ClaimResult, error)
	// Complete records that the event has been handled. Claim returns ClaimDone until ttl has
	// passed. Complete has no effect if another holder has the claim now.
	Complete(ctx context.Context, key, holder string, ttl time.Duration) error
	// Release ends the claim after a failure, so that the next delivery is granted it. Release has
	// no effect if another holder has the claim now, or if the event has been handled.
	Release(ctx context.Context, key, holder string) error
}

// memoryCapacity bounds a verifier's own memory of handled events to about 30 MiB.
const memoryCapacity = 100_000

// memoryDeduper is the default [Deduper]. It forgets the oldest handled event when there are more
// than capacity, but no claim that is held.
type memoryDeduper struct {
	capacity int
	mu       sync.Mutex
	claims   map[string]*memoryClaim
	done     []*memoryClaim // the oldest first
}

type memoryClaim struct {
	key, holder string
	expires     time.Time
	done        bool
}

func newMemoryDeduper(capacity int) *memoryDeduper {
	return &memoryDeduper{capacity: capacity, claims: make(map[string]*memoryClaim)}
}

func (d *memoryDeduper) Claim(
	_ context.Context, key, holder string, lease time.Duration,
) (ClaimResult, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch c := d.claims[key]; {
	case c.live() && c.done:
		return ClaimDone, nil
	case c.live() && c.holder != holder:
		return ClaimHeld, nil
	}
	d.claims[key] = &memoryClaim{key: key, holder: holder, expires: time.Now().Add(lease)}
	return ClaimGranted, nil
}

func (d *memoryDeduper) Complete(_ context.Context, key, holder string, ttl time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.claims[key]; c.live() && (c.holder != holder || c.done) {
		return nil
	}
	// The oldest is the first to expire, for a verifier remembers all events for the same time.
	for len(d.done) > 0 && (len(d.done) >= d.capacity || !d.done[0].live()) {
		if oldest := d.done[0]; d.claims[oldest.key] == oldest {
			delete(d.claims, oldest.key)
		}
		d.done = d.done[1:]
	}
	c := &memoryClaim{key: key, holder: holder, expires: time.Now().Add(ttl), done: true}
	d.claims[key] = c
	d.done = append(d.done, c)
	return nil
}

func (d *memoryDeduper) Release(_ context.Context, key, holder string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.claims[key]; c != nil && c.holder == holder && !c.done {
		delete(d.claims, key)
	}
	return nil
}

// live reports whether there is a claim and it has not expired.
func (c *memoryClaim) live() bool { return c != nil && time.Now().Before(c.expires) }
