package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/clicknps/go-sdk/webhook"
)

// newTestService returns the service in front of a fake that has its survey and its webhook.
func newTestService(t *testing.T, opts ...clicknpstest.Option) (*service, *clicknpstest.Server) {
	t.Helper()
	srv := clicknpstest.Run(t, opts...)
	srv.AddSurvey(clicknps.Survey{ID: "after_delivery"})
	client := srv.Client(clicknps.WithMiddleware(nameCalls))
	s, err := newService(client, srv.WebhookSecret(), "after_delivery")
	require.NoError(t, err)
	srv.DeliverTo(s.routes())
	_, err = client.Webhooks.Create(t.Context(), &clicknps.WebhookCreateParams{
		URL: "https://shop.example/webhooks/clicknps",
		Events: []clicknps.EventType{
			clicknps.EventResponseCreated, clicknps.EventResponseUpdated, clicknps.EventSurveyCompleted,
		},
	})
	require.NoError(t, err)
	srv.ResetRequests() // the tests look at the service's own
	return s, srv
}

// arrive tells the service that an order has arrived.
func arrive(t *testing.T, s *service, customer string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/orders/"+customer+"/arrived", nil)
	s.routes().ServeHTTP(w, r)
	return w
}

func TestArrived(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		customer string
		answered bool // before
		fault    clicknpstest.Fault
		status   int
		body     string
		requests int // to the service behind
	}{
		"links":            {customer: "c1", status: 200, body: "/r/", requests: 1},
		"already answered": {customer: "c1", answered: true, status: 204, requests: 1},
		"bad id":           {customer: "a%20b", status: 400, body: "no such customer"}, // is not even sent
		"one failure": {
			customer: "c1", fault: clicknpstest.Fault{Path: "/links/mint", Status: 503, Times: 1},
			status: 200, body: "/r/", requests: 2,
		},
		"down": {
			customer: "c1", fault: clicknpstest.Fault{Path: "/links/mint", Status: 500},
			status: 502, body: "not available", requests: 3,
		},
		"key withdrawn": {
			customer: "c1", fault: clicknpstest.Fault{Path: "/links/mint", Status: 401},
			status: 502, body: "not available", requests: 1,
		},
		"garbage": {
			customer: "c1", fault: clicknpstest.Fault{Path: "/links/mint", Body: "<html>maintenance</html>"},
			status: 502, body: "not available", requests: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // the waits between retries take no time
				s, srv := newTestService(t)
				if test.answered {
					srv.Respond("after_delivery", test.customer, 9, "")
				}
				var injected *clicknpstest.Injected
				if test.fault.Path != "" {
					injected = srv.Inject(test.fault)
				}
				w := arrive(t, s, test.customer)
				assert.Equal(t, test.status, w.Code)
				assert.Contains(t, w.Body.String(), test.body)
				assert.Len(t, srv.Requests(), test.requests)
				if injected != nil {
					assert.Positive(t, injected.Hits(), "a fault that hits nothing tests nothing")
				}
			})
		})
	}
}

// What is sent, byte for byte where it matters.
func TestRequest(t *testing.T) {
	t.Parallel()
	s, srv := newTestService(t)
	w := arrive(t, s, "c1")
	require.Equal(t, http.StatusOK, w.Code)
	var links clicknps.ScoreLinks
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &links))

	require.Len(t, srv.Requests(), 1)
	r := srv.Requests()[0]
	assert.Equal(t, "POST /v1/links/mint", r.Method+" "+r.Path)
	assert.JSONEq(t, `{"survey_id":"after_delivery","subject_id":"c1"}`, string(r.Body))
	assert.NotEmpty(t, r.Header.Get("Idempotency-Key"))
}

// The quota is used up. The customer's page is not kept waiting for a minute.
func TestBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := newTestService(t, clicknpstest.WithPlan(clicknps.Plan{PerMinute: 2})) // the webhook took one
		require.Equal(t, http.StatusOK, arrive(t, s, "c1").Code)
		start := time.Now()
		w := arrive(t, s, "c2")
		assert.Equal(t, http.StatusServiceUnavailable, w.Code)
		assert.Equal(t, "60", w.Header().Get("Retry-After"))
		assert.Less(t, time.Since(start), 10*time.Second)

		<-time.After(time.Minute) // of the bubble's time: no waiting
		assert.Equal(t, http.StatusOK, arrive(t, s, "c2").Code)
	})
}

// The service hangs: the customer's page gets an answer all the same.
func TestSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, srv := newTestService(t)
		srv.Inject(clicknpstest.Fault{Path: "/links/mint", Delay: time.Hour})
		start := time.Now()
		assert.Equal(t, http.StatusBadGateway, arrive(t, s, "c1").Code)
		assert.Equal(t, 10*time.Second, time.Since(start))
	})
}

// The mint took effect, but its answer was lost. The retry has the same key, and no second effect.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, srv := newTestService(t)
		srv.Inject(clicknpstest.Fault{Path: "/links/mint", Times: 1, DropAfter: true})
		require.Equal(t, http.StatusOK, arrive(t, s, "c1").Code)
		requests := srv.Requests()
		require.Len(t, requests, 2)
		assert.Equal(t, []bool{false, true}, []bool{requests[0].Replayed, requests[1].Replayed})
	})
}

