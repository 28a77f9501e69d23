package clicknpstest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// caller calls a fake with plain net/http: the SDK's idea of the wire plays no part in these tests.
type caller struct {
	t      *testing.T
	http   *http.Client
	base   string // without /v1
	header http.Header
}

type reply struct {
	status int
	header http.Header
	body   string
}

// inProcess calls both services of srv with valid credentials, without a socket.
func inProcess(t *testing.T, srv *clicknpstest.Server) caller {
	t.Helper()
	return newCaller(t, srv, &http.Client{Transport: srv.Transport()}, "https://clicknps.test")
}

// overSocket does the same over TCP.
func overSocket(t *testing.T, srv *clicknpstest.Server) caller {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return newCaller(t, srv, &http.Client{Transport: transport}, strings.TrimSuffix(srv.URL(), "/v1"))
}

func newCaller(t *testing.T, srv *clicknpstest.Server, hc *http.Client, base string) caller {
	t.Helper()
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return caller{t: t, http: hc, base: base, header: http.Header{
		"Authorization": {"Bearer " + srv.APIKey()},
		"X-Api-Key":     {srv.SalesOSAPIKey()},
		"Content-Type":  {"application/json"},
	}}
}

// with returns a caller that also sends a header; an empty value leaves the header out.
func (c caller) with(name, value string) caller {
	c.header = c.header.Clone()
	c.header.Del(name)
	if value != "" {
		c.header.Set(name, value)
	}
	return c
}

// try makes a request, and returns what net/http says of it.
func (c caller) try(method, path, body string) (reply, error) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	require.NoError(c.t, err)
	req.Header = c.header.Clone()
	resp, err := c.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { assert.NoError(c.t, resp.Body.Close()) }()
	text, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(text)}, err
}

// call makes a request that must get an answer.
func (c caller) call(method, path, body string) reply {
	c.t.Helper()
	r, err := c.try(method, path, body)
	require.NoError(c.t, err)
	return r
}

func (c caller) get(path string) reply {
	c.t.Helper()
	return c.call("GET", path, "")
}

// field returns a top-level field of r's JSON object.
func (r reply) field(t *testing.T, name string) any {
	t.Helper()
	var object map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.body), &object), r.body)
	return object[name]
}

// names returns one field of each item of a ClickNPS list.
func (r reply) names(t *testing.T, field string) []string {
	t.Helper()
	var list struct{ Data []map[string]any }
	require.NoError(t, json.Unmarshal([]byte(r.body), &list), r.body)
	names := []string{}
	for _, item := range list.Data {
		names = append(names, item[field].(string))
	}
	return names
}

// golden reads a wire body that the SDK is checked against, too.
func golden(t *testing.T, name string) string {
	t.Helper()
	body, err := os.ReadFile("../testdata/wire/" + name)
	require.NoError(t, err)
	return string(body)
}

// clickNPSError is the documented error object.
func clickNPSError(kind, message, field string) string {
	detail := map[string]string{"type": kind, "message": message}
	if field != "" {
		detail["field"] = field
	}
	body, _ := json.Marshal(map[string]any{"error": detail})
	return string(body)
}

// toJSON encodes a value that was cut out of a reply.
func toJSON(t *testing.T, v any) string {
	t.Helper()
	body, err := json.Marshal(v)
	require.NoError(t, err)
	return string(body)
}
