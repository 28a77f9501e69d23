package webhook_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/webhook"
)

// deliverAtOnce sends n attempts of one event while the first is being handled, then lets that one
// go on with result.
func deliverAtOnce(t *testing.T, n int, result error) (answers map[string]int, calls int64, again *httptest.ResponseRecorder) {
	t.Helper()
	answers = map[string]int{}
	var called atomic.Int64
	goOn := make(chan error, 1)
	handler := newVerifier(t).Handler(func(context.Context, *webhook.Event) error {
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
	server := httptest.NewServer(newVerifier(t).Handler(func(context.Context, *webhook.Event) error {
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
		handler := newVerifier(t).Handler(func(context.Context, *webhook.Event) error {
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
		assertAnswer(t, serve(t, handler, request), 503, "unavailable")
		close(goOn)
		first.Wait()
	})
}

func TestHandlersOfOneVerifierShareWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		verifier := newVerifier(t)
		goOn := make(chan struct{})
		slow := verifier.Handler(func(context.Context, *webhook.Event) error {
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

func TestClaimIsExtendedWhileTheFunctionRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deduper := newStore()
		holders := map[string]bool{}
		deduper.claim = func(_ context.Context, _, holder string) (webhook.ClaimResult, error) {
			holders[holder] = true
			if len(deduper.methods()) == 2 {
				return 0, errors.New("a blip")
			}
			return webhook.ClaimGranted, nil
		}
		var told failures
		handler := newVerifier(t, webhook.WithDeduper(deduper), webhook.WithErrorHandler(told.add)).
			Handler(func(ctx context.Context, _ *webhook.Event) error {
				<-time.After(16 * time.Minute)
				return ctx.Err()
			})
		assertAnswer(t, deliver(t, handler, flatBody("user_1", time.Now())), 200, "handled")
		<-time.After(time.Hour)
		var at []time.Duration
		for _, call := range deduper.calls {
			at = append(at, call.at)
		}
		assert.Equal(t, []string{"Claim", "Claim", "Claim", "Claim", "Complete"}, deduper.methods())
		assert.Equal(t, []time.Duration{0, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 16 * time.Minute}, at)
		assert.Len(t, holders, 1)
		_, errs := told.soFar()
		require.Len(t, errs, 1)
		assert.EqualError(t, errs[0], "webhook: Deduper.Claim: a blip")
	})
}

func TestClaimEndsTheContextOfTheFunction(t *testing.T) {
	for _, outcome := range []error{nil, errors.New("failed")} {
		var seen context.Context
		deliver(t, newVerifier(t).Handler(func(ctx context.Context, _ *webhook.Event) error {
			seen = ctx
			assert.NoError(t, ctx.Err())
			return outcome
		}), flatBody("user_1", time.Now()))
		assert.ErrorIs(t, seen.Err(), context.Canceled)
	}
}

func TestClaimsHaveDifferentHolders(t *testing.T) {
	deduper := newStore()
	holders := map[string]bool{}
	deduper.claim = func(_ context.Context, _, holder string) (webhook.ClaimResult, error) {
		holders[holder] = true
		assert.GreaterOrEqual(t, len(holder), 20)
		return webhook.ClaimGranted, nil
	}
	deduper.complete = func(_ context.Context, _, holder string) error {
		assert.True(t, holders[holder])
		return nil
	}
	handler := newVerifier(t, webhook.WithDeduper(deduper)).Handler(handled)
	for range 3 {
		assertAnswer(t, deliver(t, handler, flatBody("user_1", time.Now())), 200, "handled")
	}
	assert.Len(t, holders, 3)
}

func TestClaimThatIsLostEndsTheFunction(t *testing.T) {
	for _, answer := range []webhook.ClaimResult{webhook.ClaimHeld, webhook.ClaimDone} {
		synctest.Test(t, func(t *testing.T) {
			deduper := newStore()
			deduper.claim = func(context.Context, string, string) (webhook.ClaimResult, error) {
				if len(deduper.methods()) == 1 {
					return webhook.ClaimGranted, nil
				}
				return answer, nil
			}
			var told failures
			start := time.Now()
			handler := newVerifier(t, webhook.WithDeduper(deduper), webhook.WithErrorHandler(told.add)).
				Handler(func(ctx context.Context, _ *webhook.Event) error {
					<-ctx.Done()
					assert.Equal(t, 5*time.Minute, time.Since(start))
					assert.EqualError(t, context.Cause(ctx), "webhook: the claim of the event is another delivery's now")
					<-time.After(time.Hour)
					return ctx.Err()
				})
			assertAnswer(t, deliver(t, handler, flatBody("user_1", time.Now())), 500, "not_handled")
			assert.Equal(t, []string{"Claim", "Claim", "Release"}, deduper.methods(), "it is not claimed again")
			_, errs := told.soFar()
			require.Len(t, errs, 1)
			assert.EqualError(t, errs[0], "webhook: the claim of the event is another delivery's now: context canceled")
			assert.ErrorIs(t, errs[0], context.Canceled)
		})
	}
}

// hangingCalls delivers an event to a verifier whose Deduper hangs in one method until an hour has
// passed.
func hangingCalls(t *testing.T, method string, outcome error) (deduper *store, took time.Duration, status int, errs []error) {
	t.Helper()
	deduper = newStore()
	hang := func(string) {
		<-time.After(time.Hour)
	}
	switch method {
	case "Claim":
		deduper.claim = func(context.Context, string, string) (webhook.ClaimResult, error) {
			hang(method)
			return webhook.ClaimGranted, nil
		}
	case "Complete":
		deduper.complete = func(context.Context, string, string) error { hang(method); return nil }
	case "Release":
		deduper.release = func(context.Context, string, string) error { hang(method); return nil }
	}
	var told failures
	handler := newVerifier(t, webhook.WithDeduper(deduper), webhook.WithErrorHandler(told.add)).
		Handler(func(context.Context, *webhook.Event) error { return outcome })
	start := time.Now()
	answer := deliver(t, handler, flatBody("user_1", time.Now()))
	took = time.Since(start)
	_, errs = told.soFar()
	<-time.After(2 * time.Hour)
	return deduper, took, answer.Code, errs
}

func TestClaimAbandonsADeduperThatHangs(t *testing.T) {
	failed := errors.New("failed")
	for name, test := range map[string]struct {
		outcome error
		methods []string
		told    []string
	}{
		"Claim": {nil, []string{"Claim", "Release"}, []string{
			"webhook: Deduper.Claim: the method did not return within 5s: context deadline exceeded",
		}},
		"Complete": {nil, []string{"Claim", "Complete"}, []string{
			"webhook: Deduper.Complete: the method did not return within 5s: context deadline exceeded",
		}},
		"Release": {failed, []string{"Claim", "Release"}, []string{
			"webhook: Deduper.Release: the method did not return within 5s: context deadline exceeded", "failed",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				deduper, took, status, errs := hangingCalls(t, name, test.outcome)
				assert.Equal(t, 5*time.Second, took)
				assert.Equal(t, 500, status)
				assert.Equal(t, test.methods, deduper.methods(), "a late grant is released")
				var texts []string
				for _, err := range errs {
					texts = append(texts, err.Error())
				}
				assert.Equal(t, test.told, texts)
				assert.ErrorIs(t, errs[0], context.DeadlineExceeded)
			})
		})
	}
}

// An extension that is granted after the event was dealt with is given back; a refusal then has no
// meaning.
func TestClaimReleasesALateExtension(t *testing.T) {
	for name, test := range map[string]struct {
		result  webhook.ClaimResult
		err     error
		hang    time.Duration
		methods []string
	}{
		"in time":         {webhook.ClaimGranted, nil, 4 * time.Second, []string{"Claim", "Claim", "Release", "Release"}},
		"abandoned":       {webhook.ClaimGranted, nil, 6 * time.Second, []string{"Claim", "Claim", "Release", "Release"}},
		"held":            {webhook.ClaimHeld, nil, 4 * time.Second, []string{"Claim", "Claim", "Release"}},
		"done, abandoned": {webhook.ClaimDone, nil, 6 * time.Second, []string{"Claim", "Claim", "Release"}},
		"failed":          {webhook.ClaimGranted, errors.New("x"), 6 * time.Second, []string{"Claim", "Claim", "Release"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				deduper := newStore()
				deduper.claim = func(context.Context, string, string) (webhook.ClaimResult, error) {
					if len(deduper.methods()) == 1 {
						return webhook.ClaimGranted, nil
					}
					<-time.After(test.hang)
					return test.result, test.err
				}
				var told failures
				handler := newVerifier(t, webhook.WithDeduper(deduper), webhook.WithErrorHandler(told.add)).
					Handler(func(context.Context, *webhook.Event) error {
						<-time.After(5*time.Minute + time.Second)
						return errors.New("failed")
					})
				assertAnswer(t, deliver(t, handler, flatBody("user_1", time.Now())), 500, "not_handled")
				<-time.After(time.Hour)
				assert.Equal(t, test.methods, deduper.methods())
				_, errs := told.soFar()
				require.NotEmpty(t, errs)
				assert.EqualError(t, errs[0], "failed")
			})
		})
	}
}

