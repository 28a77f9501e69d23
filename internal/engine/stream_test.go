package engine_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/engine"
)

// stream makes a call that asks for a stream.
func stream(ctx context.Context, t *testing.T, e *engine.Engine) *engine.Result {
	call := get.call(t, address, &usual)
	call.Stream = true
	return e.Do(ctx, call)
}

func TestStream(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "x", strings.Repeat("0123456789", 1000)} {
		for _, length := range []int64{-1, int64(len(text))} {
			var bodies bodyCount
			var permits counter
			e := newEngine(t, transport(func(*http.Request) (*http.Response, error) {
				return answerFrom(206, io.NopCloser(strings.NewReader(text)), length), nil
			}), through(bodies.middleware), limitedBy(&permits))
			r := stream(t.Context(), t, e)
			require.NoError(t, r.Err)
			assert.Equal(t, 206, r.StatusCode)
			assert.Nil(t, r.Body)
			require.NotNil(t, r.Stream)
			assert.Equal(t, length, r.Stream.Length)
			assert.Equal(t, text[:min(len(text), 512)], string(r.Stream.Head()))
			assert.Len(t, permits.outcomes, 1, "the permit is free while the answer is read")
			few := make([]byte, 3)
			n, _ := r.Stream.Read(few)
			rest, err := io.ReadAll(r.Stream)
			require.NoError(t, err)
			assert.Equal(t, text, string(few[:n])+string(rest))
			assert.NoError(t, r.Stream.Close())
			bodies.assertClosed(t, 1)
		}
	}
}

// Until its first byte, an answer may be retried. One that is no 2xx is read as usual.
func TestStreamIsRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var bodies bodyCount
		stuck := func(r *http.Request) (*http.Response, error) {
			return answerFrom(200, &slowBody{r.Context(), 31 * time.Second, 1}, -1), nil
		}
		e := newEngine(t, script(gives(503, "busy"), breaks(200, ""), stuck), through(bodies.middleware))
		r := stream(t.Context(), t, e)
		require.NoError(t, r.Err)
		require.Len(t, r.Attempts, 4)
		assert.Equal(t, io.ErrUnexpectedEOF, r.Attempts[1].Err)
		assert.Equal(t, engine.TimeoutError(30*time.Second), r.Attempts[2].Err)
		assert.NoError(t, r.Stream.Close())
		bodies.assertClosed(t, 4)

		r = stream(t.Context(), t, newEngine(t, script(gives(404, "gone"))))
		assert.Nil(t, r.Stream)
		assert.Equal(t, "gone", string(r.Body))
	})
}

// Afterwards each read has the time of an attempt. How long the reader takes between them does not
// count.
func TestStreamTakesItsTime(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		every, pause time.Duration
		is           error
	}{
		"slow server":  {30*time.Second - 1, 0, nil},
		"slow reader":  {time.Second, time.Hour, nil},
		"stuck server": {30*time.Second + 1, 0, engine.TimeoutError(30 * time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEngine(t, script(func(r *http.Request) (*http.Response, error) {
					return answerFrom(200, &firstAtOnce{slowBody{r.Context(), tt.every, 10}, false}, -1), nil
				}))
				r := stream(t.Context(), t, e)
				require.NoError(t, r.Err)
				var err error
				n := 0
				for ; err == nil; n++ {
					_, err = r.Stream.Read(make([]byte, 10))
					<-time.After(tt.pause + 1)
				}
				if tt.is == nil {
					assert.Equal(t, io.EOF, err)
					assert.Equal(t, 12, n)
				} else {
					assert.Equal(t, tt.is, err)
				}
				assert.NoError(t, r.Stream.Close())
			})
		})
	}
}

// slowBody gives a byte every so often, and ends with its request as net/http's bodies do.
type slowBody struct {
	ctx   context.Context
	every time.Duration
	left  int
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.left--; b.left < 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(b.every):
		p[0] = 'x'
		return 1, nil
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
}

func (*slowBody) Close() error { return nil }

type firstAtOnce struct {
	slowBody
	begun bool
}

func (b *firstAtOnce) Read(p []byte) (int, error) {
	if !b.begun {
		b.begun = true
		return copy(p, "x"), nil
	}
	return b.slowBody.Read(p)
}

func TestStreamIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		e := newEngine(t, script(func(r *http.Request) (*http.Response, error) {
			return answerFrom(200, &firstAtOnce{slowBody{r.Context(), 10 * time.Second, 10}, false}, -1), nil
		}))
		r := stream(ctx, t, e)
		require.NoError(t, r.Err)
		time.AfterFunc(5*time.Second, func() { cancel(errGone) })
		_, err := io.ReadAll(r.Stream)
		assert.EqualError(t, err, "context canceled: the user went home")
		assert.ErrorIs(t, err, errGone)
		assert.NoError(t, r.Stream.Close())
	})
}

// A stream that breaks off says so.
func TestStreamBreaksOff(t *testing.T) {
	t.Parallel()
	server := newRawServer(t, hangsUp("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nscore\n9\n"))
	call := get.call(t, server.url(), hasty(-1))
	call.Stream = true
	r := newEngine(t, ownTransport(t)).Do(t.Context(), call)
	require.NoError(t, r.Err)
	assert.Equal(t, int64(100), r.Stream.Length)
	text, err := io.ReadAll(r.Stream)
	assert.Equal(t, "score\n9\n", string(text))
	assert.Equal(t, io.ErrUnexpectedEOF, err)
	assert.NoError(t, r.Stream.Close())
}

// Closing ends the attempt, so that nothing of it is left.
func TestStreamIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ctx context.Context
		e := newEngine(t, script(func(r *http.Request) (*http.Response, error) {
			ctx = r.Context()
			return answer(200, "text"), nil
		}))
		r := stream(t.Context(), t, e)
		<-time.After(time.Hour)
		require.NoError(t, ctx.Err())
		require.NoError(t, r.Stream.Close())
		assert.Equal(t, context.Canceled, context.Cause(ctx))
	})
}
