package backoff_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/clicknps/go-sdk/internal/backoff"
)

func TestJitterStaysBetweenItsBounds(t *testing.T) {
	t.Parallel()
	const low, high = 100 * time.Millisecond, time.Second
	for n, ceiling := range []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond, high, high, high} {
		shortest, longest := high, low
		for range 2000 {
			wait := backoff.Jitter(low, high, n)
			shortest, longest = min(shortest, wait), max(longest, wait)
		}
		assert.GreaterOrEqual(t, shortest, low)
		assert.LessOrEqual(t, longest, ceiling)
		assert.Less(t, shortest, low+(ceiling-low)/10, "the whole range is used: a spread is what it is for")
		assert.Greater(t, longest, ceiling-(ceiling-low)/10)
	}
}

func TestJitterAtItsEdges(t *testing.T) {
	t.Parallel()
	assert.Equal(t, time.Second, backoff.Jitter(time.Second, time.Second, 0))
	assert.Equal(t, time.Second, backoff.Jitter(time.Second, time.Second, 1000))
	for range 100 {
		wait := backoff.Jitter(1, math.MaxInt64, math.MaxInt32)
		assert.Positive(t, wait)
	}
}
