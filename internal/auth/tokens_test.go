package auth_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/auth"
)

var errLogin = errors.New("login is down")

func TestTokenIsFetchedOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &login{issue: numbered(24 * time.Hour), takes: time.Second}
		c := bearer(l)
		start := time.Now()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				for range 3 {
					value, err := authorize(t.Context(), t, c)
					assert.NoError(t, err)
					assert.Equal(t, "Bearer token-1", value)
				}
			})
		}
		wg.Wait()
		assert.Equal(t, 1, l.fetched)
		assert.Equal(t, time.Second, time.Since(start))
	})
}

func TestTokenIsRenewedBeforeItExpires(t *testing.T) {
	day := func() time.Time { return time.Now().Add(24 * time.Hour) }
	withExp := func(expiry time.Time, payload string) (auth.Token, error) {
		return auth.Token{Value: jwt(payload), Expiry: expiry}, nil
	}
	for name, issue := range map[string]func(int) (auth.Token, error){
		"expiry": numbered(24 * time.Hour),
		"exp of a JWT": func(n int) (auth.Token, error) {
			return withExp(time.Time{}, fmt.Sprintf(`{"sub":"%d","exp":%d}`, n, day().Unix()))
		},
		"a fraction": func(n int) (auth.Token, error) {
			return withExp(time.Time{}, fmt.Sprintf(`{"sub":"%d","exp":%d.9}`, n, day().Unix()))
		},
		"expiry before exp": func(n int) (auth.Token, error) {
			return withExp(day(), fmt.Sprintf(`{"sub":"%d","exp":%d}`, n, time.Now().Add(time.Hour).Unix()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &login{issue: issue}
				c := bearer(l)
				for i, step := range []struct {
					wait    time.Duration
					fetched int
				}{
					{0, 1},
					{24*time.Hour - time.Minute - 1, 1},
					{1, 2},
					{24*time.Hour - time.Minute - 1, 2},
					{time.Hour, 3},
				} {
					<-time.After(step.wait)
					_, err := authorize(t.Context(), t, c)
					require.NoError(t, err)
					assert.Equal(t, step.fetched, l.fetched, "step %d", i)
				}
			})
		})
	}
}

// A token that lives for less than two minutes is used for half of its life.
func TestShortLivedTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &login{issue: numbered(30 * time.Second)}
		c := bearer(l)
		requireValue(t, c, "Bearer token-1")
		<-time.After(15*time.Second - 1)
		requireValue(t, c, "Bearer token-1")
		<-time.After(1)
		requireValue(t, c, "Bearer token-2")

		for _, lifetime := range []time.Duration{-1, -time.Second, -1000 * time.Hour} { // expired
			c = bearer(&login{issue: numbered(lifetime)})
			requireValue(t, c, "Bearer token-1") // the server judges
			requireValue(t, c, "Bearer token-2")
		}
		longAgo := &login{issue: func(int) (auth.Token, error) {
			return auth.Token{Value: jwt(`{"exp":1}`)}, nil
		}}
		c = bearer(longAgo)
		requireValue(t, c, "Bearer "+jwt(`{"exp":1}`))
		requireValue(t, c, "Bearer "+jwt(`{"exp":1}`))
		assert.Equal(t, 2, longAgo.fetched, "an exp of 1 is an expiry")
	})
}

// A token whose expiry nobody knows is used until it is rejected.
func TestTokenWithoutExpiry(t *testing.T) {
	for _, value := range []string{
		"opaque", "a.b.c", "a.b", jwt(`{"exp":"never"}`), jwt(`{"exp":0}`), jwt(`{"exp":-5}`), jwt(`{}`),
		jwt(`{"exp":5`),
		jwt(`{"exp":1e300}`), jwt(`{"exp":5}`) + ".d",
	} {
		synctest.Test(t, func(t *testing.T) {
			l := &login{issue: func(int) (auth.Token, error) { return auth.Token{Value: value}, nil }}
			c := bearer(l)
			for range 3 {
				requireValue(t, c, "Bearer "+value)
				<-time.After(1000 * time.Hour)
			}
			assert.Equal(t, 1, l.fetched)
		})
	}
}

