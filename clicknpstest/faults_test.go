package clicknpstest_test

import (
	"context"
	"io"
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
		assert.JSONEq(t, clickNPSError("server_error", "Internal Server Error", ""), got.body)
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

func TestAFaultThatCanDoNothingIsMisuse(t *testing.T) {
	status := clicknpstest.Fault{Status: 503}
	at := func(method, path string) clicknpstest.Fault {
		return clicknpstest.Fault{Method: method, Path: path, Status: 503}
	}
	for message, f := range map[string]clicknpstest.Fault{
		"Fault is empty":                          {Method: "GET", Path: "/v1/surveys", After: 1, Times: 1, Probability: 0.5},
		"Fault is empty: set":                     {Header: http.Header{}},
		`Fault.Path "[": syntax`:                  at("", "["),
		"match no endpoint such as /surveys/{id}": at("", "https://api.clicknps.com/v1/surveys"),
		"must not have a query":                   at("", "/v1/surveys?limit=5"),
		"must be escaped, as in a URL":            at("", "/surveys/user 42"),
		`Path "/surveys/ü" must be escaped`:       at("", "/surveys/ü"),
		"Fault.Path \"/surveys/\\x7f\" must":      at("", "/surveys/\x7f"),
		`Path "/v2/surveys" match`:                at("", "/v2/surveys"),
		`Path "v1/surveys" match`:                 at("", "v1/surveys"),
		`Path "/surveys/" match`:                  at("", "/surveys/"),
		`Path "/v1/surveys/a/b" m`:                at("", "/v1/surveys/a/b"),
		`Method "get" and Path ""`:                at("get", ""),
		`Method "OPTIONS"`:                        at("OPTIONS", "/surveys"),
		`Method "DELETE" and Path`:                at("DELETE", "/surveys"),
		"only one of DropBefore, ":                {DropBefore: true, DropAfter: true},
		"only one of DropBefore":                  {DropAfter: true, Truncate: true},
		"DropAfter and Truncate":                  {DropBefore: true, Truncate: true},
		"Probability must be":                     {Status: 503, Probability: 1.01},
		"Probability must be from":                {Status: 503, Probability: -0.01},
		"must be from 0 to 1":                     {Status: 503, Probability: math.NaN()},
		"After, Times and Delay":                  {Status: 503, After: -1},
		"Times and Delay must":                    {Status: 503, Times: -1},
		"Delay must not be neg":                   {Delay: -1},
		"Fault.Status 199 ":                       {Status: 199},
		"Fault.Status 1000 ":                      {Status: 1000},
		"Fault.Status -1 ":                        {Status: -1},
	} {
		failed := recordingTB{}
		srv := clicknpstest.Run(&failed)
		assert.Panics(t, func() { srv.Inject(f) }, message)
		assert.Contains(t, failed.message, message)
	}
	srv := clicknpstest.Run(t)
	status.Probability = 1
	for _, f := range []clicknpstest.Fault{
		status,
		{Status: 200},
		{Status: 999},
		{Delay: 1},
		{Body: "x"},
		{Truncate: true},
		{Header: http.Header{"X": {"y"}}},
		at("", "/*/*"), at("POST", "/r/*/comment"), at("HEAD", "/r/{token}"),
	} {
		assert.Zero(t, srv.Inject(f).Hits())
	}
}

func TestAPathMayBeARoute(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := inProcess(t, srv)
	for route, want := range map[string]string{
		"/surveys/{id}":                 "/v1/surveys/a%2Fb",
		"/v1/surveys/{id}":              "/v1/surveys/a",
		"/responses/{id}/comment":       "/v1/responses/x/comment",
		"/v1/surveys/survey_*":          "/v1/surveys/survey_1",
		"/nps-surveys/{id}/responses":   "/v1/nps-surveys/x/responses",
		"/v1/nps-surveys/[ab]/toggle":   "/v1/nps-surveys/b/toggle",
		"/r/{token}":                    "/r/0",
		"/v1/nps-surveys/metrics/{any}": "/v1/nps-surveys/metrics/nps",
	} {
		srv.ClearFaults()
		fault := srv.Inject(clicknpstest.Fault{Path: route, Status: 418})
		assert.Equal(t, 418, c.get(want).status, route)
		assert.NotEqual(t, 418, c.get(want+"/").status, route)
		assert.Equal(t, 1, fault.Hits(), route)
	}
}

func TestAfterLetsMatchingRequestsPassFirst(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := inProcess(t, srv)
	late := srv.Inject(clicknpstest.Fault{Path: "/surveys", After: 2, Times: 2, Status: 503})
	rest := srv.Inject(clicknpstest.Fault{Path: "/surveys", After: 3, Status: 502})
	c.get("/v1/responses")
	var got []int
	for range 7 {
		got = append(got, c.get("/v1/surveys").status)
	}
	assert.Equal(t, []int{200, 200, 503, 503, 200, 502, 502}, got, "what the first took, the second did not see")
	assert.Equal(t, 2, late.Hits())
	assert.Equal(t, 2, rest.Hits())
	srv.ClearFaults()
	assert.Equal(t, 200, c.get("/v1/surveys").status)
	assert.Equal(t, 2, late.Hits())
}

func TestAStatusAloneIsTheServicesOwnError(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := inProcess(t, srv)
	fails := func(status int, header http.Header, path string) reply {
		srv.ClearFaults()
		srv.Inject(clicknpstest.Fault{Status: status, Header: header})
		got := c.get(path)
		assert.Equal(t, status, got.status)
		return got
	}
	for status, want := range map[int]string{
		400: clickNPSError("invalid_request", "Bad Request", ""),
		401: clickNPSError("unauthorized", "Invalid or missing API key", ""),
		403: clickNPSError("forbidden", "Insufficient permissions", ""),
		404: clickNPSError("not_found", "Not found", ""),
		409: clickNPSError("conflict", "Conflict", ""),
		422: clickNPSError("validation_error", "Invalid parameters", ""),
		429: golden(t, "error_rate_limit.json"),
		500: clickNPSError("server_error", "Internal Server Error", ""),
		503: clickNPSError("server_error", "Service Unavailable", ""),
		599: clickNPSError("server_error", "", ""),
	} {
		got := fails(status, nil, "/v1/surveys")
		assert.Equal(t, "application/json", got.header.Get("Content-Type"))
		assert.JSONEq(t, want, got.body, status)
	}
	got := fails(429, http.Header{"retry-after": {"7"}}, "/v1/surveys")
	assert.JSONEq(t, clickNPSError("rate_limit_exceeded", "Rate limit exceeded. Retry after 7 seconds.", ""), got.body)
	assert.Equal(t, "7", got.header.Get("Retry-After"))

	for status, want := range map[int]string{
		400: `{"statusCode":400,"message":"Bad Request","error":"Validation failed"}`,
		401: `{"statusCode":401,"message":"Unauthorized"}`,
		403: `{"statusCode":403,"message":"Forbidden resource","error":"Forbidden"}`,
		404: `{"statusCode":404,"message":"NPS survey not found","error":"Not Found"}`,
		409: `{"statusCode":409,"message":"Conflict","error":"Conflict"}`,
		429: `{"statusCode":429,"message":"Too Many Requests"}`,
		500: `{"statusCode":500,"message":"Internal server error"}`,
		503: `{"statusCode":503,"message":"Service Unavailable","error":"Service Unavailable"}`,
	} {
		got := fails(status, nil, "/v1/nps-surveys")
		assert.Equal(t, "application/json", got.header.Get("Content-Type"))
		assert.JSONEq(t, want, got.body)
	}
	got = fails(502, nil, "/r/x")
	assert.Equal(t, []string{"Bad Gateway", "text/plain"}, []string{got.body, got.header.Get("Content-Type")})
	got = fails(201, nil, "/v1/surveys")
	assert.Equal(t, []string{"", ""}, []string{got.body, got.header.Get("Content-Type")}, "a success has no body of its own")
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
