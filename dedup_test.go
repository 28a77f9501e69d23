package clicknps

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func claim(t *testing.T, d Deduper, key string) bool {
	t.Helper()
	claimed, err := d.Claim(t.Context(), key, claimTTL)
	require.NoError(t, err)
	return claimed
}

func TestMemoryDeduperClaimsLast72Hours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newMemoryDeduper(10)
		assert.True(t, claim(t, d, "a"))
		<-time.After(72*time.Hour - time.Nanosecond)
		assert.False(t, claim(t, d, "a"))
		<-time.After(time.Nanosecond)
		assert.True(t, claim(t, d, "a"))
		assert.False(t, claim(t, d, "a"))
		assert.Len(t, d.claims, 1)
	})
}

func TestMemoryDeduperReleaseLetsTheNextIn(t *testing.T) {
	d := newMemoryDeduper(10)
	assert.True(t, claim(t, d, "a"))
	assert.True(t, claim(t, d, "b"))
	require.NoError(t, d.Release(t.Context(), "a"))
	require.NoError(t, d.Release(t.Context(), "never claimed"))
	assert.True(t, claim(t, d, "a"))
	assert.False(t, claim(t, d, "b"))
}

func TestMemoryDeduperIsBounded(t *testing.T) {
	d := newMemoryDeduper(3)
	for i := range 1000 {
		assert.True(t, claim(t, d, fmt.Sprint(i)))
		assert.LessOrEqual(t, len(d.claims), 3)
		assert.Equal(t, len(d.claims), d.oldest.Len())
	}
	for _, kept := range []string{"999", "998", "997"} {
		assert.False(t, claim(t, d, kept), kept)
	}
	assert.True(t, claim(t, d, "996"), "the oldest made room")
	assert.True(t, claim(t, d, strings.Repeat("a long key ", 1000)))
	assert.Len(t, d.claims, 3)
}

func TestMemoryDeduperForgetsTheExpiredBeforeTheLiving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newMemoryDeduper(3)
		claim(t, d, "old 1")
		claim(t, d, "old 2")
		<-time.After(claimTTL - time.Hour)
		claim(t, d, "living")
		<-time.After(time.Hour)
		assert.True(t, claim(t, d, "new"))
		assert.Len(t, d.claims, 2)
		assert.False(t, claim(t, d, "living"))
	})
}

func TestMemoryDeduperGivesAKeyToOne(t *testing.T) {
	d := newMemoryDeduper(memoryDeduperCapacity)
	var won atomic.Int64
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			for key := range 100 {
				if claimed, _ := d.Claim(t.Context(), fmt.Sprint(key), time.Hour); claimed {
					won.Add(1)
				}
			}
		})
	}
	group.Wait()
	assert.EqualValues(t, 100, won.Load())
}
