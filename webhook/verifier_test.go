package webhook_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/webhook"
)

func TestVerifyRealDeliveries(t *testing.T) {
	verifier := newVerifier(t, webhook.WithTolerance(0))
	var events []*webhook.Event
	for _, vector := range vectors(t) {
		event, err := verifier.Verify(vector.header(), []byte(vector.Body))
		require.NoError(t, err)
		assert.Equal(t, vector.Body, string(event.RawJSON))
		assert.Equal(t, vector.Headers["X-ClickNPS-Signature"], webhook.Sign(webhookSecret, []byte(vector.Body)))
		assert.Equal(t, clicknps.EventResponseCreated, event.Type)
		assert.Equal(t, "onboarding", event.SurveyID)
		assert.Nil(t, event.Survey)
		events = append(events, event)
	}
	assert.Equal(t, clicknps.Response{
		SurveyID: "onboarding", SubjectID: "user_42", Score: 9, Comment: "Loving it — très bien 👍 <b>&amp;</b>",
	}, *events[0].Response)
	assert.Equal(t, clicknps.Response{SurveyID: "onboarding", SubjectID: "user_44", Score: 10}, *events[1].Response)
	assert.Equal(t, time.Date(2026, 11, 22, 0, 32, 18, 355e6, time.UTC), events[0].SentAt)
	assert.NotEqual(t, events[0].Key, events[1].Key)
}

func TestVerifySignatureMadeWithOpenSSL(t *testing.T) {
	// printf '%s' "$body" | openssl dgst -sha256 -hmac whsec_def456uvw012
	const (
		body      = `{"survey_id":"onboarding","subject_id":"user_7","score":10,"comment":"ça va","timestamp":"2026-01-02T03:04:05Z"}`
		signature = "sha256=bfc0cfa8f42a1fa4efe51e96e7b644a49bd039fa4aee53b769e97551058f87e8"
	)
	assert.Equal(t, signature, webhook.Sign(webhookSecret, []byte(body)))
	event, err := newVerifier(t, webhook.WithTolerance(0)).Verify(http.Header{"X-Clicknps-Signature": {signature}}, []byte(body))
	require.NoError(t, err)
	assert.Equal(t, "ça va", event.Response.Comment)
}

func TestVerifyRefusesEveryFlippedBit(t *testing.T) {
	verifier := newVerifier(t, webhook.WithTolerance(0))
	for _, vector := range vectors(t) {
		body := []byte(vector.Body)
		for i := range body {
			for bit := range 8 {
				body[i] ^= 1 << bit
				_, err := verifier.Verify(vector.header(), body)
				require.ErrorIs(t, err, webhook.ErrInvalidSignature, "bit %d of byte %d", bit, i)
				body[i] ^= 1 << bit
			}
		}
		_, err := verifier.Verify(vector.header(), body)
		require.NoError(t, err)
	}
}

func TestVerifyRefusesEveryFlippedBitOfTheSignature(t *testing.T) {
	verifier := newVerifier(t, webhook.WithTolerance(0))
	for _, vector := range vectors(t) {
		right := vector.Headers["X-ClickNPS-Signature"]
		signature := []byte(right)
		for i := range signature {
			for bit := range 8 {
				signature[i] ^= 1 << bit
				_, err := verifier.Verify(http.Header{"X-Clicknps-Signature": {string(signature)}}, []byte(vector.Body))
				if i >= len("sha256=") && strings.EqualFold(string(signature), right) {
					require.NoError(t, err, "another case of a hex digit") // is the same signature
				} else {
					require.ErrorIs(t, err, webhook.ErrInvalidSignature, "bit %d of byte %d", bit, i)
				}
				signature[i] ^= 1 << bit
			}
		}
	}
}

func TestVerifyWantsOneSignatureHeader(t *testing.T) {
	verifier := newVerifier(t, webhook.WithTolerance(0))
	body := flatBody("user_1", time.Now())
	signature := webhook.Sign(webhookSecret, []byte(body))
	const canonical = "X-Clicknps-Signature"
	for name, test := range map[string]struct {
		header http.Header
		want   string // empty: accepted
	}{
		"canonical":      {http.Header{canonical: {signature}}, ""},
		"as documented":  {http.Header{"X-ClickNPS-Signature": {signature}}, ""},
		"lower case":     {http.Header{"x-clicknps-signature": {signature}}, ""},
		"upper-case hex": {http.Header{canonical: {"sha256=" + strings.ToUpper(strings.TrimPrefix(signature, "sha256="))}}, ""},
		"nil header":     {nil, "no X-ClickNPS-Signature header"},
		"no values":      {http.Header{canonical: nil}, "no X-ClickNPS-Signature header"},
		"other header":   {http.Header{"X-Clicknps-Signatures": {signature}}, "no X-ClickNPS-Signature header"},
		"empty":          {http.Header{canonical: {""}}, "it does not match the body"},
		"two":            {http.Header{canonical: {signature, signature}}, "more than one X-ClickNPS-Signature header"},
		"two cases":      {http.Header{canonical: {signature}, "x-clicknps-signature": {signature}}, "more than one X-ClickNPS-Signature header"},
		"no prefix":      {http.Header{canonical: {strings.TrimPrefix(signature, "sha256=")}}, "it does not match the body"},
		"other secret":   {http.Header{canonical: {webhook.Sign("another", []byte(body))}}, "it does not match the body"},
	} {
		t.Run(name, func(t *testing.T) {
			event, err := verifier.Verify(test.header, []byte(body))
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			assert.ErrorIs(t, err, webhook.ErrInvalidSignature)
			assert.EqualError(t, err, "webhook: invalid signature: "+test.want)
			assert.Nil(t, event)
		})
	}
}

