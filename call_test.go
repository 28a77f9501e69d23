package clicknps_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

func TestIDsAreEscapedOnTheWire(t *testing.T) {
	t.Parallel()
	for id, escaped := range map[string]string{
		"survey_abc123": "survey_abc123",
		"a/b":           "a%2Fb",
		"../surveys":    "..%2Fsurveys",
		"...":           "...",
		"a?b=c":         "a%3Fb=c",
		"a#b":           "a%23b",
		"a%2Fb":         "a%252Fb",
		"%2e%2e":        "%252e%252e",
		"%":             "%25",
		"ümlaut/日":      "%C3%BCmlaut%2F%E6%97%A5",
		"a b":           "a%20b",
		"a+b&c=d:e@f":   "a+b&c=d:e@f",
		"a;b,c":         "a%3Bb%2Cc",
		"*":             "%2A",
		`a\b`:           "a%5Cb",
		"a\r\nX-Y: z":   "a%0D%0AX-Y:%20z",
		"\x00":          "%00",
	} {
		t.Run(escaped, func(t *testing.T) {
			t.Parallel()
			for name, call := range callsByID(id) {
				url, lines := requestLines(t)
				client := newClient(t, clicknps.WithBaseURL(url+"/v1"), clicknps.WithSalesOSBaseURL(url+"/v1"))
				err := call(with{Client: client, ctx: t.Context()})
				require.ErrorIs(t, err, clicknps.ErrNotFound)
				require.Len(t, lines(), 1, name)
				method, target, _ := strings.Cut(lines()[0], " ")
				assert.Equal(t, method, asError(t, err).Method)
				collection := "/v1/" + strings.ToLower(name[:strings.Index(name, ".")]) + "/"
				collection = strings.Replace(collection, "/nps/", "/nps-surveys/", 1)
				target, isHTTP := strings.CutSuffix(target, " HTTP/1.1")
				assert.True(t, isHTTP, lines()[0])
				path, _, _ := strings.Cut(target, "?")
				assert.Equal(t, path, asError(t, err).Path, "the path as sent")
				for _, suffix := range []string{"/comment", "/toggle", "/responses", "/responses/export"} {
					path = strings.TrimSuffix(path, suffix)
				}
				assert.Equal(t, collection+escaped, path, name)
			}
		})
	}
}

func TestCallInfoIsFilledInAnew(t *testing.T) {
	t.Parallel()
	var meta clicknps.CallInfo
	client := answering(t, 200, golden(t, "survey.json"), "X-Request-Id", "req_1", "X-Other", "o")
	_, err := client.Surveys.Get(t.Context(), "s", clicknps.WithCallInfo(&meta))
	require.NoError(t, err)
	assert.Equal(t, 200, meta.StatusCode)
	assert.Equal(t, "req_1", meta.RequestID)
	assert.Equal(t, "o", meta.Header.Get("X-Other"))
	require.Len(t, meta.Attempts, 1)
	assert.Equal(t, clicknps.Attempt{StatusCode: 200, RequestID: "req_1", Waited: meta.Attempts[0].Waited, Took: meta.Attempts[0].Took}, meta.Attempts[0])

	_, err = answering(t, 404, "", "X-Request-Id", "req_2").Surveys.Get(t.Context(), "s", clicknps.WithCallInfo(&meta))
	require.ErrorIs(t, err, clicknps.ErrNotFound)
	assert.Equal(t, 404, meta.StatusCode)
	assert.Equal(t, "req_2", meta.RequestID)

	_, err = client.Surveys.Get(t.Context(), "", clicknps.WithCallInfo(&meta))
	require.ErrorIs(t, err, clicknps.ErrInvalidParams)
	assert.Equal(t, clicknps.CallInfo{}, meta, "nothing was sent")
}

