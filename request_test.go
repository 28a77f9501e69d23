package clicknps_test

import (
	"bufio"
	"encoding/json"
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

func TestExtraFields(t *testing.T) {
	t.Parallel()
	w := newWire(reply(200, golden(t, "survey.json")))
	client := w.client(t)
	_, err := client.Surveys.Create(t.Context(), &clicknps.SurveyCreateParams{Name: "n", Question: "q"},
		clicknps.WithExtraField("tags", []string{"a"}), clicknps.WithExtraField("big", json.Number("12345678901234567890")))
	require.NoError(t, err)
	assert.Equal(t, `{"big":12345678901234567890,"name":"n","question":"q","tags":["a"]}`, w.sent()[0].Body)

	// What the params leave out may be said in another way.
	_, err = client.Surveys.Update(t.Context(), "s", &clicknps.SurveyUpdateParams{}, clicknps.WithExtraField("question", nil))
	require.NoError(t, err)
	assert.Equal(t, `{"question":null}`, w.sent()[1].Body)
}

func TestHeaderOption(t *testing.T) {
	t.Parallel()
	w := newWire(reply(200, golden(t, "survey.json")))
	_, err := w.client(t).Surveys.Get(t.Context(), "s",
		clicknps.WithHeader("x-tenant", "first"), clicknps.WithHeader("X-Tenant", "a\tb"), clicknps.WithHeader("Accept-Language", "dé"),
		clicknps.WithHeader("X-0zZaA9", "all characters of the ranges"))
	require.NoError(t, err)
	assert.Equal(t, []string{"a\tb"}, w.sent()[0].Header["X-Tenant"], "the last one holds")
	assert.Equal(t, []string{"dé"}, w.sent()[0].Header["Accept-Language"])
	assert.Equal(t, "all characters of the ranges", w.sent()[0].Header.Get("X-0zZaA9"))
}

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	w := newWire(reply(201, golden(t, "survey.json")))
	client := w.client(t)
	create := func(opts ...clicknps.RequestOption) (sent string, meta clicknps.CallInfo) {
		_, err := client.Surveys.Create(t.Context(), &clicknps.SurveyCreateParams{Name: "n", Question: "q"}, append(opts, clicknps.WithCallInfo(&meta))...)
		require.NoError(t, err)
		header := w.sent()[len(w.sent())-1].Header["Idempotency-Key"]
		require.Len(t, header, 1)
		return header[0], meta
	}
	random, meta := create()
	assert.Equal(t, random, meta.IdempotencyKey)
	another, _ := create()
	assert.NotEqual(t, random, another)
	for _, key := range []string{"k", strings.Repeat("k", 255), "unique-key-123", "a b~!", clicknps.NewIdempotencyKey(), clicknps.DeriveIdempotencyKey("order", "7")} {
		sent, meta := create(clicknps.WithIdempotencyKey(key))
		assert.Equal(t, key, sent)
		assert.Equal(t, key, meta.IdempotencyKey)
	}
}

// Programs keep derived keys: they must stay as they are.
func TestDeriveIdempotencyKey(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "4026e50338197c148f61f38e85a4256d7c764741223ce45365a780a8a3ca51cd", clicknps.DeriveIdempotencyKey("survey", "42"))
	seen := map[string][]string{}
	for _, parts := range [][]string{{"ab", "c"}, {"a", "bc"}, {"abc"}, {"abc", ""}, {"", "abc"}, {""}, {"", ""}, {"c", "ab"}, {"\xff"}, {"�"}} {
		key := clicknps.DeriveIdempotencyKey(parts...)
		assert.Equal(t, key, clicknps.DeriveIdempotencyKey(parts...))
		assert.Len(t, key, 64)
		assert.Nil(t, seen[key], "%q and %q have the same key", parts, seen[key])
		seen[key] = parts
	}
}

func TestResponseMetaIsFilledInAnew(t *testing.T) {
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
