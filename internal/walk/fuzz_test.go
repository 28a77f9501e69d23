package walk_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/walk"
)

// Whatever a bookmark says, the walk ends soon, and says so if it is not exact.
func FuzzBookmark(f *testing.F) {
	l := &list{items: ids(0, 45)}
	good := ""
	for range walk.All(f.Context(), l.source, identity, walk.Options{Bookmark: &good}) {
		if len(l.requests) > 1 {
			break
		}
	}
	for _, seed := range []string{"", good, "AAAA", "AAAAAACAgIAEAAAAAAAAAAA", good[:len(good)-1], "page 7"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, bookmark string) {
		given := bookmark
		l := &list{items: ids(0, 45)}
		got, err := l.walk(t, walk.Options{Limit: 10, Bookmark: &bookmark})
		require.LessOrEqual(t, len(l.requests), 100)
		switch {
		case err != nil:
			require.True(t, errors.Is(err, walk.ErrBookmark) || errors.Is(err, walk.ErrChanged), err)
			require.Empty(t, got)
			if errors.Is(err, walk.ErrBookmark) {
				require.Equal(t, given, bookmark)
			}
		case given == "":
			require.Equal(t, l.items, got)
		default: // forged, it may leave out items that the list has
			require.IsIncreasing(t, append([]string{""}, got...), "in order, and none twice")
			require.LessOrEqual(t, len(bookmark), 110)
		}
	})
}
