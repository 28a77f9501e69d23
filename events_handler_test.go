package clicknps_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
)

// deliver sends a signed body to h, as ClickNPS does.
func deliver(t testing.TB, h http.Handler, body string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks", strings.NewReader(body))
	request.Header = signed(body)
	return serve(t, h, request)
}

// serve checks what every answer has in common.
func serve(t testing.TB, h http.Handler, request *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, request)
	assert.Equal(t, "application/json", recorder.Header().Get("Content-Type"))
	assert.True(t, json.Valid(recorder.Body.Bytes()), recorder.Body)
	assert.Less(t, recorder.Body.Len(), 300)
	assert.NotContains(t, recorder.Body.String(), webhookSecret)
	assert.NotContains(t, recorder.Body.String(), "sha256=")
	return recorder
}

// assertAnswer checks status and the status or the error type in the body.
func assertAnswer(t testing.TB, got *httptest.ResponseRecorder, status int, result string) {
	t.Helper()
	var body struct {
		Status string
		Error  struct{ Type, Message string }
	}
	require.NoError(t, json.Unmarshal(got.Body.Bytes(), &body))
	assert.Equal(t, status, got.Code, got.Body)
	if status < 300 {
		assert.Equal(t, result, body.Status)
	} else {
		assert.Equal(t, result, body.Error.Type)
		assert.NotEmpty(t, body.Error.Message)
	}
}

func handled(context.Context, *clicknps.Event) error { return nil }

func TestHandlerReceivesRealDeliveries(t *testing.T) {
	var events []*clicknps.Event
	server := httptest.NewServer(newVerifier(t, clicknps.WithTolerance(0)).Handler(func(ctx context.Context, e *clicknps.Event) error {
		events = append(events, e)
		return nil
	}))
	defer server.Close()
	for _, want := range []string{`{"status":"handled"}`, `{"status":"duplicate"}`} {
		for _, vector := range webhookVectors(t) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(vector.Body))
			require.NoError(t, err)
			request.Header = vector.header()
			request.Header.Del("Accept-Encoding")
			response, err := server.Client().Do(request)
			require.NoError(t, err)
			body, err := io.ReadAll(response.Body)
			require.NoError(t, errors.Join(err, response.Body.Close()))
			assert.Equal(t, http.StatusOK, response.StatusCode)
			assert.JSONEq(t, want, string(body))
		}
	}
	require.Len(t, events, 2)
	assert.Equal(t, 9, events[0].Response.Score)
	assert.Equal(t, 10, events[1].Response.Score)
}

func TestHandlerAnswers(t *testing.T) {
	body := flatBody("user_1", time.Now())
	padded := func(size int) string { return body + strings.Repeat(" ", size-len(body)) }
	post := func(header http.Header, body io.Reader) *http.Request {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body)
		request.Header = header
		return request
	}
	old := flatBody("user_1", time.Now().Add(-time.Hour))
	const noScore = `{"survey_id":"s","subject_id":"u"}`
	for name, test := range map[string]struct {
		request *http.Request
		status  int
		result  string
	}{
		"GET":                {httptest.NewRequest(http.MethodGet, "/", http.NoBody), 405, "method_not_allowed"},
		"PUT":                {httptest.NewRequest(http.MethodPut, "/", strings.NewReader(body)), 405, "method_not_allowed"},
		"no signature":       {post(http.Header{}, strings.NewReader(body)), 401, "invalid_signature"},
		"wrong signature":    {post(signed("other"), strings.NewReader(body)), 401, "invalid_signature"},
		"unsigned, no JSON":  {post(http.Header{}, strings.NewReader("{")), 401, "invalid_signature"},
		"stale":              {post(signed(old), strings.NewReader(old)), 401, "stale_event"},
		"malformed":          {post(signed(noScore), strings.NewReader(noScore)), 400, "malformed"},
		"empty":              {post(signed(""), http.NoBody), 400, "malformed"},
		"cut off":            {post(signed(body), iotest.ErrReader(io.ErrUnexpectedEOF)), 400, "incomplete"},
		"1 MiB":              {post(signed(padded(1<<20)), strings.NewReader(padded(1<<20))), 200, "handled"},
		"over 1 MiB":         {post(signed(padded(1<<20+1)), strings.NewReader(padded(1<<20+1))), 413, "too_large"},
		"over 1 MiB, forged": {post(http.Header{}, bytes.NewReader(make([]byte, 2<<20))), 413, "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			calls, refused := 0, 0
			verifier := newVerifier(t, clicknps.WithErrorHandler(func(_ context.Context, e *clicknps.Event, err error) {
				assert.Nil(t, e)
				assert.Error(t, err)
				assert.NotContains(t, err.Error(), webhookSecret)
				refused++
			}))
			answer := serve(t, verifier.Handler(func(context.Context, *clicknps.Event) error {
				calls++
				return nil
			}), test.request)
			assertAnswer(t, answer, test.status, test.result)
			if test.status == http.StatusOK {
				assert.Equal(t, 1, calls)
			} else {
				assert.Zero(t, calls)
				assert.Equal(t, 1, refused)
			}
			if test.status == http.StatusMethodNotAllowed {
				assert.Equal(t, "POST", answer.Header().Get("Allow"))
			}
		})
	}
}

