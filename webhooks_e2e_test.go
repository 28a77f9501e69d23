package clicknps_test

import (
	"bytes"
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
)

// The sender waits so long for a comment, and then so long before each repeat.
const commentTime = 180 * time.Second

var repeatDelays = []time.Duration{
	time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// subscription is a receiver on a socket, registered through the SDK at a fake on another.
type subscription struct {
	srv     *clicknpstest.Server
	client  *clicknps.Client
	webhook *clicknps.Webhook
	handler atomic.Pointer[http.Handler] // the receiver

	mu      sync.Mutex
	handled []*clicknps.Event
}

// subscribe registers a receiver that handles every event.
func subscribe(t *testing.T) *subscription {
	t.Helper()
	s := &subscription{srv: clicknpstest.Run(t)}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*s.handler.Load()).ServeHTTP(w, r)
	}))
	t.Cleanup(receiver.Close)
	var err error
	s.client, err = clicknps.New(clicknps.WithAPIKey(s.srv.APIKey()), clicknps.WithBaseURL(s.srv.URL()))
	require.NoError(t, err)
	s.webhook, err = s.client.Webhooks.Create(t.Context(), &clicknps.WebhookCreateParams{
		URL:    receiver.URL + "/webhooks/clicknps",
		Events: []clicknps.EventType{clicknps.EventResponseCreated, clicknps.EventResponseUpdated, clicknps.EventSurveyCompleted},
	})
	require.NoError(t, err)
	s.receive(verifierOf(t, s.webhook.Secret).Handler(s.handle))
	return s
}

// subscribeInProcess registers fn at a fake without sockets, for a synctest bubble.
func subscribeInProcess(t *testing.T, fn func(context.Context, *clicknps.Event) error) *clicknpstest.Server {
	t.Helper()
	srv := clicknpstest.Run(t)
	srv.DeliverTo(verifierOf(t, srv.WebhookSecret()).Handler(fn))
	_, err := srv.Client().Webhooks.Create(t.Context(), &clicknps.WebhookCreateParams{
		URL: "https://example.com", Events: []clicknps.EventType{clicknps.EventResponseCreated, clicknps.EventResponseUpdated},
	})
	require.NoError(t, err)
	return srv
}

func verifierOf(t *testing.T, secrets ...string) *clicknps.WebhookVerifier {
	t.Helper()
	v, err := clicknps.NewWebhookVerifier(secrets)
	require.NoError(t, err)
	return v
}

// receive makes h the receiver.
func (s *subscription) receive(h http.Handler) { s.handler.Store(&h) }

func (s *subscription) handle(_ context.Context, e *clicknps.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handled = append(s.handled, e)
	return nil
}

// events returns what was handled so far.
func (s *subscription) events() []*clicknps.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.handled)
}

// statuses returns how each attempt was answered, in order.
func (s *subscription) statuses() []int {
	var statuses []int
	for _, d := range s.srv.Deliveries() {
		statuses = append(statuses, d.StatusCode)
	}
	return statuses
}

// click is a customer's click on one of eleven links, over HTTP. It returns the response's id.
func (s *subscription) click(t *testing.T, surveyID, subject string, score int) string {
	t.Helper()
	minted, err := s.client.Links.Mint(t.Context(), &clicknps.LinkMintParams{SurveyID: surveyID, SubjectID: subject})
	require.NoError(t, err)
	s.request(t, http.MethodGet, minted.Links[score], nil, nil)
	for response, err := range s.client.Responses.All(t.Context(), &clicknps.ResponseListParams{SurveyID: surveyID}) {
		require.NoError(t, err)
		if response.SubjectID == subject {
			return response.ID
		}
	}
	require.Fail(t, "the click made no response")
	return ""
}

// request returns the status of the answer.
func (s *subscription) request(t *testing.T, method, url string, header http.Header, body []byte) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	require.NoError(t, err)
	request.Header = header
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer.StatusCode
}

