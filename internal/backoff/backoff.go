// Package backoff says how long to wait before a request is made again.
package backoff

import (
	"math/rand/v2"
	"time"
)

// Jitter returns a random wait between low and the smaller of high and low·2^(n+1), for the nth repeat, from 0.
// The spread keeps clients that failed together from coming back together.
func Jitter(low, high time.Duration, n int) time.Duration {
	ceiling := low
	for range n + 1 {
		if ceiling >= high/2 {
			ceiling = high
			break
		}
		ceiling *= 2
	}
	if ceiling <= low {
		return low
	}
	return low + rand.N(ceiling-low+1)
}
