package clicknps

import (
	"fmt"
	"iter"
	"math"
)

// NoScore is the Score of a response whose score is null or absent. It is never counted as a 0.
const NoScore = -1

// Category is the group of customers that a score stands for.
type Category string

// The categories, with their scores.
const (
	Promoter  Category = "promoter"  // 9 and 10
	Passive   Category = "passive"   // 7 and 8
	Detractor Category = "detractor" // 0 to 6
)

// Categorize returns the category of a score from 0 to 10. Any other score is [ErrInvalidParams].
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

// Tally counts scores by category. Negative counts count as 0. It is not safe for concurrent use.
type Tally struct {
	Promoters, Passives, Detractors int

	Unscored int // responses without a score; not part of Total
}

// Add counts a score from 0 to 10, or [NoScore]. Any other score is [ErrInvalidParams] and not
// counted.
func (t *Tally) Add(score int) error {
	if score == NoScore {
		t.Unscored++
		return nil
	}
	category, err := Categorize(score)
	switch category {
	case Promoter:
		t.Promoters++
	case Passive:
		t.Passives++
	case Detractor:
		t.Detractors++
	}
	return err
}

// Merge adds the counts of other.
func (t *Tally) Merge(other Tally) {
	t.Promoters += other.Promoters
	t.Passives += other.Passives
	t.Detractors += other.Detractors
	t.Unscored += other.Unscored
}

// Total returns the number of scores.
func (t Tally) Total() int {
	return max(t.Promoters, 0) + max(t.Passives, 0) + max(t.Detractors, 0)
}

// NPS returns the Net Promoter Score, from −100 to +100: 100·(p−d)/n for p promoters and d
// detractors among n scores. It is exact where it is a whole number, and 0 without scores.
func (t Tally) NPS() float64 {
	s := t.sample(0)
	if s.n == 0 {
		return 0
	}
	return min(max(100*s.difference/s.n, -100), 100) // beyond 2⁵³, the quotient can be a little more
}

// MarginOfError returns how far, in points, the NPS of all customers may be from [Tally.NPS], with
// a confidence between 0 and 1, usually 0.95 (Wald: 100·z·√((p+d−(p−d)²)/n) for shares p and d of
// n scores). It suits large samples; for small ones, use [Tally.Interval]. It is 0 without scores,
// and NaN for any other confidence.
func (t Tally) MarginOfError(confidence float64) float64 {
	s := t.sample(0)
	z := quantile(confidence)
	if s.n == 0 && !math.IsNaN(z) {
		return 0
	}
	return 100 * z * math.Sqrt(s.variance())
}

// Interval returns the range, in points, in which the NPS of all customers lies, with a confidence
// between 0 and 1. It suits small samples too: it is the adjusted Wald interval (Rocks, The
// American Statistician 2016), which adds ¾ of a promoter, 1½ passives and ¾ of a detractor. It is
// within ±100, all of that without scores, and NaN for any other confidence.
func (t Tally) Interval(confidence float64) (low, high float64) {
	z, s := quantile(confidence), t.sample(pseudo)
	if t.sample(0).n == 0 {
		return -100 + 0*z, 100 + 0*z
	}
	center, margin := 100*s.difference/s.n, 100*z*math.Sqrt(s.variance())
	return max(-100, center-margin), min(100, center+margin)
}

// Change returns the range, in points, in which the NPS has changed since an earlier sample. If
// the range does not include 0, the change is real, with a confidence between 0 and 1. The method
// is that of [Tally.Interval]; the range is within ±200.
func (t Tally) Change(from Tally, confidence float64) (low, high float64) {
	z, a, b := quantile(confidence), t.sample(pseudo), from.sample(pseudo)
	if t.sample(0).n == 0 || from.sample(0).n == 0 {
		return -200 + 0*z, 200 + 0*z
	}
	center := 100*a.difference/a.n - 100*b.difference/b.n
	margin := 100 * z * math.Sqrt(a.variance()+b.variance())
	return max(-200, center-margin), min(200, center+margin)
}

const pseudo = 0.75 // promoters, and detractors, that an adjusted interval adds to twice as many passives

type sample struct{ extremes, difference, n float64 } // p+d, p−d and all

func (t Tally) sample(added float64) sample {
	p, d, passives := float64(max(t.Promoters, 0)), float64(max(t.Detractors, 0)),
		float64(max(t.Passives, 0))
	return sample{p + d + 2*added, p - d, p + d + passives + 4*added}
}

func (s sample) variance() float64 {
	mean := s.difference / s.n
	return max(s.extremes/s.n-mean*mean, 0) / s.n // rounding can leave less than 0
}

// quantile returns the normal quantile of a two-sided confidence, or NaN.
func quantile(confidence float64) float64 {
	if !(confidence > 0 && confidence < 1) { // written so that NaN is refused too
		return math.NaN()
	}
	return math.Sqrt2 * math.Erfinv(confidence)
}

// TallyOf counts the scores of responses, such as those of [ResponsesService.All]. It returns the
// tally so far with the first error, which for nil and for an impossible score is
// [ErrInvalidParams].
func TallyOf[R *Response | *NPSResponse](responses iter.Seq2[R, error]) (Tally, error) {
	tallies, err := TallyBy(responses, func(R) (struct{}, bool) { return struct{}{}, true })
	return tallies[struct{}{}], err
}

// TallyBy is [TallyOf] by key, such as the week or the segment. It leaves out responses for which
// key returns false.
func TallyBy[R *Response | *NPSResponse, K comparable](
	responses iter.Seq2[R, error], key func(R) (K, bool),
) (map[K]Tally, error) {
	tallies := make(map[K]Tally)
	for r, err := range responses {
		if err != nil {
			return tallies, err
		}
		if r == nil {
			return tallies, fmt.Errorf("%w: a response is nil", ErrInvalidParams)
		}
		k, wanted := key(r)
		if !wanted {
			continue
		}
		t, id, score := tallies[k], "", 0
		switch r := any(r).(type) {
		case *Response:
			id, score = r.ID, r.Score
		case *NPSResponse:
			id, score = r.ID, r.Score
		}
		if err := t.Add(score); err != nil {
			return tallies, fmt.Errorf("response %q: %w", id, err)
		}
		tallies[k] = t
	}
	return tallies, nil
}
