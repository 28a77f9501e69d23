package walk_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/walk"
)

func TestRequestsForAnUnchangedList(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		n, maxLimit, start, limit int
		offsets                   []int
		asked                     int
	}{
		"empty":               {0, 0, 0, 0, []int{0}, 100},
		"one item":            {1, 0, 0, 0, []int{0}, 100},
		"a page":              {100, 0, 0, 0, []int{0}, 100},
		"a page and an item":  {101, 0, 0, 0, []int{0, 99}, 100},
		"three pages":         {250, 0, 0, 0, []int{0, 99, 198}, 100},
		"pages of 10":         {45, 0, 0, 10, []int{0, 9, 18, 27, 36}, 10},
		"limit 1 counts as 2": {4, 0, 0, 1, []int{0, 1, 2}, 2},
		"limit 2":             {4, 0, 0, 2, []int{0, 1, 2}, 2},
		"from an offset":      {45, 0, 20, 10, []int{20, 29, 38}, 10},
		"from the end":        {45, 0, 45, 0, []int{45}, 100},
		"from beyond the end": {45, 0, 100, 0, []int{100}, 100},
		"capped at 10":        {45, 10, 0, 0, []int{0, 9, 18, 27, 36}, 100},
		"capped at 2":         {4, 2, 0, 0, []int{0, 1, 2}, 100},
		"capped at 1":         {3, 1, 0, 0, []int{0, 1, 1, 2, 2}, 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &list{items: ids(0, test.n), maxLimit: test.maxLimit}
			var want []string
			if test.start < test.n {
				want = ids(test.start, test.n)
			}
			l.requireWalk(t, walk.Options{Start: test.start, Limit: test.limit}, want)
			require.Equal(t, test.offsets, l.offsets())
			for _, r := range l.requests {
				require.Equal(t, test.asked, r.limit)
			}
		})
	}
}

func TestEachRangeIsANewWalk(t *testing.T) {
	t.Parallel()
	l := list{items: ids(0, 25)}
	all := walk.All(t.Context(), l.source, identity, walk.Options{Limit: 10})
	for range 2 {
		n := 0
		for _, err := range all {
			require.NoError(t, err)
			n++
		}
		require.Equal(t, 25, n)
		l.items = append(l.items[:0:0], l.items...)
	}
	require.Equal(t, []int{0, 9, 18, 0, 9, 18}, l.offsets())
}

func TestItemsAreCopies(t *testing.T) {
	t.Parallel()
	items := ids(0, 3)
	source := func(context.Context, int, int) (page, error) { return page{Items: items, Total: 3}, nil }
	i := 0
	for item, err := range walk.All(t.Context(), source, identity, walk.Options{}) {
		require.NoError(t, err)
		require.NotSame(t, &items[i], item)
		i++
	}
	require.Equal(t, 3, i)
}

