package clicknps_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
)

const webhookSecret = "whsec_def456uvw012"

func newVerifier(t testing.TB, opts ...clicknps.VerifierOption) *clicknps.WebhookVerifier {
	t.Helper()
	v, err := clicknps.NewWebhookVerifier([]string{webhookSecret}, opts...)
	require.NoError(t, err)
	return v
}

// signed is the header of a delivery of body.
func signed(body string) http.Header {
	header := http.Header{}
	header.Set("X-ClickNPS-Signature", clicknps.SignWebhook(webhookSecret, []byte(body)))
	return header
}

// flatBody is a delivery as ClickNPS sends it at the given time.
func flatBody(subject string, at time.Time) string {
	return fmt.Sprintf(`{"survey_id":"onboarding","subject_id":%q,"score":9,"comment":null,"timestamp":%q}`,
		subject, at.UTC().Format("2006-01-02T15:04:05.000Z"))
}

type webhookVector struct {
	Headers map[string]string
	Body    string
}

// webhookVectors are deliveries recorded from ClickNPS.
func webhookVectors(t testing.TB) []webhookVector {
	t.Helper()
	file, err := os.Open("testdata/webhooks/deliveries.jsonl")
	require.NoError(t, err)
	defer file.Close()
	var vectors []webhookVector
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var vector webhookVector
		require.NoError(t, json.Unmarshal(lines.Bytes(), &vector))
		vectors = append(vectors, vector)
	}
	require.Len(t, vectors, 2)
	return vectors
}

func (v webhookVector) header() http.Header {
	header := http.Header{}
	for name, value := range v.Headers {
		header.Set(name, value)
	}
	return header
}

func TestVerifyRealDeliveries(t *testing.T) {
	verifier := newVerifier(t, clicknps.WithTolerance(0))
	var events []*clicknps.Event
	for _, vector := range webhookVectors(t) {
		event, err := verifier.Verify(vector.header(), []byte(vector.Body))
		require.NoError(t, err)
		assert.Equal(t, vector.Body, string(event.RawJSON()))
		assert.Equal(t, vector.Headers["X-ClickNPS-Signature"], clicknps.SignWebhook(webhookSecret, []byte(vector.Body)))
		assert.Equal(t, clicknps.EventResponseCreated, event.Type)
		assert.Equal(t, "onboarding", event.SurveyID)
		assert.Nil(t, event.Survey)
		events = append(events, event)
	}
	assert.Equal(t, clicknps.Response{
		SurveyID: "onboarding", SubjectID: "user_42", Score: 9, Comment: "Loving it — très bien 👍 <b>&amp;</b>",
	}, *events[0].Response)
	assert.Equal(t, clicknps.Response{SurveyID: "onboarding", SubjectID: "user_44", Score: 10}, *events[1].Response)
	assert.Equal(t, time.Date(2026, 11, 22, 0, 32, 18, 355e6, time.UTC), events[0].Timestamp)
	assert.NotEqual(t, events[0].Key, events[1].Key)
}

func TestVerifySignatureMadeWithOpenSSL(t *testing.T) {
	// printf '%s' "$body" | openssl dgst -sha256 -hmac whsec_def456uvw012
	const (
		body      = `{"survey_id":"onboarding","subject_id":"user_7","score":10,"comment":"ça va","timestamp":"2026-01-02T03:04:05Z"}`
		signature = "sha256=bfc0cfa8f42a1fa4efe51e96e7b644a49bd039fa4aee53b769e97551058f87e8"
	)
	assert.Equal(t, signature, clicknps.SignWebhook(webhookSecret, []byte(body)))
	event, err := newVerifier(t, clicknps.WithTolerance(0)).Verify(http.Header{"X-Clicknps-Signature": {signature}}, []byte(body))
	require.NoError(t, err)
	assert.Equal(t, "ça va", event.Response.Comment)
}

func TestVerifyRefusesEveryFlippedBit(t *testing.T) {
	verifier := newVerifier(t, clicknps.WithTolerance(0))
	for _, vector := range webhookVectors(t) {
		body := []byte(vector.Body)
		for i := range body {
			for bit := range 8 {
				body[i] ^= 1 << bit
				_, err := verifier.Verify(vector.header(), body)
				require.ErrorIs(t, err, clicknps.ErrInvalidSignature, "bit %d of byte %d", bit, i)
				body[i] ^= 1 << bit
			}
		}
		_, err := verifier.Verify(vector.header(), body)
		require.NoError(t, err)
	}
}

