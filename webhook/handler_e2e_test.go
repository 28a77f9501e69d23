package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/clicknps/go-sdk/webhook"
)

// commentTime is how long the sender waits for a comment.
const commentTime = 180 * time.Second

// subscribe registers a webhook for all events at a fake, which delivers to what receiver returns
// for its secret: in process, so that it works in a bubble.
func subscribe(t *testing.T, receiver func(v *webhook.Verifier) http.Handler) *clicknpstest.Server {
	t.Helper()
	srv := clicknpstest.Run(t)
	created, err := srv.Client().Webhooks.Create(t.Context(), &clicknps.WebhookCreateParams{
		URL: "https://example.com/webhooks",
		Events: []clicknps.EventType{
			clicknps.EventResponseCreated, clicknps.EventResponseUpdated, clicknps.EventSurveyCompleted,
		},
	})
	require.NoError(t, err)
	v, err := webhook.NewVerifier([]string{created.Secret})
	require.NoError(t, err)
	srv.DeliverTo(receiver(v))
	return srv
}

// statuses returns how each attempt was answered, in order.
func statuses(srv *clicknpstest.Server) []int {
	var all []int
	for _, d := range srv.Deliveries() {
		all = append(all, d.StatusCode)
	}
	return all
}

// record collects events.
type record struct {
	mu     sync.Mutex
	events []*webhook.Event
}

func (r *record) add(_ context.Context, e *webhook.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	return nil
}

func (r *record) all() []*webhook.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Clicks and comments of customers become events, over sockets from end to end.
func TestHandlerReceivesWhatCustomersDo(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t)
	client, err := clicknps.New(
		clicknps.WithoutEnvironment(), clicknps.WithAPIKey(srv.APIKey()), clicknps.WithBaseURL(srv.URL()))
	require.NoError(t, err)
	v, err := webhook.NewVerifier([]string{srv.WebhookSecret()})
	require.NoError(t, err)
	var got record
	receiver := httptest.NewServer(v.Handler(got.add))
	defer receiver.Close()
	_, err = client.Webhooks.Create(t.Context(), &clicknps.WebhookCreateParams{
		URL: receiver.URL, Events: []clicknps.EventType{
			clicknps.EventResponseCreated, clicknps.EventResponseUpdated, clicknps.EventSurveyCompleted,
		},
	})
	require.NoError(t, err)
	survey, err := client.Surveys.Create(t.Context(), &clicknps.SurveyCreateParams{Name: "Onboarding", Question: "Would you?"})
	require.NoError(t, err)
	srv.SetTarget(survey.ID, 2)
	click := func(subject string, score int) string { // returns the response's id
		minted, err := client.Links.Mint(t.Context(), &clicknps.LinkMintParams{SurveyID: survey.ID, SubjectID: subject})
		require.NoError(t, err)
		answer, err := http.Get(minted.Links[score])
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		responses := srv.Responses()
		return responses[slices.IndexFunc(responses, func(r clicknps.Response) bool { return r.SubjectID == subject })].ID
	}
	comment := func(id, text string) {
		_, err := client.Responses.AddComment(t.Context(), id, &clicknps.CommentParams{Comment: text})
		require.NoError(t, err)
	}

	comment(click("user_42", 9), "Loving it — très bien 👍")
	click("user_42", 0) // only the first click counts
	srv.Advance(commentTime)
	late := click("user_43", 3)
	srv.Advance(commentTime)
	comment(late, "The export is slow")
	srv.Advance(0)

	var seen []string
	for _, e := range got.all() {
		assert.Equal(t, survey.ID, e.SurveyID)
		assert.NotEqual(t, e.SentAt.IsZero(), e.OccurredAt.IsZero())
		if e.Survey != nil {
			seen = append(seen, fmt.Sprint(e.Type, " ", e.Survey.Status))
			continue
		}
		seen = append(seen, fmt.Sprint(e.Type, " ", e.Response.SubjectID, " ", e.Response.Score, " ", e.Response.Comment))
	}
	assert.Equal(t, []string{
		"response.created user_42 9 Loving it — très bien 👍",
		"survey.completed completed",
		"response.created user_43 3 ",
		"response.updated user_43 3 The export is slow",
	}, seen)

	for i := range seen { // each of them once more, by hand
		again, err := srv.Redeliver(i)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, again.StatusCode)
	}
	assert.Equal(t, slices.Repeat([]int{http.StatusOK}, 8), statuses(srv))
	assert.Len(t, got.all(), 4, "each is handled once")
}

