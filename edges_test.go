package clicknps_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// A server that asks for no wait asks all the same: MaxRetries is for failures.
func TestRetryAfterZeroDoesNotUseUpRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t)
		srv.Inject(clicknpstest.Fault{Times: 8, Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"0"}}})
		_, err := srv.Client().Surveys.List(t.Context(), nil)
		require.NoError(t, err)
	})
}

// RetryAfter is what somebody asked for, not the wait that the client would have chosen.
func TestRetryAfterIsNotTheClientsOwnWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t)
		for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
			srv.Inject(clicknpstest.Fault{Times: 1, Status: status})
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			_, err := srv.Client().Surveys.List(ctx, nil)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Zero(t, asError(t, err).RetryAfter)
		}
	})
}

func TestAShortMaxBackoffLeavesJitter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t)
		srv.Inject(clicknpstest.Fault{Status: http.StatusServiceUnavailable})
		var meta clicknps.ResponseMeta
		_, err := srv.Client(clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: 10, MaxBackoff: 300 * time.Millisecond})).
			Surveys.List(t.Context(), nil, clicknps.WithResponse(&meta))
		require.ErrorIs(t, err, clicknps.ErrServer)
		waits := map[time.Duration]bool{}
		for _, a := range meta.Attempts[1:] {
			require.LessOrEqual(t, a.Waited, 300*time.Millisecond)
			waits[a.Waited] = true
		}
		require.Greater(t, len(waits), 5)
	})
}

func TestHasMoreIsNotInvented(t *testing.T) {
	t.Parallel()
	page, err := answering(t, 200, `{"data":[{"id":"a"}]}`).Surveys.List(t.Context(), nil)
	require.NoError(t, err)
	require.Zero(t, page.Pagination)
}

type limiterFunc func(context.Context) (func(), error)

func (f limiterFunc) Acquire(ctx context.Context) (func(), error) { return f(ctx) }

func TestHooksThatReturnNil(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t)
	client := srv.Client(clicknps.WithRateLimiter(limiterFunc(func(context.Context) (func(), error) { return nil, nil })))
	_, err := client.Surveys.List(t.Context(), nil)
	require.NoError(t, err)
	_, err = clicknps.New(clicknps.WithMiddleware(func(http.RoundTripper) http.RoundTripper { return nil }))
	require.ErrorIs(t, err, clicknps.ErrInvalidParams)
}

func TestATokenSourceThatDoesNotReturn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t)
		client := srv.Client(clicknps.WithSalesOSTokenSource(clicknps.TokenSourceFunc(func(context.Context) (clicknps.Token, error) {
			runtime.Goexit()
			return clicknps.Token{}, nil
		})))
		_, err := client.NPS.List(t.Context())
		require.ErrorContains(t, err, "did not return")
	})
}

// The caller's own SalesOS credential takes the place of the fake's.
func TestClientOfTheFakeTakesTheCallersCredential(t *testing.T) {
	t.Parallel()
	srv, asked := clicknpstest.Run(t), 0
	for _, credential := range []clicknps.Option{
		clicknps.WithSalesOSAPIKey(srv.SalesOSAPIKey()), clicknps.WithSalesOSToken(srv.SalesOSToken()),
		clicknps.WithSalesOSTokenSource(clicknps.TokenSourceFunc(func(context.Context) (clicknps.Token, error) {
			asked++
			return clicknps.Token{Value: srv.SalesOSToken()}, nil
		})),
	} {
		_, err := srv.Client(credential).NPS.List(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, 1, asked)
	require.NotEmpty(t, srv.Requests()[0].Header["X-Api-Key"])
	_, err := clicknps.New(clicknps.WithSalesOSToken("a"), clicknps.WithSalesOSToken("b"))
	require.ErrorIs(t, err, clicknps.ErrInvalidParams)
}

func TestTokensAndPagesInStructuredLogs(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	token := clicknps.Token{Value: "eyJsecret", Expiry: time.Unix(0, 0)}
	logger.Info("m", "token", token, "in a struct", struct{ T clicknps.Token }{token},
		"page", clicknps.Page[clicknps.Webhook]{Data: []clicknps.Webhook{{Secret: "whsec_secret"}}})
	require.NotContains(t, log.String(), "secret")
	encoded, err := json.Marshal([]clicknps.Token{token})
	require.NoError(t, err)
	require.NotContains(t, string(encoded), "secret")
}

// A field in two spellings, one of another type, does not part the items from what they came from.
func TestRawJSONOfAPageWithAFieldInTwoSpellings(t *testing.T) {
	t.Parallel()
	page, err := answering(t, 200, `{"data":[{"id":7},{"id":8}],"DATA":[{"id":9,"x":1}]}`).Surveys.List(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, page.Data, 1)
	require.Equal(t, "9", page.Data[0].ID)
	require.JSONEq(t, `{"id":9,"x":1}`, string(page.Data[0].RawJSON()))
}

// MaxRetryAfter bounds what a server asks for, whatever MaxBackoff is; the client's own waits it does not bound.
func TestMaxRetryAfterBoundsTheServerOnly(t *testing.T) {
	t.Parallel()
	policy := clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetryAfter: time.Second, MaxBackoff: 8 * time.Second, MinBackoff: 2 * time.Second})
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		synctest.Test(t, func(t *testing.T) {
			srv := clicknpstest.Run(t)
			srv.Inject(clicknpstest.Fault{Times: 1, Status: status, Header: http.Header{"Retry-After": {"5"}}})
			start := time.Now()
			_, err := srv.Client(policy).Surveys.List(t.Context(), nil)
			e := asError(t, err)
			require.Equal(t, status, e.StatusCode)
			require.Equal(t, 5*time.Second, e.RetryAfter)
			require.NotErrorIs(t, err, context.DeadlineExceeded)
			require.Zero(t, time.Since(start))
		})
		synctest.Test(t, func(t *testing.T) {
			srv := clicknpstest.Run(t)
			srv.Inject(clicknpstest.Fault{Times: 1, Status: status})
			_, err := srv.Client(policy).Surveys.List(t.Context(), nil)
			require.NoError(t, err)
		})
	}
}
