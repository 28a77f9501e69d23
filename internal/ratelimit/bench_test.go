package ratelimit

import (
	"net/http"
	"runtime"
	"testing"
	"time"
)

func largePlan() *Plan {
	return newPlan(
		quota{limit: 1 << 20, window: 50 * time.Millisecond},
		quota{limit: 1 << 20, window: 60 * time.Millisecond},
	)
}

func benchmark(b *testing.B, l Limiter, outcome Outcome) {
	b.ReportAllocs()
	for b.Loop() {
		release, err := l.Acquire(b.Context(), Call{})
		if err != nil {
			b.Fatal(err)
		}
		release(outcome)
	}
}

func BenchmarkPlan(b *testing.B) { benchmark(b, largePlan(), answered) }

func BenchmarkPlan64Goroutines(b *testing.B) {
	p := largePlan()
	b.ReportAllocs()
	b.SetParallelism(max(1, 64/runtime.GOMAXPROCS(0)))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			release, err := p.Acquire(b.Context(), Call{})
			if err != nil {
				b.Fatal(err)
			}
			release(answered)
		}
	})
}

func BenchmarkHeaders(b *testing.B) {
	answer := quotaHeader(100, 99, time.Now().Add(time.Hour).Unix())
	answer.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	benchmark(b, NewHeaders(time.Minute, 2*time.Hour), Outcome{Sent: true, StatusCode: 200, Header: answer})
}
