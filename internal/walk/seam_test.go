package walk_test

import (
	"slices"
	"testing"

	"github.com/clicknps/go-sdk/internal/walk"
)

// Changes of a list.
func drop(from, to int) func(all []string) []string {
	return func(all []string) []string { return slices.Delete(all, from, to) }
}

func insert(at, n int) func(all []string) []string {
	return func(all []string) []string { return slices.Insert(all, at, ids(100, 100+n)...) }
}

func lastToFirst(all []string) []string { return append(all[44:], all[:44]...) }

// Answers of a server.
func noTotal(_ request, p *page) { p.Total = -1 }

// shortAt sends n items of the page at offset.
func shortAt(offset, n int) func(request, *page) {
	return func(r request, p *page) {
		if r.offset == offset && len(p.Items) > n {
			p.Items, p.More = p.Items[:n], true
		}
	}
}

// A walk by pages of 10 through 45 items that change once, before request at.
func TestRequestsWhenTheListMoves(t *testing.T) {
	t.Parallel()
	all := ids(0, 45)
	for name, test := range map[string]struct {
		start, at int
		change    func(all []string) []string
		answer    func(r request, p *page)
		want      []string
		offsets   []int
	}{
		"1 deleted before":           {0, 3, drop(0, 1), nil, all, []int{0, 9, 18, 13, 22, 31, 40}},
		"5 deleted before":           {0, 3, drop(0, 5), nil, all, []int{0, 9, 18, 12, 21, 30}},
		"5 deleted before, no total": {0, 3, drop(0, 5), noTotal, all, []int{0, 9, 18, 13, 22, 31, 39, 0, 9, 18, 27, 36, 39}},
		"18 deleted before":          {0, 4, drop(0, 18), nil, all, []int{0, 9, 18, 27, 8, 17}},
		"16 deleted before, no total": {
			0, 4, drop(0, 16), noTotal, all,
			[]int{0, 9, 18, 27, 26, 24, 20, 12, 0, 9, 18, 27, 28, 0, 9, 18, 27, 28},
		},
		"25 deleted before": {0, 5, drop(0, 25), nil, all, []int{0, 9, 18, 27, 36, 0, 9, 18}},
		"25 deleted before, no total": {
			0, 5, drop(0, 25), noTotal, all,
			[]int{0, 9, 18, 27, 36, 35, 33, 29, 21, 5, 14, 19, 0, 9, 18, 19},
		},
		"the seam deleted": {0, 3, drop(18, 19), nil, all, []int{0, 9, 18, 13, 22, 31, 40}},
		"the tail deleted": {
			0, 3, drop(11, 19), nil, all,
			[]int{0, 9, 18, 9, 18, 27, 0, 9, 18, 27},
		},
		"all that was met deleted": {0, 3, drop(0, 19), nil, all, []int{0, 9, 18, 0, 9, 18}},
		"all deleted":              {0, 3, drop(0, 45), nil, ids(0, 19), []int{0, 9, 18, 0}},
		"5 created before":         {0, 3, insert(0, 5), nil, all, []int{0, 9, 18, 27, 36, 45}},
		"10 created before":        {0, 3, insert(0, 10), nil, all, []int{0, 9, 18, 27, 36, 45}},
		"5 created before, no total": {
			0, 3, insert(0, 5), noTotal,
			slices.Concat(all, ids(100, 105)),
			[]int{0, 9, 18, 27, 36, 45, 49, 0, 9, 18, 27, 36, 45, 49},
		},
		"20 created before": {
			0, 3, insert(0, 20), nil,
			slices.Concat(ids(0, 19), ids(118, 120), ids(19, 45), ids(100, 118)),
			[]int{0, 9, 18, 27, 36, 45, 54, 63, 0, 9, 18, 27, 36, 45, 54, 63},
		},
		"5 created after the seam": {
			0, 3, insert(19, 5), nil,
			slices.Concat(ids(0, 19), ids(100, 105), ids(19, 45)),
			[]int{0, 9, 18, 27, 36, 45},
		},
		"5 created at the end": {
			0, 3, insert(45, 5), nil, slices.Concat(all, ids(100, 105)),
			[]int{0, 9, 18, 27, 36, 45},
		},
		"last to first": {
			0, 3, lastToFirst, nil, all,
			[]int{0, 9, 18, 27, 36, 0, 9, 18, 27, 36},
		},
		"last to first, no total": {
			0, 3, lastToFirst, noTotal, all,
			[]int{0, 9, 18, 27, 36, 44, 0, 9, 18, 27, 36, 44},
		},
		"the tail deleted at the end, no total": {
			0, 6, drop(37, 45), noTotal, all,
			[]int{0, 9, 18, 27, 36, 44, 43, 41, 37, 29, 0, 9, 18, 27, 36},
		},
		"all deleted at the end, no total": {
			0, 6, drop(0, 45), noTotal, all,
			[]int{0, 9, 18, 27, 36, 44, 43, 41, 37, 29, 13, 0},
		},
		"the tail deleted at the end": {
			0, 5, drop(29, 45), nil, ids(0, 37),
			[]int{0, 9, 18, 27, 36, 12, 21, 0, 9, 18, 27},
		},
		"1 created before, no total": {
			0, 3, insert(0, 1), noTotal, slices.Concat(all, ids(100, 101)),
			[]int{0, 9, 18, 27, 36, 45, 0, 9, 18, 27, 36, 45},
		},
		"1 created before, 1 deleted after": {0, 3, func(all []string) []string {
			return slices.Concat(ids(100, 101), all[:44])
		}, nil, slices.Concat(ids(0, 44), ids(100, 101)), []int{0, 9, 18, 27, 36, 0, 9, 18, 27, 36}},
		"2 of the tail swapped, 5 deleted before": {0, 3, func(all []string) []string {
			all[17], all[18] = all[18], all[17]
			return all[5:]
		}, nil, all, []int{0, 9, 18, 12, 21, 30, 0, 9, 18, 27, 36}},
		"tail to the end, another to the start, no total": {
			0, 3, func(all []string) []string {
				return slices.Concat(all[30:31], all[:11], all[19:30], all[31:], all[11:19])
			}, noTotal,
			slices.Concat(ids(0, 30), ids(31, 45), ids(30, 31)),
			[]int{0, 9, 18, 13, 3, 12, 21, 30, 39, 0, 9, 18, 27, 36, 44},
		},
		"5 deleted before a short page": {
			0, 3, drop(0, 5), shortAt(18, 1), all,
			[]int{0, 9, 18, 12, 21, 30},
		},
		"from 5, 5 deleted": {
			5, 3, drop(0, 5), nil, ids(5, 45),
			[]int{5, 14, 23, 14, 23, 32},
		},
		"from 5, 5 deleted, no total": {
			5, 3, drop(0, 5), noTotal, ids(5, 45),
			[]int{5, 14, 23, 14, 23, 32, 39},
		},
		"from 5, 20 deleted": {
			5, 4, drop(0, 20), nil, ids(5, 45),
			[]int{5, 14, 23, 32, 24, 15, 6, 15},
		},
		"from 5, 20 created": {
			5, 3, insert(0, 20), nil,
			slices.Concat(ids(5, 45), ids(105, 120), ids(0, 5)),
			[]int{5, 14, 23, 32, 41, 50, 59, 5, 14, 23, 32, 41, 50, 59},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireRequests(t, func() *list {
				l := &list{items: ids(0, 45), answer: test.answer}
				l.before = func(n int) {
					if n == test.at {
						l.items = test.change(slices.Clone(l.items))
					}
				}
				return l
			}, walk.Options{Start: test.start, Limit: 10}, test.want, test.offsets)
		})
	}
}

func TestEmptyPageInTheMiddle(t *testing.T) {
	t.Parallel()
	requireRequests(t, func() *list {
		empty := true
		return &list{items: ids(0, 45), answer: func(r request, p *page) {
			if r.offset == 18 && empty {
				empty, p.Items, p.More = false, nil, true
			}
		}}
	}, walk.Options{Limit: 10}, ids(0, 45), []int{0, 9, 18, 28, 19, 18, 27, 36})
}
