package clicknps_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

func TestABookmarkLeadsToWhatHasComeSince(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t)
	client, bookmark, total := srv.Client(), "", 0
	for _, added := range []int{0, 3, 0, 250, 1} {
		for range added {
			srv.AddSurvey(clicknps.Survey{Name: "Onboarding"})
		}
		n := 0
		for _, err := range client.Surveys.All(t.Context(), nil, clicknps.WithBookmark(&bookmark)) {
			require.NoError(t, err)
			n++
		}
		require.Equal(t, added, n)
		total += added
		require.Equal(t, total == 0, bookmark == "")
	}
}

func TestABookmarkOfNothingThatIsLeft(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t)
	for range 30 {
		srv.AddSurvey(clicknps.Survey{Name: "Onboarding"})
	}
	client, bookmark, handled := srv.Client(), "", 0
	for survey, err := range client.Surveys.All(t.Context(), nil, clicknps.WithBookmark(&bookmark)) {
		require.NoError(t, err)
		require.NoError(t, client.Surveys.Delete(t.Context(), survey.ID))
		if handled++; handled == 10 {
			break
		}
	}
	_, err := clicknps.Collect(client.Surveys.All(t.Context(), nil, clicknps.WithBookmark(&bookmark)), 100)
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
	for _, bookmark := range []string{"x", "!", "AAAA", of + "A", of[:len(of)-4], "page 7"} {
		t.Run(bookmark, func(t *testing.T) {
			_, err := clicknps.Collect(client.Responses.All(t.Context(), nil, clicknps.WithBookmark(&bookmark)), 10)
			require.ErrorIs(t, err, clicknps.ErrInvalidParams)
		})
	}
	_, err = clicknps.Collect(client.Responses.All(t.Context(), &clicknps.ResponseListParams{SurveyID: survey.ID}, clicknps.WithBookmark(&of)), 10)
	require.ErrorIs(t, err, clicknps.ErrInvalidParams, "it belongs to another list")
	_, err = clicknps.Collect(client.Responses.All(t.Context(), nil, clicknps.WithBookmark(nil)), 10)
	require.ErrorIs(t, err, clicknps.ErrInvalidParams)
}

func TestCollect(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t)
	for range 250 {
		srv.AddSurvey(clicknps.Survey{})
	}
	client := srv.Client()
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
	bookmark := "" // where a program stores it
	for day := range 2 {
		for i := range 2 {
			srv.AddSurvey(clicknps.Survey{Name: fmt.Sprintf("Survey %d of day %d", i, day)})
		}
		for survey, err := range client.Surveys.All(context.Background(), nil, clicknps.WithBookmark(&bookmark)) {
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