// Servers that cap, filter, or say odd things about a list that nobody changes.
func TestOddServers(t *testing.T) {
	t.Parallel()
	all, flaky := ids(0, 45), 0
	capped := func(limit int, answer func(p *page)) *list {
		return &list{items: all, maxLimit: limit, answer: func(_ request, p *page) { answer(p) }}
	}
	unset := func(p *page) { p.More, p.MoreSet = false, false }
	for name, server := range map[string]*list{
		"capped at 2": {items: all, maxLimit: 2},
		"capped at 1": {items: all, maxLimit: 1},
		"capped at 10, says 100": capped(10, func(p *page) {
			p.Limit = 100
		}),
		"capped at 10, says nothing": capped(10, func(p *page) {
			p.Limit = 0
		}),
		"no total": capped(10, func(p *page) {
			p.Total = -1
		}),
		"no has_more": capped(10, func(p *page) {
			unset(p)
		}),
		"neither": capped(10, func(p *page) {
			p.Total = -1
			unset(p)
		}),
		"neither, capped at 1": capped(1, func(p *page) {
			p.Total = -1
			unset(p)
		}),
		"has_more is always false": capped(10, func(p *page) {
			p.More = false
		}),
		"has_more is always false, no total": capped(10, func(p *page) {
			p.More, p.Total = false, -1
		}),
		"has_more is always true": capped(10, func(p *page) {
			p.More = true
		}),
		"total is always 0": capped(10, func(p *page) {
			p.Total = 0
		}),
		"total is always 0, no has_more": capped(10, func(p *page) {
			p.Total = 0
			unset(p)
		}),
		"total is negative": capped(10, func(p *page) {
			p.Total = -7
		}),
		"total is too small": capped(10, func(p *page) {
			p.Total = 20
		}),
		"total is too large": capped(10, func(p *page) {
			p.Total = 250
		}),
		"total is too large, has_more false": capped(10, func(p *page) {
			p.Total, p.More = 250, false
		}),
		"total is too large, no has_more": capped(10, func(p *page) {
			p.Total = 250
			unset(p)
		}),
		"total is huge, has_more false": capped(10, func(p *page) {
			p.Total, p.More = 1<<31-1, false
		}),
		"only the last page lies": {items: all, maxLimit: 10, answer: func(r request, p *page) {
			p.More = p.More && r.offset < 18
		}},
		"short pages now and then": {items: all, maxLimit: 10, answer: func(r request, p *page) {
			n := len(p.Items)
			p.Items = p.Items[:min(n, 10-r.offset%7)]
			p.More = r.offset+len(p.Items) < 45
		}},
		"an empty page now and then": {items: all, maxLimit: 10, answer: func(_ request, p *page) {
			if flaky++; flaky%4 == 2 {
				p.Items, p.More = nil, true
			}
		}},
		"the last item twice": {items: all, maxLimit: 10, answer: func(_ request, p *page) {
			p.Items = append(p.Items, p.Items[len(p.Items)-1])
		}},
	} {
		for _, prefetch := range []int{0, 4} {
			if prefetch > 0 && name == "an empty page now and then" {
				continue // counts requests, so it needs them in order
			}
			t.Run(fmt.Sprintf("%s/prefetch=%d", name, prefetch), func(t *testing.T) {
				server.requireWalk(t, walk.Options{Prefetch: prefetch}, all)
			})
		}
	}
}

// has_more and total are looked up, with few requests.
func TestRequestsWhereTheServerContradictsItself(t *testing.T) {
	t.Parallel()
	l := &list{items: ids(0, 250), maxLimit: 50, answer: func(_ request, p *page) { p.More = false }}
	l.requireWalk(t, walk.Options{}, ids(0, 250))
	require.Equal(t, []int{0, 49, 98, 147, 196, 245}, l.offsets())
	l = &list{items: ids(0, 50), maxLimit: 50, answer: func(_ request, p *page) { p.Total = 250 }}
	l.requireWalk(t, walk.Options{}, ids(0, 50))
	require.LessOrEqual(t, len(l.requests), 12)
	l = &list{items: ids(0, 20), answer: func(_ request, p *page) { p.Total, p.MoreSet = -1, false }}
	l.requireWalk(t, walk.Options{}, ids(0, 20))
	require.Equal(t, []int{0, 19}, l.offsets(), "the second page shows that nothing follows the seam")
}

