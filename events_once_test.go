package clicknps_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/clicknps/go-sdk"
)

// deliverAtOnce sends n attempts of one event while the first is being handled, then lets that one go on with result.
func deliverAtOnce(t *testing.T, n int, result error) (answers map[string]int, calls int64, again *httptest.ResponseRecorder) {
	t.Helper()
	answers = map[string]int{}
	var called atomic.Int64
	goOn := make(chan error, 1)
	handler := newVerifier(t).Handler(func(context.Context, *clicknps.Event) error {
		called.Add(1)
		return <-goOn
	})
	var mu sync.Mutex
	var senders sync.WaitGroup
	for i := range n {
		senders.Go(func() {
			answer := deliver(t, handler, flatBody("user_1", time.Now().Add(time.Duration(i)*time.Millisecond)))
			mu.Lock()
			defer mu.Unlock()
			answers[strings.TrimSpace(answer.Body.String())]++
		})
	}
	synctest.Wait()
	mu.Lock()
	assert.Empty(t, answers, "nobody is told anything before the outcome is known")
	mu.Unlock()
	goOn <- result
	senders.Wait()
	calls = called.Load()
	goOn <- nil
	return answers, calls, deliver(t, handler, flatBody("user_1", time.Now()))
}

func TestHandlerHandlesIdenticalDeliveriesAtOnceOnlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers, calls, again := deliverAtOnce(t, 50, nil)
		assert.Equal(t, map[string]int{`{"status":"handled"}`: 1, `{"status":"duplicate"}`: 49}, answers)
		assert.EqualValues(t, 1, calls)
		assertAnswer(t, again, 200, "duplicate")
	})
}

func TestHandlerAcknowledgesNoDuplicateOfAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers, calls, again := deliverAtOnce(t, 50, errors.New("database is down"))
		assert.Len(t, answers, 1)
		for body, n := range answers {
			assert.Contains(t, body, "not_handled")
			assert.Equal(t, 50, n)
		}
		assert.EqualValues(t, 1, calls)
		assertAnswer(t, again, 200, "handled")
	})
}

func TestHandlerHandlesIdenticalDeliveriesOverTheNetworkOnce(t *testing.T) {
	var calls atomic.Int64
	server := httptest.NewServer(newVerifier(t).Handler(func(context.Context, *clicknps.Event) error {
		calls.Add(1)
		return nil
	}))
	defer server.Close()
	body := flatBody("user_1", time.Now())
	var senders sync.WaitGroup
	for range 50 {
		senders.Go(func() {
			request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(body))
			request.Header = signed(body)
			response, err := server.Client().Do(request)
			if assert.NoError(t, err) {
				assert.NoError(t, response.Body.Close())
				assert.Equal(t, http.StatusOK, response.StatusCode)
			}
		})
	}
	senders.Wait()
	assert.EqualValues(t, 1, calls.Load())
}

func TestHandlerStopsWaitingWhenTheSenderHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		handler := newVerifier(t).Handler(func(context.Context, *clicknps.Event) error {
			<-goOn
			return nil
		})
		body := flatBody("user_1", time.Now())
		var first sync.WaitGroup
		first.Go(func() { assertAnswer(t, deliver(t, handler, body), 200, "handled") })
		synctest.Wait()

		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(body))
		request.Header = signed(body)
		assertAnswer(t, serve(t, handler, request), 500, "not_handled")
		close(goOn)
		first.Wait()
	})
}

func TestHandlersOfOneVerifierShareWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		verifier := newVerifier(t)
		goOn := make(chan struct{})
		slow := verifier.Handler(func(context.Context, *clicknps.Event) error {
			<-goOn
			return errors.New("failed")
		})
		body := flatBody("user_1", time.Now())
		var both sync.WaitGroup
		both.Go(func() { assertAnswer(t, deliver(t, slow, body), 500, "not_handled") })
		synctest.Wait()
		both.Go(func() { assertAnswer(t, deliver(t, verifier.Handler(handled), body), 500, "not_handled") })
		synctest.Wait()
		close(goOn)
		both.Wait()
	})
}
