package idset_test

import (
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/idset"
)

func TestAddAndMarked(t *testing.T) {
	t.Parallel()
	s := idset.New()
	long := strings.Repeat("long", 1000)
	ids := []string{"", "a", "A", "survey_1", "survey_2", "\x00", "\xff", long, long + "er"}
	for i, id := range ids {
		assert.False(t, s.Marked(id), "%.20q before Add", id)
		assert.True(t, s.Add(id), "%.20q is new", id)
		assert.False(t, s.Add(id), "%.20q is no longer new", id)
		for j, other := range ids {
			assert.Equal(t, j <= i, s.Marked(other), "%.20q", other)
		}
	}
}

func TestUnmarkKeepsTheIDs(t *testing.T) {
	t.Parallel()
	const n = 10_000 // enough for every shard to grow several times
	s := idset.New()
	s.Unmark()
	for i := range n {
		require.True(t, s.Add(strconv.Itoa(i)))
	}
	s.Unmark()
	for i := range n {
		require.False(t, s.Marked(strconv.Itoa(i)))
	}
	for i := range n / 2 {
		require.False(t, s.Add(strconv.Itoa(2*i)), "the id is still in the set")
	}
	for i := range n {
		require.True(t, s.Add(strconv.Itoa(n+i)), "the set grows with both kinds in it")
	}
	for i := range n {
		require.Equal(t, i%2 == 0, s.Marked(strconv.Itoa(i)), i)
	}
}

func TestSetsAreIndependent(t *testing.T) {
	t.Parallel()
	one, two := idset.New(), idset.New()
	one.Add("a")
	assert.False(t, two.Marked("a"))
}

// A walk promises to keep at most 16 bytes an item.
func TestMemoryOfAMillionIDs(t *testing.T) {
	const n = 1_000_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := idset.New()
	for i := range n {
		if !s.Add("survey_" + strconv.Itoa(i)) {
			require.Fail(t, "taken for another id", i)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	assert.LessOrEqual(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(16*n))
	for i := range n {
		id := "survey_" + strconv.Itoa(i)
		if !s.Marked(id) || s.Add(id) {
			require.Fail(t, "lost", id)
		}
	}
	strangers := 0
	for i := range n {
		if s.Marked("response_" + strconv.Itoa(i)) {
			strangers++
		}
	}
	assert.Zero(t, strangers)
}