// An extension that comes late while the function still runs stays.
func TestClaimKeepsALateExtension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deduper := newStore()
		deduper.claim = func(context.Context, string, string) (webhook.ClaimResult, error) {
			if len(deduper.methods()) == 2 {
				<-time.After(time.Minute)
			}
			return webhook.ClaimGranted, nil
		}
		handler := newVerifier(t, webhook.WithDeduper(deduper)).Handler(func(context.Context, *webhook.Event) error {
			<-time.After(8 * time.Minute)
			return nil
		})
		assertAnswer(t, deliver(t, handler, flatBody("user_1", time.Now())), 200, "handled")
		assert.Equal(t, []string{"Claim", "Claim", "Complete"}, deduper.methods())
	})
}

// A Deduper or an error handler that panics or ends its goroutine fails a delivery, and nothing
// else.
func TestClaimSurvivesTheDeduper(t *testing.T) {
	fail := errors.New("fn fails")
	for name, end := range map[string]func(){"panicked": func() { panic("lost my head") }, "called runtime.Goexit": runtime.Goexit} {
		for _, method := range []string{"Claim", "Complete", "Release"} {
			deduper := newStore()
			switch method {
			case "Claim":
				deduper.claim = func(context.Context, string, string) (webhook.ClaimResult, error) { end(); return 0, nil }
			case "Complete":
				deduper.complete = func(context.Context, string, string) error { end(); return nil }
			case "Release":
				deduper.release = func(context.Context, string, string) error { end(); return nil }
			}
			var told failures
			verifier := newVerifier(t, webhook.WithDeduper(deduper), webhook.WithErrorHandler(func(ctx context.Context, e *webhook.Event, err error) {
				told.add(ctx, e, err)
				end()
			}))
			handler := verifier.Handler(func(context.Context, *webhook.Event) error {
				if method == "Release" {
					return fail
				}
				return nil
			})
			assertAnswer(t, deliver(t, handler, flatBody("user_1", time.Now())), 500, "not_handled")
			_, errs := told.soFar()
			require.NotEmpty(t, errs)
			assert.ErrorContains(t, errs[0], "Deduper."+method+": the method "+name)
			*deduper = *newStore()
			assertAnswer(t, deliver(t, verifier.Handler(handled), flatBody("user_1", time.Now())), 200, "handled")
		}
	}
}

func TestClaimKeepsTheCauseOfAPanic(t *testing.T) {
	var told failures
	cause := errors.New("the cause")
	handler := newVerifier(t, webhook.WithErrorHandler(told.add)).Handler(func(context.Context, *webhook.Event) error { panic(cause) })
	assertAnswer(t, deliver(t, handler, flatBody("user_1", time.Now())), 500, "not_handled")
	_, errs := told.soFar()
	require.Len(t, errs, 1)
	assert.ErrorIs(t, errs[0], cause)
	assert.ErrorContains(t, errs[0], "claim_test.go", "where it panicked")
}
