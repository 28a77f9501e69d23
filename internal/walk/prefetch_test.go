package walk_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/walk"
)

// slow answers after 20 ms, and counts.
type slow struct {
	list
	now, most int // requests under way
	asked     []int
	taken     []int
}

func (s *slow) source(ctx context.Context, offset, limit int) (page, error) {
	s.mu.Lock()
	s.now++
	s.asked = append(s.asked, offset)
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.now--
		s.mu.Unlock()
	}()
	select {
	case <-time.After(20 * time.Millisecond):
	case <-ctx.Done():
		return page{}, ctx.Err()
	}
	p, err := s.list.source(ctx, offset, limit)
	p.Taken = func() { s.taken = append(s.taken, offset) }
	return p, err
}

// Twenty pages of 20 ms: with eight under way the walk takes 4 times 20 ms.
func TestPrefetchSavesTime(t *testing.T) {
	t.Parallel()
	for prefetch, want := range map[int]time.Duration{0: 400, 1: 400, 4: 120, 8: 80, 16: 60, 100: 40} {
		synctest.Test(t, func(t *testing.T) {
			s := &slow{list: list{items: ids(0, 100+19*99)}}
			start, n := time.Now(), 0
			for _, err := range walk.All(t.Context(), s.source, identity, walk.Options{Prefetch: prefetch}) {
				require.NoError(t, err)
				n++
			}
			assert.Equal(t, len(s.items), n)
			assert.Equal(t, want*time.Millisecond, time.Since(start), "prefetch %d", prefetch)
			assert.Equal(t, min(max(1, prefetch), 19), s.most)
			assert.Len(t, s.requests, 20, "nothing is fetched twice or past the end")
			assert.IsIncreasing(t, s.taken)
			assert.Len(t, s.taken, 20)
		})
	}
}

// Nothing is fetched before the walk needs it, and at most so many pages ahead.
func TestHowMuchIsFetchedAhead(t *testing.T) {
	t.Parallel()
	for _, prefetch := range []int{0, 1, 4, 16} {
		for _, total := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				s := &slow{list: list{items: ids(0, 5000)}}
				s.answer = func(_ request, p *page) {
					if !total {
						p.Total = -1
					}
				}
				n := 0
				o := walk.Options{Prefetch: prefetch}
				for _, err := range walk.All(t.Context(), s.source, identity, o) {
					require.NoError(t, err)
					synctest.Wait()
					if n++; n == 300 {
						break
					}
				}
				assert.Equal(t, []int{0, 99, 198, 297}, s.taken)
				assert.LessOrEqual(t, len(s.requests), 4+prefetch)
				assert.Equal(t, max(1, prefetch), s.most)
			})
		}
	}
}

// When the list moves, the pages under way are dropped.
func TestPrefetchedPagesAreDroppedWhenTheListMoves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{list: list{items: ids(0, 1000)}}
		s.before = func(n int) {
			if n == 2 {
				s.items = s.items[300:]
			}
		}
		n := 0
		for _, err := range walk.All(t.Context(), s.source, identity, walk.Options{Prefetch: 4}) {
			require.NoError(t, err)
			n++
		}
		assert.Equal(t, 800, n)
		assert.LessOrEqual(t, s.most, 4+1, "a page that is wanted at once does not wait for those dropped")
		assert.LessOrEqual(t, len(s.taken), 15)
	})
}

// After a short page the pages under way are no longer those that follow. The walk goes on one by
// one for a page, then fetches ahead again.
func TestPrefetchedPagesAreDroppedAfterAShortPage(t *testing.T) {
	t.Parallel()
	for prefetch, want := range map[int][]int{
		1: {0, 99, 198, 247, 346, 445, 544},
		2: {0, 99, 198, 297, 247, 346, 445, 544},
		3: {0, 99, 198, 297, 396, 247, 346, 445, 544},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &slow{list: list{items: ids(0, 600), answer: shortAt(198, 50)}}
			n := 0
			for _, err := range walk.All(t.Context(), s.source, identity, walk.Options{Prefetch: prefetch}) {
				require.NoError(t, err)
				n++
			}
			assert.Equal(t, 600, n)
			assert.ElementsMatch(t, want, s.asked, "prefetch %d", prefetch)
			assert.Equal(t, []int{0, 99, 198, 247, 346, 445, 544}, s.taken)
			assert.Equal(t, prefetch, s.most)
		})
	}
}

