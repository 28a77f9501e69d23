package clicknps_test

import (
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
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
