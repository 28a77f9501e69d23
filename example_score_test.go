package clicknps_test

import (
	"errors"
	"fmt"

	clicknps "github.com/clicknps/go-sdk"
)

func ExampleCategorize() {
	for _, score := range []int{10, 8, 6} {
		category, err := clicknps.Categorize(score)
		fmt.Println(score, category, err)
	}
	_, err := clicknps.Categorize(11)
	fmt.Println(errors.Is(err, clicknps.ErrInvalidParams))
	// Output:
	// 10 promoter <nil>
	// 8 passive <nil>
	// 6 detractor <nil>
	// true
}

func ExampleTally() {
	var tally clicknps.Tally
	for _, score := range []int{10, 9, 9, 8, 7, 10, 3, 9, 10, 6} {
		if err := tally.Add(score); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Printf("%+v of %d\n", tally, tally.Total())
	fmt.Printf("NPS %+.0f\n", tally.NPS())
	// Output:
	// {Promoters:6 Passives:2 Detractors:2 Unscored:0} of 10
	// NPS +40
}

func ExampleTally_MarginOfError() {
	tally := clicknps.Tally{Promoters: 180, Passives: 70, Detractors: 50}
	fmt.Printf("NPS %+.1f ± %.1f points, 19 times out of 20\n", tally.NPS(), tally.MarginOfError(0.95))
	// Output: NPS +43.3 ± 8.6 points, 19 times out of 20
}

func ExampleTallyOf() {
	// With a client, these are client.Responses.All(ctx, params).
	all := func(yield func(*clicknps.Response, error) bool) {
		for _, score := range []int{10, 9, 7, 2} {
			if !yield(&clicknps.Response{Score: score}, nil) {
				return
			}
		}
	}
	tally, err := clicknps.TallyOf(all)
	fmt.Printf("NPS %+.0f, error: %v\n", tally.NPS(), err)
	// Output: NPS +25, error: <nil>
}
