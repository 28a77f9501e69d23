package clicknps_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// A walk that is left at some item and taken up by another process is exact for what comes after, whatever the crowd did.
func TestAWalkIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	lost, taken := 0, 0
	for _, order := range []clicknpstest.Order{clicknpstest.OldestFirst, clicknpstest.NewestFirst, clicknpstest.ByName} {
		for seed := range uint64(60) {
			c := newCrowd(t, seed, order)
			c.wipeAt, c.burst = 0, 1+c.burst/3
			if takeUp(t, c, int(seed%3)*2) {
				taken++
			} else {
				lost++
			}
			c.srv.Close()
		}
	}
	require.Less(t, lost, taken/10, "a place is lost only if all that it knows is deleted")
}

// takeUp reports false if the place was lost.
func takeUp(t *testing.T, c *crowd, prefetch int) bool {
	t.Helper()
	times := map[string]int{}
	place, left := "", c.random.IntN(len(c.order))
	params := &clicknps.SurveyListParams{ListOptions: clicknps.ListOptions{Limit: 2 + c.random.IntN(30)}}
	opts := []clicknps.RequestOption{clicknps.WithBookmark(&place), clicknps.WithPrefetch(prefetch)}
	var got []string
	for survey, err := range c.walker().Surveys.All(t.Context(), params, opts...) {
		require.NoError(t, err)
		times[survey.ID]++
		got = append(got, survey.ID)
		if len(got) > left {
			break
		}
	}
	require.LessOrEqual(t, len(place), 110, "the place is a short string")
	for range 5 { // what happens until somebody takes it up
		c.act()
	}
	for survey, err := range c.walker().Surveys.All(t.Context(), params, opts...) {
		if err != nil {
			require.ErrorIs(t, err, clicknps.ErrListChanged)
			return false
		}
		times[survey.ID]++
		require.Equal(t, 1, times[survey.ID], "%s is yielded twice", survey.ID)
		got = append(got, survey.ID)
	}
	requireThroughout(t, c, got)
	return true
}

func TestABookmarkLeadsToWhatHasComeSince(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t)
	client, place, total := srv.Client(), "", 0
	for _, added := range []int{0, 3, 0, 250, 1} {
		for range added {
			srv.AddSurvey(clicknps.Survey{Name: "Onboarding"})
		}
		n := 0
		for _, err := range client.Surveys.All(t.Context(), nil, clicknps.WithBookmark(&place)) {
			require.NoError(t, err)
			n++
		}
		require.Equal(t, added, n)
		total += added
		require.Equal(t, total == 0, place == "")
	}
}

func TestABookmarkOfNothingThatIsLeft(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t)
	for range 30 {
		srv.AddSurvey(clicknps.Survey{Name: "Onboarding"})
	}
	client, place, handled := srv.Client(), "", 0
	for survey, err := range client.Surveys.All(t.Context(), nil, clicknps.WithBookmark(&place)) {
		require.NoError(t, err)
		require.NoError(t, client.Surveys.Delete(t.Context(), survey.ID))
		if handled++; handled == 10 {
			break
		}
	}
	_, err := clicknps.Collect(client.Surveys.All(t.Context(), nil, clicknps.WithBookmark(&place)), 100)
	require.ErrorIs(t, err, clicknps.ErrListChanged)
}

func TestBookmarksThatCannotBeRight(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t)
	survey := srv.AddSurvey(clicknps.Survey{Name: "Onboarding"})
	srv.Respond(survey.ID, "user_1", 9, "")
	client, of := srv.Client(), ""
	_, err := clicknps.Collect(client.Responses.All(t.Context(), nil, clicknps.WithBookmark(&of)), 10)
	require.NoError(t, err)
	for _, place := range []string{"x", "!", "AAAA", of + "A", of[:len(of)-4], "page 7"} {
		t.Run(place, func(t *testing.T) {
			_, err := clicknps.Collect(client.Responses.All(t.Context(), nil, clicknps.WithBookmark(&place)), 10)
			require.ErrorIs(t, err, clicknps.ErrInvalidParams)
		})
	}
	_, err = clicknps.Collect(client.Responses.All(t.Context(), &clicknps.ResponseListParams{SurveyID: survey.ID}, clicknps.WithBookmark(&of)), 10)
	require.ErrorIs(t, err, clicknps.ErrInvalidParams, "the place belongs to another list")
	_, err = clicknps.Collect(client.Responses.All(t.Context(), nil, clicknps.WithBookmark(nil)), 10)
	require.ErrorIs(t, err, clicknps.ErrInvalidParams)
}

func TestCollect(t *testing.T) {
	t.Parallel()
	client := quiet(250).client(t)
	for limit, want := range map[int]error{0: clicknps.ErrTooMany, 249: clicknps.ErrTooMany, 250: nil, 1000: nil} {
		got, err := clicknps.Collect(client.Surveys.All(t.Context(), nil), limit)
		require.Len(t, got, min(limit, 250))
		require.ErrorIs(t, err, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := clicknps.Collect(client.Surveys.All(ctx, nil), 10)
	require.ErrorIs(t, err, ctx.Err())
}

func ExampleWithBookmark() {
	srv := clicknpstest.New()
	client := srv.Client()
	place := "" // where a program stores it
	for day := range 2 {
		for i := range 2 {
			srv.AddSurvey(clicknps.Survey{Name: fmt.Sprintf("Survey %d of day %d", i, day)})
		}
		for survey, err := range client.Surveys.All(context.Background(), nil, clicknps.WithBookmark(&place)) {
			if err != nil {
				fmt.Println(err)
				return
			}
			fmt.Println(survey.Name)
		}
	}
	// Output:
	// Survey 0 of day 0
	// Survey 1 of day 0
	// Survey 0 of day 1
	// Survey 1 of day 1
}
