package proxies

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// nginx starts nginx in front of upstream, and returns its address. socketOptions and directives are those of
// its server.
func nginx(t *testing.T, upstream, socketOptions, directives string) string {
	socket, address := listen(t)
	start(t, socket, `
user root; worker_processes 1; daemon off; pid nginx.pid; error_log stderr crit;
events { worker_connections 512; }
http {
	access_log off;
	client_body_temp_path 1; proxy_temp_path 2; fastcgi_temp_path 3; uwsgi_temp_path 4; scgi_temp_path 5;
	limit_req_zone $server_port zone=all:1m rate=10r/s;
	server {
		listen `+address+" "+socketOptions+`;
		`+directives+`
		location / { proxy_pass http://`+upstream+`; }
	}
}`, "nginx", "-p", ".", "-e", "stderr", "-c")
	require.NoError(t, socket.Close()) // if nginx ends, connections are refused
	return address
}

func TestNginxGatewayTimeout(t *testing.T) {
	t.Parallel()
	testGatewayTimeout(t, func(upstream string) string {
		return nginx(t, upstream, "", "proxy_read_timeout 1s;")
	})
}

// testGatewayTimeout tests requests that take effect when the proxy has already answered 504.
func testGatewayTimeout(t *testing.T, proxy func(upstream string) string) {
	fake, _ := newFake(t)
	var posts sync.WaitGroup
	origin := "http://" + proxy(serve(t, late(fake, &posts)))
	client := newClient(t, fake, origin, quick, clicknps.WithHeader("Late", "0s"))
	var info clicknps.CallInfo
	errs := []error{create(t, client, clicknps.WithCallInfo(&info))(0)}
	errNPS := createNPS(t, client)(0)
	toggled := fake.AddNPSSurvey(clicknps.NPSSurvey{})
	_, errToggle := client.SalesOS.NPS.Toggle(t.Context(), toggled.ID)
	posts.Wait()
	assertOnce(t, fake, errs)
	require.GreaterOrEqual(t, len(info.Attempts), 2)
	assert.Equal(t, http.StatusGatewayTimeout, info.Attempts[0].StatusCode)
	for _, err := range []error{errNPS, errToggle} {
		assertFailure(t, err, http.StatusGatewayTimeout, 1, true)
	}
	assertKnown(t, fake, nameNPS, []error{errNPS})
	require.Len(t, fake.NPSSurveys(), 2)
	assert.True(t, fake.NPSSurveys()[1].IsActive, "toggled once")

	// The upstream takes longer than the proxy waits, by these times.
	for _, after := range []string{"0s", "1500ms"} {
		t.Run("SetActive "+after, func(t *testing.T) {
			survey := fake.AddNPSSurvey(clicknps.NPSSurvey{})
			client := newClient(t, fake, origin, clicknps.WithHeader("Late", after))
			_, err := client.SalesOS.NPS.SetActive(t.Context(), survey.ID, true)
			posts.Wait()
			all := fake.NPSSurveys()
			assert.True(t, all[len(all)-1].IsActive, "in the end")
			assert.NoError(t, err)
		})
	}
}

func assertFailure(t *testing.T, err error, status, attempts int, unknown bool) {
	t.Helper()
	failed, ok := errors.AsType[*clicknps.Error](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, status, failed.StatusCode, "%v", err)
	assert.Equal(t, attempts, failed.Attempts, "%v", err)
	assert.Equal(t, unknown, errors.Is(err, clicknps.ErrOutcomeUnknown), "%v", err)
	assert.Equal(t, status >= 500, errors.Is(err, clicknps.ErrServer), "%v", err)
}

func TestNginxUpstreamDown(t *testing.T) {
	t.Parallel()
	testUpstreamDown(t, http.StatusBadGateway, func(upstream string) string {
		return nginx(t, upstream, "", "")
	})
}

// testUpstreamDown tests calls while no upstream listens, and one that is waiting when it does again.
func testUpstreamDown(t *testing.T, status int, proxy func(upstream string) string) {
	fake, _ := newFake(t)
	upstream := closedAddress(t)
	client := newClient(t, fake, "http://"+proxy(upstream), quick)
	assertFailure(t, create(t, client)(0), status, 5, true)
	assertFailure(t, createNPS(t, client)(0), status, 1, true)
	_, err := client.Surveys.Get(t.Context(), "id")
	assertFailure(t, err, status, 5, false)
	assert.ErrorContains(t, err, "text/html")

	result := make(chan error)
	patient := clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: 1000})
	go func() { result <- create(t, client, patient)(0) }()
	<-time.After(200 * time.Millisecond)
	listener, err := net.Listen("tcp", upstream)
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go http.Serve(listener, fake) //nolint:errcheck // ends when the listener is closed
	assertOnce(t, fake, []error{<-result})
}

// Without Retry-After, each call that is refused backs off by itself.
func TestNginxLimitReq(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		directive         string
		goroutines, calls int
		ideal             float64 // seconds
	}{
		{"limit_req zone=all; limit_req_status 429;", 5, 60, 5.9},
		{"limit_req zone=all; limit_req_status 503;", 5, 60, 5.9},
		{"limit_req zone=all burst=5; limit_req_status 429;", 20, 100, 9.4},
	} {
		t.Run(test.directive, func(t *testing.T) {
			t.Parallel()
			fake, upstream := newFake(t)
			// A refusal that names no wait counts against MaxRetries; with 4, some of the calls fail.
			client := newClient(t, fake, "http://"+nginx(t, upstream, "", test.directive),
				clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: 16}))
			var attempts atomic.Int64
			began := time.Now()
			errs := concurrently(test.calls, test.goroutines, func(int) error {
				var info clicknps.CallInfo
				defer func() { attempts.Add(int64(len(info.Attempts))) }()
				return second(client.Surveys.List(t.Context(), nil, clicknps.WithCallInfo(&info)))
			})
			useful := float64(len(fake.Requests()))
			t.Logf("%.2f of the ideal time, %.2f refusals a useful request",
				time.Since(began).Seconds()/test.ideal, float64(attempts.Load())/useful-1)
			assert.NoError(t, errors.Join(errs...))
		})
	}
}

