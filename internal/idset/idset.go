// Package idset remembers ids in at most 14 bytes each, however long they are.
package idset

import (
	"hash/maphash"
	"math/bits"
)

const shards = 64

// Set is a set of ids, kept as 64-bit hashes with a seed of its own. Two of a million ids are taken for one with
// a probability of 3·10⁻⁸. It is not safe for concurrent use.
type Set struct {
	seed   maphash.Seed
	shards [shards]table // growing one at a time, so that growth needs little room
}

// New returns an empty set.
func New() *Set { return &Set{seed: maphash.MakeSeed()} }

// Has reports whether id is in the set.
func (s *Set) Has(id string) bool {
	h := s.hash(id)
	t := &s.shards[h%shards]
	return len(t.slots) > 0 && t.slots[t.find(h)] != 0
}

// Add puts id into the set. It reports whether it was not there before.
func (s *Set) Add(id string) bool {
	h := s.hash(id)
	return s.shards[h%shards].add(h)
}

func (s *Set) hash(id string) uint64 {
	return max(maphash.String(s.seed, id), shards) // 0 marks a free slot
}

// table is a hash table with linear probing, at most four fifths full.
type table struct {
	slots []uint64
	n     int
}

// find returns h's slot, or the free one where it would go.
func (t *table) find(h uint64) int {
	hi, _ := bits.Mul64(h, uint64(len(t.slots)))
	i := int(hi)
	for t.slots[i] != 0 && t.slots[i] != h {
		if i++; i == len(t.slots) {
			i = 0
		}
	}
	return i
}

func (t *table) add(h uint64) bool {
	if 5*(t.n+1) > 4*len(t.slots) {
		t.grow()
	}
	i := t.find(h)
	if t.slots[i] != 0 {
		return false
	}
	t.slots[i] = h
	t.n++
	return true
}

func (t *table) grow() {
	old := t.slots
	t.slots = make([]uint64, max(8, len(old)*4/3))
	for _, h := range old {
		if h != 0 {
			t.slots[t.find(h)] = h
		}
	}
}
