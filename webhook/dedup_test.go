package webhook

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// NewMemoryDeduper returns the default deduper to the tests outside of the package.
func NewMemoryDeduper() Deduper { return newMemoryDeduper(memoryCapacity) }

// memoryTest calls a deduper with leases of an hour and for times of a day.
type memoryTest struct {
	*testing.T
	d *memoryDeduper
}

func (t memoryTest) claim(key, holder string) ClaimResult {
	t.Helper()
	result, err := t.d.Claim(t.Context(), key, holder, time.Hour)
	require.NoError(t, err)
	return result
}

func (t memoryTest) complete(key, holder string) {
	t.Helper()
	require.NoError(t, t.d.Complete(t.Context(), key, holder, 24*time.Hour))
}

func (t memoryTest) release(key, holder string) {
	t.Helper()
	require.NoError(t, t.d.Release(t.Context(), key, holder))
}

// inMemory runs a test of a deduper in a bubble.
func inMemory(t *testing.T, capacity int, test func(t memoryTest)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(memoryTest{t, newMemoryDeduper(capacity)}) })
}

func TestMemoryDeduperLeases(t *testing.T) {
	inMemory(t, 10, func(t memoryTest) {
		assert.Equal(t, ClaimGranted, t.claim("a", "one"))
		assert.Equal(t, ClaimHeld, t.claim("a", "two"))
		assert.Equal(t, ClaimGranted, t.claim("b", "two"))
		<-time.After(time.Hour - time.Nanosecond)
		assert.Equal(t, ClaimHeld, t.claim("a", "two"))
		assert.Equal(t, ClaimGranted, t.claim("a", "one"), "extended")
		<-time.After(time.Hour - time.Nanosecond)
		assert.Equal(t, ClaimHeld, t.claim("a", "two"))
		<-time.After(time.Nanosecond)
		assert.Equal(t, ClaimGranted, t.claim("a", "two"))
		assert.Equal(t, ClaimHeld, t.claim("a", "one"))
	})
}

func TestMemoryDeduperRemembersWhatIsDone(t *testing.T) {
	inMemory(t, 10, func(t memoryTest) {
		t.claim("a", "one")
		t.complete("a", "one")
		assert.Equal(t, ClaimDone, t.claim("a", "one"))
		t.release("a", "one")
		<-time.After(24*time.Hour - time.Nanosecond)
		t.complete("a", "one")
		assert.Equal(t, ClaimDone, t.claim("a", "two"))
		<-time.After(time.Nanosecond)
		assert.Equal(t, ClaimGranted, t.claim("a", "two"))
	})
}

func TestMemoryDeduperIsBounded(t *testing.T) {
	inMemory(t, 3, func(t memoryTest) {
		t.claim("held", "one")
		for i := range 1000 {
			assert.Equal(t, ClaimGranted, t.claim(fmt.Sprint(i), "one"))
			t.complete(fmt.Sprint(i), "one")
			assert.Len(t, t.d.claims, 1+min(i+1, 3))
			assert.Len(t, t.d.done, min(i+1, 3))
		}
		for _, kept := range []string{"999", "998", "997"} {
			assert.Equal(t, ClaimDone, t.claim(kept, "two"), kept)
		}
		assert.Equal(t, ClaimGranted, t.claim("996", "two"), "the oldest is forgotten")
		assert.Equal(t, ClaimHeld, t.claim("held", "two"), "a held claim is not")
	})
}

func TestMemoryDeduperForgetsWhatHasExpired(t *testing.T) {
	inMemory(t, 10, func(t memoryTest) {
		t.complete("old 1", "one")
		t.complete("old 2", "one")
		<-time.After(23 * time.Hour)
		t.complete("living", "one")
		<-time.After(time.Hour)
		t.complete("new", "one")
		assert.Len(t, t.d.claims, 2)
		assert.Len(t, t.d.done, 2)
		assert.Equal(t, ClaimDone, t.claim("living", "two"))
		require.NoError(t, t.d.Complete(t.Context(), "at once", "one", 0))
		assert.Equal(t, ClaimGranted, t.claim("at once", "two"))
	})
}

// An event that comes again after its time is held again, and not forgotten with its first
// occurrence.
func TestMemoryDeduperKeepsAClaimThatIsHeldAgain(t *testing.T) {
	inMemory(t, 1, func(t memoryTest) {
		t.complete("a", "one")
		<-time.After(24 * time.Hour)
		assert.Equal(t, ClaimGranted, t.claim("a", "two"))
		t.complete("b", "one")
		assert.Equal(t, ClaimHeld, t.claim("a", "three"))
	})
}

func TestDefaultDeduperRemembers100000Events(t *testing.T) {
	v, err := NewVerifier([]string{"secret"})
	require.NoError(t, err)
	assert.Equal(t, 100_000, v.deduper.(*memoryDeduper).capacity)
}
