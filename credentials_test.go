package clicknps_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// rotating is a source of credentials that come one after the other, and a server that accepts the valid ones.
type rotating struct {
	asked atomic.Int32
	valid func(n int32) bool // which of the credentials are accepted, from 1
}

func (r *rotating) Token(context.Context) (clicknps.Token, error) {
	return clicknps.Token{Value: fmt.Sprintf("secret-%d", r.asked.Add(1))}, nil
}

func (r *rotating) RoundTrip(req *http.Request) (*http.Response, error) {
	var n int32
	if _, err := fmt.Sscanf(req.Header.Get("Authorization"), "Bearer secret-%d", &n); err == nil && r.valid(n) {
		return answer(http.StatusOK, object), nil
	}
	return answer(http.StatusUnauthorized, `{"statusCode":401,"message":"rejected `+req.Header.Get("Authorization")+`"}`), nil
}

// A 401 renews the credential and the call is made again, once; a POST to SalesOS too, for nothing was done.
func TestSourcesAreAskedAgainAfterA401(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		option func(clicknps.TokenSource) clicknps.Option
		call   endpointCall
	}{
		"ClickNPS key":       {clicknps.WithAPIKeySource, clickNPSPost},
		"SalesOS token":      {clicknps.WithSalesOSTokenSource, toggleCall},
		"SalesOS token, GET": {clicknps.WithSalesOSTokenSource, putCall},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := &rotating{valid: func(n int32) bool { return n == 2 }}
			policy := clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: -1})
			c, err := clicknps.New(test.option(source), through(source), policy)
			require.NoError(t, err)
			var info clicknps.CallInfo
			require.NoError(t, test.call(t.Context(), c, clicknps.WithCallInfo(&info)))
			require.NoError(t, test.call(t.Context(), c))
			assert.EqualValues(t, 2, source.asked.Load())
			assert.Len(t, info.Attempts, 2)

			source.valid = func(int32) bool { return false }
			err = test.call(t.Context(), c)
			require.ErrorIs(t, err, clicknps.ErrUnauthorized)
			assert.EqualValues(t, 3, source.asked.Load(), "renewed once a call")
			assert.Equal(t, 2, asError(t, err).Attempts)
			assert.NotContains(t, err.Error(), "secret-", "echoed credentials are cut, the old one too")
		})
	}
}

// What middleware does to the header does not keep the credential from being renewed.
func TestMiddlewareMaySetAuthorization(t *testing.T) {
	t.Parallel()
	source := &rotating{valid: func(n int32) bool { return n == 2 }}
	signing := func(next http.RoundTripper) http.RoundTripper {
		return inProcess(func(r *http.Request) (*http.Response, error) {
			credential := r.Header.Get("Authorization")
			r.Header.Set("Authorization", "Signature of "+credential)
			r = r.Clone(r.Context())
			r.Header.Set("Authorization", credential)
			return next.RoundTrip(r)
		})
	}
	c, err := clicknps.New(clicknps.WithAPIKeySource(source), through(source), clicknps.WithMiddleware(signing))
	require.NoError(t, err)
	require.NoError(t, getCall(t.Context(), c))
	assert.EqualValues(t, 2, source.asked.Load())
}

func TestTokenSourceThatFails(t *testing.T) {
	t.Parallel()
	down := errors.New("login is down")
	for name, test := range map[string]struct {
		source clicknps.TokenSourceFunc
		want   string
	}{
		"error":   {func(context.Context) (clicknps.Token, error) { return clicknps.Token{}, down }, "login is down"},
		"panic":   {func(context.Context) (clicknps.Token, error) { panic("boom") }, "boom"},
		"empty":   {func(context.Context) (clicknps.Token, error) { return clicknps.Token{}, nil }, "empty"},
		"newline": {func(context.Context) (clicknps.Token, error) { return clicknps.Token{Value: "hush\n"}, nil }, "control character"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := clicknps.New(clicknps.WithSalesOSTokenSource(test.source), through(silent(t)))
			require.NoError(t, err)
			err = toggleCall(t.Context(), c)
			require.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), "hush")
			assert.Equal(t, name == "error", errors.Is(err, down))
			assert.Zero(t, asError(t, err).Attempts)
			assert.NotErrorIs(t, err, clicknps.ErrOutcomeUnknown)
		})
	}
}

