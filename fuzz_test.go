package clicknps_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// goldens are the golden bodies whose names match a pattern.
func goldens(f *testing.F, pattern string) (bodies []string) {
	names, err := filepath.Glob(filepath.Join("testdata", "wire", pattern))
	require.NoError(f, err)
	require.NotEmpty(f, names)
	for _, name := range names {
		body, err := os.ReadFile(name)
		require.NoError(f, err)
		bodies = append(bodies, string(body))
	}
	return bodies
}

// Whatever a server answers, it is an *Error that says so.
func FuzzErrorBody(f *testing.F) {
	for i, body := range goldens(f, "*error*.json") {
		f.Add(uint16(100+i), "application/json; charset=utf-8", body)
	}
	for _, body := range []string{
		"", "null", "[]", `"no"`, `["a must be b",{"property":"x","message":["y"]},{"errors":{"detail":"z"}}]`, "<html>\xff</html>", "\ufeff{}",
		`{"message":{"message":{"error":["deep"]}}}`, `{"error":{"type":"validation_error","field":"name"}}`, strings.Repeat("[", 500),
	} {
		f.Add(uint16(202), "text/html", body)
		f.Add(uint16(129), "", body)
	}
	f.Fuzz(func(t *testing.T, status uint16, contentType, body string) {
		code := 300 + int(status)%700
		client := answering(t, code, body, "Content-Type", contentType)
		_, get := client.Surveys.Get(t.Context(), "s")
		_, post := client.SalesOS.NPS.Toggle(t.Context(), "s")
		for _, err := range []error{get, post} {
			e := asError(t, err)
			assert.Equal(t, code, e.StatusCode)
			assert.Equal(t, body[:min(len(body), 64<<10)], string(e.Body))
			assert.NotEmpty(t, e.Error())
			assert.NotContains(t, printed(t, e)["json"], `"Body"`)
			if len(e.Fields) > 0 {
				assert.Equal(t, e.Fields[0].Field, e.Field)
			}
		}
	})
}

// A list decodes to items that are there, or is an error.
func FuzzListEnvelope(f *testing.F) {
	item := `{"id":"a","score":"9","createdAt":1736937000,"isActive":"true"}`
	for _, body := range append(goldens(f, "salesos_*.json"),
		"[]", "null", "{}", "["+item+"]", "[null]", "[{}]", `{"data":[`+item+`],"pagination":{"total":"1","has_more":true}}`,
		`{"data":{"items":[`+item+`]},"metrics":{"npsScore":"1"}}`, `{"data":{"data":{"data":[]}}}`, `{"data":null,"results":[`+item+`,7]}`,
		`{"surveys":{"responses":[`+item+`]},"data":false}`, `{"data":[`+item+`],"data":[]}`, "\ufeff["+item+"]", `[{"id":"a"},{"ID":"b"},{"id":null,"Id":"c"}]`,
	) {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		client := newWire(reply(200, string(body))).client(t, clicknps.WithRawJSON())
		if page, err := client.Surveys.List(t.Context(), nil); err != nil {
			asError(t, err)
		} else {
			for _, survey := range page.Data {
				assert.NotEmpty(t, survey.ID)
				assertObject(t, survey.RawJSON)
			}
		}
		if surveys, err := client.SalesOS.NPS.List(t.Context(), nil); err != nil {
			asError(t, err)
		} else {
			for _, survey := range surveys.Data {
				assert.NotEmpty(t, survey.ID)
				assertObject(t, survey.RawJSON)
			}
		}
		if responses, err := client.SalesOS.NPS.Responses(t.Context(), "s", nil); err != nil {
			asError(t, err)
		} else {
			assert.True(t, json.Valid(bytes.TrimPrefix(responses.RawJSON, []byte("\ufeff"))))
			for _, response := range responses.Data {
				assertObject(t, response.RawJSON)
			}
		}
	})
}

// assertObject checks that a resource comes from a JSON object with something in it.
func assertObject(t *testing.T, raw json.RawMessage) {
	t.Helper()
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &fields))
	assert.NotEmpty(t, fields)
}

// served is a server of raw bytes on in-process pipes, for a bubble: each request gets the next of the
// replies, and again from the start. A reply that ends with a NUL is followed by silence, any other by
// the end of the connection.
type served struct {
	replies []string
	mu      sync.Mutex
	got     int // requests
}

