package clicknps_test

import (
	"bytes"
	"errors"
	"log"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
)

func TestMiddlewareSeesEveryAttempt(t *testing.T) {
	var seen []string
	named := func(name string) func(http.RoundTripper) http.RoundTripper {
		return func(next http.RoundTripper) http.RoundTripper {
			return inProcess(func(r *http.Request) (*http.Response, error) {
				seen = append(seen, name+" "+r.Method+" "+r.Host+r.URL.Path+" "+r.Header.Get("Authorization"))
				r.Header.Set("X-Trace", r.Header.Get("X-Trace")+name)
				r.URL.RawQuery += name
				resp, err := next.RoundTrip(r)
				seen = append(seen, name+" done")
				return resp, err
			})
		}
	}
	var traces []string
	transport := script(gives(503, ""), loses)
	c := connect(t, nowhere, through(inProcess(func(r *http.Request) (*http.Response, error) {
		traces = append(traces, r.Header.Get("X-Trace")+r.URL.RawQuery)
		return transport(r)
	})), clicknps.WithMiddleware(named("a"), named("b")), clicknps.WithMiddleware(named("c")))
	require.NoError(t, getCall(t.Context(), c))

	u, _ := url.Parse(nowhere)
	call := " GET " + u.Host + "/v1/surveys/s1 Bearer " + testKey
	once := []string{"a" + call, "b" + call, "c" + call, "c done", "b done", "a done"}
	assert.Equal(t, append(append(once, once...), once...), seen)
	assert.Equal(t, []string{"abcabc", "abcabc", "abcabc"}, traces)
}

func TestMiddlewareAnswersByItself(t *testing.T) {
	for name, test := range map[string]struct {
		answer func() (*http.Response, error)
		is     error
	}{
		"an answer": {gives(200, object), nil},
		"a refusal": {loses, errLost},
		"nothing":   {func() (*http.Response, error) { return nil, nil }, errors.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			c := connect(t, nowhere, clicknps.WithMiddleware(func(http.RoundTripper) http.RoundTripper {
				return inProcess(func(*http.Request) (*http.Response, error) { return test.answer() })
			}))
			err := getCall(t.Context(), c)
			switch test.is {
			case nil:
				assert.NoError(t, err)
			case errors.ErrUnsupported:
				assert.Equal(t, 5, asError(t, err).Attempts)
			default:
				assert.ErrorIs(t, err, test.is)
			}
		})
	}
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

// Without WithLogger nothing is printed anywhere.
func TestSilence(t *testing.T) {
	out, err := os.CreateTemp(t.TempDir(), "out")
	require.NoError(t, err)
	defer out.Close()
	stdout, stderr, writer := os.Stdout, os.Stderr, log.Writer()
	os.Stdout, os.Stderr = out, out
	log.SetOutput(out)
	c := connect(t, newRawServer(t, answers(503, ""), hangsUp(""), hangsUp("?"), answers(429, ""), answers(404, "")).url())
	err = getCall(t.Context(), c)
	os.Stdout, os.Stderr = stdout, stderr
	log.SetOutput(writer)

	assert.ErrorIs(t, err, clicknps.ErrNotFound)
	printed, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	assert.Empty(t, string(printed))
}