// A source that never answers holds neither its caller nor, after half a minute, the calls after it.
func TestTokenSourceThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		defer close(hung)
		source := clicknps.TokenSourceFunc(func(context.Context) (clicknps.Token, error) {
			<-hung
			return clicknps.Token{}, nil
		})
		c := newClientWithout(t, clicknps.WithAPIKeySource(source), through(silent(t)))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, getCall(ctx, c), context.DeadlineExceeded)
		start := time.Now()
		require.ErrorContains(t, getCall(t.Context(), c), "did not return")
		require.Equal(t, 29*time.Second, time.Since(start))
		start = time.Now()
		require.Error(t, getCall(t.Context(), c), "the next call asks again")
		require.Equal(t, 30*time.Second, time.Since(start))
	})
}

func newClientWithout(t *testing.T, opts ...clicknps.Option) *clicknps.Client {
	t.Helper()
	c, err := clicknps.New(append(opts, clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: -1}))...)
	require.NoError(t, err)
	return c
}

func TestTokenIsRenewedWhenItExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t)
		client := srv.Client()
		for range 3 {
			_, err := client.SalesOS.NPS.List(t.Context(), nil)
			require.NoError(t, err)
			srv.Advance(25 * time.Hour)
		}
	})
}

func TestTokenShowsItsExpiryOnly(t *testing.T) {
	t.Parallel()
	token := clicknps.Token{Value: testToken, Expiry: day}
	const expiry = "2025-01-15"
	for _, v := range []any{token, &token} {
		for how, text := range printed(t, v) {
			assert.NotContains(t, text, testToken, how)
		}
	}
	encoded, err := json.Marshal(token)
	require.NoError(t, err)
	for _, text := range []string{fmt.Sprint(token), fmt.Sprintf("%+v", token), string(encoded), token.LogValue().String()} {
		assert.Contains(t, text, expiry)
	}
	assert.Contains(t, fmt.Sprintf("%#v", token), "clicknps.Token{Value:")
}

// A service without a credential says so, and how to give it one.
func TestMissingCredentials(t *testing.T) {
	_, err := clicknps.New()
	require.ErrorIs(t, err, clicknps.ErrMissingCredentials)
	for _, name := range []string{"CLICKNPS_API_KEY", "WithAPIKey", "SALESOS_TOKEN", "SALESOS_API_KEY", "WithSalesOSToken"} {
		assert.ErrorContains(t, err, name)
	}
	c, err := clicknps.New(clicknps.WithAPIKey(testKey), through(silent(t)))
	require.NoError(t, err)
	err = toggleCall(t.Context(), c)
	assert.ErrorIs(t, err, clicknps.ErrMissingCredentials)
	assert.ErrorContains(t, err, "SALESOS_TOKEN")
	c, err = clicknps.New(clicknps.WithSalesOSAPIKey("k"), through(silent(t)))
	require.NoError(t, err)
	err = getCall(t.Context(), c)
	assert.ErrorIs(t, err, clicknps.ErrMissingCredentials)
	assert.ErrorContains(t, err, "CLICKNPS_API_KEY")
}

func TestEmptyCredentials(t *testing.T) {
	t.Parallel()
	for _, opt := range []clicknps.Option{clicknps.WithAPIKey(""), clicknps.WithSalesOSToken(""), clicknps.WithSalesOSAPIKey("")} {
		_, err := clicknps.New(opt)
		require.ErrorIs(t, err, clicknps.ErrMissingCredentials)
		require.ErrorIs(t, err, clicknps.ErrInvalidParams)
	}
}
