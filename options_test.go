package clicknps_test

import (
	"bytes"
	"context"
	"log"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

const secret = "top-secret"

func TestOptionsThatCannotBeRight(t *testing.T) {
	t.Parallel()
	source := clicknps.TokenSourceFunc(func(context.Context) (clicknps.Token, error) { return clicknps.Token{Value: secret}, nil })
	limiter := struct{ clicknps.RateLimiter }{}
	tests := []struct {
		name, naming string
		opts         []clicknps.Option
	}{
		{"key with a newline", "WithAPIKey", []clicknps.Option{clicknps.WithAPIKey(secret + "\n")}},
		{"key with a space", "WithAPIKey", []clicknps.Option{clicknps.WithAPIKey(" " + secret)}},
		{"key with a NUL", "WithAPIKey", []clicknps.Option{clicknps.WithAPIKey(secret + "\x00")}},
		{"key with an umlaut", "WithAPIKey", []clicknps.Option{clicknps.WithAPIKey(secret + "ü")}},
		{"token with a newline", "WithSalesOSToken", []clicknps.Option{clicknps.WithSalesOSToken(secret + "\r\n")}},
		{"token with its scheme", "WithSalesOSToken", []clicknps.Option{clicknps.WithSalesOSToken("Bearer " + secret)}},
		{"SalesOS key with a tab", "WithSalesOSAPIKey", []clicknps.Option{clicknps.WithSalesOSAPIKey(secret + "\t")}},
		{"nil token source", "WithSalesOSTokenSource", []clicknps.Option{clicknps.WithSalesOSTokenSource(nil)}},
		{"token and key", "WithSalesOSAPIKey", []clicknps.Option{clicknps.WithSalesOSToken(secret), clicknps.WithSalesOSAPIKey(secret)}},
		{"key and token", "WithSalesOSToken", []clicknps.Option{clicknps.WithSalesOSAPIKey(secret), clicknps.WithSalesOSToken(secret)}},
		{"token and source", "WithSalesOSTokenSource", []clicknps.Option{clicknps.WithSalesOSToken(secret), clicknps.WithSalesOSTokenSource(source)}},
		{"source and key", "WithSalesOSAPIKey", []clicknps.Option{clicknps.WithSalesOSTokenSource(source), clicknps.WithSalesOSAPIKey(secret)}},

		{"nil option", "option 1", []clicknps.Option{clicknps.WithPlainHTTP(), nil}},
		{"nil HTTP client", "WithHTTPClient", []clicknps.Option{clicknps.WithHTTPClient(nil)}},
		{"nil middleware", "WithMiddleware", []clicknps.Option{clicknps.WithMiddleware(nil)}},
		{"nil limiter", "WithRateLimiter", []clicknps.Option{clicknps.WithRateLimiter(nil)}},
		{"nil SalesOS limiter", "WithSalesOSRateLimiter", []clicknps.Option{clicknps.WithSalesOSRateLimiter(nil)}},
		{"plan and limiter", "WithPlan", []clicknps.Option{clicknps.WithPlan(clicknps.PlanFree), clicknps.WithRateLimiter(limiter)}},
		{"negative plan", "WithPlan", []clicknps.Option{clicknps.WithPlan(clicknps.Plan{PerMinute: -1})}},
		{"negative plan an hour", "WithPlan", []clicknps.Option{clicknps.WithPlan(clicknps.Plan{PerHour: -1})}},
		{"nil logger", "WithLogger", []clicknps.Option{clicknps.WithLogger(nil)}},
		{"empty product", "WithUserAgent", []clicknps.Option{clicknps.WithUserAgent("")}},
		{"product with a newline", "WithUserAgent", []clicknps.Option{clicknps.WithUserAgent("acme\r\nX: y")}},
		{"product with an umlaut", "WithUserAgent", []clicknps.Option{clicknps.WithUserAgent("müller/1")}},

		{"retries below none", "MaxRetries", policy(clicknps.RetryPolicy{MaxRetries: -2})},
		{"negative MinBackoff", "WithRetryPolicy", policy(clicknps.RetryPolicy{MinBackoff: -1})},
		{"negative MaxBackoff", "WithRetryPolicy", policy(clicknps.RetryPolicy{MaxBackoff: -1})},
		{"negative MaxRetryAfter", "WithRetryPolicy", policy(clicknps.RetryPolicy{MaxRetryAfter: -1})},
		{"negative AttemptTimeout", "WithRetryPolicy", policy(clicknps.RetryPolicy{AttemptTimeout: -1})},
		{"least above most", "MinBackoff", policy(clicknps.RetryPolicy{MinBackoff: 2, MaxBackoff: 1})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client, err := clicknps.New(tt.opts...)
			assert.Nil(t, client)
			require.ErrorIs(t, err, clicknps.ErrInvalidParams)
			assert.Contains(t, err.Error(), tt.naming)
			assert.NotContains(t, err.Error(), secret)
		})
	}
}

