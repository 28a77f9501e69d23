package clicknpstest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAdvanceMovesTheFakesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t)
		begin := time.Now()
		at := func() time.Duration { return srv.AddSurvey(clicknps.Survey{}).CreatedAt.Sub(begin) }
		srv.Advance(time.Hour)
		srv.Advance(-time.Minute)
		assert.Equal(t, time.Hour, at(), "time does not go back")
		until(begin.Add(time.Second))
		assert.Equal(t, time.Hour+time.Second, at())
		srv.Advance(1500 * time.Microsecond)
		assert.Equal(t, time.Hour+time.Second+time.Millisecond, at(), "stored in milliseconds")
	})
}

// It is the example of doc.go.
func TestAClientsOwnWaitsPassInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t, clicknpstest.WithPlan(clicknps.Plan{PerMinute: 1}))
		client := srv.Client()
		begin := time.Now()
		for range 2 {
			_, err := client.Surveys.List(t.Context(), nil)
			require.NoError(t, err)
		}
		assert.Equal(t, time.Minute, time.Since(begin).Truncate(time.Second))
	})
}
