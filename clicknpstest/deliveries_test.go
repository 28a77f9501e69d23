package clicknpstest_test

import (
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDeliveriesAreTheObservedOnesByteForByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			at               time.Time
			subject, comment string
			score            int
			golden, sig      string
		}{
			{
				time.Date(2026, 11, 22, 0, 32, 18, 355_000_000, time.UTC), "user_42", "Loving it — très bien 👍 <b>&amp;</b>", 9,
				"webhook_flat_comment.json", "sha256=ccc396ecca39e8ae514d85fd43ea7e837c5d0153a2be3d0a022d077a1803d38b",
			},
			{
				time.Date(2026, 11, 22, 0, 32, 18, 365_000_000, time.UTC), "user_44", "", 10,
				"webhook_flat.json", "sha256=511574d33d8bb82be953329c181d2770c39ff06c1ad49883af92db617123b00e",
			},
		} {
			srv, _, _ := subscribed(t, `["response.created"]`)
			until(tt.at)
			srv.Respond("onboarding", tt.subject, tt.score, tt.comment)
			srv.Advance(commentTime - time.Nanosecond)
			require.Empty(t, srv.Deliveries(), "the comment may still come")
			srv.Advance(time.Nanosecond)
			got := srv.Deliveries()
			require.Len(t, got, 1)
			assert.Equal(t, golden(t, tt.golden), string(got[0].Body), "the timestamp is the receiver's clock")
			assert.Equal(t, tt.sig, got[0].Header.Get("X-ClickNPS-Signature"))
			assert.Equal(t, "1795307538", got[0].Header.Get("X-ClickNPS-Timestamp"))
			assert.Equal(t, "ClickNPS-Webhooks/1.0", got[0].Header.Get("User-Agent"))
			assert.Equal(t, "application/json", got[0].Header.Get("Content-Type"))
			assert.Equal(t, tt.at.Add(commentTime), got[0].At.UTC())
			assert.Equal(t, clicknps.EventResponseCreated, got[0].Event)
			assert.Equal(t, "https://example.com/hook", got[0].URL)
			assert.Equal(t, srv.Webhooks()[0].ID, got[0].WebhookID)
			assert.Equal(t, 204, got[0].StatusCode)
			assert.NoError(t, got[0].Err)
		}
	})
}

func TestARepeatHasANewTimestampAndTheSameEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, status := subscribed(t, allEvents)
		status.Store(500)
		r := srv.Respond("s", "a", 9, "")
		srv.Advance(commentTime)
		c.call("POST", "/v1/responses/"+r.ID+"/comment", `{"comment":"late"}`)
		until(time.Now().Add(time.Second))
		srv.Advance(5 * time.Minute)
		status.Store(200)
		until(time.Now().Add(time.Second))
		srv.Advance(time.Hour)

		var flat, updated []clicknpstest.Delivery
		for _, d := range srv.Deliveries() {
			if d.Event == clicknps.EventResponseCreated {
				flat = append(flat, d)
			} else {
				updated = append(updated, d)
			}
		}
		require.Len(t, flat, 3)
		require.Len(t, updated, 3)
		for i := range 3 {
			assert.Contains(t, string(flat[i].Body), `"comment":null`, "a late comment is not the first event's")
			assert.Equal(t, string(updated[0].Body), string(updated[i].Body), "an envelope's created_at is the event's")
		}
		assert.NotEqual(t, string(flat[0].Body), string(flat[1].Body))
		assert.NotEqual(t, flat[0].Header.Get("X-ClickNPS-Signature"), flat[1].Header.Get("X-ClickNPS-Signature"))
		assert.Equal(t, 200, flat[2].StatusCode)
		srv.Advance(48 * time.Hour)
		assert.Len(t, srv.Deliveries(), 6, "nothing follows a success")
	})
}

func TestDeliveriesAreMadeWhenTimePasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, status := subscribed(t, allEvents)
		status.Store(503)
		clicked := time.Now()
		srv.Respond("s", "a", 9, "")
		until(clicked.Add(commentTime))
		synctest.Wait()
		require.Len(t, srv.Deliveries(), 1)
		srv.Advance(time.Minute)
		until(time.Now().Add(4*time.Minute - 1))
		synctest.Wait()
		require.Len(t, srv.Deliveries(), 1)
		until(time.Now().Add(1))
		synctest.Wait()
		require.Len(t, srv.Deliveries(), 2, "five minutes later, one of them advanced")
		srv.Close()
		until(time.Now().Add(time.Hour))
		srv.Advance(time.Hour)
		assert.Len(t, srv.Deliveries(), 2, "none after Close")
	})
}

func TestWebhooksGetWhatTheyAreSubscribedToWhileTheyExist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, status := subscribed(t, `["response.created"]`)
		subscribe := func(name, event string) {
			body := `{"url":"https://example.com/` + name + `","events":["` + event + `"]}`
			require.Equal(t, 201, c.call("POST", "/v1/webhooks", body).status)
		}
		subscribe("other", "survey.completed")
		subscribe("second", "response.created")
		srv.Respond("s", "a", 9, "")
		status.Store(500)
		srv.Advance(commentTime)
		got := srv.Deliveries()
		require.Len(t, got, 2)
		assert.Equal(t, []string{"https://example.com/hook", "https://example.com/second"}, []string{got[0].URL, got[1].URL})

		c.call("DELETE", "/v1/webhooks/"+got[0].WebhookID, "")
		srv.Advance(5 * time.Minute)
		require.Len(t, srv.Deliveries(), 3, "a deleted webhook gets no retry")
		assert.Equal(t, "https://example.com/second", srv.Deliveries()[2].URL)
		_, err := srv.Redeliver(0)
		assert.ErrorContains(t, err, "was deleted")
	})
}

func TestDeliveriesThatAreDueTogetherAreConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, _ := subscribed(t, allEvents)
		var now, most atomic.Int64
		srv.DeliverTo(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n := now.Add(1)
			most.Store(max(most.Load(), n))
			<-time.After(time.Second)
			now.Add(-1)
		}))
		click := func(subject int) { srv.Respond("s", strconv.Itoa(subject), 9, "") }
		for i := range 7 {
			click(i)
		}
		begin := time.Now()
		srv.Advance(commentTime)
		assert.Equal(t, int64(5), most.Load())
		assert.Equal(t, 2*time.Second, time.Since(begin), "five, and two more")
		require.Len(t, srv.Deliveries(), 7)
		for i, d := range srv.Deliveries() {
			assert.Contains(t, string(d.Body), `"subject_id":"`+strconv.Itoa(i)+`"`, "the log is in order")
		}
		assert.Equal(t, time.Second, srv.Deliveries()[6].At.Sub(srv.Deliveries()[0].At), "time does not stop")

		click(10)
		until(time.Now().Add(time.Second))
		click(11)
		until(time.Now().Add(time.Second + time.Millisecond))
		click(12)
		begin = time.Now()
		srv.Advance(commentTime)
		assert.Equal(t, 2*time.Second, time.Since(begin), "a second apart is together, more is not")

		srv.DeliverTo(http.NotFoundHandler())
		click(13)
		until(time.Now().Add(500 * time.Millisecond))
		click(14)
		srv.Advance(commentTime - 500*time.Millisecond)
		assert.Len(t, srv.Deliveries(), 11, "none before its time")
	})
}

func TestRedeliver(t *testing.T) {
	srv, _, status := subscribed(t, allEvents)
	srv.Respond("s", "a", 9, "")
	srv.Advance(commentTime)
	status.Store(500)
	got, err := srv.Redeliver(0)
	require.NoError(t, err)
	assert.Equal(t, 2, got.Attempt)
	assert.Equal(t, 500, got.StatusCode)
	srv.Advance(48 * time.Hour)
	all := srv.Deliveries()
	require.Len(t, all, 2, "by hand means once")
	assert.Equal(t, got, all[1])
	for _, i := range []int{-1, 2} {
		_, err = srv.Redeliver(i)
		assert.ErrorContains(t, err, "no delivery")
	}
}

