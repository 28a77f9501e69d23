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

	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
