// Package idset remembers ids in at most 14 bytes each, however long they are.
package idset

import (
	"hash/maphash"
	"math/bits"
)

const (
	shards = 64
	marked = 1 // the bit of a hash that says that the id is marked
)

// Set is a set of ids, each of them marked or not. It keeps 63-bit hashes with a random seed of its
// own: the probability that two of a million ids are taken for the same one is 6·10⁻⁸. It is not
// safe for concurrent use.
type Set struct {
	seed   maphash.Seed
	shards [shards]table // they grow one at a time, so that growing needs little memory
}

// New returns an empty set.
func New() *Set { return &Set{seed: maphash.MakeSeed()} }

// Add adds id to the set and marks it. It reports whether the id is new to the set.
func (s *Set) Add(id string) bool {
	h := s.hash(id)
	return s.shard(h).add(h)
}

// Marked reports whether id is in the set and marked.
func (s *Set) Marked(id string) bool {
	h := s.hash(id)
	t := s.shard(h)
	return len(t.slots) > 0 && t.slots[t.find(h)]&marked != 0
}

// Unmark removes the marks of all ids. The ids stay in the set.
func (s *Set) Unmark() {
	for i := range s.shards {
		for j := range s.shards[i].slots {
			s.shards[i].slots[j] &^= marked
		}
	}
}

// hash returns the hash of id without a mark. It is never 0, which stands for a free slot.
func (s *Set) hash(id string) uint64 {
	return max(maphash.String(s.seed, id)&^marked, 2*shards)
}

func (s *Set) shard(h uint64) *table { return &s.shards[h/2%shards] }

// table is a hash table with linear probing. At most four fifths of its slots are taken.
type table struct {
	slots []uint64
	n     int
}

// find returns the index of the slot that holds h, or of the free slot where h belongs.
func (t *table) find(h uint64) int {
	hi, _ := bits.Mul64(h, uint64(len(t.slots)))
	i := int(hi)
	for t.slots[i] != 0 && t.slots[i]&^marked != h {
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
	isNew := t.slots[i] == 0
	t.slots[i] = h | marked
	if isNew {
		t.n++
	}
	return isNew
}

func (t *table) grow() {
	old := t.slots
	t.slots = make([]uint64, max(8, len(old)*4/3))
	for _, slot := range old {
		if slot != 0 {
			t.slots[t.find(slot&^marked)] = slot
		}
	}
}
