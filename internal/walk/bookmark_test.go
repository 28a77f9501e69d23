package walk_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/walk"
)

// after returns what follows the item in the list.
func after(item string, items []string) []string {
	if i := slices.Index(items, item); i >= 0 && i+1 < len(items) {
		return items[i+1:]
	}
	return nil
}

// after returns a bookmark that stands at item n of the list, counted from 0.
func (l *list) after(t *testing.T, n int) string {
	t.Helper()
	bookmark, i := "", 0
	o := walk.Options{Limit: 10, List: 7, Bookmark: &bookmark}
	for _, err := range walk.All(t.Context(), l.source, identity, o) {
		require.NoError(t, err)
		if i++; i > n+1 {
			break
		}
	}
	require.NotEmpty(t, bookmark)
	return bookmark
}

// bookmarkAt returns the bookmark of a list that stands behind the last of items, at offset at.
func bookmarkAt(list uint32, at uint64, items []string) string {
	data := binary.AppendUvarint(binary.BigEndian.AppendUint32(nil, list), at)
	for _, id := range items {
		sum := sha256.Sum256([]byte(id))
		data = append(data, sum[:8]...)
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

func TestBookmarkMovesWhenTheNextItemIsAskedFor(t *testing.T) {
	t.Parallel()
	l := &list{items: ids(0, 25)}
	bookmark := ""
	o := walk.Options{Limit: 10, Bookmark: &bookmark}
	var got, bookmarks []string
	for item := range walk.All(t.Context(), l.source, identity, o) {
		got, bookmarks = append(got, *item), append(bookmarks, bookmark)
		assert.LessOrEqual(t, len(bookmark), 110)
		if len(got) == 12 {
			break // item 11 failed
		}
	}
	assert.Empty(t, bookmarks[0])
	assert.Len(t, slices.Compact(slices.Clone(bookmarks)), 12, "one for each item")
	assert.Equal(t, bookmarks[11], bookmark, "it does not move when the loop is left")
	l.requireWalk(t, o, ids(11, 25))
	atEnd := bookmark
	l.requireWalk(t, o, nil)
	assert.Equal(t, atEnd, bookmark)
	assert.Equal(t, []int{24}, l.offsets())
}

func TestBookmarkDoesNotMoveOnPanic(t *testing.T) {
	t.Parallel()
	l := &list{items: ids(0, 25)}
	bookmark := l.after(t, 5)
	o := walk.Options{Limit: 10, List: 7, Bookmark: &bookmark}
	require.Panics(t, func() {
		for range walk.All(t.Context(), l.source, identity, o) {
			panic("in the loop's body")
		}
	})
	l.requireWalk(t, o, ids(6, 25))
}

// The walk begins at the offset that the bookmark remembers.
func TestRequestsOfAResumedWalk(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		at              int
		deleted, before []string
		after           []string
		want            []string
		offsets         []int
	}{
		"unchanged":           {19, nil, nil, nil, ids(20, 45), []int{19, 28, 37}},
		"at the first item":   {0, nil, nil, nil, ids(1, 45), []int{0, 9, 18, 27, 36}},
		"at the end":          {44, nil, nil, nil, nil, []int{44}},
		"appended":            {44, nil, nil, ids(45, 46), ids(45, 46), []int{44}},
		"5 deleted before":    {19, ids(0, 5), nil, nil, ids(20, 45), []int{19, 10, 19, 28, 37}},
		"the item deleted":    {19, ids(19, 20), nil, nil, ids(20, 45), []int{19, 10, 19, 28, 37}},
		"seven deleted":       {19, ids(13, 20), nil, nil, ids(20, 45), []int{19, 10, 19, 28}},
		"created before":      {19, nil, ids(50, 55), nil, ids(20, 45), []int{19, 28, 37, 46}},
		"many created before": {19, nil, ids(50, 150), nil, ids(20, 45), nil},
		"20 deleted before":   {44, ids(0, 20), nil, ids(45, 46), ids(45, 46), []int{44, 25, 16}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, prefetch := range []int{0, 3} {
				l := &list{items: ids(0, 45)}
				bookmark := l.after(t, test.at)
				isDeleted := func(id string) bool { return slices.Contains(test.deleted, id) }
				l.items = slices.DeleteFunc(l.items, isDeleted)
				l.items = slices.Concat(test.before, l.items, test.after)
				o := walk.Options{Limit: 10, List: 7, Bookmark: &bookmark, Prefetch: prefetch}
				if test.offsets != nil && prefetch == 0 {
					requireRequests(t, func() *list { return &list{items: l.items} }, o, test.want, test.offsets)
				}
				l.requireWalk(t, o, test.want)
				require.LessOrEqual(t, len(l.requests), 30)
				l.requireWalk(t, o, nil)
			}
		})
	}
}

