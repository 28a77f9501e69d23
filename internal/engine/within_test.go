package engine_test

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/engine"
)

// stubbornBody is a body whose Read returns when the channel is closed, and not before.
type stubbornBody struct{ released chan struct{} }

func (b stubbornBody) Read(p []byte) (int, error) { <-b.released; return copy(p, "late"), io.EOF }
func (stubbornBody) Close() error                 { return nil }

// A transport, a middleware or a body that ignores its context holds no call.
func TestCallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]func(released chan struct{}) step{
		"transport": func(released chan struct{}) step {
			return func(*http.Request) (*http.Response, error) { <-released; return answer(200, object), nil }
		},
		"body": func(released chan struct{}) step {
			return gets(answerFrom(200, stubbornBody{released}, -1), nil)
		},
		"body of an error": func(released chan struct{}) step {
			return gets(answerFrom(404, stubbornBody{released}, -1), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				released := make(chan struct{})
				defer close(released)
				e := newEngine(t, transport(step(released)))
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				began := time.Now()
				r := e.Do(ctx, post.call(t, address, hasty(3)))
				assert.Equal(t, time.Second+100*ms, time.Since(began))
				if name == "body of an error" { // its status says enough
					assert.NoError(t, r.Err)
					return
				}
				assert.ErrorIs(t, r.Err, context.DeadlineExceeded)
				assert.True(t, r.Uncertain, "it may have been sent")
				assert.Len(t, r.Attempts, 1)
			})
		})
	}
}

// The time-out of an attempt is kept too, and the next attempt succeeds.
func TestAttemptThatIgnoresItsTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		released := make(chan struct{})
		var bodies bodyCount
		var n atomic.Int32
		stubborn := func(next http.RoundTripper) http.RoundTripper {
			return transport(func(r *http.Request) (*http.Response, error) {
				if n.Add(1) == 1 {
					<-released
				}
				return next.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
			})
		}
		e := newEngine(t, script(gives(200, object), gives(200, object)), through(stubborn, bodies.middleware))
		r := quick(t, e, put, 1)
		require.NoError(t, r.Err)
		require.Len(t, r.Attempts, 2)
		var timeout engine.TimeoutError
		require.ErrorAs(t, r.Attempts[0].Err, &timeout)
		bodies.assertClosed(t, 1)
		close(released)
		synctest.Wait()
		bodies.assertClosed(t, 2) // the late answer's as well
	})
}

// What f does before its context ends happens to the caller.
func TestWithin(t *testing.T) {
	t.Parallel()
	nothing := func(int) {}
	n, err := engine.Within(t.Context(), func() (int, error) { return 7, io.EOF }, nothing)
	assert.Equal(t, 7, n)
	assert.Equal(t, io.EOF, err)
	assert.PanicsWithValue(t, "boom", func() {
		engine.Within(t.Context(), func() (int, error) { panic("boom") }, nothing) //nolint:errcheck // it panics
	})
	ended := true
	var group sync.WaitGroup
	group.Go(func() {
		engine.Within(t.Context(), func() (int, error) { runtime.Goexit(); return 0, nil }, nothing) //nolint:errcheck
		ended = false
	})
	group.Wait()
	assert.True(t, ended)
}

// A value that comes too late is handed over; an error is dropped.
func TestLateValues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var late []int
		for _, err := range []error{nil, io.EOF} {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			n, got := engine.Within(ctx, func() (int, error) { <-time.After(time.Minute); return 7, err },
				func(n int) { late = append(late, n) })
			assert.Zero(t, n)
			assert.ErrorIs(t, got, context.Canceled)
		}
		<-time.After(time.Hour)
		synctest.Wait()
		assert.Equal(t, []int{7}, late)
	})
}
