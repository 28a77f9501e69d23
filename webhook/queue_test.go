package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/webhook"
)

func TestQueueAcknowledgesBeforeTheWorkIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int64
		queue := newVerifier(t).Queue(func(context.Context, *webhook.Event) error {
			<-time.After(time.Minute)
			done.Add(1)
			return nil
		}, webhook.QueueOptions{})
		start := time.Now()
		assertAnswer(t, deliver(t, queue, flatBody("user_1", start)), http.StatusAccepted, "accepted")
		assertAnswer(t, deliver(t, queue, flatBody("user_1", start.Add(time.Second))), http.StatusOK, "duplicate")
		assert.Zero(t, done.Load())
		assert.Zero(t, time.Since(start))

		require.NoError(t, queue.Shutdown(t.Context()))
		assert.EqualValues(t, 1, done.Load())
		assert.Equal(t, time.Minute, time.Since(start))
		require.NoError(t, queue.Shutdown(t.Context()), "once more")
		assertAnswer(t, deliver(t, queue, flatBody("user_2", time.Now())), http.StatusServiceUnavailable, "unavailable")
	})
}

func TestQueueRefusesWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue := newVerifier(t).Queue(func(context.Context, *webhook.Event) error {
			<-time.After(time.Second)
			return nil
		}, webhook.QueueOptions{Size: 2, Workers: 1})
		subject := func(i int) string { return flatBody(fmt.Sprint("user_", i), time.Now()) }
		assertAnswer(t, deliver(t, queue, subject(0)), http.StatusAccepted, "accepted")
		synctest.Wait() // the worker has it
		assertAnswer(t, deliver(t, queue, subject(1)), http.StatusAccepted, "accepted")
		assertAnswer(t, deliver(t, queue, subject(2)), http.StatusAccepted, "accepted")
		assertAnswer(t, deliver(t, queue, subject(3)), http.StatusServiceUnavailable, "unavailable")
		<-time.After(time.Second)
		synctest.Wait()
		assertAnswer(t, deliver(t, queue, subject(3)), http.StatusAccepted, "accepted")
		require.NoError(t, queue.Shutdown(t.Context()))
	})
}

func TestQueueRetriesWhatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told failures
		start := time.Now()
		var calls []time.Duration
		queue := newVerifier(t, webhook.WithErrorHandler(told.add)).Queue(func(context.Context, *webhook.Event) error {
			calls = append(calls, time.Since(start))
			switch len(calls) {
			case 1:
				return errors.New("database is down")
			case 2:
				panic("lost my head")
			}
			return nil
		}, webhook.QueueOptions{Workers: 1})
		assertAnswer(t, deliver(t, queue, flatBody("user_1", time.Now())), http.StatusAccepted, "accepted")
		require.NoError(t, queue.Shutdown(t.Context()))
		assert.Equal(t, []time.Duration{0, time.Second, 3 * time.Second}, calls)
		_, errs := told.soFar()
		assert.Empty(t, errs, "it was handled in the end")
	})
}

func TestQueueGivesUpAfterFiveFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told failures
		broken := errors.New("database is down")
		var calls atomic.Int64
		queue := newVerifier(t, webhook.WithErrorHandler(told.add)).Queue(func(context.Context, *webhook.Event) error {
			if calls.Add(1) <= 5 {
				return broken
			}
			return nil
		}, webhook.QueueOptions{})
		assertAnswer(t, deliver(t, queue, flatBody("user_1", time.Now())), http.StatusAccepted, "accepted")
		<-time.After(15*time.Second - time.Nanosecond)
		synctest.Wait()
		assert.EqualValues(t, 4, calls.Load())
		_, errs := told.soFar()
		assert.Empty(t, errs)
		<-time.After(time.Nanosecond)
		synctest.Wait()
		assert.EqualValues(t, 5, calls.Load())
		subjects, errs := told.soFar()
		assert.Equal(t, []string{"user_1"}, subjects)
		require.Len(t, errs, 1)
		assert.ErrorIs(t, errs[0], broken)

		assertAnswer(t, deliver(t, queue, flatBody("user_1", time.Now())), http.StatusAccepted, "accepted")
		require.NoError(t, queue.Shutdown(t.Context()))
		assert.EqualValues(t, 6, calls.Load())
	})
}

