package clicknpstest_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
			}
			_, _ = w.Write([]byte("done"))
		}))
		srv.Respond("s", "a", 9, "")
		srv.Advance(time.Hour)
		got := srv.Deliveries()
		require.Len(t, got, 3)
		assertCut(t, got[0].Err)
		assert.ErrorContains(t, got[1].Err, "deadline exceeded", "ten seconds are enough")
		assert.Zero(t, got[1].StatusCode)
		assert.Equal(t, 200, got[2].StatusCode)
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
	srv.Advance(time.Minute)
	assert.Error(t, srv.Deliveries()[1].Err, "nobody listens")
}
