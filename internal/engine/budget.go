package engine

import (
	"sync"
	"time"
)

// refillTime is how long an empty budget takes to fill up without any success.
const refillTime = time.Minute

// budget bounds the retries of all calls together, so that they do not make an outage worse. A
// retry costs one, a success gives one back, and time does.
type budget struct {
	size float64 // negative: no bound

	mu    sync.Mutex
	left  float64
	since time.Time // when left was right
}

func newBudget(size int) budget {
	return budget{size: float64(size), left: float64(size)}
}

// charge takes one retry. It reports whether there was one.
func (b *budget) charge() bool {
	if b.size < 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.left = min(b.size, b.left+b.size*float64(now.Sub(b.since))/float64(refillTime))
	b.since = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// refund gives a retry back that was not made.
func (b *budget) refund() { b.add() }

// succeed counts a success.
func (b *budget) succeed() { b.add() }

func (b *budget) add() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = min(b.left+1, max(b.size, 0))
}
