package webhook_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/webhook"
)

func TestHandlerReceivesRealDeliveries(t *testing.T) {
	var events []*webhook.Event
	server := httptest.NewServer(newVerifier(t, webhook.WithTolerance(0)).Handler(func(ctx context.Context, e *webhook.Event) error {
		events = append(events, e)
		return nil
	}))
	defer server.Close()
	for _, want := range []string{`{"status":"handled"}`, `{"status":"duplicate"}`} {
		for _, vector := range vectors(t) {
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
	const scored11 = `{"survey_id":"s","subject_id":"u","score":11}`
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
		"malformed":          {post(signed(scored11), strings.NewReader(scored11)), 400, "malformed"},
		"empty":              {post(signed(""), http.NoBody), 400, "malformed"},
		"nil body":           {&http.Request{Method: http.MethodPost, Header: signed("")}, 400, "malformed"},
		"nil header":         {&http.Request{Method: http.MethodPost}, 401, "invalid_signature"},
		"header as written":  {post(http.Header{"X-ClickNPS-Signature": signed(body)["X-Clicknps-Signature"]}, strings.NewReader(body)), 200, "handled"},
		"cut off":            {post(signed(body), iotest.ErrReader(io.ErrUnexpectedEOF)), 400, "incomplete"},
		"1 MiB":              {post(signed(padded(1<<20)), strings.NewReader(padded(1<<20))), 200, "handled"},
		"over 1 MiB":         {post(signed(padded(1<<20+1)), strings.NewReader(padded(1<<20+1))), 413, "too_large"},
		"over 1 MiB, forged": {post(http.Header{}, bytes.NewReader(make([]byte, 2<<20))), 413, "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			calls, refused := 0, 0
			verifier := newVerifier(t, webhook.WithErrorHandler(func(_ context.Context, e *webhook.Event, err error) {
				assert.Nil(t, e)
				assert.Error(t, err)
				assert.NotContains(t, err.Error(), webhookSecret)
				refused++
			}))
			answer := serve(t, verifier.Handler(func(context.Context, *webhook.Event) error {
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
	assert.JSONEq(t, `{"status":"malformed",
		"message":"webhook: malformed body: score: not a whole number from 0 to 10"}`, answer.Body.String())
}

func TestHandlerAcknowledgesAnotherAttemptOfAnEvent(t *testing.T) {
	calls := 0
	handler := newVerifier(t).Handler(func(context.Context, *webhook.Event) error {
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
		"signature error": {func() error { return webhook.ErrInvalidSignature }, "invalid signature"},
		"panic":           {func() error { panic("lost my head") }, "webhook: the handler function panicked: lost my head\n"},
		"abort":           {func() error { panic(http.ErrAbortHandler) }, "panicked: net/http: abort Handler"},
		"Goexit":          {func() error { runtime.Goexit(); return nil }, "webhook: the handler function called runtime.Goexit"},
		"nil pointer":     {func() error { var e *webhook.Event; _ = e.Response.Score; return nil }, "nil pointer"},
	} {
		t.Run(name, func(t *testing.T) {
			var told []string
			verifier := newVerifier(t, webhook.WithErrorHandler(func(_ context.Context, e *webhook.Event, err error) {
				assert.Equal(t, "onboarding", e.SurveyID)
				told = append(told, err.Error())
			}))
			calls := 0
			handler := verifier.Handler(func(context.Context, *webhook.Event) error {
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

func TestHandlerWithoutAFunction(t *testing.T) {
	var told error
	verifier := newVerifier(t, webhook.WithErrorHandler(func(_ context.Context, _ *webhook.Event, err error) { told = err }))
	body := flatBody("user_1", time.Now())
	assertAnswer(t, deliver(t, verifier.Handler(nil), body), 500, "not_handled")
	assert.EqualError(t, told, "webhook: the handler function is nil")
	assertAnswer(t, deliver(t, verifier.Handler(handled), body), 200, "handled")
}

func TestHandlerCompletesWhatIsHandled(t *testing.T) {
	for name, test := range map[string]struct {
		tolerance time.Duration
		ttl       time.Duration // longer than any attempt is accepted
	}{
		"default":     {5 * time.Minute, 73*time.Hour + 10*time.Minute},
		"long":        {100 * time.Hour, 273 * time.Hour},
		"not checked": {-time.Hour, 73 * time.Hour},
		"too long":    {1<<63 - 1, 73*time.Hour + 20*365*24*time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				deduper := newStore()
				handler := newVerifier(t, webhook.WithDeduper(deduper), webhook.WithTolerance(test.tolerance)).Handler(handled)
				assertAnswer(t, deliver(t, handler, `{"id":"evt_1","type":"ping"}`), 200, "handled")
				assert.Equal(t, []storeCall{
					{"Claim", "evt_1", 15 * time.Minute, 0},
					{"Complete", "evt_1", test.ttl, 0},
				}, deduper.calls)
			})
		})
	}
}

func TestHandlerAnswersAsTheDeduperSays(t *testing.T) {
	down := errors.New("store is down")
	for name, test := range map[string]struct {
		result webhook.ClaimResult
		err    error
		status int
		want   string
		told   string
	}{
		"held":          {webhook.ClaimHeld, nil, 503, "unavailable", "webhook: Deduper.Claim: the event is being handled by another delivery"},
		"done":          {webhook.ClaimDone, nil, 200, "duplicate", ""},
		"none":          {0, nil, 500, "not_handled", "webhook: Deduper.Claim: 0 is no ClaimResult"},
		"beyond":        {webhook.ClaimDone + 1, nil, 500, "not_handled", "webhook: Deduper.Claim: 4 is no ClaimResult"},
		"error":         {0, down, 500, "not_handled", "webhook: Deduper.Claim: store is down"},
		"granted error": {webhook.ClaimGranted, down, 500, "not_handled", "webhook: Deduper.Claim: store is down"},
		"done error":    {webhook.ClaimDone, down, 500, "not_handled", "webhook: Deduper.Claim: store is down"},
	} {
		t.Run(name, func(t *testing.T) {
			deduper := newStore()
			deduper.claim = func(context.Context, string, string) (webhook.ClaimResult, error) { return test.result, test.err }
			var told failures
			calls := 0
			handler := newVerifier(t, webhook.WithDeduper(deduper), webhook.WithErrorHandler(told.add)).
				Handler(func(context.Context, *webhook.Event) error {
					calls++
					return nil
				})
			assertAnswer(t, deliver(t, handler, flatBody("user_1", time.Now())), test.status, test.want)
			assert.Zero(t, calls)
			assert.Equal(t, []string{"Claim"}, deduper.methods(), "nothing was claimed, so nothing is released")
			subjects, errs := told.soFar()
			if test.told == "" {
				assert.Empty(t, errs)
				return
			}
			require.Len(t, errs, 1)
			assert.EqualError(t, errs[0], test.told)
			assert.Equal(t, []string{"user_1"}, subjects)
			if test.err != nil {
				assert.ErrorIs(t, errs[0], down)
			}
		})
	}
}

func TestHandlerTellsThatNothingWasRecorded(t *testing.T) {
	down, broken := errors.New("store is down"), errors.New("fn fails")
	for name, test := range map[string]struct {
		outcome error
		methods []string
		told    []string
	}{
		"Complete fails": {nil, []string{"Claim", "Complete"}, []string{
			"webhook: Deduper.Complete: store is down",
		}},
		"Release fails": {broken, []string{"Claim", "Release"}, []string{
			"webhook: Deduper.Release: store is down", "fn fails",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			deduper := newStore()
			deduper.complete = func(context.Context, string, string) error { return down }
			deduper.release = deduper.complete
			var told failures
			handler := newVerifier(t, webhook.WithDeduper(deduper), webhook.WithErrorHandler(told.add)).
				Handler(func(context.Context, *webhook.Event) error { return test.outcome })
			assertAnswer(t, deliver(t, handler, flatBody("user_1", time.Now())), 500, "not_handled")
			assert.Equal(t, test.methods, deduper.methods())
			_, errs := told.soFar()
			var texts []string
			for _, err := range errs {
				texts = append(texts, err.Error())
			}
			assert.Equal(t, test.told, texts)
			assert.ErrorIs(t, errs[0], down)
		})
	}
}

func TestHandlerUsesTheDeduperAfterTheSenderHungUp(t *testing.T) {
	deduper := newStore()
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	var told failures
	handler := newVerifier(t, webhook.WithDeduper(deduper), webhook.WithErrorHandler(func(ctx context.Context, e *webhook.Event, err error) {
		assert.NoError(t, ctx.Err(), "there is time to keep the event")
		told.add(ctx, e, err)
	})).Handler(func(ctx context.Context, _ *webhook.Event) error { return ctx.Err() })
	assertAnswer(t, serve(t, handler, delivery(ctx, flatBody("user_1", time.Now()))), 500, "not_handled")
	assert.Equal(t, []string{"Claim", "Release"}, deduper.methods())
	_, errs := told.soFar()
	assert.Equal(t, []error{context.Canceled}, errs, "neither Claim nor Release failed")
}

func TestHandlerPassesTheRequestsContext(t *testing.T) {
	type contextKey struct{}
	ctx := context.WithValue(t.Context(), contextKey{}, "value")
	values := make(chan any, 2)
	handler := newVerifier(t, webhook.WithErrorHandler(func(ctx context.Context, _ *webhook.Event, _ error) {
		values <- ctx.Value(contextKey{})
	})).Handler(func(ctx context.Context, _ *webhook.Event) error {
		values <- ctx.Value(contextKey{})
		return errors.New("failed")
	})
	serve(t, handler, delivery(ctx, flatBody("user_1", time.Now())))
	assert.Equal(t, "value", <-values)
	assert.Equal(t, "value", <-values)
}
