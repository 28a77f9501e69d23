package clicknps_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
)

// What follows was seen in other SDKs.

func TestSeenKeyInAPrintedClient(t *testing.T) {
	t.Setenv("CLICKNPS_API_KEY", testKey)
	echo := func(r *http.Request) (*http.Response, error) { // a server that shows what it was sent
		secrets := r.Header.Get("Authorization") + r.Header.Get("X-Api-Key")
		return answer(401, fmt.Sprintf(`{"error":{"type":"%s","message":"bad %[1]s","field":"%[1]s"}}`, secrets), "X-Request-Id", secrets), nil
	}
	for name, salesOS := range map[string]clicknps.Option{
		"token":  clicknps.WithSalesOSToken(testToken),
		"source": clicknps.WithSalesOSTokenSource(tokens(testToken)),
		"key":    clicknps.WithSalesOSAPIKey(testToken),
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			c, err := clicknps.New(salesOS, through(inProcess(echo)), clicknps.WithLogger(logger))
			require.NoError(t, err)
			assertNoSecret(t, c, c.Surveys, c.NPS, *c.NPS, []any{c})
			for _, col := range columns {
				err := col.call(t.Context(), c)
				assert.ErrorIs(t, err, clicknps.ErrUnauthorized)
				assertNoSecret(t, err)
				logger.Error("failed", "error", err, "client", c)
			}
			assert.NotContains(t, log.String(), testKey)
			assert.NotContains(t, log.String(), testToken)
		})
	}
}

// net/http quotes an answer that is not HTTP in its error, and it may be anything that was sent.
func TestSeenKeyInATransportError(t *testing.T) {
	var log strings.Builder
	server := newRawServer(t, hangsUp("HTTP/1.1 200 OK\r\nYou sent Bearer "+testKey+"\r\n\r\n"))
	c := connect(t, server.url(), clicknps.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	var meta clicknps.ResponseMeta
	_, err := c.Surveys.Get(t.Context(), "s1", clicknps.WithResponse(&meta))
	assert.ErrorContains(t, err, "[redacted]")
	assertNoSecret(t, err, log.String(), meta.Attempts[0].Err.Error())
	assert.Len(t, meta.Attempts, 5)
}

func assertNoSecret(t *testing.T, values ...any) {
	t.Helper()
	for _, v := range values {
		printed := fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v)
		if b, err := json.Marshal(v); err == nil {
			printed += string(b)
		}
		assert.NotContains(t, printed, testKey)
		assert.NotContains(t, printed, testToken)
	}
}

// tokens is a source that always gives the same.
func tokens(value string) clicknps.TokenSourceFunc {
	return func(context.Context) (clicknps.Token, error) { return clicknps.Token{Value: value}, nil }
}

func TestSeenBearerFollowsARedirect(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		elsewhere := newRawServer(t, succeeds)
		server := newRawServer(t, answers(status, "", "Location", elsewhere.url()+"/surveys/s1?key=secret"))
		c := connect(t, server.url(), clicknps.WithHTTPClient(&http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return nil },
		}))
		for _, col := range columns {
			err := col.call(t.Context(), c)
			assert.Equal(t, status, asError(t, err).StatusCode)
			assert.NotContains(t, err.Error(), "secret")
		}
		assert.Empty(t, elsewhere.seen())
		assert.Len(t, server.seen(), len(columns))
	}
}

// countingLimiter knows how much room it has given and got back.
type countingLimiter struct {
	acquired, released, inUse atomic.Int32
	refuse                    func(n int32) error
}

func (l *countingLimiter) Acquire(context.Context) (func(), error) {
	if l.refuse != nil {
		if err := l.refuse(l.acquired.Load() + 1); err != nil {
			return nil, err
		}
	}
	l.acquired.Add(1)
	l.inUse.Add(1)
	return func() {
		l.released.Add(1)
		l.inUse.Add(-1)
	}, nil
}

func TestSeenRetriesThatBypassTheLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var limiter countingLimiter
		var sent atomic.Int32
		failures := script(gives(503, ""), loses, breaks(200), gives(429, "", "Retry-After", "60"), gives(401, ""))
		c, err := clicknps.New(clicknps.WithSalesOSTokenSource(tokens(testToken)), clicknps.WithSalesOSRateLimiter(&limiter),
			through(inProcess(func(r *http.Request) (*http.Response, error) {
				sent.Add(1)
				assert.Equal(t, sent.Load(), limiter.acquired.Load(), "room is taken before the request is sent")
				assert.Equal(t, int32(1), limiter.inUse.Load(), "and given back before the next wait")
				return failures(r)
			})))
		require.NoError(t, err)
		require.NoError(t, putCall.call(t.Context(), c))
		assert.Equal(t, int32(6), sent.Load())
		assert.Equal(t, int32(6), limiter.released.Load())
	})
}

