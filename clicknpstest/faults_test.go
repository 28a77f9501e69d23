package clicknpstest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// onBothTransports runs test in process and over a socket, on a connection that was used before.
func onBothTransports(t *testing.T, test func(t *testing.T, srv *clicknpstest.Server, c caller)) {
	for name, connect := range map[string]func(*testing.T, *clicknpstest.Server) caller{
		"in process": inProcess, "socket": overSocket,
	} {
		t.Run(name, func(t *testing.T) {
			srv := clicknpstest.Run(t)
			c := connect(t, srv)
			require.Equal(t, 200, c.get("/v1/surveys").status)
			test(t, srv, c)
		})
	}
}

// assertCut checks that err is a connection that broke after the request was sent.
func assertCut(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return
	}
	assert.ErrorIs(t, err, syscall.ECONNRESET)
	if op, ok := errors.AsType[*net.OpError](err); assert.True(t, ok) {
		assert.Equal(t, "read", op.Op, "it must not look as if nothing was sent")
	}
}

func TestDropBeforeTheEffect(t *testing.T) {
	onBothTransports(t, func(t *testing.T, srv *clicknpstest.Server, c caller) {
		srv.Inject(clicknpstest.Fault{Method: "POST", DropBefore: true, Times: 1})
		_, err := c.with("Idempotency-Key", "k").try("POST", "/v1/surveys", golden(t, "survey_create.json"))
		assertCut(t, err)
		assert.Empty(t, srv.Surveys())
		requests := srv.Requests()
		require.Len(t, requests, 2, "net/http has not repeated it by itself")
		assert.Equal(t, 0, requests[1].StatusCode)
		assert.JSONEq(t, golden(t, "survey_create.json"), string(requests[1].Body))
		assert.Equal(t, 201, c.call("POST", "/v1/surveys", golden(t, "survey_create.json")).status, "the fault is used up")
	})
}

func TestDropAfterTheEffect(t *testing.T) {
	onBothTransports(t, func(t *testing.T, srv *clicknpstest.Server, c caller) {
		srv.Inject(clicknpstest.Fault{DropAfter: true, Times: 2})
		_, err := c.try("POST", "/v1/surveys", golden(t, "survey_create.json"))
		assertCut(t, err)
		require.Len(t, srv.Surveys(), 1)
		assert.Equal(t, 201, srv.Requests()[1].StatusCode)
		_, err = c.try("GET", "/v1/surveys", "")
		assertCut(t, err)
		assert.Len(t, srv.Requests(), 3)
	})
}

func TestTruncate(t *testing.T) {
	onBothTransports(t, func(t *testing.T, srv *clicknpstest.Server, c caller) {
		srv.Inject(clicknpstest.Fault{Truncate: true, Times: 2})
		got, err := c.try("POST", "/v1/surveys", golden(t, "survey_create.json"))
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Equal(t, 201, got.status)
		assert.NotEmpty(t, got.body)
		assert.Len(t, srv.Surveys(), 1, "after the effect")
		got, err = c.try("GET", "/v1/nps-surveys/none", "")
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF, "an error's body is cut, too")
		assert.Equal(t, 404, got.status)
		assert.Equal(t, 200, c.get("/v1/surveys").status)
	})
}

func TestTruncateHasNothingToCutInA204(t *testing.T) {
	onBothTransports(t, func(t *testing.T, srv *clicknpstest.Server, c caller) {
		srv.AddNPSSurvey(clicknps.NPSSurvey{ID: "s"})
		srv.Inject(clicknpstest.Fault{Truncate: true})
		_, err := c.try("DELETE", "/v1/nps-surveys/s", "")
		assertCut(t, err)
		assert.Empty(t, srv.NPSSurveys())
	})
}

