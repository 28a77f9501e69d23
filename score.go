package clicknps

import (
	"fmt"
	"iter"
	"math"
)

// Category is what a score says about a customer.
type Category string

// The categories, with their scores.
const (
	Promoter  Category = "promoter"  // 9 and 10
	Passive   Category = "passive"   // 7 and 8
	Detractor Category = "detractor" // 0 to 6
)

// Categorize returns the category of a score from 0 to 10. Any other score is an [ErrInvalidParams].
func Categorize(score int) (Category, error) {
	switch {
	case score < 0 || score > 10:
		return "", fmt.Errorf("%w: score %d is not between 0 and 10", ErrInvalidParams, score)
	case score >= 9:
		return Promoter, nil
	case score >= 7:
		return Passive, nil
	default:
		return Detractor, nil
	}
}

// Tally counts scores by category. The zero value is an empty tally; a negative count counts as 0.
// It is not safe for concurrent use.
type Tally struct{ Promoters, Passives, Detractors int }

// Add counts a score from 0 to 10. Any other score is an [ErrInvalidParams], and is not counted.
func (t *Tally) Add(score int) error {
	category, err := Categorize(score)
	if err != nil {
		return err
	}
	switch category {
	case Promoter:
		t.Promoters++
	case Passive:
		t.Passives++
	case Detractor:
		t.Detractors++
	}
	return nil
}

// Total returns the number of scores.
func (t Tally) Total() int {
	return max(t.Promoters, 0) + max(t.Passives, 0) + max(t.Detractors, 0)
}

// NPS returns the Net Promoter Score: the percentage of promoters less that of detractors, from −100 to +100.
// It is 0 if nothing is tallied.
func (t Tally) NPS() float64 {
	p, d, n := t.shares()
	if n == 0 {
		return 0
	}
	return 100 * (p - d)
}

// MarginOfError returns how far, in points, the [Tally.NPS] of all customers may be from that of those who answered,
// with the given confidence between 0 and 1 (0.95 is usual). It is z·√((p+d−(p−d)²)/n)·100, where p and d are the
// shares of promoters and detractors among n scores, and z is the normal quantile of (1+confidence)/2.
//
// It is 0 if nothing is tallied, and NaN for a confidence that is not between 0 and 1. It is an approximation that
// wants some thirty scores; where all customers gave the same answer, it is 0.
func (t Tally) MarginOfError(confidence float64) float64 {
	if !(confidence > 0 && confidence < 1) { // so written, NaN is out as well
		return math.NaN()
	}
	p, d, n := t.shares()
	if n == 0 {
		return 0
	}
	variance := max(p+d-(p-d)*(p-d), 0) // rounding can leave a little less than nothing
	z := math.Sqrt2 * math.Erfinv(confidence)
	return 100 * z * math.Sqrt(variance/n)
}

// shares returns the shares of promoters and detractors among n scores.
func (t Tally) shares() (promoters, detractors, n float64) {
	p, d := float64(max(t.Promoters, 0)), float64(max(t.Detractors, 0))
	n = p + d + float64(max(t.Passives, 0)) // not Total, which can overflow
	if n == 0 {
		return 0, 0, 0
	}
	return p / n, d / n, n
}

// TallyOf counts the scores of responses, such as those of [ResponsesService.All].
// It stops at the first error and returns it with what was tallied before: an error of the sequence as it is, and an
// [ErrInvalidParams] for a nil response or for a score that is not between 0 and 10.
func TallyOf(responses iter.Seq2[*Response, error]) (Tally, error) {
	var t Tally
	for r, err := range responses {
		if err != nil {
			return t, err
		}
		if r == nil {
			return t, fmt.Errorf("%w: response after %d others is nil", ErrInvalidParams, t.Total())
		}
		if err := t.Add(r.Score); err != nil {
			return t, fmt.Errorf("response %q: %w", r.ID, err)
		}
	}
	return t, nil
}