func (s *served) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		req, err := http.ReadRequest(bufio.NewReader(server))
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body) // the client may go away
		s.mu.Lock()
		reply := s.replies[s.got%len(s.replies)]
		s.got++
		s.mu.Unlock()
		whole, silence := strings.CutSuffix(reply, "\x00")
		_, err = io.WriteString(server, whole)
		if silence && err == nil {
			_, _ = io.Copy(io.Discard, server) // until the client goes away
		}
	}()
	return client, nil
}

func http200(body string, header ...string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", strings.Join(header, ""), len(body), body)
}

// Whatever bytes a server sends: every call ends in time, with data or with an error that tells the
// outcome, after no more requests than promised.
func FuzzClient(f *testing.F) {
	calls := callsByID("id1")
	maps.Copy(calls, callsWithoutID())
	names := slices.Sorted(maps.Keys(calls))
	list := `{"data":[{"id":"a"},{"id":"b"}],"pagination":{"total":9,"limit":2,"offset":0,"has_more":true}}`
	for i := range names {
		f.Add(byte(i), http200(object))
		f.Add(byte(i), http200(list)+"\x01"+http200(`{"data":[]}`))
		f.Add(byte(i), "HTTP/1.1 503 X\r\nRetry-After: 5\r\n\r\n\x01"+http200(`[{"id":"c"}]`, "X-Total-Count: 3\r\n"))
		f.Add(byte(i), "HTTP/1.0 200 OK\r\n\r\n{\"id\":\"a\",\x01\x01HTTP/1.1 101 Switching Protocols\r\n\r\n\x00")
		f.Add(byte(i), "HTTP/1.1 409 X\r\n\r\n\x01HTTP/1.1 429 X\r\nX-RateLimit-Reset: 9\r\n\r\n\x01HTTP/1.1 204 X\r\n\r\n")
		f.Add(byte(i), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[{\"id\r\n0\r\n\r\n\x01\x00")
	}
	f.Fuzz(func(t *testing.T, which byte, replies string) {
		name := names[int(which)%len(names)]
		synctest.Test(t, func(t *testing.T) {
			server := &served{replies: strings.Split(replies, "\x01")}
			transport := &http.Transport{DialContext: server.dial, DisableKeepAlives: true}
			defer transport.CloseIdleConnections()
			client := connect(t, "http://127.0.0.1:1", clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: 4}),
				clicknps.WithHTTPClient(&http.Client{Transport: transport}))
			const limit = 2 * time.Hour
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			var info clicknps.CallInfo
			began := time.Now()
			err := calls[name](with{client, ctx, []clicknps.RequestOption{clicknps.WithCallInfo(&info)}})
			assert.LessOrEqual(t, time.Since(began), limit)
			assert.LessOrEqual(t, server.got, mostRequests(name))
			require.NotErrorIs(t, err, errNoData)
			if err != nil {
				checkFailure(t, name, asError(t, err), info)
			}
		})
	})
}

// mostRequests is how many requests a call makes at most: 4 retries, 32 after waits that the server asks
// for, and the first attempt; a walk so many for each of its pages.
func mostRequests(name string) int {
	switch {
	case name == "NPS.SetActive":
		return 37 * (1 + 4 + 6*4)
	case strings.Contains(name, "All"):
		return 37 * 5 * 300
	}
	return 37
}

func checkFailure(t *testing.T, name string, e *clicknps.Error, info clicknps.CallInfo) {
	t.Helper()
	for _, r := range e.Error() {
		assert.True(t, unicode.IsPrint(r), "%q", e.Error())
	}
	assert.Less(t, len(e.Error()), 8<<10)
	posts := map[string]bool{"NPS.Create": true, "NPS.Toggle": true, "NPS.SetActive": true}
	if !posts[name] && !keyedCalls[name] {
		assert.NotErrorIs(t, e, clicknps.ErrOutcomeUnknown)
		return
	}
	judged := e.StatusCode == 400 || e.StatusCode == 404 || e.StatusCode == 422 || e.StatusCode/100 == 2
	for _, a := range info.Attempts {
		if (a.StatusCode == 0 || a.StatusCode >= 500) && !judged && name != "NPS.SetActive" {
			assert.ErrorIs(t, e, clicknps.ErrOutcomeUnknown, "an attempt may have taken effect")
		}
	}
}
