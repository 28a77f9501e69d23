package clicknpstest

import "time"

// window counts requests in a fixed window that begins with its first request.
type window struct {
	length time.Duration
	limit  int // 0: unlimited
	start  time.Time
	count  int
}

// hit counts a request. It reports whether there was room for it, and how long the window still lasts.
func (w *window) hit(now time.Time) (ok bool, rest time.Duration) {
	if w.count == 0 || now.Sub(w.start) >= w.length {
		w.start, w.count = now, 0
	}
	w.count++
	return w.limit == 0 || w.count <= w.limit, w.length - now.Sub(w.start)
}

// remaining is the number of requests that still have room.
func (w *window) remaining() int { return max(w.limit-w.count, 0) }

// seconds rounds up: whoever waits that long finds the window over. It is at least 1.
func seconds(d time.Duration) int {
	return max(int((d+time.Second-1)/time.Second), 1)
}