func TestVerifySaysThatTheBodyIsEmpty(t *testing.T) {
	verifier := newVerifier(t)
	_, err := verifier.Verify(signed(flatBody("user_1", time.Now())), nil)
	assert.ErrorIs(t, err, webhook.ErrInvalidSignature)
	assert.EqualError(t, err, "webhook: invalid signature: the body is empty; has a middleware read it?")

	_, err = verifier.Verify(signed(""), []byte{})
	assert.NotErrorIs(t, err, webhook.ErrInvalidSignature)
	assert.EqualError(t, err, "webhook: malformed body: the body is empty; has a middleware read it?")
}

func TestVerifyAcceptsEachSecretDuringRotation(t *testing.T) {
	secrets := []string{"new secret", webhookSecret}
	verifier, err := webhook.NewVerifier(secrets)
	require.NoError(t, err)
	secrets[1] = "changed by the caller"
	body := flatBody("user_1", time.Now())
	for _, secret := range []string{"new secret", webhookSecret} {
		header := http.Header{"X-Clicknps-Signature": {webhook.Sign(secret, []byte(body))}}
		_, err := verifier.Verify(header, []byte(body))
		assert.NoError(t, err)
	}
}

func TestNewVerifierRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		secrets []string
		opt     webhook.Option
	}{
		"no secrets":        {nil, webhook.WithTolerance(0)},
		"empty secret":      {[]string{""}, webhook.WithTolerance(0)},
		"one empty secret":  {[]string{webhookSecret, ""}, webhook.WithTolerance(0)},
		"blank secret":      {[]string{" \t\n"}, webhook.WithTolerance(0)},
		"space before":      {[]string{" " + webhookSecret}, webhook.WithTolerance(0)},
		"newline after":     {[]string{webhookSecret + "\n"}, webhook.WithTolerance(0)},
		"no-break space":    {[]string{webhookSecret + "\u00a0"}, webhook.WithTolerance(0)},
		"newline inside":    {[]string{"a\nb"}, webhook.WithTolerance(0)},
		"return inside":     {[]string{"a\rb"}, webhook.WithTolerance(0)},
		"nil deduper":       {[]string{webhookSecret}, webhook.WithDeduper(nil)},
		"nil error handler": {[]string{webhookSecret}, webhook.WithErrorHandler(nil)},
		"nil option":        {[]string{webhookSecret}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			verifier, err := webhook.NewVerifier(test.secrets, test.opt)
			assert.ErrorIs(t, err, clicknps.ErrInvalidParams)
			assert.ErrorContains(t, err, "webhook: invalid parameters: ")
			assert.Nil(t, verifier)
			assert.NotContains(t, err.Error(), webhookSecret)
		})
	}
}

func TestNewVerifierAcceptsASpaceInsideASecret(t *testing.T) {
	_, err := webhook.NewVerifier([]string{"two words", "tab\tinside"})
	assert.NoError(t, err)
}

func TestZeroVerifierAcceptsNothing(t *testing.T) {
	var verifier webhook.Verifier
	body := flatBody("user_1", time.Now())
	for _, secret := range []string{"", webhookSecret} {
		header := http.Header{"X-Clicknps-Signature": {webhook.Sign(secret, []byte(body))}}
		_, err := verifier.Verify(header, []byte(body))
		assert.ErrorIs(t, err, webhook.ErrInvalidSignature)
	}
}

// recordingT keeps what an assertion prints.
type recordingT struct{ printed strings.Builder }

func (t *recordingT) Errorf(format string, args ...any) { fmt.Fprintf(&t.printed, format, args...) }

func TestVerifierNeverShowsItsSecrets(t *testing.T) {
	verifier := newVerifier(t)
	_, err := verifier.Verify(signed("x"), []byte("x"))
	require.Error(t, err)

	var dump recordingT // prints with %#v and with a dumper that follows pointers into unexported fields
	assert.Equal(&dump, verifier, &webhook.Verifier{})
	assert.Contains(t, dump.printed.String(), "keys: ([]signing.Key) (len=1)")
	marshalled, marshalErr := json.Marshal(map[string]any{"verifier": verifier})
	require.NoError(t, marshalErr)
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "verifier", verifier)
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "verifier", verifier)
	for _, printed := range []string{
		fmt.Sprintf("%v %+v %#v", verifier, verifier, verifier),
		dump.printed.String(), string(marshalled), logged.String(), err.Error(),
	} {
		assert.NotEmpty(t, printed)
		assert.NotContains(t, printed, webhookSecret)
		assert.NotContains(t, printed, strings.Trim(fmt.Sprint([]byte(webhookSecret)), "[]"))
	}
}
