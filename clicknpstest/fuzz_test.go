package clicknpstest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/require"
)

// FuzzServer sends any request to the fake: it never fails itself, and its errors have the
// service's form.
func FuzzServer(f *testing.F) {
	for i, seed := range []struct{ method, path, body, header string }{
		{"POST", "/v1/surveys", `{"name":"N","question":"Q"}`, "application/json; charset=utf-8"},
		{"POST", "/v1/responses/r/comment", `{"comment":"é"}`, "key"},
		{"GET", "/v1/surveys?limit=9&offset=-1", "", "Bearer"},
		{"GET", "/v1/responses?survey_id=%zz", "", "x"},
		{"PATCH", "/v1/surveys/s", `{"status":null}`, "application/json"},
		{"POST", "/v1/links/mint", `{"survey_id":"s","subject_id":"a","ttl_days":365}`, "ü"},
		{"GET", "/v1/nps-surveys/n/responses/export?format=csv", "", "Bearer a.b.c"},
		{"POST", "/v1/nps-surveys/n/toggle", "", ""},
		{"POST", "/v1/nps-surveys", `{"name":"N","type":""}`, "application/json"},
		{"POST", "/v1/webhooks", `{"url":"https://x","events":["response.created"]}`, ""},
		{"HEAD", "/r/0", "", ""},
		{"OPTIONS", "/v1/%2e%2e/", "\xff", ""},
		{"PUT", "/v1/nps-surveys/n", `[1]`, "text/json"},
		{"POST", "/r/0/comment", "comment=%", ""},
	} {
		f.Add(seed.method, seed.path, seed.body, uint8(i), seed.header)
	}
	f.Fuzz(func(t *testing.T, method, path, body string, header uint8, value string) {
		srv := clicknpstest.Run(t)
		srv.AddSurvey(clicknps.Survey{ID: "s"})
		srv.AddResponse(clicknps.Response{ID: "r", SurveyID: "s", SubjectID: "a"})
		srv.AddNPSSurvey(clicknps.NPSSurvey{ID: "n"})
		req, err := http.NewRequest(method, "https://clicknps.test"+path, strings.NewReader(body))
		isControl := strings.ContainsFunc(value, unicode.IsControl)
		if err != nil || req.URL.Host != "clicknps.test" || strings.Contains(req.URL.RawQuery, " ") || isControl {
			return // not what a client can send
		}
		headers := []string{"Content-Type", "Idempotency-Key", "Authorization", "X-Api-Key"}
		req.Header = inProcess(t, srv).with(headers[int(header)%len(headers)], value).header
		resp, err := srv.Transport().RoundTrip(req)
		require.NoError(t, err)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Less(t, resp.StatusCode, 500)
		if resp.StatusCode < 400 || method == http.MethodHead {
			return
		}
		if resp.Header.Get("Content-Type") == "text/plain" {
			require.Contains(t, []string{"Not found", "Response link not found or expired"}, string(text))
			return
		}
		var shape struct {
			StatusCode int
			Message    any
			Error      any
		}
		require.NoError(t, json.Unmarshal(text, &shape), string(text))
		if strings.HasPrefix(req.URL.EscapedPath(), "/v1/nps-surveys") {
			require.Equal(t, resp.StatusCode, shape.StatusCode)
			require.NotEmpty(t, shape.Message)
		} else {
			require.NotEmpty(t, shape.Error.(map[string]any)["message"])
		}
	})
}