func TestHandlerTellsTheSignersMistake(t *testing.T) {
	answer := deliver(t, newVerifier(t).Handler(handled), `{"survey_id":"s","subject_id":"u","score":11}`)
	assert.JSONEq(t, `{"error":{"type":"malformed",
		"message":"clicknps: webhook: malformed body: score: not a whole number from 0 to 10"}}`, answer.Body.String())
}

func TestHandlerAcknowledgesAnotherAttemptOfAnEvent(t *testing.T) {
	calls := 0
	handler := newVerifier(t).Handler(func(context.Context, *clicknps.Event) error {
		calls++
		return nil
	})
	assertAnswer(t, deliver(t, handler, flatBody("user_1", time.Now().Add(-time.Minute))), 200, "handled")
	assertAnswer(t, deliver(t, handler, flatBody("user_1", time.Now())), 200, "duplicate")
	assertAnswer(t, deliver(t, handler, flatBody("user_2", time.Now())), 200, "handled")
	assert.Equal(t, 2, calls)
}

func TestHandlerLetsTheNextDeliveryInAfterAFailure(t *testing.T) {
	broken := errors.New("database is down")
	for name, test := range map[string]struct {
		fail func() error
		want string // told to the error handler
	}{
		"error":           {func() error { return broken }, "database is down"},
		"signature error": {func() error { return clicknps.ErrInvalidSignature }, "invalid signature"},
		"panic":           {func() error { panic("lost my head") }, "panicked: lost my head"},
		"abort":           {func() error { panic(http.ErrAbortHandler) }, "panicked: net/http: abort Handler"},
		"nil pointer":     {func() error { var e *clicknps.Event; _ = e.Response.Score; return nil }, "nil pointer"},
	} {
		t.Run(name, func(t *testing.T) {
			var told []string
			verifier := newVerifier(t, clicknps.WithErrorHandler(func(_ context.Context, e *clicknps.Event, err error) {
				assert.Equal(t, "onboarding", e.SurveyID)
				told = append(told, err.Error())
			}))
			calls := 0
			handler := verifier.Handler(func(context.Context, *clicknps.Event) error {
				if calls++; calls <= 2 {
					return test.fail()
				}
				return nil
			})
			body := flatBody("user_1", time.Now())
			assertAnswer(t, deliver(t, handler, body), 500, "not_handled")
			assertAnswer(t, deliver(t, handler, body), 500, "not_handled")
			assertAnswer(t, deliver(t, handler, body), 200, "handled")
			assertAnswer(t, deliver(t, handler, body), 200, "duplicate")
			assert.Equal(t, 3, calls)
			require.Len(t, told, 2)
			assert.Contains(t, told[0], test.want)
		})
	}
}

