package webhook_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/webhook"
)

func TestVerifyHoldsTheSignedTimestampAgainstTheClock(t *testing.T) {
	envelope := func(member string) func(time.Time) string {
		return func(at time.Time) string {
			return fmt.Sprintf(`{"id":"evt_1","type":"survey.completed",%q:%q,"data":{"id":"onboarding"}}`, member, at.Format(time.RFC3339Nano))
		}
	}
	flat := func(at time.Time) string { return flatBody("user_1", at) }
	const ms = time.Millisecond
	for name, test := range map[string]struct {
		body  func(at time.Time) string
		opts  []webhook.Option
		age   time.Duration
		stale bool
	}{
		"now":                           {body: flat},
		"5 min old":                     {body: flat, age: 5 * time.Minute},
		"older":                         {body: flat, age: 5*time.Minute + ms, stale: true},
		"5 min ahead":                   {body: flat, age: -5 * time.Minute},
		"further ahead":                 {body: flat, age: -5*time.Minute - ms, stale: true},
		"a year old":                    {body: flat, age: 365 * 24 * time.Hour, stale: true},
		"own tolerance, within":         {body: flat, opts: []webhook.Option{webhook.WithTolerance(time.Hour)}, age: time.Hour},
		"own tolerance, older":          {body: flat, opts: []webhook.Option{webhook.WithTolerance(time.Second)}, age: 2 * time.Second, stale: true},
		"not checked":                   {body: flat, opts: []webhook.Option{webhook.WithTolerance(0)}, age: 1000 * time.Hour},
		"not checked, ahead":            {body: flat, opts: []webhook.Option{webhook.WithTolerance(-1)}, age: -1000 * time.Hour},
		"envelope's event 72 h old":     {body: envelope("created_at"), age: 72 * time.Hour},
		"envelope's event older":        {body: envelope("created_at"), age: 72*time.Hour + ms, stale: true},
		"envelope's event ahead":        {body: envelope("created_at"), age: -5*time.Minute - ms, stale: true},
		"envelope's event, not checked": {body: envelope("created_at"), opts: []webhook.Option{webhook.WithTolerance(0)}, age: 1000 * time.Hour},
		"envelope, long tolerance":      {body: envelope("created_at"), opts: []webhook.Option{webhook.WithTolerance(100 * time.Hour)}, age: 100 * time.Hour},
		"envelope, beyond it":           {body: envelope("created_at"), opts: []webhook.Option{webhook.WithTolerance(100 * time.Hour)}, age: 100*time.Hour + ms, stale: true},
		"envelope's attempt":            {body: envelope("timestamp"), age: 5*time.Minute + ms, stale: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				at := time.Now().Add(-test.age)
				body := test.body(at)
				event, err := newVerifier(t, test.opts...).Verify(signed(body), []byte(body))
				if test.stale {
					assert.ErrorIs(t, err, webhook.ErrStale)
					assert.NotErrorIs(t, err, webhook.ErrInvalidSignature)
					assert.Nil(t, event)
					return
				}
				require.NoError(t, err)
				assert.True(t, at.Equal(event.SentAt) || at.Equal(event.OccurredAt))
			})
		})
	}
}

func TestVerifyDoesNotTrustTheTimestampHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		verifier := newVerifier(t)
		old := flatBody("user_1", time.Now().Add(-time.Hour))
		header := signed(old)
		header.Set("X-ClickNPS-Timestamp", strconv.FormatInt(time.Now().Unix(), 10))
		_, err := verifier.Verify(header, []byte(old))
		assert.ErrorIs(t, err, webhook.ErrStale)

		fresh := flatBody("user_1", time.Now())
		header = signed(fresh)
		header.Set("X-ClickNPS-Timestamp", "1")
		_, err = verifier.Verify(header, []byte(fresh))
		assert.NoError(t, err)
	})
}

func TestVerifySignatureComesBeforeTheTimestamp(t *testing.T) {
	old := flatBody("user_1", time.Now().Add(-time.Hour))
	_, err := newVerifier(t).Verify(http.Header{}, []byte(old))
	assert.ErrorIs(t, err, webhook.ErrInvalidSignature)
	assert.NotErrorIs(t, err, webhook.ErrStale)
}

func TestVerifyAcceptsABodyWithoutTimestamp(t *testing.T) {
	for _, body := range []string{
		`{"survey_id":"s","subject_id":"u","score":1}`,
		`{"survey_id":"s","subject_id":"u","score":1,"timestamp":null}`,
		`{"id":"evt_1","type":"ping"}`,
	} {
		event, err := newVerifier(t).Verify(signed(body), []byte(body))
		if assert.NoError(t, err, body) {
			assert.True(t, event.SentAt.IsZero())
		}
	}
}
