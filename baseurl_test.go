package clicknps_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

func TestBaseURLsThatCannotBeRight(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"empty":            "",
		"no scheme":        "api.clicknps.com/v1",
		"no scheme, port":  "localhost:8080/v1",
		"relative":         "/v1",
		"no host":          "https:///v1",
		"port only":        "https://:443/v1",
		"opaque":           "https:api.clicknps.com",
		"other scheme":     "ftp://api.clicknps.com/v1",
		"query":            "https://api.clicknps.com/v1?key=" + secret,
		"empty query":      "https://api.clicknps.com/v1?",
		"fragment":         "https://api.clicknps.com/v1#top",
		"user":             "https://user@api.clicknps.com/v1",
		"password":         "https://user:" + secret + "@api.clicknps.com/v1",
		"bad escape":       "https://user:" + secret + "@api.clicknps.com/%zz",
		"space":            " https://api.clicknps.com/v1",
		"newline":          "https://api.clicknps.com/v1\n",
		"plain HTTP":       "http://api.clicknps.com/v1",
		"almost loopback":  "http://localhost.example.com/v1",
		"almost loopback2": "http://127.0.0.1.example.com/v1",
		"private network":  "http://192.168.0.1/v1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for option, opt := range map[string]clicknps.Option{"WithBaseURL": clicknps.WithBaseURL(url), "WithSalesOSBaseURL": clicknps.WithSalesOSBaseURL(url)} {
				client, err := clicknps.New(opt)
				assert.Nil(t, client)
				require.ErrorIs(t, err, clicknps.ErrInvalidParams)
				assert.Contains(t, err.Error(), option+":")
				assert.NotContains(t, err.Error(), secret)
			}
		})
	}
}

func TestPlainHTTPIfAllowed(t *testing.T) {
	t.Parallel()
	w := newWire(reply(200, golden(t, "survey.json")))
	_, err := w.client(t, clicknps.WithPlainHTTP(), clicknps.WithBaseURL("http://nps.internal/v1")).Surveys.Get(t.Context(), "s")
	require.NoError(t, err)
	assert.Equal(t, "/v1/surveys/s", w.sent()[0].Path)
}

// requestLines is a server that knows no HTTP beyond the first line: it keeps that, and answers 404.
func requestLines(t *testing.T) (url string, lines func() []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	var mu sync.Mutex
	var all []string
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				line, _ := r.ReadString('\n')
				mu.Lock()
				all = append(all, strings.TrimSuffix(line, "\r\n"))
				mu.Unlock()
				io.WriteString(conn, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				io.Copy(io.Discard, r) // the client closes first, so that nothing is reset
			}()
		}
	}()
	return "http://" + l.Addr().String(), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

func TestBaseURLIsUsedAsGiven(t *testing.T) {
	t.Parallel()
	for base, sent := range map[string]string{
		"https://api.example.com":             "https://api.example.com/v1/",
		"https://api.example.com/":            "https://api.example.com/v1/",
		"https://api.example.com/v1":          "https://api.example.com/v1/",
		"https://api.example.com/v1/":         "https://api.example.com/v1/",
		"https://api.example.com/v1//":        "https://api.example.com/v1/",
		"https://api.example.com/nps":         "https://api.example.com/nps/",
		"https://api.example.com:8443/v1":     "https://api.example.com:8443/v1/",
		"HTTPS://api.example.com/v1":          "https://api.example.com/v1/",
		"https://api.example.com/a%20b/c%2Fd": "https://api.example.com/a%20b/c%2Fd/",
		"https://api.example.com/ü":           "https://api.example.com/%C3%BC/",
		"http://localhost:8080":               "http://localhost:8080/v1/",
		"http://127.0.0.1:8080/v1":            "http://127.0.0.1:8080/v1/",
		"http://[::1]:8080/v1":                "http://[::1]:8080/v1/",
	} {
		t.Run(base, func(t *testing.T) {
			t.Parallel()
			var urls []string
			client := newClient(t, clicknps.WithBaseURL(base), clicknps.WithSalesOSBaseURL(base),
				clicknps.WithHTTPClient(&http.Client{Transport: inProcess(func(req *http.Request) (*http.Response, error) {
					urls = append(urls, req.URL.String())
					return reply(404, "")(req)
				})}))
			_, err := client.Surveys.Get(t.Context(), "a/b")
			require.ErrorIs(t, err, clicknps.ErrNotFound)
			_, err = client.SalesOS.NPS.Get(t.Context(), "a/b")
			require.ErrorIs(t, err, clicknps.ErrNotFound)
			assert.Equal(t, []string{sent + "surveys/a%2Fb", sent + "nps-surveys/a%2Fb"}, urls)
		})
	}
}
