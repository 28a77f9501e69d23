package auth_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/auth"
)

// login is a source of tokens.
type login struct {
	mu      sync.Mutex
	fetched int
	issue   func(n int) (auth.Token, error) // the nth token
	takes   time.Duration
}

func (l *login) fetch(ctx context.Context) (auth.Token, error) {
	select {
	case <-time.After(l.takes):
	case <-ctx.Done():
		return auth.Token{}, ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fetched++
	return l.issue(l.fetched)
}

// numbered issues a new token each time, valid for so long; 0: nobody says how long.
func numbered(lifetime time.Duration) func(int) (auth.Token, error) {
	return func(n int) (auth.Token, error) {
		token := auth.Token{Value: fmt.Sprint("token-", n)}
		if lifetime != 0 {
			token.Expiry = time.Now().Add(lifetime)
		}
		return token, nil
	}
}

func bearer(l *login) *auth.Credential { return auth.Renewed("Authorization", "Bearer ", l.fetch) }

// authorize returns the value of the header that c sets, which must be the one that it says it
// sets.
func authorize(ctx context.Context, t *testing.T, c *auth.Credential) (string, error) {
	t.Helper()
	h := http.Header{}
	value, err := c.Authorize(ctx, h)
	if err != nil {
		assert.Empty(t, value)
		assert.Empty(t, h)
		return "", err
	}
	assert.Equal(t, http.Header{"Authorization": {value}}, h)
	return value, nil
}

// requireValue expects c to set a value.
func requireValue(t *testing.T, c *auth.Credential, want string) {
	t.Helper()
	value, err := authorize(t.Context(), t, c)
	require.NoError(t, err)
	require.Equal(t, want, value)
}

// jwt returns a JWT with a payload.
func jwt(payload string) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"alg":"HS256"}`) + "." + part(payload) + ".c2ln"
}