func TestQueueLosesNothingAcknowledgedOnACleanShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		done := map[string]int{}
		queue := newVerifier(t).Queue(func(_ context.Context, e *webhook.Event) error {
			<-time.After(time.Second)
			mu.Lock()
			defer mu.Unlock()
			done[e.Response.SubjectID]++
			return nil
		}, webhook.QueueOptions{Size: 20, Workers: 3})
		accepted := map[string]int{}
		var senders sync.WaitGroup
		for sender := range 10 {
			senders.Go(func() {
				for i := range 20 {
					subject := fmt.Sprintf("user_%d_%d", sender, i)
					<-time.After(300 * time.Millisecond)
					if deliver(t, queue, flatBody(subject, time.Now())).Code == http.StatusAccepted {
						mu.Lock()
						accepted[subject]++
						mu.Unlock()
					}
				}
			})
		}
		<-time.After(4 * time.Second)
		require.NoError(t, queue.Shutdown(t.Context()))
		mu.Lock()
		assert.Equal(t, accepted, done)
		assert.Greater(t, len(done), 20)
		assert.Less(t, len(done), 200, "some were refused")
		mu.Unlock()
		senders.Wait()
		assert.Equal(t, accepted, done)
	})
}

func TestQueueHandsOverWhatAShutdownCutsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told failures
		queue := newVerifier(t, webhook.WithErrorHandler(told.add)).Queue(func(ctx context.Context, e *webhook.Event) error {
			if e.Response.SubjectID == "user_0" {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}, webhook.QueueOptions{Workers: 1})
		for i := range 5 {
			assertAnswer(t, deliver(t, queue, flatBody(fmt.Sprint("user_", i), time.Now())), http.StatusAccepted, "accepted")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := queue.Shutdown(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.EqualError(t, err, "webhook: 4 accepted events were not handled: context deadline exceeded")
		synctest.Wait()
		subjects, errs := told.soFar()
		assert.ElementsMatch(t, []string{"user_1", "user_2", "user_3", "user_4"}, subjects)
		for _, err := range errs {
			assert.ErrorIs(t, err, context.Canceled)
		}
	})
}

func TestQueueShutdownOfAnIdleQueueNeedsNoTime(t *testing.T) {
	queue := newVerifier(t).Queue(handled, webhook.QueueOptions{Size: -1, Workers: -1})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	assert.NoError(t, queue.Shutdown(ended))
}

func TestQueueBoundsItsWorkers(t *testing.T) {
	for workers, want := range map[int]int64{0: 4, 1: 1, 7: 7} {
		synctest.Test(t, func(t *testing.T) {
			var running, most atomic.Int64
			var order []string
			var mu sync.Mutex
			queue := newVerifier(t).Queue(func(_ context.Context, e *webhook.Event) error {
				mu.Lock()
				order = append(order, e.Response.SubjectID)
				most.Store(max(most.Load(), running.Add(1)))
				mu.Unlock()
				<-time.After(time.Second)
				running.Add(-1)
				return nil
			}, webhook.QueueOptions{Workers: workers})
			var sent []string
			for i := range 20 {
				sent = append(sent, fmt.Sprint("user_", i))
				assertAnswer(t, deliver(t, queue, flatBody(sent[i], time.Now())), http.StatusAccepted, "accepted")
			}
			require.NoError(t, queue.Shutdown(t.Context()))
			assert.Equal(t, want, most.Load())
			if workers == 1 {
				assert.Equal(t, sent, order)
			}
		})
	}
}

func TestQueueRefusesLikeHandler(t *testing.T) {
	queue := newVerifier(t).Queue(nil, webhook.QueueOptions{})
	assertAnswer(t, deliver(t, queue, flatBody("user_1", time.Now())), http.StatusInternalServerError, "not_handled")
	assertAnswer(t, deliver(t, queue, flatBody("user_1", time.Now().Add(-time.Hour))), http.StatusUnauthorized, "stale_event")
	assertAnswer(t, deliver(t, queue, "{}"), http.StatusBadRequest, "malformed")
	require.NoError(t, queue.Shutdown(t.Context()))
}

func TestQueueWorkersSurviveTheHandlerFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told failures
		calls := map[string]int{}
		queue := newVerifier(t, webhook.WithErrorHandler(told.add)).Queue(func(_ context.Context, e *webhook.Event) error {
			calls[e.Response.SubjectID]++
			switch e.Response.SubjectID {
			case "user_0":
				runtime.Goexit() // what FailNow of a user's test does
			case "user_1":
				panic("lost my head")
			}
			return nil
		}, webhook.QueueOptions{Workers: 1})
		for i := range 3 {
			assertAnswer(t, deliver(t, queue, flatBody(fmt.Sprint("user_", i), time.Now())), http.StatusAccepted, "accepted")
		}
		require.NoError(t, queue.Shutdown(t.Context()))
		assert.Equal(t, map[string]int{"user_0": 5, "user_1": 5, "user_2": 1}, calls)
		subjects, errs := told.soFar()
		assert.Equal(t, []string{"user_0", "user_1"}, subjects)
		assert.EqualError(t, errs[0],
			"webhook: an accepted event was not handled: webhook: the handler function called runtime.Goexit")
		assert.ErrorContains(t, errs[1],
			"webhook: an accepted event was not handled: webhook: the handler function panicked: lost my head\n")
	})
}