// The walk fetches ahead if the total or has_more says that pages follow.
func TestWhenPagesAreFetchedAhead(t *testing.T) {
	t.Parallel()
	single := func(_ request, p *page) { p.Items, p.Limit = p.Items[:min(1, len(p.Items))], 1 }
	noMore := func(_ request, p *page) { p.More = false }
	for name, test := range map[string]struct {
		answer      func(request, *page)
		limit, most int
	}{
		"pages of 2":        {nil, 2, 3},
		"pages of 10":       {nil, 10, 3},
		"only a total":      {noMore, 10, 3},
		"only has_more":     {noTotal, 10, 3},
		"neither":           {func(r request, p *page) { noTotal(r, p); noMore(r, p) }, 10, 1},
		"an item at a time": {single, 10, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &slow{list: list{items: ids(0, 45), answer: test.answer}}
			n := 0
			o := walk.Options{Limit: test.limit, Prefetch: 3}
			for _, err := range walk.All(t.Context(), s.source, identity, o) {
				require.NoError(t, err)
				n++
			}
			assert.Equal(t, 45, n, name)
			assert.Equal(t, test.most, s.most, name)
		})
	}
}

// However the loop is left, the goroutines of the walk have ended when the iterator returns.
func TestEveryWayOutEndsTheGoroutines(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		took time.Duration // in ms
		loop func(t *testing.T, s *slow, o walk.Options)
	}{
		"to the end": {120, func(t *testing.T, s *slow, o walk.Options) {
			for _, err := range walk.All(t.Context(), s.source, identity, o) {
				require.NoError(t, err)
			}
		}},
		"break": {20, func(t *testing.T, s *slow, o walk.Options) {
			for range walk.All(t.Context(), s.source, identity, o) {
				break
			}
		}},
		"panic": {20, func(t *testing.T, s *slow, o walk.Options) {
			require.PanicsWithValue(t, "in the loop's body", func() {
				for range walk.All(t.Context(), s.source, identity, o) {
					panic("in the loop's body")
				}
			})
		}},
		"error": {40, func(t *testing.T, s *slow, o walk.Options) {
			source := func(ctx context.Context, offset, limit int) (page, error) {
				p, err := s.source(ctx, offset, limit)
				if offset == 99 {
					err = assert.AnError
				}
				return p, err
			}
			var err error
			for _, err = range walk.All(t.Context(), source, identity, o) {
				continue
			}
			require.Equal(t, assert.AnError, err)
		}},
		"cancelled": {20, func(t *testing.T, s *slow, o walk.Options) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var err error
			for _, err = range walk.All(ctx, s.source, identity, o) {
				cancel()
			}
			require.ErrorIs(t, err, context.Canceled)
		}},
		"deadline": {30, func(t *testing.T, s *slow, o walk.Options) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer cancel()
			var err error
			for _, err = range walk.All(ctx, s.source, identity, o) {
				continue
			}
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &slow{list: list{items: ids(0, 2000)}}
				start := time.Now()
				test.loop(t, s, walk.Options{Prefetch: 4})
				require.Equal(t, test.took*time.Millisecond, time.Since(start), "nor is one waited for")
				require.Zero(t, s.now, "no request is under way")
			})
		})
	}
}

// A panic of the source on another goroutine reaches the loop.
func TestPanicOfTheSource(t *testing.T) {
	t.Parallel()
	for _, prefetch := range []int{0, 4} {
		l := &list{items: ids(0, 2000)}
		l.before = func(n int) {
			if n == 3 {
				panic("in the source")
			}
		}
		require.PanicsWithValue(t, "in the source", func() {
			for range walk.All(t.Context(), l.source, identity, walk.Options{Prefetch: prefetch}) {
				continue
			}
		})
	}
}

// A source that ends its goroutine, as a failed requirement in a test does, does not hang the walk.
func TestGoexitOfTheSource(t *testing.T) {
	t.Parallel()
	l := &list{items: ids(0, 2000)}
	l.before = func(n int) {
		if n > 1 {
			runtime.Goexit()
		}
	}
	var err error
	for _, err = range walk.All(t.Context(), l.source, identity, walk.Options{Prefetch: 4}) {
		continue
	}
	require.EqualError(t, err, "the source ended its goroutine")
}
