package clicknps_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
)

// The numbered tests are what go-retryablehttp does by default and a caller must not notice.

func TestPitfall01SlowPOSTIsSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, transport := newPipeServer(t, hangs)
		c := connect(t, server.url(), through(transport))
		for _, col := range []column{salesOSPost, toggleCall} {
			before := len(server.seen())
			err := col.call(t.Context(), c)
			assert.ErrorIs(t, err, clicknps.ErrOutcomeUnknown)
			assert.Len(t, server.seen(), before+1)
		}
	})
}

func TestPitfall02LastAnswerIsKeptOnGivingUp(t *testing.T) {
	body := `{"error":{"type":"maintenance","message":"Back at noon"}}`
	server := newRawServer(t, answers(502, "first"), answers(503, body, "X-Request-Id", "req_7"))
	_, err := connect(t, server.url(), clicknps.WithRetryPolicy(hastyWith(1))).Surveys.Get(t.Context(), "s1")
	e := asError(t, err)
	assert.Equal(t, 503, e.StatusCode)
	assert.Equal(t, "Back at noon", e.Message)
	assert.Equal(t, clicknps.ErrorType("maintenance"), e.Type)
	assert.Equal(t, "req_7", e.RequestID)
	assert.Equal(t, body, string(e.Body))
	assert.Equal(t, 2, e.Attempts)
	assert.NotContains(t, err.Error(), "giving up")
}

func TestPitfall03RetryAfterHasABound(t *testing.T) {
	for _, status := range []int{429, 503} {
		synctest.Test(t, func(t *testing.T) {
			c := connect(t, nowhere, through(script(gives(status, "", "Retry-After", "86400"))))
			start := time.Now()
			_, err := c.Surveys.Get(t.Context(), "s1")
			e := asError(t, err)
			assert.Equal(t, status, e.StatusCode)
			assert.Equal(t, 24*time.Hour, e.RetryAfter)
			assert.Equal(t, 1, e.Attempts)
			assert.Zero(t, time.Since(start))
		})
	}
}

func TestPitfall04HugeRetryAfterDoesNotOverflow(t *testing.T) {
	for _, value := range []string{"9223372037", "9223372036854775807", "99999999999999999999999", "1e300", strings.Repeat("9", 400)} {
		synctest.Test(t, func(t *testing.T) {
			c := connect(t, nowhere, through(script(gives(429, "", "Retry-After", value))))
			start := time.Now()
			_, err := c.Surveys.Get(t.Context(), "s1")
			assert.Equal(t, time.Duration(math.MaxInt64), asError(t, err).RetryAfter, value)
			_, err = c.Surveys.Get(t.Context(), "s1")
			assert.ErrorIs(t, err, clicknps.ErrRateLimited, "the pause lasts")
			assert.Zero(t, time.Since(start))
		})
	}
}

func TestPitfall05DeadlineInsideTheWaitReturnsThe429AtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := connect(t, nowhere, through(script(gives(429, `{"error":{"message":"Slow down"}}`, "Retry-After", "60"))))
		ctx, cancel := context.WithTimeout(t.Context(), 59*time.Second)
		defer cancel()
		start := time.Now()
		_, err := c.Surveys.Get(ctx, "s1")
		e := asError(t, err)
		assert.Equal(t, 429, e.StatusCode)
		assert.Equal(t, "Slow down", e.Message)
		assert.Equal(t, time.Minute, e.RetryAfter)
		assert.ErrorIs(t, err, clicknps.ErrRateLimited)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Zero(t, time.Since(start))
	})
}

func TestPitfall06WarmConnectionsSurviveFailures(t *testing.T) {
	const warm = 3
	var together sync.WaitGroup
	together.Add(warm)
	gathers := func(conn net.Conn) bool { // so that each call has a connection of its own
		together.Done()
		together.Wait()
		return succeeds(conn)
	}
	server := newRawServer(t, succeeds, gathers, gathers, gathers, answers(503, ""), answers(503, ""), answers(404, ""),
		answers(429, "", "Retry-After", "9999"), answers(503, ""), succeeds)
	ctx, cancel := context.WithCancel(t.Context())
	cancelBeforeRepeat := false
	c := connect(t, server.url(), clicknps.WithRetryPolicy(hastyWith(1)), clicknps.WithLogger(slog.New(logFunc(func(r slog.Record) {
		if cancelBeforeRepeat && r.Level == slog.LevelInfo {
			cancel()
		}
	}))))
	require.NoError(t, getCall.call(ctx, c), "the first goes alone")
	require.Zero(t, each(t, warm, 1, c, getCall))
	require.Equal(t, warm, server.accepted())

	assert.ErrorIs(t, getCall.call(ctx, c), clicknps.ErrServer, "given up")
	assert.ErrorIs(t, getCall.call(ctx, c), clicknps.ErrNotFound)
	assert.ErrorIs(t, putCall.call(ctx, c), clicknps.ErrRateLimited, "a wait that is refused")
	cancelBeforeRepeat = true
	assert.ErrorIs(t, getCall.call(ctx, c), context.Canceled, "a wait that is ended")
	require.Len(t, server.seen(), 1+warm+5)
	for range warm {
		assert.NoError(t, getCall.call(t.Context(), c))
	}
	assert.Equal(t, warm, server.accepted())
}

// logFunc is a handler that gets every record.
type logFunc func(slog.Record)

