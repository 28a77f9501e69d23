package auth_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/auth"
)

func TestStatic(t *testing.T) {
	c := auth.Static("X-API-Key", "", "s3cret")
	h := http.Header{"X-Api-Key": {"another", "two"}}
	value, err := c.Authorize(t.Context(), h)
	require.NoError(t, err)
	assert.Equal(t, "s3cret", value)
	assert.Equal(t, http.Header{"X-Api-Key": {"s3cret"}}, h)
	assert.False(t, c.Renew("s3cret"), "there is no other")

	h["X-Api-Key"][0] = "changed by middleware"
	requireValue(t, auth.Static("Authorization", "Bearer ", "t"), "Bearer t")
	again := http.Header{}
	_, err = c.Authorize(t.Context(), again)
	require.NoError(t, err)
	assert.Equal(t, "s3cret", again.Get("X-API-Key"))
}

func TestCheckSecret(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"k", "!~", "sk_live_abc123xyz789", `a"b\c`} {
		assert.NoError(t, auth.CheckSecret(secret), "%q", secret)
	}
	require.EqualError(t, auth.CheckSecret(""), "the credential is empty")
	const text = "the credential has a space, a control character or a character outside ASCII"
	for _, secret := range []string{
		" ", "a b", "key ", "\tkey", "key\n", "key\r\n", "k\x00", "k\x1f", "k\x7f", "k\x80", "schlüssel",
		"\ufeffk",
	} {
		assert.EqualError(t, auth.CheckSecret(secret), text, "%q", secret)
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		assert.Equal(t, c >= 0x20 && c <= 0x7e, auth.Printable("a"+string([]byte{byte(c)})), "%#x", c)
	}
	assert.True(t, auth.Printable(""))
}

func TestRedact(t *testing.T) {
	t.Parallel()
	c := auth.Static("X-API-Key", "", "s3cret")
	assert.Equal(t, "[redacted] and [redacted], not secret", c.Redact("s3cret and s3cret, not secret"))
	assert.Equal(t, "s3cret", (*auth.Credential)(nil).Redact("s3cret"))
	assert.Equal(t, "text", auth.Static("X-API-Key", "", "").Redact("text"))
}

// A secret that is part of the other one is not cut out of it, which would leave the rest.
func TestRedactSecretsThatOverlap(t *testing.T) {
	for _, values := range [][]string{{"abc", "abcdef"}, {"abcdef", "abc"}} {
		l := &login{issue: func(n int) (auth.Token, error) { return auth.Token{Value: values[n-1]}, nil }}
		c := bearer(l)
		requireValue(t, c, "Bearer "+values[0])
		c.Renew("Bearer " + values[0])
		requireValue(t, c, "Bearer "+values[1])
		assert.Equal(t, "[redacted] [redacted]", c.Redact("abcdef abc"))
	}
}

func TestRedactError(t *testing.T) {
	t.Parallel()
	c := auth.Static("X-API-Key", "", "s3cret")
	require.NoError(t, c.RedactError(nil))
	plain := errors.New("no secret")
	assert.Same(t, plain, c.RedactError(plain))

	cause := &fs.PathError{Op: "open", Path: "/s3cret", Err: fs.ErrNotExist}
	err := c.RedactError(fmt.Errorf("reading s3cret: %w", cause))
	require.EqualError(t, err, "reading [redacted]: open /[redacted]: file does not exist")
	require.ErrorIs(t, err, fs.ErrNotExist)
	found, ok := errors.AsType[*fs.PathError](err)
	assert.True(t, ok)
	assert.Same(t, cause, found)
	assert.Same(t, cause, (*auth.Credential)(nil).RedactError(cause))

	flood := fmt.Errorf("malformed \x1b[31m\n%s: %w", strings.Repeat("x", 1<<20), fs.ErrNotExist)
	err = c.RedactError(flood)
	assert.Equal(t, `malformed \x1b[31m\n`+strings.Repeat("x", 2<<10-23)+"…", err.Error())
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestPrintingShowsNoSecret(t *testing.T) {
	renewed := bearer(&login{issue: func(int) (auth.Token, error) {
		return auth.Token{Value: "s3cret", Expiry: time.Now().Add(time.Hour)}, nil
	}})
	requireValue(t, renewed, "Bearer s3cret")
	for _, c := range []*auth.Credential{auth.Static("Authorization", "Bearer ", "s3cret"), renewed} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			assert.NotContains(t, fmt.Sprintf(verb, c), "s3cret")
			assert.NotContains(t, fmt.Sprintf(verb, *c), "s3cret")
		}
	}
}
