package clicknpstest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBothTransportsAnswerAlike(t *testing.T) {
	answers := func(connect func(*testing.T, *clicknpstest.Server) caller) (got []string) {
		srv := clicknpstest.Run(t)
		srv.AddSurvey(clicknps.Survey{ID: "a", CreatedAt: documented})
		srv.AddNPSSurvey(clicknps.NPSSurvey{ID: "b", CreatedAt: documented})
		c := connect(t, srv)
		for _, path := range []string{"/v1/surveys", "/v1/surveys/a", "/v1/nps-surveys/b", "/v1/nps-surveys/b/responses/export?format=csv", "/none"} {
			r := c.get(path)
			got = append(got, fmt.Sprint(r.status, r.header.Get("Content-Type"), r.header.Get("X-Request-Id"), r.body))
		}
		r := c.call("DELETE", "/v1/nps-surveys/b", "")
		return append(got, fmt.Sprint(r.status, r.header.Get("X-Request-Id"), r.body))
	}
	assert.Equal(t, answers(inProcess), answers(overSocket))
}

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

func TestInspectorsReturnCopies(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := inProcess(t, srv)
	c.call("POST", "/v1/webhooks?a=b", `{"url":"https://example.com","events":["response.created"]}`)
	srv.Webhooks()[0].Events[0] = "changed"
	request := srv.Requests()[0]
	request.Body[0] = 'X'
	request.Header.Set("Content-Type", "changed")
	request.Query.Set("a", "changed")
	assert.Equal(t, clicknps.EventResponseCreated, srv.Webhooks()[0].Events[0])
	request = srv.Requests()[0]
	assert.Equal(t, byte('{'), request.Body[0])
	assert.Equal(t, "application/json", request.Header.Get("Content-Type"))
	assert.Equal(t, "b", request.Query.Get("a"))
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

func TestTheSameSeedGivesTheSameIDs(t *testing.T) {
	ids := func(seed uint64) []string {
		srv := clicknpstest.Run(t, clicknpstest.WithSeed(seed))
		return []string{srv.AddSurvey(clicknps.Survey{}).ID, srv.AddNPSSurvey(clicknps.NPSSurvey{}).ID, srv.Respond("s", "a", 1, "").ID}
	}
	assert.Equal(t, ids(7), ids(7))
	assert.NotEqual(t, ids(7), ids(8))
}

func TestAddedItemsAreFilledInOrReplaced(t *testing.T) {
	srv := clicknpstest.Run(t)
	sv := srv.AddSurvey(clicknps.Survey{})
	assert.NotEmpty(t, sv.Name)
	assert.NotEmpty(t, sv.Question)
	assert.Equal(t, clicknps.SurveyStatusActive, sv.Status)
	assert.WithinDuration(t, time.Now(), sv.CreatedAt, time.Minute)
	r := srv.AddResponse(clicknps.Response{SurveyID: sv.ID, SubjectID: "a", Score: 3, Comment: "c", UpdatedAt: documented})
	assert.Equal(t, []clicknps.Response{r}, srv.Responses())
	assert.Equal(t, r, srv.Respond(sv.ID, "a", 10, ""), "an added response is the subject's answer")
	nps := srv.AddNPSSurvey(clicknps.NPSSurvey{Name: "N"})
	assert.Equal(t, clicknps.NPSTransactional, nps.Type)
	assert.Equal(t, nps.CreatedAt, nps.UpdatedAt)
	assert.Equal(t, nps.ID, srv.AddNPSResponse(nps.ID, clicknps.NPSResponse{Score: 3}).SurveyID)

	sv.Name = "Other"
	srv.AddSurvey(sv)
	assert.Equal(t, []clicknps.Survey{sv}, srv.Surveys())
}

func TestMisuse(t *testing.T) {
	misuses := map[string]func(*clicknpstest.Server){
		"no ClickNPS survey": func(s *clicknpstest.Server) { s.SetTarget("none", 1) },
		"no SalesOS survey":  func(s *clicknpstest.Server) { s.AddNPSResponse("none", clicknps.NPSResponse{}) },
		"score 11":           func(s *clicknpstest.Server) { s.Respond("s", "a", 11, "") },
		"score -1":           func(s *clicknpstest.Server) { s.AddResponse(clicknps.Response{Score: -1}) },
		"Fault.Path":         func(s *clicknpstest.Server) { s.Inject(clicknpstest.Fault{Path: "["}) },
	}
	for message, misuse := range misuses {
		var failed fakeTB
		srv := clicknpstest.Run(&failed)
		assert.Panics(t, func() { misuse(srv) }, message)
		assert.Contains(t, failed.message, message)
		assert.NotPanics(t, func() { srv.Surveys() }, "no lock is left behind")
		failed.cleanup()
		assert.Panics(t, func() { misuse(clicknpstest.New()) }, message)
	}
}

// fakeTB is a test that can be seen to fail.
type fakeTB struct {
	message string
	cleanup func()
}

func (f *fakeTB) Helper()           {}
func (f *fakeTB) Cleanup(fn func()) { f.cleanup = fn }
func (f *fakeTB) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	panic(f.message) // as Fatalf, it does not return
}

func TestClientIsWired(t *testing.T) {
	assert.NotNil(t, clicknpstest.Run(t).Client())
}

func TestTheInProcessTransportKeepsItsContract(t *testing.T) {
	srv := clicknpstest.Run(t)
	body := &closeCounter{Reader: strings.NewReader("{}")}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", "https://clicknps.test/v1/surveys", body)
	require.NoError(t, err)
	_, err = srv.Transport().RoundTrip(req)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 1, body.closed)
	assert.Empty(t, srv.Requests(), "nothing was sent")

	broken := &closeCounter{Reader: io.MultiReader(bytes.NewReader([]byte("{")), errorReader{})}
	req, err = http.NewRequestWithContext(t.Context(), "POST", "https://clicknps.test/v1/surveys", broken)
	require.NoError(t, err)
	_, err = srv.Transport().RoundTrip(req)
	assert.ErrorIs(t, err, io.ErrClosedPipe)
	assert.Equal(t, 1, broken.closed)
}

type closeCounter struct {
	io.Reader
	closed int
}

func (c *closeCounter) Close() error { c.closed++; return nil }

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

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
			srv.AddNPSResponse(nps.ID, clicknps.NPSResponse{Score: i % 11})
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
	assert.NotContains(t, deps, "net/http/httptest")
}