func TestEnvironment(t *testing.T) {
	tests := []struct {
		name             string
		env              map[string]string
		opts             []clicknps.Option
		clickNPS         string // the Authorization that is sent
		salesOS          string
		salesOSKey       string // the X-API-Key that is sent
		refusedForNaming string
	}{
		{name: "nothing", opts: []clicknps.Option{clicknps.WithSalesOSToken("t")}, salesOS: "Bearer t"},
		{name: "empty", env: map[string]string{"CLICKNPS_API_KEY": "", "SALESOS_TOKEN": "", "SALESOS_API_KEY": ""}, opts: []clicknps.Option{clicknps.WithAPIKey("k")}, clickNPS: "Bearer k"},
		{
			name: "token before key", env: map[string]string{"SALESOS_TOKEN": "t", "SALESOS_API_KEY": "a"}, salesOS: "Bearer t",
		},
		{
			name: "without", env: map[string]string{"CLICKNPS_API_KEY": "k\n", "SALESOS_TOKEN": "t", "SALESOS_BASE_URL": "x"},
			opts: []clicknps.Option{clicknps.WithoutEnvironment(), clicknps.WithAPIKey("own")}, clickNPS: "Bearer own",
		},
		{
			name: "key and token", env: map[string]string{"CLICKNPS_API_KEY": "k", "SALESOS_TOKEN": "t"},
			clickNPS: "Bearer k", salesOS: "Bearer t",
		},
		{name: "SalesOS key", env: map[string]string{"CLICKNPS_API_KEY": "k", "SALESOS_API_KEY": "a"}, clickNPS: "Bearer k", salesOSKey: "a"},
		{
			name: "options come first", env: map[string]string{"CLICKNPS_API_KEY": "k", "SALESOS_TOKEN": "t", "SALESOS_API_KEY": "a"},
			opts:     []clicknps.Option{clicknps.WithAPIKey("option"), clicknps.WithSalesOSAPIKey("option")},
			clickNPS: "Bearer option", salesOSKey: "option",
		},
		{
			name: "what is not used is not checked", env: map[string]string{"CLICKNPS_API_KEY": "k\n", "SALESOS_TOKEN": "t\n"},
			opts:     []clicknps.Option{clicknps.WithAPIKey("option"), clicknps.WithSalesOSToken("option")},
			clickNPS: "Bearer option", salesOS: "Bearer option",
		},
		{name: "base URL", env: map[string]string{"CLICKNPS_BASE_URL": "http://example.com"}, refusedForNaming: "CLICKNPS_BASE_URL"},
		{name: "SalesOS base URL", env: map[string]string{"SALESOS_BASE_URL": "nowhere"}, refusedForNaming: "SALESOS_BASE_URL"},
		{name: "key with a newline", env: map[string]string{"CLICKNPS_API_KEY": secret + "\n"}, refusedForNaming: "CLICKNPS_API_KEY"},
		{name: "token with a space", env: map[string]string{"SALESOS_TOKEN": "Bearer " + secret}, refusedForNaming: "SALESOS_TOKEN"},
		{name: "SalesOS key with a newline", env: map[string]string{"SALESOS_API_KEY": secret + "\r"}, refusedForNaming: "SALESOS_API_KEY"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			w := newWire(reply(http.StatusNotFound, ""))
			client, err := clicknps.New(append(tt.opts, through(w))...)
			if tt.refusedForNaming != "" {
				require.ErrorIs(t, err, clicknps.ErrInvalidParams)
				assert.Contains(t, err.Error(), tt.refusedForNaming)
				assert.NotContains(t, err.Error(), secret)
				return
			}
			require.NoError(t, err)
			t.Setenv("CLICKNPS_API_KEY", "later") // the environment is read once, by New
			_, clickNPSErr := client.Surveys.Get(t.Context(), "s")
			_, salesOSErr := client.SalesOS.NPS.Get(t.Context(), "s")
			sent := map[string]http.Header{}
			for _, s := range w.sent() {
				sent[s.Path] = s.Header
			}
			for path, err := range map[string]error{"/v1/surveys/s": clickNPSErr, "/v1/nps-surveys/s": salesOSErr} {
				want := clicknps.ErrMissingCredentials
				if sent[path] != nil {
					want = clicknps.ErrNotFound
				}
				require.ErrorIs(t, err, want)
			}
			assert.Equal(t, tt.clickNPS, sent["/v1/surveys/s"].Get("Authorization"))
			assert.Equal(t, tt.salesOS, sent["/v1/nps-surveys/s"].Get("Authorization"))
			assert.Equal(t, tt.salesOSKey, sent["/v1/nps-surveys/s"].Get("X-API-Key"))
			assert.Empty(t, sent["/v1/surveys/s"].Get("X-API-Key"))
		})
	}
}