// The expiry of the token before does not count any more.
func TestTokenWithoutExpiryAfterOneWithExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &login{issue: func(n int) (auth.Token, error) {
			if n == 1 {
				return numbered(time.Hour)(n)
			}
			return numbered(0)(n)
		}}
		c := bearer(l)
		requireValue(t, c, "Bearer token-1")
		<-time.After(time.Hour)
		requireValue(t, c, "Bearer token-2")
		<-time.After(1000 * time.Hour)
		requireValue(t, c, "Bearer token-2")
	})
}

func TestRenewReplacesARejectedToken(t *testing.T) {
	l := &login{issue: numbered(0)}
	c := bearer(l)
	requireValue(t, c, "Bearer token-1")
	assert.True(t, c.Renew("Bearer token-1"))
	requireValue(t, c, "Bearer token-2")
	assert.True(t, c.Renew("Bearer token-1"), "a late 401: there is another value already")
	requireValue(t, c, "Bearer token-2")
	assert.Equal(t, 2, l.fetched, "which is kept")
	assert.True(t, c.Renew("Bearer token-2"))
	assert.True(t, c.Renew("Bearer token-2"), "of two calls")
	requireValue(t, c, "Bearer token-3")
}

// What a late answer may still echo is cut, too, whyever the token was replaced.
func TestRedactTheTokenBefore(t *testing.T) {
	for name, replace := range map[string]func(*auth.Credential){
		"rejected": func(c *auth.Credential) { c.Renew("Bearer token-1") },
		"expired":  func(*auth.Credential) { <-time.After(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := bearer(&login{issue: numbered(time.Hour)})
				requireValue(t, c, "Bearer token-1")
				replace(c)
				assert.Equal(t, "[redacted]", c.Redact("token-1"), "while there is no other")
				requireValue(t, c, "Bearer token-2")
				assert.Equal(t, "[redacted] [redacted] token-3", c.Redact("token-1 token-2 token-3"))
			})
		})
	}
	t.Run("the same value with a new expiry", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			values := []string{"old", "new", "new"}
			c := bearer(&login{issue: func(n int) (auth.Token, error) {
				return auth.Token{Value: values[n-1], Expiry: time.Now().Add(time.Hour)}, nil
			}})
			for _, value := range values {
				requireValue(t, c, "Bearer "+value)
				<-time.After(time.Hour - time.Minute)
			}
			assert.Equal(t, "[redacted] [redacted]", c.Redact("old new"))
		})
	})
	t.Run("the same again", func(t *testing.T) {
		values := []string{"old", "new", "new"}
		issue := func(n int) (auth.Token, error) { return auth.Token{Value: values[n-1]}, nil }
		c := bearer(&login{issue: issue})
		for _, value := range values[:2] {
			requireValue(t, c, "Bearer "+value)
			c.Renew("Bearer " + value)
		}
		requireValue(t, c, "Bearer new")
		assert.Equal(t, "[redacted] [redacted]", c.Redact("new new"))
	})
}

func TestFetchFails(t *testing.T) {
	const (
		source   = "the token source "
		unusable = source + "returned an unusable token: the credential "
	)
	for name, tt := range map[string]struct {
		fetch func() (auth.Token, error)
		is    error
		text  string
	}{
		"error": {
			func() (auth.Token, error) { return auth.Token{Value: "t"}, errLogin },
			errLogin, source + "failed: login is down",
		},
		"panic": {func() (auth.Token, error) { panic("nil map") }, nil, source + "panicked: nil map"},
		"panic with an error": {
			func() (auth.Token, error) { panic(errLogin) },
			errLogin, source + "panicked: login is down",
		},
		"Goexit": {
			func() (auth.Token, error) { runtime.Goexit(); return auth.Token{}, nil },
			nil, source + "ended its goroutine",
		},
		"empty": {func() (auth.Token, error) { return auth.Token{}, nil }, nil, unusable + "is empty"},
		"line break": {
			func() (auth.Token, error) { return auth.Token{Value: "ey\r\nX-Evil: 1"}, nil },
			nil, unusable + "has a space, a control character or a character outside ASCII",
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			c := auth.Renewed("Authorization", "Bearer ", func(context.Context) (auth.Token, error) {
				if asked++; asked > 1 {
					return auth.Token{Value: "good"}, nil
				}
				return tt.fetch()
			})
			_, err := authorize(t.Context(), t, c)
			require.EqualError(t, err, tt.text)
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
			requireValue(t, c, "Bearer good") // the next call asks again
		})
	}
}