// Room is given back exactly once, whatever way out a call takes.
func TestRoomIsGivenBack(t *testing.T) {
	for _, exit := range exits() {
		t.Run(exit.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var limiter countingLimiter
				exit.run(t, clicknps.WithRateLimiter(&limiter), clicknps.WithSalesOSRateLimiter(&limiter))
				assert.NotZero(t, limiter.acquired.Load())
				assert.Equal(t, limiter.acquired.Load(), limiter.released.Load())
			})
		})
	}
	t.Run("no token", func(t *testing.T) {
		var limiter countingLimiter
		source := clicknps.TokenSourceFunc(func(context.Context) (clicknps.Token, error) { return clicknps.Token{}, errLost })
		c, err := clicknps.New(clicknps.WithSalesOSTokenSource(source), clicknps.WithSalesOSRateLimiter(&limiter))
		require.NoError(t, err)
		assert.ErrorIs(t, putCall.call(t.Context(), c), errLost)
		assert.Equal(t, limiter.acquired.Load(), limiter.released.Load())
	})
}

func TestLimiterRefuses(t *testing.T) {
	errRedis := errors.New("redis is away")
	var limiter countingLimiter
	transport := script(gives(503, ""), gives(503, ""))
	c := connect(t, nowhere, clicknps.WithRateLimiter(&limiter), through(transport))

	limiter.refuse = func(int32) error { return errRedis }
	e := asError(t, getCall.call(t.Context(), c))
	assert.ErrorIs(t, e, errRedis)
	assert.NotErrorIs(t, e, clicknps.ErrRateLimited)
	assert.Zero(t, e.StatusCode)
	assert.Zero(t, e.Attempts)

	limiter.refuse = func(int32) error { return fmt.Errorf("no room for an hour: %w", clicknps.ErrRateLimited) }
	e = asError(t, getCall.call(t.Context(), c))
	assert.ErrorIs(t, e, clicknps.ErrRateLimited)
	assert.Zero(t, e.StatusCode)

	limiter.refuse = func(n int32) error {
		if n > 2 {
			return errRedis
		}
		return nil
	}
	e = asError(t, getCall.call(t.Context(), c))
	assert.ErrorIs(t, e, errRedis, "a repeat asks too")
	assert.ErrorIs(t, e, clicknps.ErrServer, "the last answer is kept")
	assert.Equal(t, 2, e.Attempts)
}

func TestSeenAttemptTimeoutThatCutsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := connect(t, nowhere, through(script(gives(429, "", "Retry-After", "90"))),
			clicknps.WithRetryPolicy(clicknps.RetryPolicy{AttemptTimeout: time.Second}))
		start := time.Now()
		require.NoError(t, getCall.call(t.Context(), c))
		assert.Equal(t, 90*time.Second, time.Since(start))
	})
}

func TestSeenPOSTSentAgainWithoutAKey(t *testing.T) {
	for _, col := range columns {
		server := newRawServer(t, succeeds, hangsUp(""))
		c := connect(t, server.url())
		require.NoError(t, getCall.call(t.Context(), c), "warms the connection up")
		assert.Error(t, col.call(t.Context(), c))
		keys := map[string]int{}
		for _, r := range server.seen() {
			if r.Method == http.MethodPost {
				keys[r.Header.Get("Idempotency-Key")]++
			}
		}
		assert.LessOrEqual(t, keys[""], 1)
		assert.LessOrEqual(t, len(keys), 1)
	}
}

// An answer may come while the limit is being waited for: what it sets off holds for the one that waits.
func TestPauseHoldsForThoseWhoWaitedForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := &gateLimiter{room: make(chan struct{}, 1)}
		gate.room <- struct{}{}
		var sentAt []time.Duration
		start := time.Now()
		answers := script(gives(200, object), func() (*http.Response, error) {
			return answerFrom(429, io.NopCloser(&slowly{time.Second, 1}), -1, "Retry-After", "60"), nil
		})
		c := connect(t, nowhere, clicknps.WithRateLimiter(gate), through(inProcess(func(r *http.Request) (*http.Response, error) {
			sentAt = append(sentAt, time.Since(start))
			<-time.After(time.Second)
			return answers(r)
		})))
		require.NoError(t, getCall.call(t.Context(), c))
		assert.Zero(t, each(t, 3, 1, c, getCall))
		assert.Equal(t, []time.Duration{0, time.Second, 63 * time.Second, 64 * time.Second, 65 * time.Second}, sentAt)
	})
}

// gateLimiter has room for one request at a time.
type gateLimiter struct{ room chan struct{} }

func (g *gateLimiter) Acquire(ctx context.Context) (func(), error) {
	select {
	case <-g.room:
		return func() { g.room <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