func TestHandlerLetsTheNextDeliveryInAfterTheGoroutineEnded(t *testing.T) {
	calls := 0
	handler := newVerifier(t).Handler(func(context.Context, *clicknps.Event) error {
		if calls++; calls == 1 {
			runtime.Goexit() // what FailNow of a user's test does
		}
		return nil
	})
	body := flatBody("user_1", time.Now())
	request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	request.Header = signed(body)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		handler.ServeHTTP(httptest.NewRecorder(), request)
	}()
	<-ended
	assertAnswer(t, deliver(t, handler, body), 200, "handled")
}

func TestHandlerWithoutAFunction(t *testing.T) {
	var told error
	verifier := newVerifier(t, clicknps.WithErrorHandler(func(_ context.Context, _ *clicknps.Event, err error) { told = err }))
	body := flatBody("user_1", time.Now())
	assertAnswer(t, deliver(t, verifier.Handler(nil), body), 500, "not_handled")
	assert.EqualError(t, told, "clicknps: webhook: the handler function is nil")
	assertAnswer(t, deliver(t, verifier.Handler(handled), body), 200, "handled")
}

// storeDeduper is a store that can fail.
type storeDeduper struct {
	claimErr, releaseErr error
	claimed              map[string]time.Duration
	released             []string
}

func (d *storeDeduper) Claim(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	if _, taken := d.claimed[key]; taken || d.claimErr != nil {
		return false, d.claimErr
	}
	d.claimed[key] = ttl
	return true, ctx.Err()
}

func (d *storeDeduper) Release(ctx context.Context, key string) error {
	if err := errors.Join(ctx.Err(), d.releaseErr); err != nil {
		return err
	}
	d.released = append(d.released, key)
	delete(d.claimed, key)
	return nil
}

func TestHandlerUsesTheGivenDeduper(t *testing.T) {
	store := &storeDeduper{claimed: map[string]time.Duration{}}
	handler := newVerifier(t, clicknps.WithDeduper(store)).Handler(handled)
	body := `{"id":"evt_1","type":"ping"}`
	assertAnswer(t, deliver(t, handler, body), 200, "handled")
	assertAnswer(t, deliver(t, handler, body), 200, "duplicate")
	assert.Equal(t, map[string]time.Duration{"evt_1": 72 * time.Hour}, store.claimed)
	assert.Empty(t, store.released)
}

func TestHandlerAnswers500WhenTheDeduperFails(t *testing.T) {
	down := errors.New("store is down")
	store := &storeDeduper{claimErr: down, claimed: map[string]time.Duration{}}
	var told []error
	verifier := newVerifier(t, clicknps.WithDeduper(store),
		clicknps.WithErrorHandler(func(_ context.Context, _ *clicknps.Event, err error) { told = append(told, err) }))
	calls := 0
	handler := verifier.Handler(func(context.Context, *clicknps.Event) error {
		calls++
		return errors.New("fn fails")
	})
	body := flatBody("user_1", time.Now())
	assertAnswer(t, deliver(t, handler, body), 500, "not_handled")
	assert.Zero(t, calls)
	require.Len(t, told, 1)
	assert.ErrorIs(t, told[0], down)

	assert.Empty(t, store.released, "the claim may be somebody else's")

	store.claimErr, store.releaseErr = nil, down
	assertAnswer(t, deliver(t, handler, body), 500, "not_handled")
	assert.Equal(t, 1, calls)
	require.Len(t, told, 3)
	assert.ErrorIs(t, told[1], down, "not released")
	assert.ErrorContains(t, told[2], "fn fails")
}

func TestHandlerUsesTheDeduperAfterTheSenderHungUp(t *testing.T) {
	store := &storeDeduper{claimed: map[string]time.Duration{}}
	body := flatBody("user_1", time.Now())
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(body))
	request.Header = signed(body)
	calls := 0
	handler := newVerifier(t, clicknps.WithDeduper(store)).Handler(func(ctx context.Context, _ *clicknps.Event) error {
		calls++
		return ctx.Err()
	})
	assertAnswer(t, serve(t, handler, request), 500, "not_handled")
	assert.Equal(t, 1, calls)
	assert.Len(t, store.released, 1)
}
