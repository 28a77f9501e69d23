package ratelimit

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// run is what a Learner is told of a run of n requests in a time, and of the pause after it.
func (l *Learner) run(n int, took, pause time.Duration) {
	for range n {
		travel(took / time.Duration(n))
		l.LetIn(time.Now())
	}
	l.Refused(pause)
	travel(pause)
	l.Begin(time.Now())
}

func TestLearnerConcludes(t *testing.T) {
	type run struct {
		n           int
		took, pause time.Duration
	}
	tests := map[string]struct {
		runs   []run
		limit  int
		window time.Duration
	}{
		"nothing":               {nil, 0, 0},
		"nothing of a refusal":  {[]run{{0, 0, time.Second}}, 0, 0},
		"a limit":               {[]run{{50, time.Second / 2, time.Second}}, 50, time.Second},
		"a few":                 {[]run{{2, time.Second, time.Minute}}, 2, time.Minute},
		"a rate":                {[]run{{50, 10 * time.Second, time.Second}}, 5, time.Second},
		"a slow one":            {[]run{{1, time.Hour, time.Second}}, 1, time.Second},
		"a lower limit":         {[]run{{75, time.Second / 2, time.Second}, {50, time.Second / 2, time.Second}}, 50, time.Second},
		"a longer window":       {[]run{{60, time.Second, 30 * time.Second}, {60, 30 * time.Second, 30 * time.Second}}, 60, 60 * time.Second},
		"not a very long one":   {[]run{{60, time.Second, 30 * time.Second}, {60, time.Hour, 30 * time.Second}}, 60, 60 * time.Second},
		"that there are others": {[]run{{50, time.Second / 2, time.Second}, {200, 5 * time.Second, time.Second}}, 40, time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &Learner{Longest: time.Hour}
				l.Begin(time.Now())
				for _, r := range tt.runs {
					l.run(r.n, r.took, r.pause)
				}
				assert.Equal(t, tt.limit, l.guess.limit)
				assert.Equal(t, tt.window, l.guess.window)
			})
		})
	}
}

// When nobody calls, nothing is learned of the server.
func TestLearnerPaysIdlenessNoHeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Learner{Longest: time.Hour}
		l.Begin(time.Now())
		l.LetIn(time.Now())
		travel(time.Hour)
		for range 5000 {
			l.LetIn(time.Now())
		}
		l.Refused(time.Second)
		travel(time.Hour)
		l.Begin(time.Now())
		assert.Equal(t, remembered, l.guess.limit, "all that are remembered of the last second")
		assert.Equal(t, time.Second, l.guess.window)
	})
}

func TestLearnerHoldsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Learner{Longest: time.Minute}
		acquire := func(ctx context.Context) (release func(), waited time.Duration) {
			start := time.Now()
			release, err := l.Acquire(ctx)
			require.NoError(t, err)
			return release, time.Since(start)
		}
		release, _ := acquire(t.Context())
		require.Nil(t, release, "nothing is known")
		l.LetIn(time.Now()) // before the first is back
		l.run(9, time.Second, 10*time.Second)
		for range 9 {
			release, waited := acquire(t.Context())
			require.Zero(t, waited)
			release()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		release, waited := acquire(ctx)
		require.Nil(t, release, "a guess refuses nobody")
		require.Zero(t, waited)
		release, waited = acquire(t.Context())
		require.Equal(t, 10*time.Second+margin, waited)
		release()

		l.run(10, time.Second, time.Hour)
		release, waited = acquire(t.Context())
		require.Nil(t, release, "nobody waits for an hour")
		require.Zero(t, waited)

		ctx, stop := context.WithCancel(t.Context())
		stop()
		l.run(1, time.Second, time.Second)
		_, err := l.Acquire(ctx)
		require.ErrorIs(t, err, context.Canceled)
	})
}

// A limit that others left more of is found again, and one that they did not is tried ever more seldom.
func TestLearnerTriesMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Learner{Longest: time.Hour}
		l.Begin(time.Now())
		l.run(10, time.Second, time.Second)
		var runs []time.Duration // until more was tried and refused
		for range 6 {
			start := time.Now()
			for l.guess.limit == 10 {
				release, err := l.Acquire(t.Context())
				require.NoError(t, err)
				l.LetIn(time.Now())
				release()
			}
			require.Equal(t, 20, l.guess.limit)
			runs = append(runs, time.Since(start).Truncate(time.Second))
			l.run(0, 0, time.Second)
			require.Equal(t, 10, l.guess.limit)
		}
		require.Equal(t, []time.Duration{16 * time.Second, 32 * time.Second, 65 * time.Second, 65 * time.Second, 65 * time.Second, 65 * time.Second}, runs)

		for range 10 * 20 * 70 { // from now on all are let in
			release, err := l.Acquire(t.Context())
			require.NoError(t, err)
			l.LetIn(time.Now())
			release()
		}
		require.Greater(t, l.guess.limit, 100)
	})
}
