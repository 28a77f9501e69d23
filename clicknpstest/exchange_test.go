package clicknpstest_test

import (
	"net/http/httptest"
	"strings"
	"testing"

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
