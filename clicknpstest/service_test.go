package clicknpstest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// inhabited returns a fake with something to check each service with.
func inhabited(t *testing.T) *clicknpstest.Server {
	srv := clicknpstest.Run(t)
	for range 3 {
		survey := srv.AddSurvey(clicknps.Survey{Name: "Onboarding", Question: "Would you recommend us?"})
		srv.Respond(survey.ID, "user_1", 9, "Loving it")
		nps := srv.AddNPSSurvey(clicknps.NPSSurvey{
			Name: "Relationship", Type: clicknps.NPSRelationship, IsActive: true,
		})
		srv.AddNPSResponse(clicknps.NPSResponse{SurveyID: nps.ID, Score: 10})
	}
	return srv
}

func TestTheFakePassesTheServiceCheck(t *testing.T) {
	t.Parallel()
	srv := inhabited(t)
	clicknpstest.TestService(t, srv.Client(), clicknpstest.WithWrites())
	surveys, npsSurveys := len(srv.Surveys()), len(srv.NPSSurveys())
	assert.Equal(t, []int{3, 3}, []int{surveys, npsSurveys}, "what was created is deleted")
	for _, f := range clicknpstest.CheckService(t.Context(), srv.Client(), clicknpstest.WithWrites()) {
		assert.Equal(t, clicknpstest.Held, f.Status, "%s: %s", f.Check, f.Detail)
	}
}

// Without leave the check only reads. What can't be checked is no success.
func TestServiceCheckOnlyReads(t *testing.T) {
	t.Parallel()
	srv := inhabited(t)
	findings := clicknpstest.CheckService(t.Context(), srv.Client())
	for _, r := range srv.Requests() {
		assert.Equal(t, http.MethodGet, r.Method)
	}
	assert.Less(t, len(srv.Requests()), 60, "within the smallest plan")
	held := func(f clicknpstest.Finding) bool { return f.Status == clicknpstest.Held }
	assert.Len(t, slices.DeleteFunc(slices.Clone(findings), held), 5, "those that need writes")

	client, err := clicknps.New(clicknps.WithoutEnvironment(), clicknps.WithAPIKey(srv.APIKey()),
		clicknps.WithBaseURL(srv.URL()))
	require.NoError(t, err)
	for _, f := range clicknpstest.CheckService(t.Context(), client) {
		if f.Service == "salesos" {
			assert.Equal(t, clicknpstest.NotChecked, f.Status, f.Check)
		}
	}
	for _, f := range clicknpstest.CheckService(t.Context(), clicknpstest.Run(t).Client()) {
		assert.NotEqual(t, clicknpstest.Differs, f.Status, "an empty account: %s: %s", f.Check, f.Detail)
	}
}

// differing is a server that differs from the fake in more than twenty ways.
func differing(srv *clicknpstest.Server) http.RoundTripper {
	return transportFunc(func(r *http.Request) (*http.Response, error) {
		if r.Body == nil {
			r.Body = http.NoBody
		}
		spoilRequest(r)
		resp, err := srv.Transport().RoundTrip(r)
		if err != nil {
			return nil, err
		}
		data, _ := io.ReadAll(resp.Body)
		var v any
		switch {
		case resp.StatusCode >= 400:
			data = []byte("{}")
		case strings.HasSuffix(r.URL.Path, "/export"):
			data = []byte("a;b\n")
		case json.Unmarshal(data, &v) == nil:
			spoilAnswer(r, resp.Header, v)
			data, _ = json.Marshal(v)
		}
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
		resp.Header.Set("Content-Length", strconv.Itoa(len(data)))
		return resp, nil
	})
}

func spoilRequest(r *http.Request) {
	query := r.URL.Query()
	query.Del("survey_id") // it selects nothing
	switch r.Method + " " + r.URL.Path {
	case "GET /v1/surveys":
		if query.Get("limit") == "1" {
			query.Set("limit", "2") // a page has more items than its limit
		}
		if query.Has("offset") {
			query.Set("offset", "2") // another item is second
		}
	case "GET /v1/webhooks":
		r.URL.Path, query = "/v1/surveys", nil // the page behind the end has items
	case "POST /v1/surveys":
		r.Header.Del("Idempotency-Key") // each POST creates a survey
	}
	r.URL.RawQuery = query.Encode()
}

// edits are the fields that spoilAnswer sets, by the end of the path.
var edits = []struct {
	method, path, in string
	name             string
	value            any
}{
	{"GET", "/v1/surveys", "pagination", "has_more", false},
	{"GET", "/v1/surveys", "pagination", "total", 99},
	{"GET", "/v1/surveys", "data", "status", "frozen"},
	{"GET", "/v1/surveys", "data", "tags", []string{"a"}},
	{"GET", "/v1/surveys/", "", "name", "Another"},
	{"GET", "/v1/responses", "data", "score", 11},
	{"GET", "/v1/responses", "data", "channel", "mail"},
	{"POST", "/mint", "links", "3", "https://example.com/r/10"},
	{"POST", "/mint", "links", "10", "https://example.com/r/10"},
	{"GET", "/nps-metrics", "", "promoters", 99},
	{"GET", "/metrics/nps", "", "npsScore", -7},
	{"GET", "/stats", "", "activeSurveys", 99},
	{"GET", "/responses", "", "score", 11}, // a bare list
	{"GET", "/responses", "data", "score", 11},
	{"POST", "/toggle", "", "isActive", false},
	{"GET", "/v1/nps-surveys", "", "type", "monthly"},
	{"GET", "/v1/nps-surveys", "", "owner", "u1"},
	{"GET", "/v1/nps-surveys/", "", "name", "Another"},
}

func spoilAnswer(r *http.Request, header http.Header, v any) {
	if strings.HasSuffix(r.URL.Path, "/stats") {
		for name := range header {
			if strings.HasPrefix(name, "X-Ratelimit") {
				header.Del(name)
			}
		}
	}
	if r.URL.Path == "/v1/surveys" {
		header.Set("Content-Type", "text/plain")
	}
	for _, e := range edits {
		matches := strings.HasSuffix(r.URL.Path, e.path)
		if strings.HasSuffix(e.path, "/") {
			matches = strings.HasPrefix(r.URL.Path, e.path)
		}
		if r.Method != e.method || !matches {
			continue
		}
		part := v
		if object, ok := v.(map[string]any); ok && e.in != "" {
			part = object[e.in]
		}
		objects, isList := part.([]any)
		if !isList {
			objects = []any{part}
		}
		for _, object := range objects {
			if object, ok := object.(map[string]any); ok {
				object[e.name] = e.value
			}
		}
	}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestServiceCheckNamesEachDifference(t *testing.T) {
	t.Parallel()
	srv := inhabited(t)
	client := srv.Client(clicknps.WithHTTPClient(&http.Client{Transport: differing(srv)}))
	differs := 0
	for _, f := range clicknpstest.CheckService(t.Context(), client, clicknpstest.WithWrites()) {
		if assert.Equal(t, clicknpstest.Differs, f.Status, "%s: %s: %s", f.Service, f.Check, f.Detail) {
			differs++
			assert.NotEmpty(t, f.Detail)
		}
	}
	assert.Equal(t, 29, differs)
}