func TestQueueWorkersSurviveTheErrorHandler(t *testing.T) {
	for name, fail := range map[string]func(){
		"panic":  func() { panic("lost my head") },
		"Goexit": runtime.Goexit,
		"hang":   func() { select {} },
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			goOn := make(chan struct{})
			if name == "hang" {
				fail = func() { <-goOn }
			}
			synctest.Test(t, func(t *testing.T) {
				goOn = make(chan struct{})
				queue := newVerifier(t, webhook.WithErrorHandler(func(context.Context, *webhook.Event, error) { fail() })).
					Queue(func(context.Context, *webhook.Event) error {
						calls.Add(1)
						return errors.New("failed")
					}, webhook.QueueOptions{Workers: 1})
				for i := range 2 {
					assertAnswer(t, deliver(t, queue, flatBody(fmt.Sprint("user_", i), time.Now())), http.StatusAccepted, "accepted")
				}
				assertAnswer(t, deliver(t, queue, "{}"), http.StatusBadRequest, "malformed")
				require.NoError(t, queue.Shutdown(t.Context()))
				assert.EqualValues(t, 10, calls.Load())
				close(goOn)
			})
		})
	}
}

func TestQueueKeepsItsClaimWhileAnEventWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deduper := newStore()
		queue := newVerifier(t, webhook.WithDeduper(deduper)).Queue(func(context.Context, *webhook.Event) error {
			<-time.After(12 * time.Minute)
			return nil
		}, webhook.QueueOptions{Workers: 1})
		assertAnswer(t, deliver(t, queue, `{"id":"evt_1","type":"ping"}`), http.StatusAccepted, "accepted")
		<-time.After(time.Minute)
		assertAnswer(t, deliver(t, queue, `{"id":"evt_2","type":"ping"}`), http.StatusAccepted, "accepted")
		require.NoError(t, queue.Shutdown(t.Context()))
		const lease, ttl = 15 * time.Minute, 73*time.Hour + 10*time.Minute
		assert.Equal(t, []storeCall{
			{"Claim", "evt_1", lease, 0},
			{"Claim", "evt_2", lease, 1 * time.Minute},
			{"Claim", "evt_1", lease, 5 * time.Minute},
			{"Claim", "evt_2", lease, 6 * time.Minute},
			{"Claim", "evt_1", lease, 10 * time.Minute},
			{"Claim", "evt_2", lease, 11 * time.Minute},
			{"Complete", "evt_1", ttl, 12 * time.Minute},
			{"Claim", "evt_2", lease, 16 * time.Minute},
			{"Claim", "evt_2", lease, 21 * time.Minute},
			{"Complete", "evt_2", ttl, 24 * time.Minute},
		}, deduper.calls)
	})
}

func TestQueueReleasesWhatItCantHandle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deduper := newStore()
		queue := newVerifier(t, webhook.WithDeduper(deduper)).Queue(func(context.Context, *webhook.Event) error {
			return errors.New("failed")
		}, webhook.QueueOptions{Size: 1, Workers: 1})
		assertAnswer(t, deliver(t, queue, flatBody("user_1", time.Now())), http.StatusAccepted, "accepted")
		synctest.Wait()
		assertAnswer(t, deliver(t, queue, flatBody("user_2", time.Now())), http.StatusAccepted, "accepted")
		assertAnswer(t, deliver(t, queue, flatBody("user_3", time.Now())), http.StatusServiceUnavailable, "unavailable")
		assert.Equal(t, []string{"Claim", "Claim", "Claim", "Release"}, deduper.methods(), "the queue was full")
		require.NoError(t, queue.Shutdown(t.Context()))
		assert.Equal(t, []string{"Claim", "Claim", "Claim", "Release", "Release", "Release"}, deduper.methods())
	})
}

func TestQueueDoesNotRepeatWhatCantBeRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deduper, down := newStore(), errors.New("store is down")
		deduper.complete = func(context.Context, string, string) error { return down }
		var told failures
		calls := 0
		queue := newVerifier(t, webhook.WithDeduper(deduper), webhook.WithErrorHandler(told.add)).
			Queue(func(context.Context, *webhook.Event) error {
				calls++
				return nil
			}, webhook.QueueOptions{})
		assertAnswer(t, deliver(t, queue, flatBody("user_1", time.Now())), http.StatusAccepted, "accepted")
		require.NoError(t, queue.Shutdown(t.Context()))
		assert.Equal(t, 1, calls)
		_, errs := told.soFar()
		require.Len(t, errs, 1)
		assert.EqualError(t, errs[0], "webhook: Deduper.Complete: store is down")
	})
}

func TestQueueStopsWhenItsClaimIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deduper := newStore()
		claims := 0
		deduper.claim = func(context.Context, string, string) (webhook.ClaimResult, error) {
			if claims++; claims == 1 {
				return webhook.ClaimGranted, nil
			}
			return webhook.ClaimDone, nil
		}
		var told failures
		queue := newVerifier(t, webhook.WithDeduper(deduper), webhook.WithErrorHandler(told.add)).
			Queue(func(ctx context.Context, _ *webhook.Event) error {
				<-ctx.Done()
				return ctx.Err()
			}, webhook.QueueOptions{})
		start := time.Now()
		assertAnswer(t, deliver(t, queue, flatBody("user_1", time.Now())), http.StatusAccepted, "accepted")
		require.NoError(t, queue.Shutdown(t.Context()))
		assert.Equal(t, 5*time.Minute, time.Since(start), "no second attempt")
		_, errs := told.soFar()
		require.Len(t, errs, 1)
		assert.ErrorContains(t, errs[0], "the claim of the event is another delivery's now")
	})
}

// Whatever hangs, Shutdown returns when its context ends, and the error handler has every event.
func TestQueueShutdownWaitsForNobodyThatHangs(t *testing.T) {
	for name, hangs := range map[string]string{"fn": "fn", "Release": "Release", "Complete": "Complete", "nothing": ""} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				end := make(chan struct{})
				hang := func(context.Context, string, string) error { <-end; return nil }
				deduper := newStore()
				if hangs == "Release" {
					deduper.release = hang
				} else if hangs == "Complete" {
					deduper.complete = hang
				}
				var told failures
				queue := newVerifier(t, webhook.WithDeduper(deduper), webhook.WithErrorHandler(told.add)).
					Queue(func(ctx context.Context, e *webhook.Event) error {
						switch {
						case hangs == "fn":
							<-end
						case hangs != "Complete":
							<-ctx.Done()
							return errors.New("cut short")
						}
						return nil
					}, webhook.QueueOptions{Workers: 2})
				for i := range 5 {
					assertAnswer(t, deliver(t, queue, flatBody(fmt.Sprint("user_", i), time.Now())), http.StatusAccepted, "accepted")
				}
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				defer cancel()
				err := queue.Shutdown(ctx)
				assert.Equal(t, 4*time.Second, time.Since(start))
				subjects, _ := told.soFar()
				if hangs == "Complete" { // two are handled
					assert.EqualError(t, err, "webhook: 3 accepted events were not handled: context deadline exceeded")
					assert.Len(t, subjects, 3)
				} else {
					assert.EqualError(t, err, "webhook: 5 accepted events were not handled: context deadline exceeded")
					assert.ElementsMatch(t, []string{"user_0", "user_1", "user_2", "user_3", "user_4"}, subjects)
				}
				synctest.Wait()
				close(end)
				synctest.Wait()
				again, _ := told.soFar()
				assert.Equal(t, subjects, again, "each event once")
			})
		})
	}
}

func TestQueueShutdownGoesOnWhenTheErrorHandlerHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		var told atomic.Int64
		queue := newVerifier(t, webhook.WithErrorHandler(func(context.Context, *webhook.Event, error) {
			told.Add(1)
			<-end
		})).Queue(func(context.Context, *webhook.Event) error { <-end; return nil }, webhook.QueueOptions{Workers: 1})
		for i := range 3 {
			assertAnswer(t, deliver(t, queue, flatBody(fmt.Sprint("user_", i), time.Now())), http.StatusAccepted, "accepted")
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		start := time.Now()
		assert.ErrorIs(t, queue.Shutdown(ended), context.Canceled)
		assert.Equal(t, 5*time.Second, time.Since(start))
		assert.EqualValues(t, 3, told.Load(), "no call waits for another")
		close(end)
	})
}

func TestQueueShutdownTellsTheLastFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("database is down")
		var told failures
		queue := newVerifier(t, webhook.WithErrorHandler(told.add)).
			Queue(func(context.Context, *webhook.Event) error { return broken }, webhook.QueueOptions{})
		assertAnswer(t, deliver(t, queue, flatBody("user_1", time.Now())), http.StatusAccepted, "accepted")
		synctest.Wait() // until the second attempt
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		assert.ErrorIs(t, queue.Shutdown(ended), context.Canceled)
		_, errs := told.soFar()
		require.Len(t, errs, 1)
		assert.ErrorIs(t, errs[0], broken)
		assert.EqualError(t, errs[0], "webhook: an accepted event was not handled: database is down")
		synctest.Wait()
	})
}
