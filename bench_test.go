package clicknps_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// benchPage is a page of n surveys, of about 300 bytes each.
func benchPage(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"data":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(benchSurvey(i))
	}
	fmt.Fprintf(&b, `],"pagination":{"total":%d,"limit":%d,"offset":0,"has_more":false}}`, n, n)
	return b.Bytes()
}

func benchSurvey(i int) []byte {
	return fmt.Appendf(nil, `{"id":"survey_%06d","name":"Survey number %d after onboarding","question":"How likely are you to recommend us to a friend or colleague?",`+
		`"status":"active","created_at":"2025-01-15T10:30:00Z","updated_at":"2025-02-15T10:30:00Z","owner":{"id":"user_%06d","team":"customer success"},"tags":["onboarding","q%d"]}`, i, i, i, i%4+1)
}

func benchServer(b *testing.B, body []byte) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	}))
	b.Cleanup(srv.Close)
	return srv
}

func benchClient(b *testing.B, url string) *clicknps.Client {
	client, err := clicknps.New(clicknps.WithAPIKey("sk_test_bench"), clicknps.WithBaseURL(url))
	require.NoError(b, err)
	return client
}

// raw is what a program without an SDK would do.
func raw[T any](b *testing.B, client *http.Client, url string, into *T) {
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
	require.NoError(b, err)
	req.Header.Set("Authorization", "Bearer sk_test_bench")
	req.Header.Set("Accept", "application/json")
	res, err := client.Do(req)
	require.NoError(b, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(b, err)
	require.NoError(b, json.Unmarshal(body, into))
}

type rawSurvey struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Question  string    `json:"question"`
	Status    string    `json:"status"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

type rawPage struct {
	Data       []rawSurvey `json:"data"`
	Pagination struct {
		Total   int  `json:"total"`
		Limit   int  `json:"limit"`
		Offset  int  `json:"offset"`
		HasMore bool `json:"has_more"`
	} `json:"pagination"`
}

// A page of 100 surveys, 30 KB.
func BenchmarkPage(b *testing.B) {
	srv := benchServer(b, benchPage(100))
	b.Run("lib=raw", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var page rawPage
			raw(b, http.DefaultClient, srv.URL+"/v1/surveys?limit=100", &page)
		}
	})
	b.Run("lib=clicknps", func(b *testing.B) {
		client := benchClient(b, srv.URL)
		b.ReportAllocs()
		for b.Loop() {
			_, err := client.Surveys.List(b.Context(), &clicknps.SurveyListParams{Limit: 100})
			require.NoError(b, err)
		}
	})
}

// One survey, 300 bytes.
func BenchmarkObject(b *testing.B) {
	srv := benchServer(b, benchSurvey(1))
	b.Run("lib=raw", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var survey rawSurvey
			raw(b, http.DefaultClient, srv.URL+"/v1/surveys/survey_000001", &survey)
		}
	})
	b.Run("lib=clicknps", func(b *testing.B) {
		client := benchClient(b, srv.URL)
		b.ReportAllocs()
		for b.Loop() {
			_, err := client.Surveys.Get(b.Context(), "survey_000001")
			require.NoError(b, err)
		}
	})
}
