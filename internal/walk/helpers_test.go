package walk_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/walk"
)

// request is an offset and a limit that a source was asked for.
type request struct{ offset, limit int }

// list is a list in memory that others may change before each request.
type list struct {
	mu       sync.Mutex
	items    []string
	maxLimit int                      // pages are capped at; 0: not capped
	filter   func(slot int) bool      // a page omits other slots; nil: none
	before   func(n int)              // called before request n, counted from 1; may be nil
	answer   func(r request, p *page) // changes the answer; may be nil
	requests []request
}

type page = walk.Page[string]

func (l *list) source(_ context.Context, offset, limit int) (page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = append(l.requests, request{offset, limit})
	if l.before != nil {
		l.before(len(l.requests))
	}
	size := limit
	if l.maxLimit > 0 {
		size = min(limit, l.maxLimit)
	}
	start, end := min(offset, len(l.items)), min(offset+size, len(l.items))
	p := page{Total: len(l.items), Limit: size, More: end < len(l.items), MoreSet: true}
	for slot := start; slot < end; slot++ {
		if l.filter == nil || l.filter(slot) {
			p.Items = append(p.Items, l.items[slot])
		}
	}
	if l.answer != nil {
		l.answer(request{offset, limit}, &p)
	}
	return p, nil
}

func identity(s *string) string { return *s }

// walk returns what a walk yields, and its error.
func (l *list) walk(t *testing.T, o walk.Options) ([]string, error) {
	t.Helper()
	l.requests = nil
	var got []string
	for item, err := range walk.All(t.Context(), l.source, identity, o) {
		if err != nil {
			require.Nil(t, item)
			return got, err
		}
		got = append(got, *item)
	}
	return got, nil
}

func (l *list) requireWalk(t *testing.T, o walk.Options, want []string) {
	t.Helper()
	got, err := l.walk(t, o)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

var errBroken = errors.New("broken")

// requireRequests requires that a walk through a new list yields want and asks for the pages at
// offsets, and that an error of any of these requests ends it.
func requireRequests(t *testing.T, newList func() *list, o walk.Options, want []string, offsets []int) {
	t.Helper()
	bookmark := o.Bookmark
	for broken := range len(offsets) + 1 { // 0: none
		if bookmark != nil {
			o.Bookmark = new(*bookmark)
		}
		l := newList()
		source := func(ctx context.Context, offset, limit int) (page, error) {
			p, err := l.source(ctx, offset, limit)
			if len(l.requests) == broken {
				return p, errBroken
			}
			return p, err
		}
		var got []string
		var last error
		for item, err := range walk.All(t.Context(), source, identity, o) {
			if last = err; err == nil {
				got = append(got, *item)
			}
		}
		if broken == 0 {
			require.NoError(t, last)
			require.Equal(t, offsets, l.offsets())
			require.Equal(t, want, got)
			continue
		}
		require.Equal(t, errBroken, last, "request %d", broken)
		require.Equal(t, offsets[:broken], l.offsets())
		require.Subset(t, want, got)
	}
}

// offsets returns the offsets of the requests.
func (l *list) offsets() []int {
	var offsets []int
	for _, r := range l.requests {
		offsets = append(offsets, r.offset)
	}
	return offsets
}

// ids returns the ids from to before to.
func ids(from, to int) []string {
	all := make([]string, 0, to-from)
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprintf("item_%05d", i))
	}
	return all
}

type order int

const (
	oldestFirst order = iota
	newestFirst
	byName
)

// crowd creates, deletes and renames items of a list before its requests.
type crowd struct {
	list
	random         *rand.Rand
	order          order
	created        int
	throughout     map[string]bool // there since the crowd was made
	name           map[string]string
	renamed        map[string]int // how often
	create, remove float64        // probability of a burst before a request
	rename         float64
	burst          int
	wipeAt         int // request before which everything is deleted; 0: none
}

func newCrowd(seed uint64, o order) *crowd {
	c := &crowd{random: rand.New(rand.NewPCG(seed, uint64(o))), order: o}
	c.throughout, c.name, c.renamed = map[string]bool{}, map[string]string{}, map[string]int{}
	for range 20 + c.random.IntN(180) {
		c.add()
	}
	for _, id := range c.items {
		c.throughout[id] = true
	}
	c.create, c.remove, c.burst = c.random.Float64(), c.random.Float64(), 1+c.random.IntN(30)
	if c.random.IntN(20) == 0 {
		c.wipeAt = 2 + c.random.IntN(5)
	}
	c.before = c.act
	return c
}

func (c *crowd) add() {
	id := fmt.Sprintf("item_%05d", c.created)
	c.created++
	c.insert(id)
}

func (c *crowd) insert(id string) {
	at := 0
	switch c.order {
	case oldestFirst:
		at = len(c.items)
	case byName:
		c.name[id] = fmt.Sprintf("%016x", c.random.Uint64())
		at, _ = slices.BinarySearchFunc(c.items, c.name[id], func(id, name string) int {
			if c.name[id] < name {
				return -1
			}
			return 1
		})
	}
	c.items = slices.Insert(c.items, at, id)
}

// act is what happens before request n.
func (c *crowd) act(n int) {
	if n == c.wipeAt {
		clear(c.throughout)
		c.items = nil
	}
	if n > 200 { // a crowd that never rests can keep any walk from ending
		return
	}
	if c.random.Float64() < c.create {
		for range c.random.IntN(c.burst) {
			c.add()
		}
	}
	if c.random.Float64() < c.remove { // neighbours, so that whole pages go at once
		at := c.random.IntN(len(c.items) + 1)
		end := min(at+c.random.IntN(c.burst), len(c.items))
		for _, id := range c.items[at:end] {
			delete(c.throughout, id)
		}
		c.items = slices.Delete(c.items, at, end)
	}
	if c.random.Float64() < c.rename && len(c.items) > 0 {
		i := c.random.IntN(len(c.items))
		id := c.items[i]
		c.renamed[id]++
		c.items = slices.Delete(c.items, i, i+1)
		c.insert(id)
	}
}