func TestAnsweredInstead(t *testing.T) {
	onBothTransports(t, func(t *testing.T, srv *clicknpstest.Server, c caller) {
		srv.Inject(clicknpstest.Fault{
			Times: 1, Status: 503, Header: http.Header{"retry-after": {"7"}, "X-Request-Id": {"mine"}}, Body: "<html>busy</html>",
		})
		got := c.call("POST", "/v1/surveys", golden(t, "survey_create.json"))
		assert.Equal(t, 503, got.status)
		assert.Equal(t, "7", got.header.Get("Retry-After"))
		assert.Equal(t, "mine", got.header.Get("X-Request-Id"))
		assert.Equal(t, "text/html; charset=utf-8", got.header.Get("Content-Type"))
		assert.Equal(t, "<html>busy</html>", got.body)
		assert.Empty(t, srv.Surveys())

		srv.Inject(clicknpstest.Fault{Times: 1, Body: `{"strange":true}`})
		got = c.get("/v1/surveys")
		assert.Equal(t, 200, got.status, "a body alone is a success")
		assert.Equal(t, "application/json", got.header.Get("Content-Type"))
		srv.Inject(clicknpstest.Fault{Times: 1, Status: 500})
		got = c.get("/v1/surveys")
		assert.Equal(t, 500, got.status)
		assert.Empty(t, got.body)
		assert.NotEmpty(t, got.header.Get("X-Request-Id"))
	})
}

func TestDelayEndsWithTheCaller(t *testing.T) {
	onBothTransports(t, func(t *testing.T, srv *clicknpstest.Server, c caller) {
		srv.Inject(clicknpstest.Fault{Delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "DELETE", c.base+"/v1/surveys/s", nil)
		require.NoError(t, err)
		_, err = c.http.Do(req)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestDelayThenTheRequestGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t, clicknpstest.WithLatency(time.Second))
		srv.Inject(clicknpstest.Fault{Delay: time.Minute, Times: 1})
		c := inProcess(t, srv)
		begin := time.Now()
		assert.Equal(t, 200, c.get("/v1/surveys").status)
		assert.Equal(t, 61*time.Second, time.Since(begin), "after the latency")
		assert.Equal(t, 200, c.get("/v1/surveys").status)
		assert.Equal(t, 62*time.Second, time.Since(begin))

		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "GET", c.base+"/v1/surveys", nil)
		require.NoError(t, err)
		_, err = c.http.Do(req)
		assert.ErrorIs(t, err, context.DeadlineExceeded, "the latency ends with the caller")
	})
}

func TestTheFirstFaultThatMatchesApplies(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := inProcess(t, srv)
	srv.Inject(clicknpstest.Fault{Method: "GET", Path: "/v1/surveys/*", Status: 501, Times: 1})
	srv.Inject(clicknpstest.Fault{Path: "/v1/surveys/*", Status: 502})
	srv.Inject(clicknpstest.Fault{Path: "/v1/surveys", Status: 503})
	status := func(method, path string) int { return c.call(method, path, "").status }
	assert.Equal(t, 502, status("DELETE", "/v1/surveys/a"))
	assert.Equal(t, 501, status("GET", "/v1/surveys/a%2Fb"), "an escaped slash ends no element")
	assert.Equal(t, 502, status("GET", "/v1/surveys/a"), "the first is used up")
	assert.Equal(t, 404, status("GET", "/v1/surveys/a/b"), "* is one element")
	assert.Equal(t, 503, status("GET", "/v1/surveys?limit=5"))
	assert.Equal(t, 404, status("GET", "/v1/responses/a"))
	srv.ClearFaults()
	assert.Equal(t, 200, status("GET", "/v1/surveys"))
}

func TestProbabilityFollowsTheSeed(t *testing.T) {
	hits := func(seed uint64) (pattern string, n int) {
		srv := clicknpstest.Run(t, clicknpstest.WithSeed(seed))
		srv.Inject(clicknpstest.Fault{Probability: 0.3, Status: 503})
		c := inProcess(t, srv)
		for range 1000 {
			hit := c.get("/v1/surveys").status == 503
			pattern += map[bool]string{true: "x", false: "."}[hit]
			if hit {
				n++
			}
		}
		return pattern, n
	}
	first, n := hits(1)
	again, _ := hits(1)
	other, _ := hits(2)
	assert.Equal(t, first, again)
	assert.NotEqual(t, first, other)
	assert.InDelta(t, 300, n, 60)
}

func TestFaultsComeBeforeCredentialsAndQuota(t *testing.T) {
	srv := clicknpstest.Run(t, clicknpstest.WithPlan(clicknps.Plan{PerMinute: 1}))
	srv.Inject(clicknpstest.Fault{Status: 502, Times: 3})
	c := inProcess(t, srv)
	for range 3 {
		assert.Equal(t, 502, c.with("Authorization", "").get("/v1/surveys").status)
	}
	assert.Equal(t, 200, c.get("/v1/surveys").status)
}
