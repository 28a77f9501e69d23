package engine

import "sync"

// The retry budget's tokens, after the standard retry mode of the AWS SDKs.
const (
	budgetSize  = 500
	repeatCost  = 5
	timeoutCost = 10
	// A success gives back what a repeat costs: a line that loses less than half of its requests does not run out,
	// however many calls are under way; an outage, which has no successes, does after a hundred repeats. Time-outs
	// cost twice as much: more than fifty at once run out all the same.
	successGain = 5
)

// budget bounds the repeats of all calls together, so that they do not make an outage worse.
type budget struct {
	mu     sync.Mutex
	tokens int
}

func (b *budget) take(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens < n {
		return false
	}
	b.tokens -= n
	return true
}

func (b *budget) gain() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.tokens+successGain, budgetSize)
}