// Start does not matter once there is a bookmark.
func TestBookmarkWinsOverStart(t *testing.T) {
	t.Parallel()
	l := &list{items: ids(0, 45)}
	bookmark := l.after(t, 19)
	l.requireWalk(t, walk.Options{Start: 5, Limit: 10, List: 7, Bookmark: &bookmark}, ids(20, 45))
	bookmark = ""
	l.requireWalk(t, walk.Options{Start: 40, Limit: 10, List: 7, Bookmark: &bookmark}, ids(40, 45))
}

func TestBookmarkThatIsLost(t *testing.T) {
	t.Parallel()
	const bigList = 100_000
	repeat := func(total int) *list {
		return &list{answer: func(_ request, p *page) {
			p.Items, p.Total, p.More = ids(1e6, 1e6+10), total, true
		}}
	}
	cut := append(ids(0, bigList-20), ids(bigList, bigList+20)...)
	for name, test := range map[string]struct {
		list     *list
		requests int
	}{
		"the list is empty":            {&list{}, 2},
		"the list is empty, no total":  {&list{answer: func(_ request, p *page) { p.Total = -1 }}, 18},
		"the list is much shorter":     {&list{items: ids(500_000, 500_045)}, 7},
		"all eight are deleted":        {&list{items: cut}, 11_112},
		"the server repeats its pages": {repeat(45), 16},
		"the same without a total":     {repeat(-1), 16},
	} {
		t.Run(name, func(t *testing.T) {
			l := &list{items: ids(0, bigList)}
			bookmark := ""
			o := walk.Options{Bookmark: &bookmark, Start: bigList - 30}
			for item, err := range walk.All(t.Context(), l.source, identity, o) {
				require.NoError(t, err)
				if *item == ids(bigList-2, bigList)[0] {
					break
				}
			}
			before := bookmark
			got, err := test.list.walk(t, walk.Options{Limit: 10, Bookmark: &bookmark})
			require.ErrorIs(t, err, walk.ErrChanged)
			require.Empty(t, got)
			require.ErrorContains(t, err, "none of the items that the walk knows is left")
			require.Len(t, test.list.requests, test.requests)
			require.Equal(t, before, bookmark)
		})
	}
}

// Without a total, too, an item that is there is found.
func TestBookmarkWithoutTotal(t *testing.T) {
	t.Parallel()
	l := &list{items: ids(0, 45), answer: func(_ request, p *page) { p.Total = -1 }}
	bookmark := l.after(t, 40)
	l.items = l.items[30:]
	l.requireWalk(t, walk.Options{Limit: 10, List: 7, Bookmark: &bookmark}, ids(41, 45))
}

// In a list that has the newest first, new items come before the bookmark.
func TestBookmarkOfAListThatHasTheNewestFirst(t *testing.T) {
	t.Parallel()
	for _, created := range []int{1, 5, 30} {
		l := &list{items: ids(0, 45)}
		bookmark := l.after(t, 44)
		l.items = append(ids(100, 100+created), l.items...)
		got, err := l.walk(t, walk.Options{Limit: 10, List: 7, Bookmark: &bookmark})
		require.ErrorIs(t, err, walk.ErrChanged)
		require.ErrorContains(t, err, "oldest first")
		require.Empty(t, got)
	}
}

// A walk that resumes never yields what stood before its bookmark.
func TestOrderChangesAfterResuming(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(all []string){
		"reversed": func(all []string) { slices.Reverse(all) },
		"swapped":  func(all []string) { all[25], all[40] = all[40], all[25] },
	} {
		for at := 2; at <= 3; at++ {
			t.Run(fmt.Sprint(name, at), func(t *testing.T) {
				t.Parallel()
				l := &list{items: ids(0, 45)}
				bookmark := l.after(t, 19)
				l.requests = nil
				l.before = func(n int) {
					if n == at {
						l.items = slices.Clone(l.items)
						change(l.items)
					}
				}
				got, err := l.walk(t, walk.Options{Limit: 10, List: 7, Bookmark: &bookmark})
				for _, id := range got {
					require.Greater(t, id, ids(19, 20)[0])
				}
				if err != nil {
					require.ErrorIs(t, err, walk.ErrChanged)
					return
				}
				slices.Sort(got)
				require.Equal(t, ids(20, 45), got)
			})
		}
	}
}