func TestCallInfo(t *testing.T) {
	slow := func(took time.Duration, give func() (*http.Response, error)) func() (*http.Response, error) {
		return func() (*http.Response, error) {
			<-time.After(took)
			return give()
		}
	}
	for name, test := range map[string]struct {
		last   func() (*http.Response, error)
		status int
	}{
		"success": {gives(201, object, "X-Request-Id", "req_4", "X-Region", "eu"), 201},
		"failure": {gives(403, `{}`, "X-Request-Id", "req_4", "X-Region", "eu"), 403},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				meta := clicknps.CallInfo{RequestID: "of another call", Attempts: make([]clicknps.Attempt, 9)}
				c := connect(t, nowhere, through(script(
					slow(time.Second, loses),
					slow(2*time.Second, gives(503, "", "X-Request-Id", "req_2", "Retry-After", "7")),
					slow(3*time.Second, gives(429, "", "X-Request-Id", "req_3", "Retry-After", "30")),
					slow(4*time.Second, test.last),
				)))
				_, err := c.Surveys.Create(t.Context(), &clicknps.SurveyCreateParams{Name: "n", Question: "q"},
					clicknps.WithIdempotencyKey("key-1"), clicknps.WithCallInfo(&meta))
				assert.Equal(t, test.status >= 400, err != nil)
				assert.Equal(t, test.status, meta.StatusCode)
				assert.Equal(t, "req_4", meta.RequestID)
				assert.Equal(t, "eu", meta.Header.Get("X-Region"))
				assert.Equal(t, "key-1", meta.IdempotencyKey)

				require.Len(t, meta.Attempts, 4)
				assert.ErrorIs(t, meta.Attempts[0].Err, errLost)
				meta.Attempts[0].Err = nil
				assert.Equal(t, []clicknps.Attempt{
					{Took: time.Second},
					{StatusCode: 503, Waited: time.Millisecond, Took: 2 * time.Second, RequestID: "req_2"},
					{StatusCode: 429, Waited: 7 * time.Second, Took: 3 * time.Second, RequestID: "req_3"},
					{StatusCode: test.status, Waited: 30 * time.Second, Took: 4 * time.Second, RequestID: "req_4"},
				}, meta.Attempts)
			})
		})
	}
	t.Run("nothing sent", func(t *testing.T) {
		meta := clicknps.CallInfo{StatusCode: 200, RequestID: "of another call", Attempts: make([]clicknps.Attempt, 9)}
		_, err := connect(t, nowhere).Surveys.Get(t.Context(), "", clicknps.WithCallInfo(&meta))
		assert.ErrorIs(t, err, clicknps.ErrInvalidParams)
		assert.Equal(t, clicknps.CallInfo{}, meta)
	})
	t.Run("no answer", func(t *testing.T) {
		var meta clicknps.CallInfo
		c := connect(t, nowhere, through(script(loses)), clicknps.WithRetryPolicy(hastyWith(-1)))
		_, err := c.Surveys.Get(t.Context(), "s1", clicknps.WithCallInfo(&meta))
		assert.ErrorIs(t, err, errLost)
		assert.Zero(t, meta.StatusCode)
		assert.Nil(t, meta.Header)
		assert.Len(t, meta.Attempts, 1)
	})
}

// A call that panics in code of the user's has ended, and has failed, for observers too.
func TestObserverOfACallThatPanics(t *testing.T) {
	t.Parallel()
	var told []error
	observer := clicknps.WithObserver(func(ctx context.Context, _ clicknps.Call) (context.Context, func(clicknps.CallInfo, error)) {
		return ctx, func(_ clicknps.CallInfo, err error) { told = append(told, err) }
	})
	panics := inProcess(func(*http.Request) (*http.Response, error) { panic("boom") })
	client := newClient(t, through(panics), observer)
	assert.PanicsWithValue(t, "boom", func() { _ = getCall(t.Context(), client) })
	require.Len(t, told, 1)
	assert.EqualError(t, told[0], "the call panicked")
	require.NoError(t, getCall(t.Context(), newClient(t, through(script()), observer)))
	assert.NoError(t, told[1])
}
