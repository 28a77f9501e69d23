package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/clicknps/go-sdk/internal/backoff"
)

const (
	renewEarly   = time.Minute // before a token expires
	fetchTimeout = 30 * time.Second
)

// Token is a secret that expires.
type Token struct {
	Value  string
	Expiry time.Time // zero: read from the exp claim of a JWT; without one, the token is used until a 401
}

// tokens keeps one token for all goroutines.
type tokens struct {
	prefix string // of the header's value
	fetch  func(ctx context.Context) (Token, error)

	mu      sync.Mutex
	current Token
	renewAt time.Time // zero: not before a 401
	pending *fetch    // under way, or nil
	past    string    // the token before the current one; a late answer may still echo it
}

// fetch is one fetch of a token, which every call in need of one waits for.
type fetch struct {
	done  chan struct{} // closed when value or err is set
	value string        // of the header
	err   error
}

// get returns the header's value. It waits for a new token if there is none or it is time to renew
// it, until ctx ends.
func (t *tokens) get(ctx context.Context) (string, error) {
	t.mu.Lock()
	if t.current.Value != "" && (t.renewAt.IsZero() || time.Now().Before(t.renewAt)) {
		defer t.mu.Unlock()
		return t.prefix + t.current.Value, nil
	}
	if t.pending == nil {
		t.pending = &fetch{done: make(chan struct{})}
		// The end of one call must not spoil what others wait for.
		go t.run(context.WithoutCancel(ctx), t.pending)
	}
	f := t.pending
	t.mu.Unlock()
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return "", backoff.Ended(ctx, "a token")
	}
}

// run fetches a token. fetch may panic, end its goroutine, or never return.
func (t *tokens) run(ctx context.Context, f *fetch) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	context.AfterFunc(ctx, func() {
		const text = "the token source did not return within %v: %w"
		t.finish(f, Token{}, fmt.Errorf(text, fetchTimeout, ctx.Err()))
	})
	token, err := Token{}, errors.New("the token source ended its goroutine")
	defer func() {
		switch p := recover().(type) {
		case nil:
		case error:
			err = fmt.Errorf("the token source panicked: %w", p)
		default:
			err = fmt.Errorf("the token source panicked: %v", p)
		}
		t.finish(f, token, err)
	}()
	token, err = t.fetch(ctx)
	switch {
	case err != nil:
		err = fmt.Errorf("the token source failed: %w", err)
	case CheckSecret(token.Value) != nil:
		err = fmt.Errorf("the token source returned an unusable token: %w", CheckSecret(token.Value))
	case token.Expiry.IsZero():
		token.Expiry = jwtExpiry(token.Value)
	}
}

// finish ends a fetch. What comes after the fetch was given up is dropped.
func (t *tokens) finish(f *fetch, token Token, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pending != f {
		return
	}
	t.pending = nil
	switch {
	case err == nil:
		t.replace(token)
		t.renewAt = time.Time{}
		if !token.Expiry.IsZero() {
			t.renewAt = token.Expiry.Add(-min(renewEarly, time.Until(token.Expiry)/2))
		}
	case time.Now().Before(t.current.Expiry):
		err = nil // the current token still serves; the next call tries again
	}
	if f.err = err; err == nil {
		f.value = t.prefix + t.current.Value
	}
	close(f.done)
}

// replace makes token the current one. A zero token leaves none.
func (t *tokens) replace(token Token) {
	if t.current.Value != "" && t.current.Value != token.Value {
		t.past = t.current.Value
	}
	t.current = token
}

// reject drops the current token if it is the rejected one.
func (t *tokens) reject(rejected string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if rejected == t.prefix+t.current.Value {
		t.replace(Token{})
	}
	return true
}

func (t *tokens) secrets() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return []string{t.current.Value, t.past}
}

// jwtExpiry reads the exp claim of a JWT. It is zero if there is none.
func jwtExpiry(jwt string) time.Time {
	var claims struct{ Exp float64 }
	if parts := strings.Split(jwt, "."); len(parts) == 3 {
		payload, _ := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
		_ = json.Unmarshal(payload, &claims) // what can't be read says nothing
	}
	if claims.Exp <= 0 {
		return time.Time{}
	}
	return time.Unix(int64(min(claims.Exp, 1<<40)), 0)
}