func TestMalformedBookmarks(t *testing.T) {
	t.Parallel()
	l := &list{items: ids(0, 45)}
	good := l.after(t, 19)
	for _, bookmark := range []string{
		"x", "!", "AAAA", "AAAAAA", "AAAAAAA", "AAAABwAA", good + "A", good[:len(good)-4],
		good + "\n", "\n" + good, "page 7",
		"AAAAB////////////wEAAAAAAAAAAA", "AAAAB4GAgIAEAAAAAAAAAAA",
	} {
		kept := bookmark
		got, err := l.walk(t, walk.Options{List: 7, Bookmark: &bookmark})
		require.ErrorIs(t, err, walk.ErrBookmark, "%q", kept)
		require.Empty(t, got)
		require.Equal(t, kept, bookmark)
		require.Empty(t, l.requests)
	}
	_, err := l.walk(t, walk.Options{List: 8, Bookmark: &good})
	require.ErrorIs(t, err, walk.ErrBookmark)
	require.EqualError(t, err, "invalid bookmark: it belongs to another list")
}

// The search for a bookmark that has moved, from its offset in both directions.
func TestRequestsOfASearch(t *testing.T) {
	t.Parallel()
	all := ids(0, 60)
	says10 := func(_ request, p *page) { p.Limit = 10 }
	for name, test := range map[string]struct {
		at       int
		items    []string
		maxLimit int
		answer   func(request, *page)
		offsets  []int
	}{
		"down":                {50, all[30:], 0, nil, []int{50, 29, 20}},
		"down, no total":      {50, all[30:], 0, noTotal, []int{50, 49, 47, 43, 35, 19, 28, 29}},
		"pages of 5, 10 said": {50, all[30:], 5, says10, []int{50, 29, 20, 24, 28}},
		"pages of 9, 10 said": {50, all[30:], 9, says10, []int{50, 29, 20, 28}},
		"pages of 9":          {50, all[30:], 9, nil, []int{50, 29, 21, 13, 21}},
		"pages of 1":          {50, all[47:53], 1, nil, []int{50, 5, 4, 3, 4, 4, 5, 5}},
		"up, pages of 1": {
			5, slices.Concat(ids(100, 108), all[:8]), 1, nil,
			[]int{5, 4, 6, 3, 7, 2, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15},
		},
		"up": {
			19, slices.Concat(ids(100, 150), all[:30]), 0, nil,
			[]int{19, 10, 29, 1, 39, 0, 49, 59, 68, 77, 69, 78},
		},
		"up, no total": {
			19, slices.Concat(ids(100, 150), all[:30]), 0, noTotal,
			[]int{19, 10, 29, 1, 39, 0, 49, 59, 68, 77, 79},
		},
		"at the end, 6 deleted": {44, all[:39], 0, nil, []int{44, 38}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bookmark := (&list{items: all}).after(t, test.at)
			requireRequests(t, func() *list {
				return &list{items: test.items, maxLimit: test.maxLimit, answer: test.answer}
			}, walk.Options{Limit: 10, List: 7, Bookmark: &bookmark},
				after(all[test.at], test.items), test.offsets)
		})
	}
}

