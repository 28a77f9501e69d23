// Package auth sets the credentials of requests, renews them, and cuts them out of texts.
package auth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/clicknps/go-sdk/internal/apierror"
)

// Redacted stands where a secret was cut out.
const Redacted = "[redacted]"

// Credential authorizes requests. It is safe for concurrent use.
// Its secrets are in closures, where code that prints structs does not find them.
type Credential struct {
	authorize func(ctx context.Context) (value string, err error)
	renew     func(rejected string) bool
	secrets   func() []string
	header    string
}

// Static returns a credential that sets header to prefix and secret, and never changes.
func Static(header, prefix, secret string) *Credential {
	return &Credential{
		header:    header,
		authorize: func(context.Context) (string, error) { return prefix + secret, nil },
		renew:     func(string) bool { return false },
		secrets:   func() []string { return []string{secret} },
	}
}

// Renewed returns a credential that sets header to prefix and a token from fetch.
//
// A token is fetched when it is first needed, a minute before it expires (after half of its life,
// if that is shorter), and after Renew. One fetch serves all goroutines. Its context has the
// values of the call that needs the token, but not its end; it ends after 30 seconds. If fetch
// has not returned by then, its calls fail and the next call fetches anew. If fetch fails while
// the old token is still valid, that is used.
func Renewed(header, prefix string, fetch func(ctx context.Context) (Token, error)) *Credential {
	t := &tokens{prefix: prefix, fetch: fetch}
	return &Credential{header: header, authorize: t.get, renew: t.reject, secrets: t.secrets}
}

// Authorize sets the credential's header in h, and returns the value that it set. It waits for a
// token if there is none, until ctx ends.
func (c *Credential) Authorize(ctx context.Context, h http.Header) (value string, err error) {
	value, err = c.authorize(ctx)
	if err == nil {
		h.Set(c.header, value)
	}
	return value, err
}

// Renew is for the value of a request that was answered 401. It reports whether the next
// Authorize may set another value. If rejected is not the current value any more, the current one
// is kept.
func (c *Credential) Renew(rejected string) bool { return c.renew(rejected) }

// Redact returns text with [Redacted] in place of the current secret and the one before it.
// A nil Credential redacts nothing.
func (c *Credential) Redact(text string) string {
	if c == nil {
		return text
	}
	secrets := c.secrets()
	// A secret may be part of another: the longer one goes first.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, Redacted)
		}
	}
	return text
}

const maxErrorText = 2 << 10 // bytes

// RedactError returns err with the same chain and a text that is fit to show: redacted, without
// control characters, and cut after 2 KiB. Errors of net/http quote the server, at any length.
func (c *Credential) RedactError(err error) error {
	if err == nil {
		return nil
	}
	if text := apierror.Clean(c.Redact(err.Error()), maxErrorText); text != err.Error() {
		return &redactedError{text, err}
	}
	return err
}

type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.err }

// CheckSecret returns an error if no header can carry secret. The error does not show it.
func CheckSecret(secret string) error {
	switch {
	case secret == "":
		return errors.New("the credential is empty")
	case strings.Contains(secret, " ") || !Printable(secret):
		return errors.New("the credential has a space, a control character or a character outside ASCII")
	}
	return nil
}

// Printable reports whether s is printable ASCII, spaces included.
func Printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