// Without WithLogger nothing is printed anywhere.
func TestSilence(t *testing.T) {
	out, err := os.CreateTemp(t.TempDir(), "out")
	require.NoError(t, err)
	defer out.Close()
	stdout, stderr, writer := os.Stdout, os.Stderr, log.Writer()
	os.Stdout, os.Stderr = out, out
	log.SetOutput(out)
	c := connect(t, newRawServer(t, answers(503, ""), hangsUp(""), hangsUp("?"), answers(429, ""), answers(404, "")).url())
	err = getCall(t.Context(), c)
	os.Stdout, os.Stderr = stdout, stderr
	log.SetOutput(writer)

	assert.ErrorIs(t, err, clicknps.ErrNotFound)
	printed, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	assert.Empty(t, string(printed))
}

func TestLog(t *testing.T) {
	var records bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&records, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := connect(t, nowhere, clicknps.WithLogger(logger), through(script(
		gives(503, `{"error":"body of the answer"}`, "X-Request-Id", "req_1", "X-Secret", "header of the answer"), loses,
	)))
	_, err := c.Surveys.Create(t.Context(), &clicknps.SurveyCreateParams{Name: "body of the request", Question: "q"},
		clicknps.WithHeader("X-Trace", "header of the request"), clicknps.WithIdempotencyKey("idempotency key"))
	require.NoError(t, err)
	_, err = c.Responses.List(t.Context(), &clicknps.ResponseListParams{SurveyID: "query"})
	require.Error(t, err, "an object is not a list")

	for _, secret := range []string{testKey, "Bearer", "body of", "header of", "idempotency key", "query"} {
		assert.NotContains(t, records.String(), secret)
	}
	lines := strings.Split(strings.TrimSpace(records.String()), "\n")
	require.Len(t, lines, 4)
	for i, want := range [][]string{
		{"level=INFO", `msg="clicknps: request is retried"`, "service=clicknps", "method=POST", "path=/v1/surveys", "attempt=1", "status=503", "request_id=req_1", "wait=1ms"},
		{"level=INFO", `msg="clicknps: request is retried"`, "attempt=2", "status=0", `error="connection reset by peer"`, "wait="},
		{"level=DEBUG", `msg="clicknps: request"`, "attempt=3", "status=200", "took="},
		{"level=DEBUG", `msg="clicknps: request"`, "method=GET", "path=/v1/responses", "attempt=1"},
	} {
		for _, part := range want {
			assert.Contains(t, lines[i], part)
		}
	}
}