// nginx closes each HTTP/2 connection after 20 requests, with a GOAWAY.
func TestNginxGoAway(t *testing.T) {
	t.Parallel()
	directives := "keepalive_requests 20; ssl_certificate " + pemFile + "; ssl_certificate_key " + pemFile + ";"
	for what, policy := range map[string]clicknps.RetryPolicy{"no retries": {MaxRetries: -1}, "default": {}} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			fake, upstream := newFake(t)
			transport, dials := newTransport(t), new(atomic.Int64)
			transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				dials.Add(1)
				return new(net.Dialer).DialContext(ctx, network, address)
			}
			client := newClient(t, fake, "https://"+nginx(t, upstream, "ssl http2", directives),
				clicknps.WithHTTPClient(&http.Client{Transport: transport}),
				clicknps.WithRetryPolicy(policy))
			began := time.Now()
			errs := concurrently(1000, 8, createNPS(t, client))
			t.Logf("%d of 1000 took effect, in %v", len(fake.NPSSurveys()), time.Since(began))
			assert.Zero(t, assertKnown(t, fake, nameNPS, errs), "ErrOutcomeUnknown")
			if policy.MaxRetries == 0 {
				assert.NoError(t, errors.Join(errs...))
			}
			assert.GreaterOrEqual(t, dials.Load(), int64(1000/20))
		})
	}
}

// By default nginx talks HTTP/1.0 to its upstream, and one that dies looks like one that has finished.
func TestNginxExportOfKilledUpstream(t *testing.T) {
	t.Parallel()
	whole := "[" + strings.Repeat(`{"id":"r","score":9},`, 2000) + `{"id":"r","score":9}]`
	for _, directives := range []string{"", "gzip on; gzip_types *;"} {
		var end atomic.Int64
		upstream := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, whole[:end.Load()])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		fake, _ := newFake(t)
		client := newClient(t, fake, "http://"+nginx(t, upstream, "", directives), quick)
		for _, n := range []int{1, 2, 8, 21, 22, 1000*21 + 1, len(whole) - 1, len(whole)} {
			end.Store(int64(n))
			var got bytes.Buffer
			_, err := client.SalesOS.NPS.Export(t.Context(), "id", clicknps.ExportJSON, &got)
			assert.Equal(t, whole[:n], got.String(), n)
			assert.Equal(t, n < len(whole), errors.Is(err, io.ErrUnexpectedEOF), "%d: %v", n, err)
			assert.Equal(t, n < len(whole), err != nil, "%d: %v", n, err)
		}
	}
}

func TestNginxGzip(t *testing.T) {
	t.Parallel()
	fake, upstream := newFake(t)
	survey := fake.AddNPSSurvey(clicknps.NPSSurvey{})
	for range 250 {
		fake.AddSurvey(clicknps.Survey{})
		fake.AddNPSResponse(clicknps.NPSResponse{SurveyID: survey.ID, Score: 9})
	}
	client := newClient(t, fake, "http://"+nginx(t, upstream, "", "gzip on; gzip_types *;"))
	var info clicknps.CallInfo
	surveys, err := clicknps.Collect(client.Surveys.All(t.Context(), nil, clicknps.WithCallInfo(&info)), 250)
	require.NoError(t, err)
	assert.Equal(t, fake.Surveys(), surveys)
	assert.Empty(t, info.Header.Get("Content-Length"), "which the fake sends, and gzip takes away")
	assert.Zero(t, assertExports(t, fake, client, survey.ID))
}

// What a proxy refuses is refused once, in a page of its own.
func TestNginxRefusals(t *testing.T) {
	t.Parallel()
	fake, upstream := newFake(t)
	strict := httptest.NewUnstartedServer(fake)
	strict.Config.MaxHeaderBytes = 4 << 10
	strict.Start()
	t.Cleanup(strict.Close)
	wide := nginx(t, strict.Listener.Addr().String(), "", "large_client_header_buffers 4 64k;")
	narrow := nginx(t, upstream, "", "client_max_body_size 1k;")
	for _, test := range []struct {
		proxy        string
		body, header int
		status       int
		text         string
	}{
		{narrow, 2 << 10, 1, http.StatusRequestEntityTooLarge, "text/html"},
		{narrow, 4 << 20, 1, http.StatusRequestEntityTooLarge, "text/html"},
		{narrow, 1, 32 << 10, http.StatusBadRequest, "Request Header Or Cookie Too Large"},
		{wide, 1, 32 << 10, http.StatusRequestHeaderFieldsTooLarge, "text/plain"},
	} {
		big := clicknps.WithHeader("Big", strings.Repeat("x", test.header))
		client := newClient(t, fake, "http://"+test.proxy, big)
		params := &clicknps.SurveyCreateParams{Name: strings.Repeat("x", test.body), Question: "?"}
		_, err := client.Surveys.Create(t.Context(), params)
		assertFailure(t, err, test.status, 1, false)
		assert.ErrorContains(t, err, test.text)
	}
	assert.Empty(t, fake.Requests())
}
