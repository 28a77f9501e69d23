package clicknps_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
)

// eventLog is what an error handler was told.
type eventLog struct {
	mu       sync.Mutex
	subjects []string
	errs     []error
}

func (l *eventLog) add(_ context.Context, e *clicknps.Event, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e != nil {
		l.subjects = append(l.subjects, e.Response.SubjectID)
	}
	l.errs = append(l.errs, err)
}

// told returns the subjects and errors so far.
func (l *eventLog) told() ([]string, []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.subjects), slices.Clone(l.errs)
}

func TestQueueAcknowledgesBeforeTheWorkIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int64
		queue := newVerifier(t).Queue(func(context.Context, *clicknps.Event) error {
			<-time.After(time.Minute)
			done.Add(1)
			return nil
		}, clicknps.QueueOptions{})
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
		queue := newVerifier(t).Queue(func(context.Context, *clicknps.Event) error {
			<-time.After(time.Second)
			return nil
		}, clicknps.QueueOptions{Size: 2, Workers: 1})
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

func TestQueueRepeatsWhatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log eventLog
		start := time.Now()
		var calls []time.Duration
		queue := newVerifier(t, clicknps.WithErrorHandler(log.add)).Queue(func(context.Context, *clicknps.Event) error {
			calls = append(calls, time.Since(start))
			switch len(calls) {
			case 1:
				return errors.New("database is down")
			case 2:
				panic("lost my head")
			}
			return nil
		}, clicknps.QueueOptions{Workers: 1})
		assertAnswer(t, deliver(t, queue, flatBody("user_1", time.Now())), http.StatusAccepted, "accepted")
		require.NoError(t, queue.Shutdown(t.Context()))
		assert.Equal(t, []time.Duration{0, time.Second, 3 * time.Second}, calls)
		_, errs := log.told()
		assert.Empty(t, errs, "it was handled in the end")
	})
}

func TestQueueGivesUpAfterFiveFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log eventLog
		broken := errors.New("database is down")
		var calls atomic.Int64
		queue := newVerifier(t, clicknps.WithErrorHandler(log.add)).Queue(func(context.Context, *clicknps.Event) error {
			if calls.Add(1) <= 5 {
				return broken
			}
			return nil
		}, clicknps.QueueOptions{})
		assertAnswer(t, deliver(t, queue, flatBody("user_1", time.Now())), http.StatusAccepted, "accepted")
		<-time.After(15*time.Second - time.Nanosecond)
		synctest.Wait()
		assert.EqualValues(t, 4, calls.Load())
		_, errs := log.told()
		assert.Empty(t, errs)
		<-time.After(time.Nanosecond)
		synctest.Wait()
		assert.EqualValues(t, 5, calls.Load())
		subjects, errs := log.told()
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
		queue := newVerifier(t).Queue(func(_ context.Context, e *clicknps.Event) error {
			<-time.After(time.Second)
			mu.Lock()
			defer mu.Unlock()
			done[e.Response.SubjectID]++
			return nil
		}, clicknps.QueueOptions{Size: 20, Workers: 3})
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
		var log eventLog
		queue := newVerifier(t, clicknps.WithErrorHandler(log.add)).Queue(func(ctx context.Context, e *clicknps.Event) error {
			if e.Response.SubjectID == "user_0" {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}, clicknps.QueueOptions{Workers: 1})
		for i := range 5 {
			assertAnswer(t, deliver(t, queue, flatBody(fmt.Sprint("user_", i), time.Now())), http.StatusAccepted, "accepted")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := queue.Shutdown(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.EqualError(t, err, "clicknps: webhook: 4 accepted events were not handled: context deadline exceeded")
		synctest.Wait()
		subjects, errs := log.told()
		assert.ElementsMatch(t, []string{"user_1", "user_2", "user_3", "user_4"}, subjects)
		for _, err := range errs {
			assert.ErrorIs(t, err, context.Canceled)
		}
	})
}

func TestQueueShutdownOfAnIdleQueueNeedsNoTime(t *testing.T) {
	queue := newVerifier(t).Queue(handled, clicknps.QueueOptions{Size: -1, Workers: -1})
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
			queue := newVerifier(t).Queue(func(_ context.Context, e *clicknps.Event) error {
				mu.Lock()
				order = append(order, e.Response.SubjectID)
				most.Store(max(most.Load(), running.Add(1)))
				mu.Unlock()
				<-time.After(time.Second)
				running.Add(-1)
				return nil
			}, clicknps.QueueOptions{Workers: workers})
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
	queue := newVerifier(t).Queue(nil, clicknps.QueueOptions{})
	assertAnswer(t, deliver(t, queue, flatBody("user_1", time.Now())), http.StatusInternalServerError, "not_handled")
	assertAnswer(t, deliver(t, queue, flatBody("user_1", time.Now().Add(-time.Hour))), http.StatusUnauthorized, "stale_event")
	assertAnswer(t, deliver(t, queue, "{}"), http.StatusBadRequest, "malformed")
	require.NoError(t, queue.Shutdown(t.Context()))
}

func TestQueueShutdownTellsOfWorkersThatEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log eventLog
		queue := newVerifier(t, clicknps.WithErrorHandler(log.add)).Queue(func(context.Context, *clicknps.Event) error {
			runtime.Goexit() // what FailNow of a user's test does
			return nil
		}, clicknps.QueueOptions{Workers: 1})
		for i := range 3 {
			assertAnswer(t, deliver(t, queue, flatBody(fmt.Sprint("user_", i), time.Now())), http.StatusAccepted, "accepted")
			synctest.Wait()
		}
		assert.ErrorContains(t, queue.Shutdown(t.Context()), "2 accepted events were not handled")
		subjects, _ := log.told()
		assert.Equal(t, []string{"user_0", "user_1", "user_2"}, subjects)
	})
}
