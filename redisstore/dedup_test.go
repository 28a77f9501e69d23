package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

var (
	_ clicknps.Deduper     = (*Deduper)(nil)
	_ clicknps.RateLimiter = (*Limiter)(nil)
)

func newTestDeduper(t *testing.T, client redis.UniversalClient) *Deduper {
	t.Helper()
	d, err := NewDeduper(client, "events:")
	require.NoError(t, err)
	return d
}

func mustClaim(t *testing.T, d *Deduper, key string) bool {
	t.Helper()
	claimed, err := d.Claim(t.Context(), key, time.Hour)
	require.NoError(t, err)
	return claimed
}

func TestClaimIsForOneOfAll(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		one, other := newTestDeduper(t, connect(t, m)), newTestDeduper(t, connect(t, m))
		assert.True(t, mustClaim(t, one, "a"))
		assert.False(t, mustClaim(t, one, "a"))
		assert.False(t, mustClaim(t, other, "a"))
		assert.True(t, mustClaim(t, other, "b"))
		assert.Equal(t, []string{"events:a", "events:b"}, m.Keys())

		require.NoError(t, other.Release(t.Context(), "a"), "does nothing: it is not other's")
		assert.False(t, mustClaim(t, other, "a"))
		require.NoError(t, one.Release(t.Context(), "a"))
		assert.True(t, mustClaim(t, other, "a"))
		require.NoError(t, one.Release(t.Context(), "a"), "nor is it one's any more")
		assert.False(t, mustClaim(t, one, "a"))

		travel(time.Hour + time.Second)
		assert.True(t, mustClaim(t, one, "a"), "it has expired")
	})
}

func TestClaimWhoseAnswerWasLost(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		lose := false
		client := between{connect(t, m), func(ask func() *redis.Cmd) *redis.Cmd {
			cmd := ask()
			if lose && !redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
				return failed("the answer was lost")
			}
			return cmd
		}}
		d, other := newTestDeduper(t, client), newTestDeduper(t, connect(t, m))
		require.True(t, mustClaim(t, other, "others"))

		try := func(key string) {
			t.Helper()
			lose = true
			defer func() { lose = false }()
			_, err := d.Claim(t.Context(), key, time.Hour)
			require.ErrorContains(t, err, "the answer was lost")
		}
		require.True(t, mustClaim(t, d, "loads the script"))
		try("mine")
		assert.False(t, mustClaim(t, other, "mine"))
		assert.True(t, mustClaim(t, d, "mine"), "it was made")
		assert.False(t, mustClaim(t, d, "mine"), "once")

		try("others")
		require.NoError(t, d.Release(t.Context(), "others"))
		assert.False(t, mustClaim(t, d, "others"), "a claim that failed frees nobody else's")

		try("given up")
		require.NoError(t, d.Release(t.Context(), "given up"))
		assert.True(t, mustClaim(t, other, "given up"))

		require.True(t, mustClaim(t, d, "handled"))
		try("handled")
		require.NoError(t, d.Release(t.Context(), "handled"))
		assert.False(t, mustClaim(t, other, "handled"), "an event that was handled stays so")
	})
}

// Goroutines of one process are as different as processes.
func TestClaimsAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		d := newTestDeduper(t, connect(t, m))
		m.SetError(loading)
		_, err := d.Claim(t.Context(), "a", time.Hour)
		require.Error(t, err)
		m.SetError("")
		var claimed atomic.Int32
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if mustClaim(t, d, "a") {
					claimed.Add(1)
				}
			})
		}
		wg.Wait()
		assert.EqualValues(t, 1, claimed.Load())
	})
}

func TestReleaseCanBeRepeated(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		d := newTestDeduper(t, connect(t, m))
		require.True(t, mustClaim(t, d, "a"))
		m.SetError(loading)
		require.ErrorContains(t, d.Release(t.Context(), "a"), loading)
		_, err := d.Claim(t.Context(), "b", time.Hour)
		require.ErrorContains(t, err, loading)
		m.SetError("")
		require.NoError(t, d.Release(t.Context(), "a"))
		assert.True(t, mustClaim(t, d, "a"))
	})
}