func TestVerifyRefusesEveryFlippedBitOfTheSignature(t *testing.T) {
	verifier := newVerifier(t, clicknps.WithTolerance(0))
	for _, vector := range webhookVectors(t) {
		right := vector.Headers["X-ClickNPS-Signature"]
		signature := []byte(right)
		for i := range signature {
			for bit := range 8 {
				signature[i] ^= 1 << bit
				_, err := verifier.Verify(http.Header{"X-Clicknps-Signature": {string(signature)}}, []byte(vector.Body))
				if i >= len("sha256=") && strings.EqualFold(string(signature), right) {
					require.NoError(t, err, "another case of a hex digit") // is the same signature
				} else {
					require.ErrorIs(t, err, clicknps.ErrInvalidSignature, "bit %d of byte %d", bit, i)
				}
				signature[i] ^= 1 << bit
			}
		}
	}
}

func TestVerifyWantsOneSignatureHeader(t *testing.T) {
	verifier := newVerifier(t, clicknps.WithTolerance(0))
	body := flatBody("user_1", time.Now())
	signature := clicknps.SignWebhook(webhookSecret, []byte(body))
	for name, values := range map[string][]string{
		"none":      nil,
		"empty":     {""},
		"two":       {signature, signature},
		"no prefix": {strings.TrimPrefix(signature, "sha256=")},
		"of other":  {clicknps.SignWebhook("another secret", []byte(body))},
	} {
		t.Run(name, func(t *testing.T) {
			event, err := verifier.Verify(http.Header{"X-Clicknps-Signature": values}, []byte(body))
			assert.ErrorIs(t, err, clicknps.ErrInvalidSignature)
			assert.Nil(t, event)
		})
	}
	upper := "sha256=" + strings.ToUpper(strings.TrimPrefix(signature, "sha256="))
	_, err := verifier.Verify(http.Header{"X-Clicknps-Signature": {upper}}, []byte(body))
	assert.NoError(t, err)
}

func TestVerifyAcceptsEachSecretDuringRotation(t *testing.T) {
	secrets := []string{"new secret", webhookSecret}
	verifier, err := clicknps.NewWebhookVerifier(secrets)
	require.NoError(t, err)
	secrets[1] = "changed by the caller"
	body := flatBody("user_1", time.Now())
	for _, secret := range []string{"new secret", webhookSecret} {
		header := http.Header{"X-Clicknps-Signature": {clicknps.SignWebhook(secret, []byte(body))}}
		_, err := verifier.Verify(header, []byte(body))
		assert.NoError(t, err)
	}
}

func TestNewWebhookVerifierRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		secrets []string
		opt     clicknps.VerifierOption
	}{
		"no secrets":        {nil, clicknps.WithTolerance(0)},
		"empty secret":      {[]string{""}, clicknps.WithTolerance(0)},
		"one empty secret":  {[]string{webhookSecret, ""}, clicknps.WithTolerance(0)},
		"blank secret":      {[]string{" \t\n"}, clicknps.WithTolerance(0)},
		"nil deduper":       {[]string{webhookSecret}, clicknps.WithDeduper(nil)},
		"nil error handler": {[]string{webhookSecret}, clicknps.WithErrorHandler(nil)},
		"nil option":        {[]string{webhookSecret}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			verifier, err := clicknps.NewWebhookVerifier(test.secrets, test.opt)
			assert.ErrorIs(t, err, clicknps.ErrInvalidParams)
			assert.Nil(t, verifier)
			assert.NotContains(t, err.Error(), webhookSecret)
		})
	}
}

func TestZeroWebhookVerifierAcceptsNothing(t *testing.T) {
	var verifier clicknps.WebhookVerifier
	body := flatBody("user_1", time.Now())
	for _, secret := range []string{"", webhookSecret} {
		header := http.Header{"X-Clicknps-Signature": {clicknps.SignWebhook(secret, []byte(body))}}
		_, err := verifier.Verify(header, []byte(body))
		assert.ErrorIs(t, err, clicknps.ErrInvalidSignature)
	}
}

// recordingT keeps what an assertion prints.
type recordingT struct{ printed strings.Builder }

func (t *recordingT) Errorf(format string, args ...any) { fmt.Fprintf(&t.printed, format, args...) }

func TestWebhookVerifierNeverShowsItsSecrets(t *testing.T) {
	verifier := newVerifier(t)
	_, err := verifier.Verify(signed("x"), []byte("x"))
	require.Error(t, err)

	var dump recordingT // prints with %#v and with a dumper that follows pointers into unexported fields
	assert.Equal(&dump, verifier, &clicknps.WebhookVerifier{})
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