func TestAReceiverThatPanicsOrHangsGetsTheRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, _ := subscribed(t, allEvents)
		var calls atomic.Int64
		srv.DeliverTo(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch calls.Add(1) {
			case 1:
				panic("oh")
			case 2:
				<-r.Context().Done()
			case 3:
				runtime.Goexit() // as a failed require does
			}
			_, _ = w.Write([]byte("done"))
		}))
		srv.Respond("s", "a", 9, "")
		srv.Advance(commentTime)
		begin := time.Now()
		srv.Advance(5 * time.Minute)
		assert.Equal(t, 20*time.Second, time.Since(begin))
		srv.Advance(24 * time.Hour)
		got := srv.Deliveries()
		require.Len(t, got, 4)
		assertCut(t, got[0].Err)
		assert.ErrorContains(t, got[0].Err, "the handler panicked: oh")
		assert.ErrorContains(t, got[1].Err, "deadline exceeded", "20 seconds are enough")
		assert.Zero(t, got[1].StatusCode)
		assertCut(t, got[2].Err)
		assert.Equal(t, 200, got[3].StatusCode)
	})
}

func TestDeliveriesOverHTTP(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := overSocket(t, srv)
	receiver := clicknpstest.New()
	defer receiver.Close()
	hook := strings.TrimSuffix(receiver.URL(), "/v1") + "/hook"
	require.Equal(t, 201, c.call("POST", "/v1/webhooks", `{"url":"`+hook+`","events":`+allEvents+`}`).status)
	srv.Respond("s", "a", 9, "")
	srv.Advance(commentTime)
	requests := receiver.Requests()
	require.Len(t, requests, 1)
	assert.Equal(t, "/hook", requests[0].Path)
	assert.Equal(t, srv.Deliveries()[0].Body, requests[0].Body)
	assert.Equal(t, srv.Deliveries()[0].Header.Get("X-ClickNPS-Signature"), requests[0].Header.Get("X-ClickNPS-Signature"))
	assert.Equal(t, 404, srv.Deliveries()[0].StatusCode)

	receiver.Close()
	srv.Advance(5 * time.Minute)
	assert.Error(t, srv.Deliveries()[1].Err, "nobody listens")
}

func TestRedirectsAreFollowedWithTheSamePost(t *testing.T) {
	srv, _, _ := subscribed(t, allEvents)
	var seen []string
	srv.DeliverTo(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen = append(seen, r.Method+" "+r.URL.Path+" "+r.Header.Get("X-ClickNPS-Signature")+string(body))
		if status, err := strconv.Atoi(r.URL.Query().Get("next")); err == nil {
			http.Redirect(w, r, "/moved?next="+strconv.Itoa(status+1), status)
		} else if r.URL.Path == "/hook" {
			http.Redirect(w, r, "/moved?next=301", http.StatusTemporaryRedirect)
		}
	}))
	srv.Respond("s", "a", 9, "")
	srv.Advance(commentTime)
	got := srv.Deliveries()[0]
	require.Len(t, seen, 5, "307, 301, 302 and 303; 304 is none")
	same := got.Header.Get("X-ClickNPS-Signature") + string(got.Body)
	assert.Equal(t, "POST /hook "+same, seen[0])
	assert.Equal(t, "POST /moved "+same, seen[4])
	assert.Equal(t, 304, got.StatusCode)
	assert.Equal(t, "https://example.com/hook", got.URL)

	srv.DeliverTo(http.RedirectHandler("/again", http.StatusPermanentRedirect))
	got, err := srv.Redeliver(0)
	require.NoError(t, err)
	assert.ErrorContains(t, got.Err, "more than 10 times")
}