// While the old token is valid, a renewal that fails is no error.
func TestFailedEarlyRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &login{issue: func(n int) (auth.Token, error) {
			if n > 1 {
				return auth.Token{}, errLogin
			}
			return numbered(time.Hour)(n)
		}}
		c := bearer(l)
		requireValue(t, c, "Bearer token-1")
		<-time.After(time.Hour - time.Minute)
		requireValue(t, c, "Bearer token-1")
		assert.Equal(t, 2, l.fetched)
		<-time.After(time.Minute - 1)
		requireValue(t, c, "Bearer token-1")
		assert.Equal(t, 3, l.fetched, "each call tries")
		<-time.After(1)
		_, err := authorize(t.Context(), t, c)
		require.ErrorIs(t, err, errLogin)
		assert.Equal(t, "[redacted]", c.Redact("token-1"))
	})
}

func TestRejectedTokenIsNotUsedAgainWhenTheFetchFails(t *testing.T) {
	l := &login{issue: func(n int) (auth.Token, error) {
		if n > 1 {
			return auth.Token{}, errLogin
		}
		return numbered(time.Hour)(n)
	}}
	c := bearer(l)
	requireValue(t, c, "Bearer token-1")
	c.Renew("Bearer token-1")
	_, err := authorize(t.Context(), t, c)
	require.ErrorIs(t, err, errLogin)
}

// The call that began a fetch may end; those that wait with it get their token.
func TestCancelledCallDoesNotSpoilTheFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &login{issue: numbered(time.Hour), takes: 10 * time.Second}
		c := bearer(l)
		cause := errors.New("the user went away")
		hasty, cancel := context.WithTimeoutCause(t.Context(), 2*time.Second, cause)
		defer cancel()
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := authorize(hasty, t, c)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.ErrorIs(t, err, cause)
			assert.EqualError(t, err, "waiting for a token: context deadline exceeded: the user went away")
			assert.Equal(t, 2*time.Second, time.Since(start))
		})
		synctest.Wait() // it has begun the fetch
		for range 10 {
			wg.Go(func() {
				value, err := authorize(t.Context(), t, c)
				assert.NoError(t, err)
				assert.Equal(t, "Bearer token-1", value)
				assert.Equal(t, 10*time.Second, time.Since(start))
			})
		}
		cancelled, end := context.WithCancel(t.Context())
		end()
		_, err := authorize(cancelled, t, c)
		assert.EqualError(t, err, "waiting for a token: context canceled")
		wg.Wait()
		assert.Equal(t, 1, l.fetched)
	})
}

func TestFetchEndsAfter30Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &login{issue: numbered(time.Hour), takes: time.Hour}
		start := time.Now()
		_, err := authorize(t.Context(), t, bearer(l))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 30*time.Second, time.Since(start))
		inTime := &login{issue: numbered(time.Hour), takes: 30*time.Second - 1}
		requireValue(t, bearer(inTime), "Bearer token-1")
	})
}

// A source that ignores its context is given up, and asked anew; what it returns at last is
// dropped.
func TestFetchThatIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32 // the second fetch begins while the first still runs
		c := auth.Renewed("Authorization", "Bearer ", func(context.Context) (auth.Token, error) {
			if asked.Add(1) == 1 {
				<-time.After(time.Hour)
				return auth.Token{Value: "late"}, nil
			}
			return auth.Token{Value: "good"}, nil
		})
		start := time.Now()
		_, err := authorize(t.Context(), t, c)
		require.EqualError(t, err, "the token source did not return within 30s: context deadline exceeded")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 30*time.Second, time.Since(start))
		requireValue(t, c, "Bearer good")
		<-time.After(time.Hour)
		synctest.Wait()
		requireValue(t, c, "Bearer good")
		assert.EqualValues(t, 2, asked.Load())
	})
}

func TestFetchSeesTheCallsContextValues(t *testing.T) {
	type key struct{}
	var seen any
	c := auth.Renewed("Authorization", "", func(ctx context.Context) (auth.Token, error) {
		seen = ctx.Value(key{})
		return auth.Token{Value: "t"}, nil
	})
	value, err := authorize(context.WithValue(t.Context(), key{}, "trace-1"), t, c)
	require.NoError(t, err)
	assert.Equal(t, "t", value)
	assert.Equal(t, "trace-1", seen)
}
