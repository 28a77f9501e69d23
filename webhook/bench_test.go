package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/clicknps/go-sdk/webhook"
)

// BenchmarkVerify compares Verify with the least that anyone could write by hand: the same
// signature checked and the same body decoded, with no key, no tolerance and no care for odd
// bodies.
func BenchmarkVerify(b *testing.B) {
	const secret = "whsec_def456uvw012"
	flat := `{"survey_id":"onboarding","subject_id":"user_42","score":9,"comment":"` + strings.Repeat("Loving it. ", 17) +
		`","timestamp":"2026-11-22T00:32:18.355Z"}`
	envelope := `{"id":"evt_1","type":"response.updated","created_at":"2026-11-22T00:32:18.355Z","data":{"id":"resp_1",` +
		`"survey_id":"onboarding","subject_id":"user_42","score":9,"comment":"` + strings.Repeat("Loving it. ", 11) + `"}}`
	verifier, err := webhook.NewVerifier([]string{secret}, webhook.WithTolerance(0))
	if err != nil {
		b.Fatal(err)
	}
	for _, bench := range []struct {
		name   string
		body   string
		verify func(http.Header, []byte) error
	}{
		{"flat/bare", flat, func(h http.Header, body []byte) error { return bareVerify[bareFlat](secret, h, body) }},
		{"flat/sdk", flat, func(h http.Header, body []byte) error { _, err := verifier.Verify(h, body); return err }},
		{"envelope/bare", envelope, func(h http.Header, body []byte) error { return bareVerify[bareEnvelope](secret, h, body) }},
		{"envelope/sdk", envelope, func(h http.Header, body []byte) error { _, err := verifier.Verify(h, body); return err }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			body := []byte(bench.body)
			header := http.Header{}
			header.Set("X-ClickNPS-Signature", webhook.Sign(secret, body))
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := bench.verify(header, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type bareFlat struct {
	SurveyID  string    `json:"survey_id"`
	SubjectID string    `json:"subject_id"`
	Score     int       `json:"score"`
	Comment   *string   `json:"comment"`
	Timestamp time.Time `json:"timestamp"`
}

type bareEnvelope struct {
	ID        string    `json:"id"`
	Type      string    `json:"type"`
	CreatedAt time.Time `json:"created_at"`
	Data      bareFlat  `json:"data"`
}

func bareVerify[T any](secret string, header http.Header, body []byte) error {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	given, err := hex.DecodeString(strings.TrimPrefix(header.Get("X-ClickNPS-Signature"), "sha256="))
	if err != nil || !hmac.Equal(given, mac.Sum(nil)) {
		return webhook.ErrInvalidSignature
	}
	var event T
	return json.Unmarshal(body, &event)
}