func TestWebhookEndToEnd(t *testing.T) {
	t.Parallel()
	s := subscribe(t)
	survey, err := s.client.Surveys.Create(t.Context(), &clicknps.SurveyCreateParams{Name: "Onboarding", Question: "Would you?"})
	require.NoError(t, err)
	s.srv.SetTarget(survey.ID, 2)
	comment := func(id, text string) {
		_, err := s.client.Responses.AddComment(t.Context(), id, &clicknps.CommentParams{Comment: text})
		require.NoError(t, err)
	}

	comment(s.click(t, survey.ID, "user_42", 9), "Loving it — très bien 👍")
	s.click(t, survey.ID, "user_42", 0) // only the first click counts
	s.srv.Advance(commentTime)
	late := s.click(t, survey.ID, "user_43", 3)
	s.srv.Advance(commentTime)
	comment(late, "The export is slow")
	s.srv.Advance(0)

	events := s.events()
	require.Len(t, events, 4)
	type seen struct {
		kind            clicknps.EventType
		subject, remark string
		score           int
	}
	var got []seen
	for _, e := range events {
		assert.Equal(t, survey.ID, e.SurveyID)
		assert.WithinDuration(t, time.Now(), e.Timestamp, time.Minute)
		if e.Response == nil {
			assert.Equal(t, clicknps.SurveyStatusCompleted, e.Survey.Status)
			got = append(got, seen{kind: e.Type})
			continue
		}
		got = append(got, seen{e.Type, e.Response.SubjectID, e.Response.Comment, e.Response.Score})
	}
	assert.Equal(t, []seen{
		{clicknps.EventResponseCreated, "user_42", "Loving it — très bien 👍", 9},
		{kind: clicknps.EventSurveyCompleted},
		{clicknps.EventResponseCreated, "user_43", "", 3},
		{clicknps.EventResponseUpdated, "user_43", "The export is slow", 3},
	}, got)

	for i := range events { // each of them once more, by hand
		again, err := s.srv.Redeliver(i)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, again.StatusCode)
	}
	s.srv.Advance(48 * time.Hour)
	assert.Equal(t, slices.Repeat([]int{http.StatusOK}, 8), s.statuses())
	assert.Len(t, s.events(), 4, "each is handled once")

	newer := []byte(`{"id":"evt_9","type":"account.renamed","created_at":"` + time.Now().Format(time.RFC3339) + `","data":{"name":"A"}}`)
	header := http.Header{"X-Clicknps-Signature": {clicknps.SignWebhook(s.webhook.Secret, newer)}}
	assert.Equal(t, http.StatusOK, s.request(t, http.MethodPost, s.webhook.URL, header, newer))
	require.Len(t, s.events(), 5)
	assert.Equal(t, clicknps.EventType("account.renamed"), s.events()[4].Type, "a type that this SDK does not know")
}

func TestAFailedEventComesAgainUntilItIsHandled(t *testing.T) {
	t.Parallel()
	s := subscribe(t)
	var keys []string
	s.receive(verifierOf(t, s.webhook.Secret).Handler(func(ctx context.Context, e *clicknps.Event) error {
		s.mu.Lock()
		keys = append(keys, e.Key)
		attempt := len(keys)
		s.mu.Unlock()
		switch attempt {
		case 1:
			return errors.New("database is down")
		case 2:
			panic("lost my head")
		}
		return s.handle(ctx, e)
	}))
	s.click(t, "onboarding", "user_42", 9)
	s.srv.Advance(commentTime)
	s.srv.Advance(48 * time.Hour)
	assert.Equal(t, []int{500, 500, 200}, s.statuses(), "nothing follows a success")
	for i, d := range s.srv.Deliveries()[1:] {
		assert.Equal(t, repeatDelays[i], d.At.Sub(s.srv.Deliveries()[i].At).Round(time.Second))
	}
	assert.Len(t, s.events(), 1)
	assert.Equal(t, slices.Repeat(keys[:1], 3), keys, "one event, whatever the attempt")
}

// For two days an event is refused. No attempt is stale, and the last one is handled.
func TestTheLastAttemptIsStillFresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls, handled := map[string]int{}, 0
		srv := subscribeInProcess(t, func(_ context.Context, e *clicknps.Event) error {
			if calls[e.Key]++; calls[e.Key] <= len(repeatDelays) {
				return errors.New("database is down")
			}
			handled++
			return nil
		})
		response := srv.Respond("onboarding", "user_42", 9, "")
		<-time.After(commentTime + time.Second)
		_, err := srv.Client().Responses.AddComment(t.Context(), response.ID, &clicknps.CommentParams{Comment: "late"})
		require.NoError(t, err)
		<-time.After(46 * time.Hour)
		synctest.Wait()

		assert.Equal(t, 2, handled)
		assert.Len(t, calls, 2, "two keys in sixteen attempts")
		attempts := map[clicknps.EventType][]clicknpstest.Delivery{}
		for _, d := range srv.Deliveries() {
			attempts[d.Event] = append(attempts[d.Event], d)
		}
		for kind, sent := range attempts {
			require.Len(t, sent, 8, kind)
			for i, delay := range repeatDelays {
				assert.Equal(t, delay, sent[i+1].At.Sub(sent[i].At), "%s, repeat %d", kind, i+1)
				assert.Equal(t, http.StatusInternalServerError, sent[i].StatusCode)
			}
			assert.Equal(t, http.StatusOK, sent[7].StatusCode)
		}
	})
}

