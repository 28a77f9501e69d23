package clicknps

import (
	linked "container/list"
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// Deduper remembers which events were handled, by [Event.Key]. It must be safe for concurrent use.
// Each call has 5 seconds. After an error of Claim the sender delivers the event again.
type Deduper interface {
	// Claim takes key for ttl and reports true, or reports false if it is already taken. It must be atomic.
	Claim(ctx context.Context, key string, ttl time.Duration) (bool, error)
	// Release gives key back after its handler failed, so that the next delivery is let in.
	Release(ctx context.Context, key string) error
}

// claimTTL is how long an event stays claimed: longer than its sender goes on trying.
const claimTTL = maxEventAge

// memoryDeduperCapacity bounds a verifier's own memory of events to about 20 MiB.
const memoryDeduperCapacity = 100_000

// memoryDeduper is the default [Deduper]. When it is full, the oldest claim makes room for a new one:
// an event that is repeated after so many others is handled again, which is better than not at all.
type memoryDeduper struct {
	capacity int

	mu     sync.Mutex
	claims map[claimID]*linked.Element
	oldest *linked.List // of memoryClaim, in the order they were made
}

// claimID is a key's hash: a key may be long, its claim is not.
type claimID [sha256.Size]byte

type memoryClaim struct {
	id      claimID
	expires time.Time
}

func newMemoryDeduper(capacity int) *memoryDeduper {
	return &memoryDeduper{capacity: capacity, claims: make(map[claimID]*linked.Element), oldest: linked.New()}
}

func (d *memoryDeduper) Claim(_ context.Context, key string, ttl time.Duration) (bool, error) {
	id, now := sha256.Sum256([]byte(key)), time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if e, ok := d.claims[id]; ok {
		if now.Before(e.Value.(memoryClaim).expires) {
			return false, nil
		}
		d.drop(e)
	}
	// All claims last equally long, so the one made first is also the first to expire.
	for e := d.oldest.Front(); e != nil; e = d.oldest.Front() {
		if d.oldest.Len() < d.capacity && now.Before(e.Value.(memoryClaim).expires) {
			break
		}
		d.drop(e)
	}
	d.claims[id] = d.oldest.PushBack(memoryClaim{id: id, expires: now.Add(ttl)})
	return true, nil
}

func (d *memoryDeduper) Release(_ context.Context, key string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e, ok := d.claims[sha256.Sum256([]byte(key))]; ok {
		d.drop(e)
	}
	return nil
}

func (d *memoryDeduper) drop(e *linked.Element) {
	delete(d.claims, e.Value.(memoryClaim).id)
	d.oldest.Remove(e)
}