// Servers that filter a page after they have cut it: offsets count slots.
func TestServersThatFilter(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	tenth, half := map[int]bool{}, map[int]bool{}
	for slot := range 1000 {
		tenth[slot], half[slot] = random.IntN(10) == 0, random.IntN(2) == 0
	}
	for name, keep := range map[string]func(slot int) bool{
		"every second":        func(slot int) bool { return slot%2 == 0 },
		"every tenth":         func(slot int) bool { return slot%10 == 3 },
		"every thirtieth":     func(slot int) bool { return slot%30 == 29 },
		"a half":              func(slot int) bool { return half[slot] },
		"a tenth":             func(slot int) bool { return tenth[slot] },
		"none before 200":     func(slot int) bool { return slot >= 200 },
		"none after 200":      func(slot int) bool { return slot < 200 },
		"none from 95 to 305": func(slot int) bool { return slot < 95 || slot > 305 },
		"runs":                func(slot int) bool { return slot/15%2 == 0 },
		"the first and last":  func(slot int) bool { return slot == 0 || slot == 999 },
		"none":                func(int) bool { return false },
	} {
		for variant, answer := range map[string]func(request, *page){
			"says all":     nil,
			"no total":     func(_ request, p *page) { p.Total = -1 },
			"no has_more":  func(_ request, p *page) { p.More, p.MoreSet = false, false },
			"says no size": func(_ request, p *page) { p.Limit = 0 },
		} {
			t.Run(name+"/"+variant, func(t *testing.T) {
				t.Parallel()
				l := &list{items: ids(0, 1000), filter: keep, answer: answer}
				var want []string
				for slot, id := range l.items {
					if keep(slot) {
						want = append(want, id)
					}
				}
				for _, prefetch := range []int{0, 4} {
					l.requireWalk(t, walk.Options{Limit: 10, Prefetch: prefetch}, want)
				}
				t.Logf("%d requests for 100 pages", len(l.requests))
			})
		}
	}
}