func (f logFunc) Enabled(context.Context, slog.Level) bool      { return true }
func (f logFunc) Handle(_ context.Context, r slog.Record) error { f(r); return nil }
func (f logFunc) WithAttrs([]slog.Attr) slog.Handler            { return f }
func (f logFunc) WithGroup(string) slog.Handler                 { return f }

func TestPitfall07NoQueryInLogsAndErrors(t *testing.T) {
	var log bytes.Buffer
	failures := map[string]rawReply{
		"reset": resets(""), "503": answers(503, ""), "302": answers(302, "", "Location", "/elsewhere?survey_id=hidden"),
		"cut off": hangsUp("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), "not HTTP": hangsUp("?"), "not JSON": answers(200, "?"),
	}
	for name, failure := range failures {
		t.Run(name, func(t *testing.T) {
			c := connect(t, newRawServer(t, failure).url(), clicknps.WithRetryPolicy(hastyWith(1)),
				clicknps.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
			_, err := c.Responses.List(t.Context(), &clicknps.ResponseListParams{SurveyID: "hidden"})
			require.Error(t, err)
			assert.Contains(t, err.Error(), "/v1/responses")
			for _, format := range []string{"%v", "%+v", "%#v"} {
				assert.NotContains(t, fmt.Sprintf(format, err), "hidden")
			}
		})
	}
	assert.Contains(t, log.String(), "path=/v1/responses")
	assert.NotContains(t, log.String(), "hidden")
}

func TestPitfall08LargeErrorBodyReusesTheConnection(t *testing.T) {
	large := strings.Repeat("x", 200<<10)
	server := newRawServer(t, answers(503, large), answers(404, large), answers(429, large), succeeds)
	c := connect(t, server.url())
	assert.ErrorIs(t, getCall.call(t.Context(), c), clicknps.ErrNotFound)
	assert.NoError(t, getCall.call(t.Context(), c))
	assert.Len(t, server.seen(), 4)
	assert.Equal(t, 1, server.accepted())
}

func TestPitfall10WaitIsReadFromTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := `{"error":{"type":"rate_limit_exceeded","message":"Rate limit exceeded. Retry after 60 seconds."}}`
		c := connect(t, nowhere, through(script(gives(429, body))))
		start := time.Now()
		require.NoError(t, getCall.call(t.Context(), c))
		assert.Equal(t, time.Minute, time.Since(start))

		c = connect(t, nowhere, through(script(gives(429, body))), clicknps.WithRetryPolicy(hastyWith(-1)))
		_, err := c.Surveys.Get(t.Context(), "s1")
		assert.Equal(t, "Rate limit exceeded. Retry after 60 seconds.", asError(t, err).Message, "it is handed on")
	})
}

func TestPitfall11EveryAttemptIsTheSameRequest(t *testing.T) {
	var bodies bodyCounter
	failures := []func() (*http.Response, error){
		gives(503, ""), loses, gives(429, ""),
		func() (*http.Response, error) { return answer(200, object), errLost }, // both
		func() (*http.Response, error) { return nil, nil },                     // neither
	}
	transport := script(failures...)
	var sent []string
	c := connect(t, nowhere, clicknps.WithRetryPolicy(hastyWith(9)), through(inProcess(func(r *http.Request) (*http.Response, error) {
		var b bytes.Buffer
		require.NoError(t, r.Write(&b))
		sent = append(sent, b.String())
		clear(r.Header) // as a rude middleware does
		r.URL.Path = "/"
		return transport(r)
	})), clicknps.WithMiddleware(bodies.middleware))
	require.NoError(t, clickNPSPost.call(t.Context(), c))
	require.Len(t, sent, len(failures)+1)
	assert.Contains(t, sent[0], `{"name":"n","question":"q"}`)
	for _, s := range sent[1:] {
		assert.Equal(t, sent[0], s)
	}
	bodies.assertAllClosed(t, 4)
}

func TestPitfall12AnAnswerThatArrivedIsKept(t *testing.T) {
	for _, col := range columns {
		t.Run(col.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			c := connect(t, nowhere, through(inProcess(func(*http.Request) (*http.Response, error) {
				return answerFrom(200, &cancelledAtEnd{strings.NewReader(object), cancel}, -1), nil
			})))
			assert.NoError(t, col.call(ctx, c))
			assert.ErrorIs(t, ctx.Err(), context.Canceled)
		})
	}
}

// cancelledAtEnd is a body after whose last byte the caller loses interest.
type cancelledAtEnd struct {
	*strings.Reader
	cancel context.CancelFunc
}

func (b *cancelledAtEnd) Close() error { b.cancel(); return nil }

// A transport may go on reading a request's body after it has failed: another attempt must not be in its way.
func TestPitfall12BodiesAreNotShared(t *testing.T) {
	var group sync.WaitGroup
	var n atomic.Int32
	c := connect(t, nowhere, clicknps.WithRetryPolicy(hastyWith(99)), through(roundTripper(func(r *http.Request) (*http.Response, error) {
		group.Go(func() {
			b, err := io.ReadAll(r.Body)
			assert.NoError(t, err)
			assert.Equal(t, `{"name":"n","question":"q"}`, string(b))
		})
		if n.Add(1)%3 == 0 {
			return nil, errLost
		}
		return answer(200, object), nil
	})))
	for range 8 {
		group.Go(func() { assert.NoError(t, clickNPSPost.call(t.Context(), c)) })
	}
	group.Wait()
}
