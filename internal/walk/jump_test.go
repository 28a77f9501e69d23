package walk_test

import (
	"testing"

	"github.com/clicknps/go-sdk/internal/walk"
)

// Of 60 slots by pages of 10, a page shows those that the server keeps.
func TestRequestsWhereTheServerFilters(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		keep    func(slot int) bool
		offsets []int
	}{
		"every second": {
			func(slot int) bool { return slot%2 == 0 },
			[]int{0, 4, 10, 5, 20, 15, 30, 25, 40, 35, 50, 45, 60, 55},
		},
		"15 of 20": {
			func(slot int) bool { return slot%20 < 15 },
			[]int{0, 9, 14, 18, 24, 19, 33, 43, 38, 52, 62, 55},
		},
		"15 of 30": {
			func(slot int) bool { return slot%30 < 15 },
			[]int{0, 9, 14, 24, 15, 27, 34, 28, 43, 53, 45},
		},
		"none from 5 to 34": {
			func(slot int) bool { return slot < 5 || slot > 34 },
			[]int{0, 4, 14, 5, 24, 15, 34, 25, 42, 44, 43, 53},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want []string
			for slot, id := range ids(0, 60) {
				if test.keep(slot) {
					want = append(want, id)
				}
			}
			requireRequests(t, func() *list {
				return &list{items: ids(0, 60), filter: test.keep}
			}, walk.Options{Limit: 10}, want, test.offsets)
		})
	}
}
