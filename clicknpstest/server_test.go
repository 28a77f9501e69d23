package clicknpstest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestURLListensUntilClose(t *testing.T) {
	before := runtime.NumGoroutine()
	srv := clicknpstest.New()
	assert.Equal(t, before, runtime.NumGoroutine(), "nothing runs before the first call")
	assert.Regexp(t, `^http://127\.0\.0\.1:\d+/v1$`, srv.URL())
	assert.Equal(t, srv.URL(), srv.URL())
	c := overSocket(t, srv)
	assert.Equal(t, 200, c.get("/v1/surveys").status)
	srv.Close()
	srv.Close()
	_, err := c.try("GET", "/v1/surveys", "")
	assert.Error(t, err)
}

func TestTheClientIsInProcessForTheFakesOwnURLsOnly(t *testing.T) {
	srv := clicknpstest.Run(t)
	sv := srv.AddSurvey(clicknps.Survey{})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("X-Front", "yes")
		srv.ServeHTTP(w, r)
	}))
	defer front.Close()
	for name, opts := range map[string][]clicknps.Option{
		"":    {},
		"url": {clicknps.WithBaseURL(srv.URL())},
		"yes": {clicknps.WithBaseURL(front.URL + "/v1")},
	} {
		srv.ResetRequests()
		got, err := srv.Client(opts...).Surveys.Get(t.Context(), sv.ID)
		require.NoError(t, err)
		assert.Equal(t, sv.ID, got.ID)
		header := srv.Requests()[0].Header
		assert.Equal(t, name == "yes", header.Get("X-Front") == "yes", name)
		assert.Equal(t, name == "yes", header.Get("Accept-Encoding") == "gzip", "net/http adds it on a socket")
	}
	srv.Close()
	_, err := srv.Client(clicknps.WithBaseURL(front.URL+"/v1")).Surveys.Get(t.Context(), sv.ID)
	assert.NoError(t, err, "inspecting goes on after Close")
}

func TestTheEnvironmentDoesNotReachTheClient(t *testing.T) {
	for _, name := range []string{"CLICKNPS_BASE_URL", "SALESOS_BASE_URL"} {
		t.Setenv(name, "https://example.com")
	}
	for _, name := range []string{"CLICKNPS_API_KEY", "SALESOS_TOKEN", "SALESOS_API_KEY"} {
		t.Setenv(name, "not this one")
	}
	srv := clicknpstest.Run(t)
	for _, client := range []*clicknps.Client{srv.Client(), srv.Client(clicknps.WithSalesOSAPIKey(srv.SalesOSAPIKey()))} {
		_, err := client.Surveys.List(t.Context(), nil)
		assert.NoError(t, err)
	}
	assert.Len(t, srv.Requests(), 2)
}

func TestRaceFreeUnder64Goroutines(t *testing.T) {
	srv := clicknpstest.Run(t, clicknpstest.WithSalesOSLimit(0))
	srv.DeliverTo(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	nps := srv.AddNPSSurvey(clicknps.NPSSurvey{})
	c := inProcess(t, srv)
	c.call("POST", "/v1/webhooks", `{"url":"https://example.com","events":["response.created","response.updated"]}`)
	srv.Inject(clicknpstest.Fault{Probability: 0.1, Status: 503, Path: "/v1/responses"})
	body := golden(t, "survey_create.json")
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			subject := fmt.Sprintf("user_%d", i)
			_, _ = c.try("POST", "/v1/surveys", body)
			_, _ = c.try("GET", "/v1/surveys?limit=100", "")
			_, _ = c.try("GET", "/v1/responses", "")
			_, _ = c.try("POST", "/v1/nps-surveys/"+nps.ID+"/toggle", "")
			r := srv.Respond("s", subject, i%11, "")
			srv.Advance(commentTime)
			_, _ = c.try("POST", "/v1/responses/"+r.ID+"/comment", `{"comment":"late"}`)
			srv.Advance(0)
			srv.AddNPSResponse(clicknps.NPSResponse{SurveyID: nps.ID, Score: i % 11})
			_, _ = c.try("GET", "/v1/nps-surveys/metrics/nps", "")
			_, _, _, _ = srv.Surveys(), srv.Responses(), srv.Requests(), srv.Deliveries()
			srv.SalesOSToken()
		})
	}
	wg.Wait()
	srv.Advance(commentTime)
	assert.Len(t, srv.Surveys(), 64)
	assert.Len(t, srv.Responses(), 64)
	assert.Len(t, srv.Deliveries(), 128)
	assert.Len(t, srv.Requests(), 1+64*6)
	assert.Equal(t, false, srv.NPSSurveys()[0].IsActive, "toggled 64 times")
}

func TestTestingStaysOutOfPrograms(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	deps := strings.Fields(string(out))
	assert.NotContains(t, deps, "testing")
}

func TestAdvanceMovesTheFakesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t)
		begin := time.Now()
		at := func() time.Duration { return srv.AddSurvey(clicknps.Survey{}).CreatedAt.Sub(begin) }
		srv.Advance(time.Hour)
		srv.Advance(-time.Minute)
		assert.Equal(t, time.Hour, at(), "time does not go back")
		until(begin.Add(time.Second))
		assert.Equal(t, time.Hour+time.Second, at())
		srv.Advance(1500 * time.Microsecond)
		assert.Equal(t, time.Hour+time.Second+time.Millisecond, at(), "stored in milliseconds")
	})
}

// It is the example of doc.go.
func TestAClientsOwnWaitsPassInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t, clicknpstest.WithPlan(clicknps.Plan{PerMinute: 1}))
		client := srv.Client()
		begin := time.Now()
		for range 2 {
			_, err := client.Surveys.List(t.Context(), nil)
			require.NoError(t, err)
		}
		assert.Equal(t, time.Minute, time.Since(begin).Truncate(time.Second))
	})
}
