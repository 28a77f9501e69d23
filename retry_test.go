package clicknps_test

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// lossy makes a tenth of all answers, a tenth of all requests get lost, and another tenth answered 503.
func lossy(srv *clicknpstest.Server, method, path string, each float64) {
	srv.Inject(clicknpstest.Fault{Method: method, Path: path, Probability: each, DropBefore: true})
	srv.Inject(clicknpstest.Fault{Method: method, Path: path, Probability: each, DropAfter: true})
	srv.Inject(clicknpstest.Fault{Method: method, Path: path, Probability: each, Status: http.StatusServiceUnavailable})
}

func createMany(t *testing.T, client *clicknps.Client, goroutines, each int) {
	t.Helper()
	var group sync.WaitGroup
	for g := range goroutines {
		group.Go(func() {
			for i := range each {
				_, err := client.Surveys.Create(t.Context(), &clicknps.SurveyCreateParams{
					Name: fmt.Sprintf("Survey %d of %d", i, g), Question: "How likely are you to recommend us?",
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

// The line loses 30 % of all creates, before or after they take effect; each takes effect once all the same.
func TestCreatesOnALossyLineTakeEffectOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name             string
		goroutines, each int
	}{
		{"2,000 creates from 8 goroutines", 8, 250},
		{"10,000 creates from 64 goroutines", 64, 10_000 / 64},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := clicknpstest.Run(t)
				lossy(srv, http.MethodPost, "/v1/surveys", 0.1)
				client := srv.Client(clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: 20}))
				createMany(t, client, test.goroutines, test.each)
				require.Len(t, srv.Surveys(), test.goroutines*test.each)
				require.Greater(t, len(srv.Requests()), test.goroutines*test.each, "the line was not lossy at all")
			})
		})
	}
}

// The same over real connections, where net/http has a part in what is lost.
func TestCreatesOnALossySocketTakeEffectOnce(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t)
	lossy(srv, http.MethodPost, "/v1/surveys", 0.1)
	client, err := clicknps.New(clicknps.WithAPIKey(srv.APIKey()), clicknps.WithBaseURL(srv.URL()),
		clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: 20, MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond}))
	require.NoError(t, err)
	createMany(t, client, 8, 250)
	require.Len(t, srv.Surveys(), 2000)
}

// The defaults are those that the documentation names, to the millisecond.
func TestRetryPolicyDefaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var info clicknps.CallInfo
		longest, waits := time.Duration(0), 0
		for range 40 {
			c, err := clicknps.New(clicknps.WithAPIKey(testKey), through(inProcess(func(*http.Request) (*http.Response, error) {
				return answer(503, ""), nil
			})))
			require.NoError(t, err)
			require.Error(t, getCall(t.Context(), c, clicknps.WithCallInfo(&info)))
			require.Len(t, info.Attempts, 5, "four retries")
			for _, a := range info.Attempts[1:] {
				require.GreaterOrEqual(t, a.Waited, 500*time.Millisecond)
				longest = max(longest, a.Waited)
				waits++
			}
		}
		require.LessOrEqual(t, longest, 8*time.Second)
		require.Greater(t, longest, 7*time.Second, "of %d waits", waits)

		for asked, sent := range map[string]int{"120": 2, "121": 1} {
			n := 0
			c, err := clicknps.New(clicknps.WithAPIKey(testKey), through(inProcess(func(*http.Request) (*http.Response, error) {
				if n++; n == 1 {
					return answer(429, "", "Retry-After", asked), nil
				}
				return answer(200, object), nil
			})))
			require.NoError(t, err)
			require.Equal(t, sent == 1, getCall(t.Context(), c) != nil)
			require.Equal(t, sent, n, asked)
		}

		start := time.Now()
		c, err := clicknps.New(clicknps.WithAPIKey(testKey), through(inProcess(hangsInProcess)))
		require.NoError(t, err)
		err = getCall(t.Context(), c, clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: -1}))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Timeout())
		require.Equal(t, 30*time.Second, time.Since(start))
	})
}

// What one call's policy sets wins over the client's; the rest stays as the client has it.
func TestRetryPolicyOfOneCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		transport := inProcess(func(*http.Request) (*http.Response, error) { return answer(503, ""), nil })
		c := connect(t, nowhere, through(transport), clicknps.WithRetryPolicy(clicknps.RetryPolicy{
			MaxRetries: 2, MinBackoff: 3 * time.Second, MaxBackoff: 3 * time.Second,
		}))
		var info clicknps.CallInfo
		for _, test := range []struct {
			policy   clicknps.RetryPolicy
			attempts int
			wait     time.Duration
		}{
			{clicknps.RetryPolicy{}, 3, 3 * time.Second},
			{clicknps.RetryPolicy{MaxRetries: 1}, 2, 3 * time.Second},
			{clicknps.RetryPolicy{MaxRetries: -1}, 1, 0},
			{clicknps.RetryPolicy{MinBackoff: time.Minute}, 3, time.Minute},
			{clicknps.RetryPolicy{MinBackoff: time.Second, MaxBackoff: time.Second}, 3, time.Second},
		} {
			opts := []clicknps.RequestOption{clicknps.WithRetryPolicy(test.policy), clicknps.WithCallInfo(&info)}
			require.Error(t, getCall(t.Context(), c, opts...))
			require.Len(t, info.Attempts, test.attempts)
			if test.attempts > 1 {
				require.Equal(t, test.wait, info.Attempts[1].Waited)
			}
		}
		for _, bad := range []clicknps.RetryPolicy{{Budget: 1}, {Budget: -1}, {MaxRetries: -2}, {MinBackoff: -1}, {MinBackoff: 2, MaxBackoff: 1}} {
			require.ErrorIs(t, getCall(t.Context(), c, clicknps.WithRetryPolicy(bad)), clicknps.ErrInvalidParams)
		}
		_, err := clicknps.New(clicknps.WithAPIKey("k"), clicknps.WithRetryPolicy(clicknps.RetryPolicy{Budget: -2}))
		require.ErrorIs(t, err, clicknps.ErrInvalidParams)
	})
}

func policy(p clicknps.RetryPolicy) []clicknps.Option {
	return []clicknps.Option{clicknps.WithRetryPolicy(p)}
}

// A bound that is given draws a default along that would contradict it.
func TestRetryPolicyBounds(t *testing.T) {
	t.Parallel()
	for _, p := range []clicknps.RetryPolicy{
		{},
		{MaxRetries: -1},
		{MinBackoff: time.Minute},
		{MaxBackoff: time.Millisecond},
		{MinBackoff: time.Second, MaxBackoff: time.Second},
		{MaxRetries: math.MaxInt32, MinBackoff: 1, MaxBackoff: math.MaxInt32, MaxRetryAfter: math.MaxInt32, AttemptTimeout: math.MaxInt32},
	} {
		w := newWire(reply(200, golden(t, "survey.json")))
		_, err := w.client(t, clicknps.WithRetryPolicy(p)).Surveys.Get(t.Context(), "s")
		require.NoError(t, err, "%+v", p)
	}
}
