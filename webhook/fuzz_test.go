package webhook_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/webhook"
)

// FuzzVerify: whatever is signed either is an event that is whole, or an error; whatever is not is
// refused.
func FuzzVerify(f *testing.F) {
	for _, vector := range vectors(f) {
		f.Add([]byte(vector.Body), vector.Headers["X-ClickNPS-Signature"])
	}
	verifier := newVerifier(f, webhook.WithTolerance(0))
	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		own := webhook.Sign(webhookSecret, body)
		event, err := verifier.Verify(http.Header{"X-Clicknps-Signature": {signature}}, body)
		if !strings.EqualFold(signature, own) {
			assert.ErrorIs(t, err, webhook.ErrInvalidSignature)
			assert.Nil(t, event)
		}
		event, err = verifier.Verify(http.Header{"X-Clicknps-Signature": {own}}, body)
		if err != nil {
			assert.Nil(t, event)
			assert.NotErrorIs(t, err, webhook.ErrInvalidSignature)
			assert.NotErrorIs(t, err, webhook.ErrStale)
			return
		}
		assert.Equal(t, string(body), string(event.RawJSON))
		assert.NotEmpty(t, event.Type)
		assert.NotEmpty(t, event.Key)
		assert.LessOrEqual(t, len(event.Key), 128)
		switch event.Type {
		case clicknps.EventResponseCreated, clicknps.EventResponseUpdated:
			require.NotNil(t, event.Response)
			assert.Nil(t, event.Survey)
			assert.NotEmpty(t, event.SurveyID)
			assert.NotEmpty(t, event.Response.SubjectID)
			assert.LessOrEqual(t, uint(event.Response.Score-clicknps.NoScore), uint(11))
		case clicknps.EventSurveyCompleted:
			require.NotNil(t, event.Survey)
			assert.Nil(t, event.Response)
			assert.NotEmpty(t, event.SurveyID)
		}
		again, err := verifier.Verify(http.Header{"X-Clicknps-Signature": {own}}, body)
		require.NoError(t, err)
		assert.Equal(t, event, again)
	})
}

// FuzzHandler: every request gets one of the documented answers, and only what is handled is
// acknowledged.
func FuzzHandler(f *testing.F) {
	for _, vector := range vectors(f) {
		f.Add(http.MethodPost, vector.Headers["X-ClickNPS-Signature"], []byte(vector.Body), true, false)
	}
	f.Fuzz(func(t *testing.T, method, signature string, body []byte, sign, fail bool) {
		if sign {
			signature = webhook.Sign(webhookSecret, body)
		}
		request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(body)))
		request.Method = method
		request.Header["X-Clicknps-Signature"] = []string{signature}
		calls := 0
		handler := newVerifier(t, webhook.WithTolerance(0)).Handler(func(context.Context, *webhook.Event) error {
			calls++
			if fail {
				return errors.New("failed")
			}
			return nil
		})
		switch answer := serve(t, handler, request); answer.Code {
		case http.StatusOK, http.StatusInternalServerError:
			assert.Equal(t, 1, calls)
			assert.Equal(t, fail, answer.Code == http.StatusInternalServerError)
		case http.StatusBadRequest, http.StatusUnauthorized, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge:
			assert.Zero(t, calls)
		default:
			t.Errorf("answered %d", answer.Code)
		}
	})
}
