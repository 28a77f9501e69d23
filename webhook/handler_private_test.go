package webhook_test

import (
	"context"
	"errors"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/webhook"
)

// captureOutput returns what this process logs or prints from here on.
func captureOutput(t *testing.T) (read func() string) {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "output")
	require.NoError(t, err)
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = file, file
	log.SetOutput(file) // of slog's default, too
	t.Cleanup(func() {
		os.Stdout, os.Stderr = stdout, stderr
		log.SetOutput(stderr)
		assert.NoError(t, file.Close())
	})
	return func() string {
		output, err := os.ReadFile(file.Name())
		require.NoError(t, err)
		return string(output)
	}
}

// Whatever becomes of a delivery, nothing is logged; and neither answers nor errors show the
// secret or what is in the body.
func TestReceivingShowsNothingPrivate(t *testing.T) {
	const private = "jane.doe@example.com"
	now, old := time.Now().Format(time.RFC3339), time.Now().Add(-time.Hour).Format(time.RFC3339)
	flat := func(score, timestamp string) string {
		return `{"survey_id":"onboarding","subject_id":"` + private + `","score":` + score + `,"comment":"` + private + `","timestamp":"` + timestamp + `"}`
	}
	bodies := map[string]string{
		"handled":       flat("9", now),
		"stale":         flat("9", old),
		"score odd":     flat(`"`+private+`"`, now),
		"timestamp odd": flat("9", private),
		"no JSON":       private,
		"no object":     `"` + private + `"`,
		"cut off":       `{"survey_id":"` + private,
		"type odd":      `{"type":["` + private + `"]}`,
		"data odd":      `{"type":"response.created","data":{"survey_id":{"` + private + `":1}}}`,
		"member twice":  `{"type":"` + private + `","type":"` + private + `"}`,
		"escape odd":    `{"survey_id":"` + private + `\x"}`,
		"not UTF-8":     private + "\xff",
		"over 1 MiB":    `{"type":"` + private + `","x":"` + strings.Repeat(private, 60_000) + `"}`,
	}
	output := captureOutput(t)
	var shown strings.Builder
	show := webhook.WithErrorHandler(func(_ context.Context, _ *webhook.Event, err error) { shown.WriteString(err.Error() + "\n") })
	outcomes := map[string]func(context.Context, *webhook.Event) error{
		"handled": handled,
		"fails":   func(context.Context, *webhook.Event) error { return errors.New("database is down") },
		"panics":  func(context.Context, *webhook.Event) error { panic("lost my head") },
	}
	for _, fn := range outcomes {
		handler := newVerifier(t, show).Handler(fn)
		for _, body := range bodies {
			for _, header := range []http.Header{signed(body), signed("another body"), {}} {
				request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
				request.Header = header
				shown.WriteString(serve(t, handler, request).Body.String())
			}
		}
	}
	for _, outcome := range []string{`"handled"`, "database is down", "lost my head", "malformed", "stale_event", "invalid_signature", "too_large"} {
		assert.Contains(t, shown.String(), outcome)
	}
	for _, secret := range []string{webhookSecret, private, strings.TrimPrefix(webhook.Sign(webhookSecret, []byte(bodies["handled"])), "sha256=")} {
		assert.NotContains(t, shown.String(), secret)
	}
	assert.Empty(t, output())
}

// An attacker learns whether a delivery is taken, and nothing that helps to make one that is.
func TestRefusalsOfForgeriesAreAlike(t *testing.T) {
	handler := newVerifier(t).Handler(handled)
	fresh, old := flatBody("user_1", time.Now()), flatBody("user_1", time.Now().Add(-time.Hour))
	answers := map[string]int{}
	for _, body := range []string{fresh, old, "{", ""} {
		right := webhook.Sign(webhookSecret, []byte(body))
		for _, header := range []http.Header{
			{}, signed("another body"), {"X-Clicknps-Signature": {right[:len(right)-1]}}, {"X-Clicknps-Signature": {right, right}},
		} {
			request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
			request.Header = header
			answer := serve(t, handler, request)
			assertAnswer(t, answer, http.StatusUnauthorized, "invalid_signature")
			answers[answer.Body.String()]++
		}
	}
	assert.Len(t, answers, 1, "one answer, whatever is wrong")
}
