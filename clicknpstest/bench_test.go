package clicknpstest_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/require"
)

// BenchmarkListPage is what the fake costs a user's test: a page of 100 surveys, in process.
func BenchmarkListPage(b *testing.B) {
	srv := clicknpstest.Run(b)
	for range 100 {
		srv.AddSurvey(clicknps.Survey{})
	}
	hc := &http.Client{Transport: srv.Transport()}
	b.ReportAllocs()
	for b.Loop() {
		req, err := http.NewRequestWithContext(b.Context(), "GET", "https://clicknps.test/v1/surveys?limit=100", nil)
		require.NoError(b, err)
		req.Header.Set("Authorization", "Bearer "+srv.APIKey())
		resp, err := hc.Do(req)
		require.NoError(b, err)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(b, err)
		require.NoError(b, resp.Body.Close())
	}
}
