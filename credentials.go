package clicknps

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/clicknps/go-sdk/internal/auth"
)

// Token is a credential: a SalesOS JWT or a ClickNPS API key. Printed with fmt, logged with slog
// or encoded as JSON, it shows only its Expiry.
type Token struct {
	Value  string    // without "Bearer"
	Expiry time.Time // zero: read from a JWT's exp claim; without one, the token is used until a 401
}

// String implements [fmt.Stringer].
func (t Token) String() string { return fmt.Sprintf("{%s %v}", auth.Redacted, t.Expiry) }

// GoString implements [fmt.GoStringer].
func (t Token) GoString() string {
	return fmt.Sprintf("clicknps.Token{Value:%q, Expiry:%#v}", auth.Redacted, t.Expiry)
}

// MarshalJSON implements [json.Marshaler].
func (t Token) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"Value": auth.Redacted, "Expiry": t.Expiry})
}

// LogValue implements [slog.LogValuer].
func (t Token) LogValue() slog.Value {
	return slog.GroupValue(slog.String("value", auth.Redacted), slog.Time("expiry", t.Expiry))
}

// TokenSource returns credentials, for example by logging in. The client asks it before the first
// call, a minute before a token expires, and after a 401. One goroutine at a time calls Token;
// what it returns serves all calls. ctx ends after 30 seconds, not with the call. If Token has not
// returned then, the calls that wait for it fail, and the next call asks again.
type TokenSource interface {
	Token(ctx context.Context) (Token, error)
}

// TokenSourceFunc is a function that is a [TokenSource].
type TokenSourceFunc func(ctx context.Context) (Token, error)

// Token calls f.
func (f TokenSourceFunc) Token(ctx context.Context) (Token, error) { return f(ctx) }

func fetchFrom(src TokenSource) func(context.Context) (auth.Token, error) {
	return func(ctx context.Context) (auth.Token, error) {
		token, err := src.Token(ctx)
		return auth.Token(token), err
	}
}

// WithAPIKey sets the ClickNPS API key: sk_live_… or sk_test_…. It is sent to no host but that of
// the base URL, and never shown.
func WithAPIKey(key string) Option {
	return option(func(c *config) error {
		c.apiKey = key
		c.credential = auth.Static("Authorization", "Bearer ", key)
		return checkSecret("WithAPIKey", key)
	})
}

// WithAPIKeySource sets a source of ClickNPS API keys that rotate. See [TokenSource].
func WithAPIKeySource(src TokenSource) Option {
	return option(func(c *config) error {
		if src == nil {
			return invalidOption("WithAPIKeySource", "the source is nil")
		}
		c.apiKey = ""
		c.credential = auth.Renewed("Authorization", "Bearer ", fetchFrom(src))
		return nil
	})
}

// WithSalesOSToken sets a JWT for SalesOS. Options may give SalesOS one credential only.
func WithSalesOSToken(jwt string) Option {
	return option(func(c *config) error {
		return c.setSalesOS("WithSalesOSToken", jwt, auth.Static("Authorization", "Bearer ", jwt))
	})
}

// WithSalesOSTokenSource sets a source of JWTs for SalesOS. See [TokenSource].
func WithSalesOSTokenSource(src TokenSource) Option {
	return option(func(c *config) error {
		if src == nil {
			return invalidOption("WithSalesOSTokenSource", "the source is nil")
		}
		return c.setSalesOS("WithSalesOSTokenSource", "-",
			auth.Renewed("Authorization", "Bearer ", fetchFrom(src)))
	})
}

// WithSalesOSAPIKey sets a key for SalesOS, which is sent as X-API-Key.
func WithSalesOSAPIKey(key string) Option {
	return option(func(c *config) error {
		return c.setSalesOS("WithSalesOSAPIKey", key, auth.Static("X-Api-Key", "", key))
	})
}

func (c *config) setSalesOS(from, secret string, cred *auth.Credential) error {
	if c.salesOSCredential != nil {
		return invalidOption(from,
			"SalesOS has a credential from "+c.salesOSCredentialFrom+" already: give one")
	}
	c.salesOSCredential, c.salesOSCredentialFrom = cred, from
	return checkSecret(from, secret)
}

// checkSecret refuses a secret that no header can carry, and does not show it.
func checkSecret(from, secret string) error {
	err := auth.CheckSecret(secret)
	if err != nil {
		err = invalidOption(from, err.Error())
		if secret == "" {
			err = fmt.Errorf("%w: %w", err, ErrMissingCredentials)
		}
	}
	return err
}
