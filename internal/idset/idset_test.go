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

func TestMembership(t *testing.T) {
	t.Parallel()
	s := idset.New()
	ids := []string{"", "a", "A", "survey_1", "survey_2", "\x00", "\xff", strings.Repeat("long", 1000), strings.Repeat("long", 1000) + "er"}
	for i, id := range ids {
		assert.False(t, s.Has(id), "%.20q", id)
		assert.True(t, s.Add(id), "%.20q", id)
		assert.False(t, s.Add(id), "%.20q is there already", id)
		for j, other := range ids {
			assert.Equal(t, j <= i, s.Has(other), "%.20q", other)
		}
	}
}

func TestSetsAreApart(t *testing.T) {
	t.Parallel()
	one, two := idset.New(), idset.New()
	one.Add("a")
	assert.False(t, two.Has("a"))
}

// A walk's memory must not grow by more than 16 bytes an item.
func TestAMillionIDsInLittleMemory(t *testing.T) {
	const n = 1_000_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := idset.New()
	for i := range n {
		if !s.Add("survey_" + strconv.Itoa(i)) {
			require.Fail(t, "taken for another", i)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	assert.LessOrEqual(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(16*n))
	for i := range n {
		id := "survey_" + strconv.Itoa(i)
		if !s.Has(id) || s.Add(id) {
			require.Fail(t, "lost", id)
		}
	}
	strangers := 0
	for i := range n {
		if s.Has("response_" + strconv.Itoa(i)) {
			strangers++
		}
	}
	assert.Zero(t, strangers)
}