func TestAnswered(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		score   int
		call    bool
		comment string
	}{
		"promoter":           {score: 9},
		"passive":            {score: 7},
		"detractor":          {score: 6, call: true, comment: "Meh"},
		"the worst of all":   {score: 0, call: true, comment: "Meh"},
		"without a word":     {score: 3, call: true},
		"promoter, no words": {score: 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, srv := newTestService(t)
			srv.Respond("after_delivery", "c1", test.score, test.comment)
			srv.Advance(179 * time.Second)
			require.Empty(t, srv.Deliveries(), "an answer is delivered after 180 s")
			srv.Advance(time.Second)
			require.Len(t, srv.Deliveries(), 1)
			require.Equal(t, http.StatusOK, srv.Deliveries()[0].StatusCode)
			comment, call := s.toCall("c1")
			assert.Equal(t, test.call, call)
			assert.Equal(t, test.comment, comment)
		})
	}
}

// A comment that comes later is used, also if the first delivery comes once more after it.
func TestLateComment(t *testing.T) {
	t.Parallel()
	s, srv := newTestService(t)
	response := srv.Respond("after_delivery", "c1", 2, "")
	srv.Advance(3 * time.Minute)
	comment := &clicknps.CommentParams{Comment: "Still broken"}
	_, err := srv.Client().Responses.AddComment(t.Context(), response.ID, comment)
	require.NoError(t, err)
	srv.Advance(0) // makes the deliveries that are due now
	again, err := srv.Redeliver(0)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, again.StatusCode)
	call, _ := s.toCall("c1")
	assert.Equal(t, "Still broken", call)
}

// The service is restarted with a wrong secret, and mended within the sender's retries: nothing is
// lost.
func TestWebhookFails(t *testing.T) {
	t.Parallel()
	s, srv := newTestService(t)
	wrong, err := newService(srv.Client(), "whsec_wrong", "after_delivery")
	require.NoError(t, err)
	srv.DeliverTo(wrong.routes())
	srv.Respond("after_delivery", "c1", 1, "Late")
	srv.Advance(3 * time.Minute)
	require.Equal(t, http.StatusUnauthorized, srv.Deliveries()[0].StatusCode)

	srv.DeliverTo(s.routes())
	srv.Advance(5 * time.Minute)
	require.Len(t, srv.Deliveries(), 2)
	comment, _ := s.toCall("c1")
	assert.Equal(t, "Late", comment)
}

// The last answer completes the survey. The service accepts that event, too.
func TestSurveyCompleted(t *testing.T) {
	t.Parallel()
	_, srv := newTestService(t)
	srv.SetTarget("after_delivery", 1)
	srv.Respond("after_delivery", "c1", 9, "")
	srv.Advance(3 * time.Minute)
	events := map[clicknps.EventType]int{}
	for _, d := range srv.Deliveries() {
		events[d.Event] = d.StatusCode
	}
	assert.Equal(t, map[clicknps.EventType]int{
		clicknps.EventResponseCreated: http.StatusOK, clicknps.EventSurveyCompleted: http.StatusOK,
	}, events)
}

// A body that no fake would send, with the signature that ClickNPS would give it.
func TestOddEvent(t *testing.T) {
	t.Parallel()
	s, srv := newTestService(t)
	body := `{"event":"survey.archived","id":"evt_1","data":{"id":"after_delivery"}}`
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks/clicknps",
		strings.NewReader(body))
	r.Header.Set(webhook.SignatureHeader, webhook.Sign(srv.WebhookSecret(), []byte(body)))
	w := httptest.NewRecorder()
	s.routes().ServeHTTP(w, r)
	assert.Equal(t, http.StatusOK, w.Code, w.Body)
}

func TestMiddleware(t *testing.T) {
	t.Parallel()
	t.Run("in front of the fake", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s, srv := newTestService(t)
			srv.Inject(clicknpstest.Fault{Path: "/links/mint", Status: 502, Times: 1})
			arrive(t, s, "c1")
			var calls []string
			for _, r := range srv.Requests() {
				calls = append(calls, r.Header.Get("X-Shop-Call"))
			}
			assert.Equal(t, []string{"Links.Mint #1", "Links.Mint #2"}, calls)
		})
	})
	t.Run("alone", func(t *testing.T) {
		t.Parallel()
		var seen string
		next := roundTripper(func(r *http.Request) (*http.Response, error) {
			seen = r.Header.Get("X-Shop-Call")
			return httptest.NewRecorder().Result(), nil
		})
		ctx := clicknps.ContextWithCall(t.Context(), clicknps.Call{Operation: "Surveys.Get", Attempt: 3})
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
		res, err := nameCalls(next).RoundTrip(r)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		assert.Equal(t, "Surveys.Get #3", seen)
		assert.Empty(t, r.Header, "the caller's request is not changed")
	})
}

func TestDemo(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out))
	assert.Equal(t, "Call customer_1: It came broken\n", out.String())
}