// For two days an event is refused. No attempt is stale, all have one key, and the last is handled.
func TestHandlerAcceptsTheLastAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, done := map[string]int{}, 0
		srv := subscribe(t, func(v *webhook.Verifier) http.Handler {
			return v.Handler(func(_ context.Context, e *webhook.Event) error {
				switch calls[e.Key]++; {
				case calls[e.Key] == 7:
					done++
					return nil
				case calls[e.Key]%2 == 0:
					panic("lost my head")
				}
				return errors.New("database is down")
			})
		})
		response := srv.Respond("onboarding", "user_42", 9, "")
		<-time.After(commentTime + time.Second)
		_, err := srv.Client().Responses.AddComment(t.Context(), response.ID, &clicknps.CommentParams{Comment: "late"})
		require.NoError(t, err)
		<-time.After(46 * time.Hour)
		synctest.Wait()

		assert.Equal(t, 2, done)
		assert.Len(t, calls, 2, "two keys in fourteen attempts")
		answers := map[clicknps.EventType][]int{}
		for _, d := range srv.Deliveries() {
			answers[d.Event] = append(answers[d.Event], d.StatusCode)
		}
		sent := []int{500, 500, 500, 500, 500, 500, 200}
		assert.Equal(t, map[clicknps.EventType][]int{
			clicknps.EventResponseCreated: sent, clicknps.EventResponseUpdated: sent,
		}, answers)
	})
}

// The sender gives up after 20 seconds. The handler function goes on, and what comes again is a
// duplicate.
func TestHandlerThatIsSlowHandlesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int64
		srv := subscribe(t, func(v *webhook.Verifier) http.Handler {
			return v.Handler(func(context.Context, *webhook.Event) error {
				<-time.After(30 * time.Second)
				done.Add(1)
				return nil
			})
		})
		srv.Respond("onboarding", "user_42", 9, "")
		<-time.After(time.Hour)
		synctest.Wait()
		sent := srv.Deliveries()
		require.Len(t, sent, 2)
		assert.ErrorIs(t, sent[0].Err, context.DeadlineExceeded)
		assert.Equal(t, http.StatusOK, sent[1].StatusCode)
		assert.EqualValues(t, 1, done.Load())
	})
}

// A full queue costs the sender a repeat, and nobody an event.
func TestQueueThatWasFullGetsItsEventsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got record
		goOn := make(chan struct{})
		var queue *webhook.Queue
		srv := subscribe(t, func(v *webhook.Verifier) http.Handler {
			queue = v.Queue(func(ctx context.Context, e *webhook.Event) error {
				<-goOn
				return got.add(ctx, e)
			}, webhook.QueueOptions{Size: 1, Workers: 1})
			return queue
		})
		want := map[string]int{}
		for i := range 5 {
			subject := fmt.Sprint("user_", i)
			srv.Respond("onboarding", subject, 9, "")
			want[subject] = 1
		}
		srv.Advance(commentTime)
		refused := slices.DeleteFunc(statuses(srv), func(status int) bool { return status == http.StatusAccepted })
		assert.GreaterOrEqual(t, len(refused), 3, "one at work, one waits")
		assert.Equal(t, slices.Repeat([]int{http.StatusServiceUnavailable}, len(refused)), refused)
		assert.Empty(t, got.all())

		close(goOn)
		for range 96 { // step by step, so that the queue can work in between
			srv.Advance(30 * time.Minute)
			synctest.Wait()
		}
		require.NoError(t, queue.Shutdown(t.Context()))
		subjects := map[string]int{}
		for _, e := range got.all() {
			subjects[e.Response.SubjectID]++
		}
		assert.Equal(t, want, subjects)
	})
}
