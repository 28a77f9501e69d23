package walk_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/walk"
)

// BenchmarkWalk walks a million items and reports the memory that the walk keeps at its end.
func BenchmarkWalk(b *testing.B) {
	const n = 1_000_000
	source := func(_ context.Context, offset, limit int) (page, error) {
		end := min(offset+limit, n)
		return page{Items: ids(offset, end), Total: n, Limit: limit, More: end < n, MoreSet: true}, nil
	}
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for b.Loop() {
		before, kept, done := heap(), 0.0, 0
		for _, err := range walk.All(b.Context(), source, identity, walk.Options{}) {
			require.NoError(b, err)
			if done++; done == n {
				kept = (heap() - before) / n
			}
		}
		require.Equal(b, n, done)
		require.LessOrEqual(b, kept, 16.0)
		b.ReportMetric(kept, "kept-B/item")
	}
}
