package clicknps_test

import (
	"errors"
	"iter"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

func TestCategorize(t *testing.T) {
	want := []clicknps.Category{
		"detractor", "detractor", "detractor", "detractor", "detractor", "detractor", "detractor",
		"passive", "passive", "promoter", "promoter",
	}
	for score, category := range want {
		got, err := clicknps.Categorize(score)
		require.NoError(t, err)
		assert.Equal(t, category, got, "score %d", score)
	}
	for _, score := range []int{-1, 11, math.MinInt, math.MaxInt} {
		got, err := clicknps.Categorize(score)
		require.ErrorIs(t, err, clicknps.ErrInvalidParams)
		assert.Empty(t, got)
	}
}

func TestTallyAdd(t *testing.T) {
	var tally clicknps.Tally
	for score := range 11 {
		require.NoError(t, tally.Add(score))
	}
	want := clicknps.Tally{Promoters: 2, Passives: 2, Detractors: 7}
	assert.Equal(t, want, tally)
	assert.Equal(t, 11, tally.Total())
	require.ErrorIs(t, tally.Add(11), clicknps.ErrInvalidParams)
	assert.Equal(t, want, tally, "a wrong score is not counted")
}

func TestTallyKnownValues(t *testing.T) {
	tests := map[string]struct {
		tally           clicknps.Tally
		nps, at95, at99 float64
		total           int
	}{
		"nothing":         {tally: clicknps.Tally{}},
		"textbook":        {tally: clicknps.Tally{Promoters: 70, Passives: 20, Detractors: 10}, nps: 60, at95: 13.0009, at99: 17.0861, total: 100},
		"evenly split":    {tally: clicknps.Tally{Promoters: 50, Detractors: 50}, nps: 0, at95: 19.5996, at99: 25.7583, total: 100},
		"thirds":          {tally: clicknps.Tally{Promoters: 1, Passives: 1, Detractors: 1}, nps: 0, at95: 92.3936, at99: 121.4258, total: 3},
		"all promoters":   {tally: clicknps.Tally{Promoters: 7}, nps: 100, total: 7},
		"all passives":    {tally: clicknps.Tally{Passives: 7}, nps: 0, total: 7},
		"all detractors":  {tally: clicknps.Tally{Detractors: 7}, nps: -100, total: 7},
		"negative counts": {tally: clicknps.Tally{Promoters: 50, Passives: -30, Detractors: 50}, nps: 0, at95: 19.5996, at99: 25.7583, total: 100},
		"only negative":   {tally: clicknps.Tally{Promoters: -1, Passives: -1, Detractors: -1}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.total, tt.tally.Total())
			assert.InDelta(t, tt.nps, tt.tally.NPS(), 1e-12)
			assert.InDelta(t, tt.at95, tt.tally.MarginOfError(0.95), 1e-4)
			assert.InDelta(t, tt.at99, tt.tally.MarginOfError(0.99), 1e-4)
		})
	}
}

func TestMarginOfErrorConfidence(t *testing.T) {
	tally := clicknps.Tally{Promoters: 70, Passives: 20, Detractors: 10}
	for _, confidence := range []float64{0, 1, -0.5, 1.5, 95, math.NaN(), math.Inf(1), math.Inf(-1)} {
		assert.True(t, math.IsNaN(tally.MarginOfError(confidence)), "confidence %v", confidence)
		assert.True(t, math.IsNaN(clicknps.Tally{}.MarginOfError(confidence)), "nothing tallied, confidence %v", confidence)
	}
	last := 0.0
	for _, confidence := range []float64{math.SmallestNonzeroFloat64, 1e-9, 0.5, 0.95, 0.999999, math.Nextafter(1, 0)} {
		margin := tally.MarginOfError(confidence)
		assert.GreaterOrEqual(t, margin, last, "confidence %v", confidence)
		assert.False(t, math.IsInf(margin, 0) || math.IsNaN(margin), "confidence %v: %v", confidence, margin)
		last = margin
	}
	assert.InDelta(t, 8.29/1.96*13.0009, last, 0.1, "z is 8.29 for the largest confidence there is")
}

// Whatever is counted: scores are in range, and swapping promoters and detractors turns the score around.
func TestTallyProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	count := func() int { return int(rng.Uint64() >> (1 + rng.IntN(63))) }
	for range 20_000 {
		a := clicknps.Tally{Promoters: count(), Passives: count(), Detractors: count()}
		b := clicknps.Tally{Promoters: a.Detractors, Passives: a.Passives, Detractors: a.Promoters}
		nps, margin := a.NPS(), a.MarginOfError(0.95)
		require.True(t, nps >= -100 && nps <= 100, "%+v: %v", a, nps)
		require.True(t, margin >= 0 && margin <= 196, "%+v: %v", a, margin)
		require.Equal(t, -nps, b.NPS(), "%+v", a)
		require.Equal(t, margin, b.MarginOfError(0.95), "%+v", a)
		require.LessOrEqual(t, margin, a.MarginOfError(0.99), "%+v", a)
	}
}

func responses(items ...any) iter.Seq2[*clicknps.Response, error] {
	return func(yield func(*clicknps.Response, error) bool) {
		for _, item := range items {
			r, _ := item.(*clicknps.Response)
			err, _ := item.(error)
			if !yield(r, err) {
				return
			}
		}
	}
}

func TestTallyOf(t *testing.T) {
	good, broken := &clicknps.Response{ID: "resp_1", Score: 10}, errors.New("broken line")
	tests := map[string]struct {
		responses iter.Seq2[*clicknps.Response, error]
		promoters int
		is        error
		contains  string
	}{
		"none":        {responses: responses()},
		"two":         {responses: responses(good, good), promoters: 2},
		"an error":    {responses: responses(good, broken, good), promoters: 1, is: broken},
		"nil":         {responses: responses(good, good, nil, good), promoters: 2, is: clicknps.ErrInvalidParams, contains: "a response is nil"},
		"wrong score": {responses: responses(good, &clicknps.Response{ID: "resp_7", Score: 42}, good), promoters: 1, is: clicknps.ErrInvalidParams, contains: "resp_7"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tally, err := clicknps.TallyOf(tt.responses)
			require.ErrorIs(t, err, tt.is)
			assert.Equal(t, clicknps.Tally{Promoters: tt.promoters}, tally)
			if tt.contains != "" {
				assert.ErrorContains(t, err, tt.contains)
			}
		})
	}
}