func TestFiftyIdenticalDeliveriesAreHandledOnce(t *testing.T) {
	t.Parallel()
	s := subscribe(t)
	accepting := *s.handler.Load()
	s.receive(http.NotFoundHandler()) // only the wire has seen the event
	s.click(t, "onboarding", "user_42", 9)
	s.srv.Advance(commentTime)
	recorded := s.srv.Deliveries()[0]
	s.receive(accepting)

	var senders sync.WaitGroup
	for i := range 50 {
		senders.Go(func() {
			assert.Equal(t, http.StatusOK, s.request(t, http.MethodPost, recorded.URL, recorded.Header.Clone(), recorded.Body), i)
		})
		if i%5 == 0 { // among them, the sender's own repeats: other bytes, the same event
			senders.Go(func() {
				again, err := s.srv.Redeliver(0)
				assert.NoError(t, err)
				assert.Equal(t, http.StatusOK, again.StatusCode)
			})
		}
	}
	senders.Wait()
	assert.Len(t, s.events(), 1)
}

// Whoever has seen a delivery can send it again under a new timestamp header, which is not signed.
func TestAReplayUnderAFreshHeaderIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		count := func(context.Context, *clicknps.Event) error { calls++; return nil }
		srv := subscribeInProcess(t, count)
		srv.Respond("onboarding", "user_42", 9, "")
		srv.Advance(commentTime)
		require.Equal(t, 1, calls)

		recorded := srv.Deliveries()[0]
		<-time.After(5*time.Minute + time.Second)
		replay := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(recorded.Body))
		replay.Header = recorded.Header.Clone()
		replay.Header.Set("X-ClickNPS-Timestamp", fmt.Sprint(time.Now().Unix()))
		restarted := verifierOf(t, srv.WebhookSecret()).Handler(count) // remembers nothing
		assertAnswer(t, serve(t, restarted, replay), http.StatusUnauthorized, "stale_event")
		assert.Equal(t, 1, calls)
	})
}

// A receiver gets the new secret beside the old one, then ClickNPS changes, then the old one goes. Nothing is lost.
func TestSecretRotation(t *testing.T) {
	t.Parallel()
	s := subscribe(t)
	const next = "whsec_next"
	answer := func(secrets ...string) int { // of a receiver with these secrets to the sender's next event
		s.receive(verifierOf(t, secrets...).Handler(s.handle))
		s.srv.Respond("onboarding", fmt.Sprint("user_", len(s.statuses())), 9, "")
		s.srv.Advance(commentTime)
		return s.statuses()[len(s.statuses())-1]
	}
	assert.Equal(t, http.StatusOK, answer(next, s.webhook.Secret), "new beside old")
	assert.Equal(t, http.StatusUnauthorized, answer(next), "too early: ClickNPS still signs with the old one")
	assert.Equal(t, http.StatusOK, answer(next, s.webhook.Secret), "undone in time")
	assert.Len(t, s.events(), 3, "what was refused came again")

	body := []byte(flatBody("user_9", time.Now()))
	header := http.Header{"X-Clicknps-Signature": {clicknps.SignWebhook(next, body)}}
	assert.Equal(t, http.StatusOK, s.request(t, http.MethodPost, s.webhook.URL, header, body), "ClickNPS has changed")
}

// A full queue costs the sender a repeat, and nobody an event.
func TestAFullQueueGetsItsEventsLater(t *testing.T) {
	t.Parallel()
	s := subscribe(t)
	goOn := make(chan struct{})
	queue := verifierOf(t, s.webhook.Secret).Queue(func(ctx context.Context, e *clicknps.Event) error {
		<-goOn
		return s.handle(ctx, e)
	}, clicknps.QueueOptions{Size: 1, Workers: 1})
	s.receive(queue)
	for i := range 5 {
		s.srv.Respond("onboarding", fmt.Sprint("user_", i), 9, "")
	}
	s.srv.Advance(commentTime)
	refused := 0
	for _, status := range s.statuses() {
		if status == http.StatusServiceUnavailable {
			refused++
		} else {
			assert.Equal(t, http.StatusAccepted, status)
		}
	}
	assert.GreaterOrEqual(t, refused, 3, "one at work, one waits")
	assert.Empty(t, s.events())

	close(goOn)
	s.srv.Advance(48 * time.Hour)
	require.NoError(t, queue.Shutdown(t.Context()))
	subjects := map[string]int{}
	for _, e := range s.events() {
		subjects[e.Response.SubjectID]++
	}
	assert.Equal(t, map[string]int{"user_0": 1, "user_1": 1, "user_2": 1, "user_3": 1, "user_4": 1}, subjects)
}

// The sender gives up after ten seconds. The handler function goes on, and what comes again is a duplicate.
func TestASlowHandlerHandlesOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int64
		srv := subscribeInProcess(t, func(context.Context, *clicknps.Event) error {
			<-time.After(30 * time.Second)
			done.Add(1)
			return nil
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
