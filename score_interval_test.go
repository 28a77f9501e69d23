package clicknps_test

import (
	"errors"
	"iter"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// NPS is exact where the score is a whole number, and the nearest float64 everywhere else.
func TestNPSIsExact(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 200; n++ {
		for p := 0; p <= n; p++ {
			for _, d := range []int{0, (n - p) / 3, (n - p) / 2, n - p} {
				exact := big.NewRat(int64(100*(p-d)), int64(n))
				want, _ := exact.Float64()
				tally := clicknps.Tally{Promoters: p, Detractors: d, Passives: n - p - d, Unscored: 7}
				require.Equal(t, want, tally.NPS(), "%+v", tally)
			}
		}
	}
	assert.Equal(t, 20.0, clicknps.Tally{Promoters: 3, Detractors: 2}.NPS())
}

func TestIntervalIsAdjustedWald(t *testing.T) {
	t.Parallel()
	// By hand: (12+¾−2−¾)/(20+3) = 10/23; variance (13.5/23 − (10/23)²)/23... with 12, 6, 2.
	tally := clicknps.Tally{Promoters: 12, Passives: 6, Detractors: 2}
	mean := 10.0 / 23
	margin := 1.959963984540054 * math.Sqrt((15.5/23-mean*mean)/23)
	low, high := tally.Interval(0.95)
	assert.InDelta(t, 100*(mean-margin), low, 1e-9)
	assert.InDelta(t, 100*(mean+margin), high, 1e-9)

	low, high = clicknps.Tally{Promoters: 2}.Interval(0.999)
	assert.Equal(t, 100.0, high)
	assert.Less(t, low, 60.0)
	low, high = clicknps.Tally{Unscored: 5}.Interval(0.95)
	assert.Equal(t, [2]float64{-100, 100}, [2]float64{low, high})
	for _, c := range []float64{0, 1, -1, 2, math.NaN(), math.Inf(1)} {
		for _, tally := range []clicknps.Tally{tally, {}} {
			low, high := tally.Interval(c)
			assert.True(t, math.IsNaN(low) && math.IsNaN(high), "%v", c)
			low, high = tally.Change(tally, c)
			assert.True(t, math.IsNaN(low) && math.IsNaN(high), "%v", c)
			assert.True(t, math.IsNaN(tally.MarginOfError(c)))
		}
	}
}

func TestChange(t *testing.T) {
	t.Parallel()
	same := clicknps.Tally{Promoters: 50, Passives: 30, Detractors: 20}
	low, high := same.Change(same, 0.95)
	assert.InDelta(t, 0, low+high, 1e-9)
	assert.Negative(t, low)
	better := clicknps.Tally{Promoters: 80, Passives: 15, Detractors: 5}
	low, high = better.Change(same, 0.95)
	assert.Positive(t, low, "the difference is real")
	assert.Greater(t, high, low)
	mirrored, other := same.Change(better, 0.95)
	assert.InDelta(t, -low, other, 1e-9)
	assert.InDelta(t, -high, mirrored, 1e-9)
	// By hand: variances add.
	a, b := 75.0/103, 30.0/103
	va, vb := (86.5/103-a*a)/103, (71.5/103-b*b)/103
	assert.InDelta(t, 100*(a-b)-195.9963984540054*math.Sqrt(va+vb), low, 1e-9)
	low, high = clicknps.Tally{}.Change(same, 0.95)
	assert.Equal(t, [2]float64{-200, 200}, [2]float64{low, high})
	low, high = same.Change(clicknps.Tally{}, 0.95)
	assert.Equal(t, [2]float64{-200, 200}, [2]float64{low, high})
}

// The intervals hold the truth about as often as they say, from 5 answers on.
func TestIntervalCoverage(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	sample := func(n int, p, d float64) (tally clicknps.Tally) {
		for range n {
			switch x := r.Float64(); {
			case x < p:
				tally.Promoters++
			case x < p+d:
				tally.Detractors++
			default:
				tally.Passives++
			}
		}
		return tally
	}
	for _, n := range []int{5, 20, 100, 500} {
		for _, truth := range [][2]float64{{0.5, 0.2}, {0.3, 0.3}, {0.7, 0.1}} {
			const runs = 3000
			covered, changed := 0, 0
			for range runs {
				tally := sample(n, truth[0], truth[1])
				if low, high := tally.Interval(0.95); low <= 100*(truth[0]-truth[1]) && 100*(truth[0]-truth[1]) <= high {
					covered++
				}
				if low, high := tally.Change(sample(n, truth[0], truth[1]), 0.95); low <= 0 && 0 <= high {
					changed++
				}
			}
			assert.Greater(t, float64(covered)/runs, 0.92, "%d %v", n, truth)
			assert.Greater(t, float64(changed)/runs, 0.92, "%d %v", n, truth)
		}
	}
}

func TestUnscoredResponsesAreNoZeros(t *testing.T) {
	t.Parallel()
	client := answering(t, 200, `{"data":[{"id":"a","score":10},{"id":"b","score":null},{"id":"c"},{"id":"d","rating":3},{"id":"e","score":0}]}`)
	tally, err := clicknps.TallyOf(client.Responses.All(t.Context(), nil))
	require.NoError(t, err)
	assert.Equal(t, clicknps.Tally{Promoters: 1, Detractors: 1, Unscored: 3}, tally)
	assert.Equal(t, 2, tally.Total())
	tally, err = clicknps.TallyOf(client.SalesOS.NPS.AllResponses(t.Context(), "s", nil))
	require.NoError(t, err)
	assert.Equal(t, clicknps.Tally{Promoters: 1, Detractors: 1, Unscored: 3}, tally)
	tally.Merge(clicknps.Tally{Promoters: 1, Passives: 2, Detractors: 3, Unscored: 4})
	assert.Equal(t, clicknps.Tally{Promoters: 2, Passives: 2, Detractors: 4, Unscored: 7}, tally)
}

func TestTallyBy(t *testing.T) {
	t.Parallel()
	of := func(responses ...*clicknps.Response) iter.Seq2[*clicknps.Response, error] {
		return func(yield func(*clicknps.Response, error) bool) {
			for _, r := range responses {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
	key := func(r *clicknps.Response) (string, bool) { return r.SurveyID, r.SurveyID != "" }
	got, err := clicknps.TallyBy(of(
		&clicknps.Response{SurveyID: "a", Score: 9}, &clicknps.Response{SurveyID: "b", Score: 3},
		&clicknps.Response{SurveyID: "a", Score: clicknps.NoScore}, &clicknps.Response{Score: 77},
	), key)
	require.NoError(t, err)
	assert.Equal(t, map[string]clicknps.Tally{"a": {Promoters: 1, Unscored: 1}, "b": {Detractors: 1}}, got)
	for _, bad := range []*clicknps.Response{nil, {ID: "r7", SurveyID: "a", Score: 11}, {ID: "r7", SurveyID: "a", Score: -2}} {
		got, err = clicknps.TallyBy(of(&clicknps.Response{SurveyID: "a", Score: 9}, bad), key)
		require.ErrorIs(t, err, clicknps.ErrInvalidParams)
		assert.Equal(t, map[string]clicknps.Tally{"a": {Promoters: 1}}, got)
	}
	lost := errors.New("lost")
	_, err = clicknps.TallyOf(func(yield func(*clicknps.NPSResponse, error) bool) { yield(nil, lost) })
	require.Equal(t, lost, err)
}
