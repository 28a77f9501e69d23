package clicknps

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// redacted stands where a secret would.
const redacted = "[redacted]"

// credential lets requests in. Its secret lives in closures, where no printer of structs finds it.
type credential struct {
	authorize func(context.Context, http.Header) error
	renew     func(rejected http.Header) bool
	cut       func(text string) string // text without the secret
}

func (c *credential) Authorize(ctx context.Context, h http.Header) error { return c.authorize(ctx, h) }

func (c *credential) Renew(rejected http.Header) bool { return c.renew(rejected) }

func (c *credential) Cut(text string) string { return c.cut(text) }

// Hide is err, told without the secret if its own words bear it: a decoder quotes what it can't decode.
func (c *credential) Hide(err error) error {
	if err == nil || c.cut(err.Error()) == err.Error() {
		return err
	}
	return hiding{err, c.cut(err.Error())}
}

type hiding struct {
	error
	words string
}

func (e hiding) Error() string { return e.words }
func (e hiding) Unwrap() error { return e.error }

// static is a credential that stays as it is.
func static(header, prefix, secret string) *credential {
	value := []string{prefix + secret}
	return &credential{
		authorize: func(_ context.Context, h http.Header) error {
			h[header] = value
			return nil
		},
		renew: func(http.Header) bool { return false },
		cut:   func(text string) string { return strings.ReplaceAll(text, secret, redacted) },
	}
}

// checkSecret refuses what no header can carry, without showing it.
func checkSecret(from, secret string) error {
	if secret == "" {
		return fmt.Errorf("%w: %w", invalidOption(from, "the credential is empty"), ErrMissingCredentials)
	}
	if strings.Contains(secret, " ") || !isPrintable(secret) {
		return invalidOption(from, "the credential has a space, a control character or a character outside ASCII")
	}
	return nil
}

// isPrintable reports whether s is printable ASCII.
func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Token is a SalesOS JWT. Printed with fmt, logged with slog or encoded as JSON, it shows its Expiry only.
type Token struct {
	Value  string    // the JWT, without "Bearer"
	Expiry time.Time // zero: read from the JWT's exp claim; without one, the token is used until a 401
}

// String implements [fmt.Stringer].
func (t Token) String() string { return fmt.Sprintf("{%s %v}", redacted, t.Expiry) }

// GoString implements [fmt.GoStringer].
func (t Token) GoString() string {
	return fmt.Sprintf("clicknps.Token{Value:%q, Expiry:%#v}", redacted, t.Expiry)
}

// MarshalJSON encodes the token without its value.
func (t Token) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"Value": redacted, "Expiry": t.Expiry})
}

// LogValue implements [slog.LogValuer].
func (t Token) LogValue() slog.Value {
	return slog.GroupValue(slog.String("value", redacted), slog.Time("expiry", t.Expiry))
}

// TokenSource gives SalesOS tokens, for example by logging in. Token is called by one goroutine at a time, with a context
// that outlives the call that needed the token; what it returns serves all calls.
type TokenSource interface {
	Token(ctx context.Context) (Token, error)
}

// TokenSourceFunc is a function that is a [TokenSource].
type TokenSourceFunc func(ctx context.Context) (Token, error)

// Token calls f.
func (f TokenSourceFunc) Token(ctx context.Context) (Token, error) { return f(ctx) }

const (
	renewEarly   = time.Minute      // before a token expires
	fetchTimeout = 30 * time.Second // of one fetch
)

// tokens keeps one token for all goroutines.
type tokens struct {
	source TokenSource

	mu      sync.Mutex
	current Token
	renewAt time.Time   // zero: not before a 401
	pending *tokenFetch // under way, or nil
	past    string      // the token before this one; an old answer may still echo it
}

// tokenFetch is one call of the source, which every goroutine in need of a token waits for.
type tokenFetch struct {
	done  chan struct{}
	token Token
	err   error
}

// renewed is a credential whose tokens come from source.
func renewed(source TokenSource) *credential {
	t := &tokens{source: source}
	return &credential{authorize: t.authorize, renew: t.reject, cut: t.cut}
}

func (t *tokens) authorize(ctx context.Context, h http.Header) error {
	token, err := t.token(ctx)
	if err != nil {
		return err
	}
	h["Authorization"] = []string{"Bearer " + token.Value}
	return nil
}

func (t *tokens) token(ctx context.Context) (Token, error) {
	t.mu.Lock()
	if t.current.Value != "" && (t.renewAt.IsZero() || time.Now().Before(t.renewAt)) {
		defer t.mu.Unlock()
		return t.current, nil
	}
	if t.pending == nil {
		t.pending = &tokenFetch{done: make(chan struct{})}
		// One caller's cancellation must not spoil what others wait for.
		go t.run(context.WithoutCancel(ctx), t.pending)
	}
	f := t.pending
	t.mu.Unlock()
	select {
	case <-ctx.Done():
		return Token{}, ctx.Err()
	case <-f.done:
		return f.token, f.err
	}
}

func (t *tokens) run(ctx context.Context, f *tokenFetch) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	token, err := Token{}, errors.New("the token source did not return") // it may end its goroutine
	defer func() { t.arrived(f, token, err) }()
	token, err = askSource(ctx, t.source)
}

func (t *tokens) arrived(f *tokenFetch, token Token, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer close(f.done)
	t.pending = nil
	switch {
	case err == nil:
		t.past = cmp.Or(t.current.Value, t.past) // after a 401 there is no current one
		t.current, t.renewAt = token, renewalOf(token)
	case t.current.Value != "" && time.Now().Before(t.current.Expiry):
		err = nil // the one we have still serves; the next call asks again
	}
	f.token, f.err = t.current, err
}

func askSource(ctx context.Context, source TokenSource) (token Token, err error) {
	defer func() {
		if p := recover(); p != nil { // on a goroutine of its own a panic would end the process
			err = fmt.Errorf("the token source panicked: %v", p)
		}
	}()
	token, err = source.Token(ctx)
	if err != nil {
		return Token{}, fmt.Errorf("the token source failed: %w", err)
	}
	if token.Value == "" || checkSecret("token", token.Value) != nil {
		return Token{}, errors.New("the token source gave a token that is empty or has a space, a control character or a character outside ASCII")
	}
	if token.Expiry.IsZero() {
		token.Expiry = expiryOf(token.Value)
	}
	return token, nil
}

// renewalOf is when a token is to be renewed: early, but not at once if it is short-lived.
func renewalOf(token Token) time.Time {
	if token.Expiry.IsZero() {
		return time.Time{}
	}
	return token.Expiry.Add(-min(renewEarly, max(0, time.Until(token.Expiry)/2)))
}

// expiryOf reads a JWT's exp claim. It is zero if there is none.
func expiryOf(jwt string) time.Time {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	var claims struct {
		Exp float64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.Exp <= 0 {
		return time.Time{}
	}
	return time.Unix(int64(min(claims.Exp, 1<<40)), 0)
}

// reject drops a token that was answered 401, unless another has taken its place already.
func (t *tokens) reject(rejected http.Header) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if rejected.Get("Authorization") == "Bearer "+t.current.Value {
		t.past, t.current = t.current.Value, Token{}
	}
	return true
}

func (t *tokens) cut(text string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, secret := range []string{t.current.Value, t.past} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	return text
}
