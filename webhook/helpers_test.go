package webhook_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/webhook"
)

const webhookSecret = "whsec_def456uvw012"

func newVerifier(t testing.TB, opts ...webhook.Option) *webhook.Verifier {
	t.Helper()
	v, err := webhook.NewVerifier([]string{webhookSecret}, opts...)
	require.NoError(t, err)
	return v
}

// signed returns the headers of a delivery of body.
func signed(body string) http.Header {
	header := http.Header{}
	header.Set(webhook.SignatureHeader, webhook.Sign(webhookSecret, []byte(body)))
	return header
}

// flatBody returns a delivery as ClickNPS sends it at the given time.
func flatBody(subject string, at time.Time) string {
	return fmt.Sprintf(`{"survey_id":"onboarding","subject_id":%q,"score":9,"comment":null,"timestamp":%q}`,
		subject, at.UTC().Format("2006-01-02T15:04:05.000Z"))
}

type vector struct {
	Headers map[string]string
	Body    string
}

// vectors returns deliveries recorded from ClickNPS.
func vectors(t testing.TB) []vector {
	t.Helper()
	file, err := os.Open("testdata/webhooks/deliveries.jsonl")
	require.NoError(t, err)
	defer file.Close()
	var all []vector
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var v vector
		require.NoError(t, json.Unmarshal(lines.Bytes(), &v))
		all = append(all, v)
	}
	require.Len(t, all, 2)
	return all
}

func (v vector) header() http.Header {
	header := http.Header{}
	for name, value := range v.Headers {
		header.Set(name, value)
	}
	return header
}

// delivery returns a signed request, whose context is ctx.
func delivery(ctx context.Context, body string) *http.Request {
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/webhooks", strings.NewReader(body))
	request.Header = signed(body)
	return request
}

// deliver sends a signed body to h, as ClickNPS does.
func deliver(t testing.TB, h http.Handler, body string) *httptest.ResponseRecorder {
	t.Helper()
	return serve(t, h, delivery(t.Context(), body))
}

// serve checks what all answers have in common.
func serve(t testing.TB, h http.Handler, request *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, request)
	assert.Equal(t, "application/json", recorder.Header().Get("Content-Type"))
	assert.True(t, json.Valid(recorder.Body.Bytes()), recorder.Body)
	assert.Less(t, recorder.Body.Len(), 300)
	assert.NotContains(t, recorder.Body.String(), webhookSecret)
	assert.NotContains(t, recorder.Body.String(), "sha256=")
	return recorder
}

// assertAnswer checks the status code, and the status in the body.
func assertAnswer(t testing.TB, got *httptest.ResponseRecorder, status int, result string) {
	t.Helper()
	var body struct{ Status, Message string }
	require.NoError(t, json.Unmarshal(got.Body.Bytes(), &body))
	assert.Equal(t, status, got.Code, got.Body)
	assert.Equal(t, result, body.Status)
	assert.Equal(t, status >= 300, body.Message != "", "what is wrong, if anything is")
}

func handled(context.Context, *webhook.Event) error { return nil }

// failures is an error handler that keeps what it is called with.
type failures struct {
	mu       sync.Mutex
	subjects []string
	errs     []error
}

func (l *failures) add(_ context.Context, e *webhook.Event, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e != nil {
		l.subjects = append(l.subjects, e.Response.SubjectID)
	}
	l.errs = append(l.errs, err)
}

// soFar returns the subjects and errors so far.
func (l *failures) soFar() ([]string, []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.subjects), slices.Clone(l.errs)
}

// store is a Deduper that grants every claim, keeps the calls, and can be told to do something
// else.
type store struct {
	claim    func(ctx context.Context, key, holder string) (webhook.ClaimResult, error)
	complete func(ctx context.Context, key, holder string) error
	release  func(ctx context.Context, key, holder string) error

	mu    sync.Mutex
	start time.Time
	calls []storeCall
}

type storeCall struct {
	method, key string
	duration    time.Duration // lease or ttl
	at          time.Duration // since the store was made
}

// newStore returns a store for the bubble of a test.
func newStore() *store { return &store{start: time.Now()} }

func (s *store) called(method, key string, duration time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, storeCall{method, key, duration, time.Since(s.start)})
}

// methods returns the names of the calls so far, in order.
func (s *store) methods() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, c := range s.calls {
		names = append(names, c.method)
	}
	return names
}

func (s *store) Claim(ctx context.Context, key, holder string, lease time.Duration) (webhook.ClaimResult, error) {
	s.called("Claim", key, lease)
	if s.claim != nil {
		return s.claim(ctx, key, holder)
	}
	return webhook.ClaimGranted, ctx.Err()
}

func (s *store) Complete(ctx context.Context, key, holder string, ttl time.Duration) error {
	s.called("Complete", key, ttl)
	if s.complete != nil {
		return s.complete(ctx, key, holder)
	}
	return ctx.Err()
}

func (s *store) Release(ctx context.Context, key, holder string) error {
	s.called("Release", key, 0)
	if s.release != nil {
		return s.release(ctx, key, holder)
	}
	return ctx.Err()
}