// The order changes once, before a request.
func TestOrderChangesDuringTheWalk(t *testing.T) {
	t.Parallel()
	changes := map[string]func(all []string) []string{
		"reversed": func(all []string) []string { slices.Reverse(all); return all },
		"shuffled": func(all []string) []string {
			rand.New(rand.NewPCG(3, 4)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			return all
		},
		"last to first": func(all []string) []string { return append(all[len(all)-1:], all[:len(all)-1]...) },
		"first to last": func(all []string) []string { return append(all[1:], all[0]) },
		"halves swapped": func(all []string) []string {
			return append(slices.Clone(all[len(all)/2:]), all[:len(all)/2]...)
		},
	}
	for k := 1; k < 45; k++ {
		changes[fmt.Sprintf("rotated by %d", k)] = func(all []string) []string {
			return append(slices.Clone(all[k:]), all[:k]...)
		}
	}
	for name, change := range changes {
		for _, total := range []bool{true, false} {
			for at := 2; at <= 5; at++ {
				t.Run(fmt.Sprintf("%s/before request %d/total=%t", name, at, total), func(t *testing.T) {
					t.Parallel()
					l := &list{items: ids(0, 45)}
					l.before = func(n int) {
						if n == at {
							l.items = change(slices.Clone(l.items))
						}
					}
					l.answer = func(_ request, p *page) {
						if !total {
							p.Total = -1
						}
					}
					got, err := l.walk(t, walk.Options{Limit: 10})
					require.NoError(t, err)
					slices.Sort(got)
					require.Equal(t, ids(0, 45), got)
					require.LessOrEqual(t, len(l.requests), 30)
				})
			}
		}
	}
}

// What can't be exact is an error, after a bounded number of requests.
func TestListsThatCannotBeWalked(t *testing.T) {
	t.Parallel()
	all := ids(0, 45)
	random := rand.New(rand.NewPCG(5, 6))
	answers, total := 0, 0
	for name, server := range map[string]struct {
		list     *list
		requests int
		why      string
	}{
		"the offset is ignored": {&list{items: all, answer: func(_ request, p *page) {
			p.Items, p.More = all[:10], true
		}}, 258, "too many pages bring nothing new (10 items were handed over)"},
		"capped at 1, says 100": {&list{items: all, maxLimit: 1, answer: func(_ request, p *page) {
			p.Limit = 100
		}}, 258, "too many pages bring nothing new (1 items were handed over)"},
		"empty pages without end": {&list{answer: func(_ request, p *page) {
			p.Total, p.More = 45, true
		}}, 3, "the server says that more follows, and sends nothing (0 items were handed over)"},
		"empty pages without end or total": {&list{answer: func(_ request, p *page) {
			p.Total, p.More = -1, true
		}}, 256, "too many pages bring nothing new (0 items were handed over)"},
		"another list each time": {&list{answer: func(_ request, p *page) {
			answers++
			p.Items, p.Total, p.More = ids(100*answers, 100*answers+10), 45, true
		}}, 460, "too many pages bring nothing new (920 items were handed over)"},
		"another order each time": {&list{items: all, maxLimit: 10, answer: func(r request, p *page) {
			shuffled := slices.Clone(all)
			random.Shuffle(45, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			p.Items = shuffled[min(r.offset, 45):min(r.offset+10, 45)]
		}}, 25, "its order keeps changing (45 items were handed over)"},
		"pages that turn into the first": {&list{items: ids(0, 2000), answer: func(r request, p *page) {
			if r.offset >= 990 {
				p.Items = ids(0, 100)
			}
		}}, 105, "its order keeps changing (991 items were handed over)"},
		"a list that grows by more than a page before each request": {&list{answer: func(r request, p *page) {
			total += 150
			start := max(0, total-r.offset)
			p.Total, p.More = total, r.offset+100 < total
			for i := start; i > max(0, start-100); i-- {
				p.Items = append(p.Items, fmt.Sprint(i))
			}
		}}, 258, "too many pages bring nothing new (13207 items were handed over)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := server.list.walk(t, walk.Options{})
			require.ErrorIs(t, err, walk.ErrChanged)
			require.EqualError(t, err, "the list can't be walked exactly: "+server.why)
			require.Len(t, server.list.requests, server.requests)
		})
	}
}

// When all that it met is gone, only a walk from the start of the list can go on.
func TestAllIsGone(t *testing.T) {
	t.Parallel()
	for start, want := range map[int]error{0: nil, 20: walk.ErrChanged} {
		l := &list{items: ids(0, 100)}
		l.before = func(n int) {
			if n == 2 {
				l.items = ids(100, 200)
			}
		}
		got, err := l.walk(t, walk.Options{Start: start, Limit: 10})
		require.ErrorIs(t, err, want)
		if want == nil {
			require.Equal(t, append(ids(0, 10), ids(100, 200)...), got)
		} else {
			require.Equal(t, ids(20, 30), got)
			require.ErrorContains(t, err, "(10 items were handed over)")
		}
	}
}

func TestALoopThatDeletesWhatItIsGiven(t *testing.T) {
	t.Parallel()
	l := &list{items: ids(0, 3000), maxLimit: 10}
	n := 0
	for item, err := range walk.All(t.Context(), l.source, identity, walk.Options{}) {
		require.NoError(t, err)
		i := slices.Index(l.items, *item)
		l.items = slices.Delete(l.items, i, i+1)
		n++
	}
	require.Equal(t, 3000, n)
	require.Empty(t, l.items)
}

func TestProgress(t *testing.T) {
	t.Parallel()
	type step struct{ done, total int64 }
	for total, want := range map[int][]step{
		250: {{100, 250}, {199, 250}, {250, 250}},
		-1:  {{100, -1}, {199, -1}, {250, -1}, {250, -1}},
	} {
		var steps []step
		l := &list{items: ids(0, 250), answer: func(_ request, p *page) { p.Total = total }}
		progress := func(done, total int64) { steps = append(steps, step{done, total}) }
		l.requireWalk(t, walk.Options{Progress: progress}, ids(0, 250))
		require.Equal(t, want, steps)
	}
}

func TestSourceErrorEndsTheWalk(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, prefetch := range []int{0, 4} {
		taken := 0
		source := func(_ context.Context, offset, limit int) (page, error) {
			p := page{Total: 1000, Taken: func() { taken++ }}
			if offset >= 18 {
				return p, broken
			}
			p.Items = ids(offset, offset+limit)
			return p, nil
		}
		var got []string
		var last error
		o := walk.Options{Limit: 10, Prefetch: prefetch}
		for item, err := range walk.All(t.Context(), source, identity, o) {
			if last = err; err == nil {
				got = append(got, *item)
			}
		}
		assert.Equal(t, broken, last, "as it is")
		assert.Equal(t, ids(0, 19), got)
		assert.Equal(t, 3, taken, "two pages and an error")
	}
}