func TestClaimsAreRememberedWithinBounds(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		d := newTestDeduper(t, connect(t, m))
		for i := range remembered + 10 {
			d.remember(fmt.Sprint(i), func(c *claim) { c.held = "token" })
		}
		assert.Len(t, d.claims, remembered)
		assert.Equal(t, remembered, d.oldest.Len())
		assert.Empty(t, d.token("9"), "the oldest are forgotten")
		assert.NotEmpty(t, d.token("10"))
	})
}

func TestDeduperNeedsAClient(t *testing.T) {
	_, err := NewDeduper(nil, "events:")
	require.ErrorIs(t, err, clicknps.ErrInvalidParams)
}

func TestClaimsOnRealRedis(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	var made, handled atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		d := newTestDeduper(t, r.client(t))
		wg.Go(func() {
			for i := range 100 {
				claimed, err := d.Claim(t.Context(), fmt.Sprint(i), time.Minute)
				if assert.NoError(t, err) && claimed {
					made.Add(1)
					if made.Load()%3 == 0 {
						assert.NoError(t, d.Release(t.Context(), fmt.Sprint(i)))
						continue
					}
					handled.Add(1)
				}
			}
		})
	}
	wg.Wait()
	keys, err := r.client(t).DBSize(t.Context()).Result()
	require.NoError(t, err)
	assert.EqualValues(t, handled.Load(), keys)
	assert.LessOrEqual(t, handled.Load(), int32(100))
	ttl, err := r.client(t).PTTL(t.Context(), r.client(t).RandomKey(t.Context()).Val()).Result()
	require.NoError(t, err)
	assert.InDelta(t, time.Minute, ttl, float64(10*time.Second))
}

// An event whose handler fails in one process is handled by another, once.
func TestVerifiersShareADeduper(t *testing.T) {
	m := miniredis.RunT(t)
	body := `{"survey_id":"onboarding","subject_id":"user_42","score":9,"comment":null}`
	deliver := func(fail error) (status, handled int) {
		client := redis.NewClient(&redis.Options{Addr: m.Addr()})
		defer client.Close()
		v, err := clicknps.NewWebhookVerifier([]string{"whsec"}, clicknps.WithDeduper(newTestDeduper(t, client)))
		require.NoError(t, err)
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		req.Header.Set("X-ClickNPS-Signature", clicknps.SignWebhook("whsec", []byte(body)))
		w := httptest.NewRecorder()
		v.Handler(func(context.Context, *clicknps.Event) error {
			handled++
			return fail
		}).ServeHTTP(w, req)
		return w.Code, handled
	}
	for _, delivery := range []struct {
		fail            error
		status, handled int
	}{{errors.New("no disk"), 500, 1}, {nil, 200, 1}, {nil, 200, 0}} {
		status, handled := deliver(delivery.fail)
		assert.Equal(t, delivery.status, status)
		assert.Equal(t, delivery.handled, handled)
	}
}

// The client tells its user how long the wait would have been.
func TestClientRefusesAWaitThatIsTooLong(t *testing.T) {
	m := miniredis.RunT(t)
	rdb := redis.NewClient(&redis.Options{Addr: m.Addr()})
	defer rdb.Close()
	l, err := NewLimiter(rdb, "account", clicknps.Plan{PerMinute: 1})
	require.NoError(t, err)
	spend(t, l, 1)
	client, err := clicknps.New(clicknps.WithAPIKey("sk_test_1"), clicknps.WithRateLimiter(l))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = client.Surveys.Get(ctx, "survey_1")
	require.ErrorIs(t, err, clicknps.ErrRateLimited)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, ctx.Err(), "at once")
	e, ok := errors.AsType[*clicknps.Error](err)
	require.True(t, ok)
	require.Greater(t, e.RetryAfter, 10*time.Second)
}
