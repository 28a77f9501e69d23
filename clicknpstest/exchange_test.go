package clicknpstest_test

import (
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBodiesOver10MiBAreRefused(t *testing.T) {
	onBothTransports(t, func(t *testing.T, srv *clicknpstest.Server, c caller) {
		body := strings.Repeat(" ", 10<<20-2) + "{}"
		assert.Equal(t, 400, c.call("POST", "/v1/surveys", body).status, "10 MiB are read")
		got := c.call("POST", "/v1/surveys", body+" ")
		assert.Equal(t, 413, got.status)
		assert.JSONEq(t, clickNPSError("invalid_request", "Request Entity Too Large", ""), got.body)
		got = c.call("POST", "/v1/nps-surveys", body+" ")
		const want = `{"statusCode":413,"message":"Request Entity Too Large","error":"Request Entity Too Large"}`
		assert.JSONEq(t, want, got.body)
		requests := srv.Requests()
		require.Len(t, requests, 4)
		assert.Equal(t, 413, requests[3].StatusCode)
		assert.Len(t, requests[1].Body, 10<<20)
		assert.Nil(t, requests[2].Body)
	})
}

func TestANilBodyIsEmpty(t *testing.T) {
	srv := clicknpstest.Run(t)
	req := httptest.NewRequest("GET", "/v1/surveys", nil)
	req.Body = nil
	req.Header.Set("Authorization", "Bearer "+srv.APIKey())
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, req)
	assert.Equal(t, 200, w.Code)
}

func TestRequestsAreRecordedWithoutSecrets(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := inProcess(t, srv).with("X-Custom", "kept")
	begin := time.Now()
	srv.Advance(time.Hour)
	c.call("POST", "/v1/surveys?x=1", `{"name":"N"}`)
	got := srv.Requests()
	require.Len(t, got, 1)
	assert.WithinRange(t, got[0].At, begin.Add(time.Hour), time.Now().Add(time.Hour))
	assert.Equal(t, "POST", got[0].Method)
	assert.Equal(t, "/v1/surveys", got[0].Path)
	assert.Equal(t, "1", got[0].Query.Get("x"))
	assert.Equal(t, "kept", got[0].Header.Get("X-Custom"))
	assert.Equal(t, `{"name":"N"}`, string(got[0].Body))
	assert.Equal(t, 400, got[0].StatusCode)
	assert.NotContains(t, fmt.Sprint(got), srv.APIKey())
	assert.NotContains(t, fmt.Sprint(got), srv.SalesOSAPIKey())
	assert.NotEmpty(t, got[0].Header.Get("Authorization"), "that one was sent can be seen")
}

func TestEveryAnswerHasItsOwnRequestID(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := inProcess(t, srv)
	seen := map[string]bool{}
	for _, path := range []string{"/v1/surveys", "/v1/surveys/none", "/none", "/v1/nps-surveys", "/r/none"} {
		seen[c.get(path).header.Get("X-Request-Id")] = true
	}
	assert.Len(t, seen, 5)
	assert.NotContains(t, seen, "")
}

func TestTheLogOfRequestsIsBounded(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := inProcess(t, srv).with("Authorization", "")
	for i := range 10_001 {
		c.get("/" + strconv.Itoa(i))
	}
	got := srv.Requests()
	require.Len(t, got, 10_000)
	assert.Equal(t, []string{"/1", "/10000"}, []string{got[0].Path, got[9_999].Path}, "the oldest goes first")

	srv.ResetRequests()
	assert.Empty(t, srv.Requests())
	body := strings.Repeat("x", 8<<20)
	for range 9 {
		req := httptest.NewRequest("POST", "/v1/surveys", strings.NewReader(body))
		srv.ServeHTTP(httptest.NewRecorder(), req)
	}
	assert.Len(t, srv.Requests(), 7, "64 MiB, headers included")
	srv.ResetRequests()
	req := httptest.NewRequest("GET", "/", nil)
	req.Method = strings.Repeat("x", 1<<20)
	req.Header.Set("X-Large", req.Method)
	for range 33 {
		srv.ServeHTTP(httptest.NewRecorder(), req)
	}
	assert.Len(t, srv.Requests(), 31, "headers and methods count, too")
	srv.ResetRequests()
	req = httptest.NewRequest("GET", "/", nil)
	for i := range 1 << 13 {
		req.Header["X-"+strconv.Itoa(i)] = []string{""}
	}
	for range 70 {
		srv.ServeHTTP(httptest.NewRecorder(), req)
	}
	assert.Less(t, len(srv.Requests()), 64, "a header takes 128 bytes beside its text")
}
