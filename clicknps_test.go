package clicknps_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

func TestDoCallsAnyEndpoint(t *testing.T) {
	t.Parallel()
	w := newWire(reply(200, `{"id":7,"score":"9","created_at":1736937000}`))
	c := w.client(t)
	var got clicknps.Response
	require.NoError(t, c.Do(t.Context(), "POST", "/reports/a%2Fb", map[string]any{"n": 1}, &got, clicknps.WithQuery("dry", "1")))
	assert.Equal(t, clicknps.Response{ID: "7", Score: 9, CreatedAt: got.CreatedAt}, got, "decoded as by the SDK's own methods")
	assert.True(t, day.Equal(got.CreatedAt))
	require.NoError(t, c.SalesOS.Do(t.Context(), "POST", "nps-surveys/x/archive", nil, nil))
	require.NoError(t, c.Do(t.Context(), "DELETE", "/reports/1", nil, nil))

	sent := w.sent()
	require.Len(t, sent, 3)
	assert.Equal(t, "POST /v1/reports/a%2Fb dry=1", sent[0].Method+" "+sent[0].Path+" "+sent[0].Query)
	assert.JSONEq(t, `{"n":1}`, sent[0].Body)
	assert.NotEmpty(t, sent[0].Header.Get("Idempotency-Key"))
	assert.Equal(t, "Bearer "+testKey, sent[0].Header.Get("Authorization"))
	assert.Equal(t, "POST /v1/nps-surveys/x/archive", sent[1].Method+" "+sent[1].Path)
	assert.Empty(t, sent[1].Body)
	assert.Empty(t, sent[1].Header.Get("Content-Type"))
	assert.Empty(t, sent[1].Header.Get("Idempotency-Key"), "SalesOS knows none")
	assert.Equal(t, "Bearer "+testToken, sent[1].Header.Get("Authorization"))
	assert.Equal(t, "DELETE /v1/reports/1", sent[2].Method+" "+sent[2].Path)
}

func TestDoChecksTheAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		kind   string
		result any
		want   string
	}{
		"an error object with status 200": {200, `{"statusCode":500,"message":"no"}`, "application/json", nil, "says that the call failed"},
		"an error with status 200":        {200, `{"error":{"message":"no"}}`, "application/json", nil, "says that the call failed"},
		"a page":                          {200, `<html>login`, "text/html", nil, "page of HTML"},
		"nothing where something":         {204, ``, "", new(clicknps.Survey), "the body is empty"},
		"another type":                    {200, `{"score":7.5}`, "application/json", new(clicknps.Response), "score"},
		"not found":                       {404, `{"error":"no"}`, "application/json", nil, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := answering(t, test.status, test.body, "Content-Type", test.kind).Do(t.Context(), "GET", "/x", nil, test.result)
			require.ErrorContains(t, err, test.want)
			assert.Equal(t, test.status, asError(t, err).StatusCode)
		})
	}
	for _, fine := range []string{"", "OK", "null", `{"error":null}`, `{"deleted":true}`, `[]`} {
		require.NoError(t, answering(t, 200, fine).Do(t.Context(), "GET", "/x", nil, nil))
	}
}

func TestDoRefusesWhatCannotBeRight(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method, path string
		body         any
	}{
		"method with a space":    {"GE T", "/x", nil},
		"method in lower case":   {"get", "/x", nil},
		"no method":              {"", "/x", nil},
		"GET with a body":        {"GET", "/x", 1},
		"no path":                {"GET", "/", nil},
		"dots":                   {"GET", "/a/../b", nil},
		"a query":                {"GET", "/x?y=1", nil},
		"a fragment":             {"GET", "/x#y", nil},
		"a bad escape":           {"GET", "/x%zz", nil},
		"a body that is no JSON": {"POST", "/x", func() {}},
		"text that is not UTF-8": {"POST", "/x", map[string]any{"a": []string{"caf\xe9"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := silent(t).client(t).Do(t.Context(), test.method, test.path, test.body, nil)
			require.ErrorIs(t, err, clicknps.ErrInvalidParams)
			asError(t, err)
		})
	}
}

func TestClientsShareATransport(t *testing.T) {
	srv := clicknpstest.Run(t)
	for range 20 {
		c, err := clicknps.New(clicknps.WithAPIKey(srv.APIKey()), clicknps.WithBaseURL(srv.URL()))
		require.NoError(t, err)
		_, err = c.Surveys.List(t.Context(), nil)
		require.NoError(t, err)
	}
	shared := http.DefaultTransport.(*http.Transport) // as net/http made it, whatever New was called for before
	assert.Zero(t, shared.MaxIdleConnsPerHost)
	if shared.HTTP2 != nil { // as of Go 1.27
		assert.Zero(t, shared.HTTP2.SendPingTimeout)
	}
	assert.Zero(t, http.DefaultClient.Timeout)
}

func TestMiddlewareThatIsNone(t *testing.T) {
	t.Parallel()
	_, err := clicknps.New(clicknps.WithAPIKey(testKey), clicknps.WithMiddleware(func(http.RoundTripper) http.RoundTripper { return nil }))
	require.ErrorIs(t, err, clicknps.ErrInvalidParams)
	assert.True(t, strings.HasPrefix(err.Error(), "clicknps: "))
}
