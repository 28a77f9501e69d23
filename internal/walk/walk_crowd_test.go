package walk_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/walk"
)

// requireExact requires that got has no item twice, and all that were there throughout.
func requireExact(t *testing.T, c *crowd, got []string) {
	t.Helper()
	times := map[string]int{}
	for _, id := range got {
		times[id]++
		require.Equal(t, 1, times[id], "%s was yielded more than once", id)
	}
	for id := range c.throughout {
		require.Equal(t, 1, times[id], "%s was skipped", id)
	}
	if c.rename == 0 {
		isNew := func(id string) bool { return !c.throughout[id] }
		want := slices.DeleteFunc(append([]string{}, c.items...), isNew)
		require.Equal(t, want, slices.DeleteFunc(append([]string{}, got...), isNew), "in the order of the list")
	}
}

// Every item that is there throughout is yielded once, none twice, in the order of the list.
func TestExactWhileOthersCreateAndDelete(t *testing.T) {
	t.Parallel()
	const schedules = 42 // times twelve
	for _, o := range []order{oldestFirst, newestFirst, byName} {
		for _, prefetch := range []int{0, 1, 4, 16} {
			t.Run(fmt.Sprintf("order=%d/prefetch=%d", o, prefetch), func(t *testing.T) {
				t.Parallel()
				for seed := range uint64(schedules) {
					c := newCrowd(seed, o)
					got, err := c.walk(t, walk.Options{Limit: 2 + c.random.IntN(30), Prefetch: prefetch})
					require.NoError(t, err, "seed %d", seed)
					requireExact(t, c, got)
				}
			})
		}
	}
}

// The same for items whose renames move them through a list by name. Crowd 772 hides an item from a
// walk that goes back without a total, and makes no other pass then.
func TestExactWhileOthersRename(t *testing.T) {
	t.Parallel()
	for _, total := range []bool{true, false} {
		exact := 0
		for seed := uint64(700); seed < 800; seed++ {
			c := newCrowd(seed, byName)
			c.rename, c.create, c.remove = 0.3, 0, 0
			c.answer = func(_ request, p *page) {
				if !total {
					p.Total = -1
				}
			}
			o := walk.Options{Limit: 2 + c.random.IntN(30)}
			if total {
				o.Prefetch = int(seed%3) * 2
			}
			got, err := c.walk(t, o)
			if err != nil {
				require.ErrorIs(t, err, walk.ErrChanged)
				continue
			}
			requireExact(t, c, got)
			exact++
		}
		require.Greater(t, exact, 20, "total %t", total)
	}
}

// A walk that is left and resumed is exact for what comes after, whatever the crowd did.
func TestExactAfterResuming(t *testing.T) {
	t.Parallel()
	lost, resumed := 0, 0
	for _, o := range []order{oldestFirst, newestFirst, byName} {
		for seed := range uint64(60) {
			c := newCrowd(seed, o)
			c.wipeAt, c.burst = 0, 1+c.burst/3
			if resume(t, c, int(seed%3)*2) {
				resumed++
			} else {
				lost++
			}
		}
	}
	require.Less(t, lost, resumed/20)
}

// resume reports false if the bookmark was lost, though an item that it remembers was there.
func resume(t *testing.T, c *crowd, prefetch int) bool {
	t.Helper()
	bookmark, leave := "", c.random.IntN(len(c.items)/2)
	o := walk.Options{Limit: 2 + c.random.IntN(30), Prefetch: prefetch, Bookmark: &bookmark}
	var got []string
	for item, err := range walk.All(t.Context(), c.source, identity, o) {
		require.NoError(t, err)
		if len(got) > leave {
			break // this item failed
		}
		got = append(got, *item)
	}
	require.LessOrEqual(t, len(bookmark), 110)
	// A walk that has gone back may meet so many new items there that its bookmark forgets the ones that follow.
	wentBack := !slices.IsSorted(c.offsets())
	for range 5 {
		c.act(1)
	}
	for item, err := range walk.All(t.Context(), c.source, identity, o) {
		if err != nil {
			require.ErrorIs(t, err, walk.ErrChanged)
			c.mu.Lock() // pages may be under way, and the iterator waits for them
			items := slices.Clone(c.items)
			c.mu.Unlock()
			isThere := func(id string) bool { return slices.Contains(items, id) }
			return !slices.ContainsFunc(got[max(0, len(got)-8):], isThere)
		}
		isNew := !slices.Contains(got, *item)
		require.True(t, isNew || wentBack, "%s was yielded twice", *item)
		if isNew {
			got = append(got, *item)
		}
	}
	requireExact(t, c, got)
	return true
}