func TestLog(t *testing.T) {
	var records bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&records, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := connect(t, nowhere, clicknps.WithLogger(logger), through(script(
		gives(503, `{"error":"body of the answer"}`, "X-Request-Id", "req_1", "X-Secret", "header of the answer"), loses,
	)))
	_, err := c.Surveys.Create(t.Context(), &clicknps.SurveyCreateParams{Name: "body of the request", Question: "q"},
		clicknps.WithHeader("X-Trace", "header of the request"), clicknps.WithIdempotencyKey("idempotency key"))
	require.NoError(t, err)
	_, err = c.Responses.List(t.Context(), &clicknps.ResponseListParams{SurveyID: "query"})
	require.Error(t, err, "an object is not a list")

	for _, secret := range []string{testKey, "Bearer", "body of", "header of", "idempotency key", "query"} {
		assert.NotContains(t, records.String(), secret)
	}
	lines := strings.Split(strings.TrimSpace(records.String()), "\n")
	require.Len(t, lines, 4)
	for i, want := range [][]string{
		{"level=INFO", `msg="clicknps: request is retried"`, "service=clicknps", "method=POST", "path=/v1/surveys", "attempt=1", "status=503", "request_id=req_1", "wait=1ms"},
		{"level=INFO", `msg="clicknps: request is retried"`, "attempt=2", "status=0", `error="connection reset by peer"`, "wait="},
		{"level=DEBUG", `msg="clicknps: request"`, "attempt=3", "status=200", "took="},
		{"level=DEBUG", `msg="clicknps: request"`, "method=GET", "path=/v1/responses", "attempt=1"},
	} {
		for _, part := range want {
			assert.Contains(t, lines[i], part)
		}
	}
}

func TestCookies(t *testing.T) {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	var sent []string
	transport := script(gives(200, object, "Set-Cookie", "lb=node1; Path=/", "Set-Cookie", "ab=x; Path=/"), gives(503, ""), loses, gives(429, "", "Set-Cookie", "lb=node2; Path=/"))
	c := connect(t, nowhere, clicknps.WithHTTPClient(&http.Client{Jar: jar, Transport: inProcess(func(r *http.Request) (*http.Response, error) {
		sent = append(sent, r.Header.Get("Cookie"))
		return transport(r)
	})}))
	require.NoError(t, getCall(t.Context(), c))
	require.NoError(t, clickNPSPost(t.Context(), c))
	require.Len(t, sent, 5)
	assert.Empty(t, sent[0])
	for _, cookies := range sent[1:4] {
		assert.ElementsMatch(t, []string{"lb=node1", "ab=x"}, strings.Split(cookies, "; "))
	}
	assert.ElementsMatch(t, []string{"lb=node2", "ab=x"}, strings.Split(sent[4], "; "))
	u, _ := url.Parse(nowhere)
	assert.Len(t, jar.Cookies(u), 2)

	_, err = c.Surveys.Get(t.Context(), "s1", clicknps.WithHeader("Cookie", "own=1"))
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"own=1", "lb=node2", "ab=x"}, strings.Split(sent[5], "; "))
}

func TestRedirectIsAnError(t *testing.T) {
	for status, location := range map[int]string{
		301: "/v1/surveys/s2", 302: "https://example.com/login?token=hidden", 303: "", 307: "://hidden", 308: "//example.com/hidden", 300: "hidden",
	} {
		sent := 0
		c := connect(t, nowhere, through(inProcess(func(*http.Request) (*http.Response, error) {
			sent++
			return answer(status, "", "Location", location), nil
		})))
		for _, col := range everyKind {
			err := col(t.Context(), c)
			assert.Equal(t, status, asError(t, err).StatusCode)
			assert.NotContains(t, err.Error(), "hidden")
			assert.NotErrorIs(t, err, clicknps.ErrOutcomeUnknown)
		}
		assert.Equal(t, len(everyKind), sent)
	}
}

func TestUserAgent(t *testing.T) {
	for _, test := range []struct {
		opts []clicknps.Option
		want string
	}{
		{nil, "clicknps-go/" + clicknps.Version},
		{[]clicknps.Option{clicknps.WithUserAgent("acme-crm/2.1 (linux)")}, "acme-crm/2.1 (linux) clicknps-go/" + clicknps.Version},
	} {
		c := connect(t, nowhere, append(test.opts, through(inProcess(func(r *http.Request) (*http.Response, error) {
			assert.Equal(t, []string{test.want}, r.Header["User-Agent"])
			return answer(200, object), nil
		})))...)
		for _, col := range everyKind {
			assert.NoError(t, col(t.Context(), c))
		}
	}
}
