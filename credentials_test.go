package clicknps_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
)

// login is a token source, and the SalesOS that checks its tokens.
type login struct {
	mu      sync.Mutex
	fetched int
	issue   func(n int) (clicknps.Token, error) // the nth token
	takes   time.Duration                       // a fetch
	valid   func(token string) bool             // nil: every token is
	sent    []string                            // the tokens of all requests
	latency time.Duration                       // of an answer
}

func (l *login) Token(ctx context.Context) (clicknps.Token, error) {
	select {
	case <-time.After(l.takes):
	case <-ctx.Done():
		return clicknps.Token{}, ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fetched++
	return l.issue(l.fetched)
}

func (l *login) RoundTrip(r *http.Request) (*http.Response, error) {
	<-time.After(l.latency)
	l.mu.Lock()
	defer l.mu.Unlock()
	var token string
	_, _ = fmt.Sscanf(r.Header.Get("Authorization"), "Bearer %s", &token)
	l.sent = append(l.sent, token)
	if l.valid != nil && !l.valid(token) {
		return answer(401, `{"statusCode":401,"message":"Unauthorized"}`), nil
	}
	return answer(200, object), nil
}

// numbered issues a new token each time, valid for so long; 0: nobody says how long.
func numbered(lifetime time.Duration) func(int) (clicknps.Token, error) {
	return func(n int) (clicknps.Token, error) {
		token := clicknps.Token{Value: fmt.Sprint("token-", n)}
		if lifetime != 0 {
			token.Expiry = time.Now().Add(lifetime)
		}
		return token, nil
	}
}

// jwt is a token that bears its own expiry.
func jwt(n int, expiry time.Time) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"alg":"HS256"}`) + "." + part(fmt.Sprintf(`{"sub":"%d","exp":%d}`, n, expiry.Unix())) + ".c2ln"
}

func (l *login) client(t *testing.T) *clicknps.Client {
	c, err := clicknps.New(clicknps.WithSalesOSTokenSource(l), through(l))
	require.NoError(t, err)
	return c
}

func TestTokenIsFetchedOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &login{issue: numbered(24 * time.Hour), takes: time.Second}
		c := l.client(t)
		assert.Zero(t, l.fetched, "not before it is needed")
		assert.Zero(t, each(t, 50, 3, c, putCall))
		assert.Equal(t, 1, l.fetched)
		assert.Len(t, l.sent, 150)
	})
}

func TestTokenIsRenewedBeforeItExpires(t *testing.T) {
	for name, issue := range map[string]func(int) (clicknps.Token, error){
		"expiry given": numbered(24 * time.Hour),
		"exp of a JWT": func(n int) (clicknps.Token, error) {
			return clicknps.Token{Value: jwt(n, time.Now().Add(24*time.Hour))}, nil
		},
		"given and exp": func(n int) (clicknps.Token, error) {
			return clicknps.Token{Value: jwt(n, time.Now().Add(time.Hour)), Expiry: time.Now().Add(24 * time.Hour)}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &login{issue: issue}
				c := l.client(t)
				for i, step := range []struct {
					sleep   time.Duration
					fetched int
				}{
					{0, 1},
					{24*time.Hour - 61*time.Second, 1},
					{2 * time.Second, 2}, // 59 s before the first expires
					{23 * time.Hour, 2},
					{24 * time.Hour, 3},
				} {
					<-time.After(step.sleep)
					assert.Zero(t, each(t, 5, 1, c, putCall))
					assert.Equal(t, step.fetched, l.fetched, "step %d", i)
				}
				assert.NotEqual(t, l.sent[0], l.sent[len(l.sent)-1])
			})
		})
	}
}

// A token that nobody knows the expiry of serves until it is refused.
func TestTokenWithoutExpiry(t *testing.T) {
	for _, value := range []string{"opaque", "a.b.c", "a." + base64.RawURLEncoding.EncodeToString([]byte(`{"exp":"never"}`)) + ".c"} {
		synctest.Test(t, func(t *testing.T) {
			l := &login{issue: func(int) (clicknps.Token, error) { return clicknps.Token{Value: value}, nil }}
			c := l.client(t)
			for range 3 {
				assert.NoError(t, putCall.call(t.Context(), c))
				<-time.After(1000 * time.Hour)
			}
			assert.Equal(t, 1, l.fetched)
		})
	}
}

// A token that lives for less than the minute before which it is renewed is still used.
func TestShortLivedTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &login{issue: numbered(30 * time.Second)}
		c := l.client(t)
		assert.Zero(t, each(t, 10, 10, c, putCall))
		assert.Equal(t, 1, l.fetched)
		<-time.After(29 * time.Second)
		assert.Zero(t, each(t, 10, 10, c, putCall))
		assert.Equal(t, 2, l.fetched)
		<-time.After(time.Hour)
		assert.NoError(t, putCall.call(t.Context(), c))
		assert.Equal(t, "token-3", l.sent[len(l.sent)-1])
	})
}

// After a 401 the token is renewed, once for all, and every call made again, once; a POST too, for nothing was done.
func TestTokenIsRenewedAfterA401(t *testing.T) {
	for _, col := range []column{putCall, salesOSPost, toggleCall} {
		t.Run(col.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &login{issue: numbered(24 * time.Hour), takes: time.Second, latency: time.Second}
				c := l.client(t)
				require.Zero(t, each(t, 50, 1, c, col))
				l.valid = func(token string) bool { return token != "token-1" } // somebody has logged out
				start := time.Now()
				assert.Zero(t, each(t, 50, 1, c, col))
				assert.Equal(t, 2, l.fetched)
				assert.Len(t, l.sent, 150)
				assert.InDelta(t, 3*time.Second, time.Since(start), float64(time.Microsecond), "the 401, the fetch and the answer")
			})
		})
	}
}

func TestRefusedToken(t *testing.T) {
	never := func(string) bool { return false }
	t.Run("a new one is refused too", func(t *testing.T) {
		l := &login{issue: numbered(time.Hour), valid: never}
		e := asError(t, putCall.call(t.Context(), l.client(t)))
		assert.ErrorIs(t, e, clicknps.ErrUnauthorized)
		assert.Equal(t, "Unauthorized", e.Message)
		assert.Equal(t, []string{"token-1", "token-2"}, l.sent)
	})
	t.Run("the same one again", func(t *testing.T) {
		l := &login{issue: func(int) (clicknps.Token, error) { return clicknps.Token{Value: "same"}, nil }, valid: never}
		assert.ErrorIs(t, putCall.call(t.Context(), l.client(t)), clicknps.ErrUnauthorized)
		assert.Equal(t, []string{"same", "same"}, l.sent)
	})
	t.Run("there is no new one", func(t *testing.T) {
		errLogin := errors.New("the password was changed")
		l := &login{valid: never, issue: func(n int) (clicknps.Token, error) {
			if n > 1 {
				return clicknps.Token{}, errLogin
			}
			return numbered(time.Hour)(n)
		}}
		e := asError(t, salesOSPost.call(t.Context(), l.client(t)))
		assert.ErrorIs(t, e, errLogin)
		assert.ErrorIs(t, e, clicknps.ErrUnauthorized, "the answer is kept")
		assert.NotErrorIs(t, e, clicknps.ErrOutcomeUnknown)
		assert.Equal(t, 1, e.Attempts)
	})
	t.Run("static", func(t *testing.T) {
		for _, opt := range []clicknps.Option{clicknps.WithSalesOSToken("old"), clicknps.WithSalesOSAPIKey("old")} {
			l := &login{valid: never}
			c, err := clicknps.New(opt, through(l))
			require.NoError(t, err)
			assert.ErrorIs(t, putCall.call(t.Context(), c), clicknps.ErrUnauthorized)
			assert.Len(t, l.sent, 1)
		}
	})
	t.Run("once a call", func(t *testing.T) { // however often the token changes
		n := 0
		l := &login{issue: numbered(time.Hour), valid: func(string) bool { n++; return n%2 == 0 }}
		c := l.client(t)
		for range 5 {
			assert.NoError(t, putCall.call(t.Context(), c))
		}
		assert.Len(t, l.sent, 10)
	})
}

func TestTokenSourceFails(t *testing.T) {
	errLogin := errors.New("login is down")
	for name, test := range map[string]struct {
		source clicknps.TokenSourceFunc
		is     error
		says   string
	}{
		"error":         {func(context.Context) (clicknps.Token, error) { return clicknps.Token{}, errLogin }, errLogin, "login is down"},
		"panic":         {func(context.Context) (clicknps.Token, error) { panic("nil map") }, nil, "nil map"},
		"empty":         {func(context.Context) (clicknps.Token, error) { return clicknps.Token{}, nil }, nil, "empty"},
		"control bytes": {tokens("ey\r\nX-Evil: 1").Token, nil, "control character"},
	} {
		t.Run(name, func(t *testing.T) {
			sent := 0
			c, err := clicknps.New(clicknps.WithSalesOSTokenSource(test.source), through(inProcess(func(*http.Request) (*http.Response, error) {
				sent++
				return answer(200, object), nil
			})))
			require.NoError(t, err)
			e := asError(t, toggleCall.call(t.Context(), c))
			assert.ErrorContains(t, e, test.says)
			assert.NotContains(t, e.Error(), "X-Evil")
			assert.NotErrorIs(t, e, clicknps.ErrOutcomeUnknown)
			if test.is != nil {
				assert.ErrorIs(t, e, test.is)
			}
			assert.Zero(t, sent)
			assert.Zero(t, e.Attempts)
		})
	}
}

// A failed fetch is not the end: the next call tries again.
func TestTokenSourceRecovers(t *testing.T) {
	l := &login{issue: func(n int) (clicknps.Token, error) {
		if n == 1 {
			return clicknps.Token{}, errLost
		}
		return numbered(time.Hour)(n)
	}}
	c := l.client(t)
	assert.ErrorIs(t, putCall.call(t.Context(), c), errLost)
	assert.NoError(t, putCall.call(t.Context(), c))
	assert.Equal(t, 2, l.fetched)
}

// While the old token lives, a renewal that fails harms nobody.
func TestFailingRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &login{issue: func(n int) (clicknps.Token, error) {
			if n > 1 {
				return clicknps.Token{}, errLost
			}
			return numbered(time.Hour)(n)
		}}
		c := l.client(t)
		require.NoError(t, putCall.call(t.Context(), c))
		<-time.After(time.Hour - 30*time.Second)
		assert.Zero(t, each(t, 5, 2, c, putCall))
		assert.Greater(t, l.fetched, 1, "it is tried")
		<-time.After(time.Minute)
		assert.ErrorIs(t, putCall.call(t.Context(), c), errLost, "it has expired")
	})
}

// Who began a fetch may give up; those who wait with him get their token.
func TestCancelledCallerDoesNotSpoilTheFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &login{issue: numbered(time.Hour), takes: 10 * time.Second}
		c := l.client(t)
		hasty, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		var group sync.WaitGroup
		group.Go(func() {
			assert.ErrorIs(t, putCall.call(hasty, c), context.DeadlineExceeded)
			assert.Equal(t, 2*time.Second, time.Since(start), "he does not wait for the others")
		})
		synctest.Wait() // the fetch is his
		group.Go(func() { assert.Zero(t, each(t, 10, 1, c, putCall)) })
		group.Wait()
		assert.Equal(t, 1, l.fetched)
		assert.Equal(t, 10*time.Second, time.Since(start))
	})
}

// A source that hangs is not waited for for ever, even by those who would.
func TestTokenSourceHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &login{issue: numbered(time.Hour), takes: time.Hour}
		start := time.Now()
		assert.ErrorIs(t, putCall.call(t.Context(), l.client(t)), context.DeadlineExceeded)
		assert.Equal(t, 30*time.Second, time.Since(start))
	})
}

// The source sees what the first caller's context bears.
func TestTokenSourceSeesContextValues(t *testing.T) {
	type key struct{}
	var seen any
	source := clicknps.TokenSourceFunc(func(ctx context.Context) (clicknps.Token, error) {
		seen = ctx.Value(key{})
		return clicknps.Token{Value: "t"}, nil
	})
	c, err := clicknps.New(clicknps.WithSalesOSTokenSource(source), through(script()))
	require.NoError(t, err)
	require.NoError(t, putCall.call(context.WithValue(t.Context(), key{}, "trace-1"), c))
	assert.Equal(t, "trace-1", seen)
}