func TestRequestsOfASearchInVain(t *testing.T) {
	t.Parallel()
	const (
		gone   = "none of the items that the walk knows is left (0 items were handed over)"
		newest = "new items stand before the bookmark: the list must have the oldest first" +
			" (0 items were handed over)"
		turned = "its order has changed since the bookmark (9 items were handed over)"
	)
	all := ids(0, 60)
	rest := slices.Concat(all[:33], all[41:])
	endless := func(total int) func(request, *page) {
		return func(r request, p *page) {
			p.Items, p.Total, p.More = ids(1000+r.offset, 1010+r.offset), total, true
		}
	}
	for name, test := range map[string]struct {
		at       int
		list     func(n int) []string // before request n
		answer   func(request, *page)
		requests int
		offsets  []int // the first ones
		why      string
	}{
		"deleted": {
			40, func(int) []string { return rest }, nil, 7,
			[]int{40, 31, 50, 22, 13, 4, 0},
			gone,
		},
		"deleted, no total": {
			40, func(int) []string { return rest }, noTotal, 8,
			[]int{40, 31, 50, 22, 52, 13, 4, 0},
			gone,
		},
		"deleted from a list that grows": {
			40, func(n int) []string { return append(slices.Clone(rest), ids(100, 100+n)...) }, nil, 24,
			[]int{40, 31, 50, 22, 13, 4, 0, 40, 31, 50, 22, 60, 13, 4, 0, 40, 31, 50, 22, 60, 13, 70, 4, 0},
			gone,
		},
		"deleted from a list that shrinks": {
			40, func(n int) []string { return rest[:52-n] }, nil, 20,
			[]int{40, 31, 50, 22, 13, 4, 0, 40, 31, 22, 13, 4, 0, 40, 37, 35, 26, 17, 8, 0},
			gone,
		},
		"without end": {
			40, func(int) []string { return nil }, endless(-1), 76,
			[]int{40, 31, 50, 22, 60},
			gone,
		},
		"without end, total of 100": {
			40, func(int) []string { return nil }, endless(100), 86,
			[]int{40, 31, 50, 22, 60},
			gone,
		},
		"newest first, and the last 7 deleted": {
			44, func(int) []string { return slices.Concat(ids(100, 130), all[:38]) }, nil, 5,
			[]int{44, 35, 54, 26, 64},
			newest,
		},
		"the oldest that it remembers moves up": {19, func(n int) []string {
			if n == 1 {
				return all
			}
			return slices.Concat(ids(100, 101), all[:12], all[13:29], all[12:13], all[29:])
		}, nil, 2, []int{19, 28}, turned},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bookmark := (&list{items: all}).after(t, test.at)
			l := &list{answer: test.answer}
			l.before = func(n int) { l.items = test.list(n) }
			_, err := l.walk(t, walk.Options{Limit: 10, List: 7, Bookmark: &bookmark})
			require.EqualError(t, err, "the list can't be walked exactly: "+test.why)
			require.Len(t, l.requests, test.requests)
			require.Equal(t, test.offsets, l.offsets()[:len(test.offsets)])
		})
	}
}

// The third search finds what comes back meanwhile.
func TestSearchAgainWhenTheListMoves(t *testing.T) {
	t.Parallel()
	all := ids(0, 60)
	rest := slices.Concat(all[:33], all[41:])
	bookmark := (&list{items: all}).after(t, 40)
	requireRequests(t, func() *list {
		l := &list{}
		l.before = func(n int) {
			if l.items = all; n < 16 {
				l.items = slices.Concat(rest, ids(100, 100+n))
			}
		}
		return l
	}, walk.Options{Limit: 10, List: 7, Bookmark: &bookmark}, all[41:],
		[]int{40, 31, 50, 22, 13, 4, 0, 40, 31, 50, 22, 60, 13, 4, 0, 40, 49, 58})
}

// Bookmarks are kept for long and read by other processes, so their format must not change.
func TestFormatOfBookmarks(t *testing.T) {
	t.Parallel()
	all := ids(0, 300)
	for at, first := range map[int]int{0: 0, 1: 0, 6: 0, 7: 0, 8: 1, 200: 193} {
		require.Equal(t, bookmarkAt(7, uint64(at), all[first:at+1]), (&list{items: all}).after(t, at))
	}
}

func TestLargestBookmark(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at    uint64
		items int
		want  error
	}{
		{1 << 30, 1, walk.ErrChanged},
		{1<<30 + 1, 1, walk.ErrBookmark},
		{0, 8, walk.ErrChanged},
		{0, 9, walk.ErrBookmark},
		{0, 0, walk.ErrBookmark},
	} {
		bookmark := bookmarkAt(7, test.at, ids(100, 100+test.items))
		_, err := (&list{items: ids(0, 45)}).walk(t, walk.Options{Limit: 10, List: 7, Bookmark: &bookmark})
		require.ErrorIs(t, err, test.want, "%d items at %d", test.items, test.at)
	}
}

func TestItemThatMovesToTheBookmark(t *testing.T) {
	t.Parallel()
	all := ids(0, 45)
	bookmark := (&list{items: all}).after(t, 19)
	requireRequests(t, func() *list {
		l := &list{items: all}
		l.before = func(n int) {
			if n == 2 {
				l.items = slices.Concat(all[:20], all[40:41], all[25:40], all[41:])
			}
		}
		return l
	}, walk.Options{Limit: 10, List: 7, Bookmark: &bookmark},
		slices.Concat(all[20:40], all[41:], all[40:41]), []int{19, 28, 19, 28, 37, 19, 28, 37})
}
