//go:build prism

package apitest

import (
	"maps"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// prism are the two mock servers, which .ci/prism starts.
type prism struct {
	*checker
	violations atomic.Int64 // found by Prism itself, in requests or in its own answers
}

func (p *prism) client(t *testing.T, opts ...clicknps.Option) *clicknps.Client {
	t.Helper()
	clickNPS, salesOS := os.Getenv("PRISM_CLICKNPS"), os.Getenv("PRISM_SALESOS")
	require.False(t, clickNPS == "" || salesOS == "", "run .ci/prism")
	client, err := clicknps.New(append([]clicknps.Option{
		clicknps.WithoutEnvironment(), once, clicknps.WithMiddleware(p.watch, p.middleware),
		clicknps.WithBaseURL(clickNPS + "/v1"), clicknps.WithAPIKey("sk_test_abc123xyz789"),
		clicknps.WithSalesOSBaseURL(salesOS + "/v1"), clicknps.WithSalesOSAPIKey("key"),
	}, opts...)...)
	require.NoError(t, err)
	return client
}

func (p *prism) watch(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		if err == nil && resp.Header.Get("Sl-Violations") != "" {
			p.violations.Add(1)
		}
		return resp, err
	})
}

var anyIDs = ids{survey: "survey_abc123", response: "response_abc123", webhook: "webhook_abc123", npsSurvey: "1"}

func TestPrismAcceptsEveryCall(t *testing.T) {
	t.Parallel()
	p := &prism{checker: newChecker(t)}
	client := p.client(t)
	for _, call := range calls {
		require.NoError(t, call.do(t.Context(), client, anyIDs), call.method)
	}
	survey, err := client.Surveys.Get(t.Context(), anyIDs.survey)
	require.NoError(t, err)
	assert.Equal(t, clicknps.SurveyStatusActive, survey.Status)
	metrics, err := client.SalesOS.NPS.Metrics(t.Context())
	require.NoError(t, err)
	assert.Equal(t, clicknps.NPSMetrics{
		Score: 25, Promoters: 2, Passives: 1, Detractors: 1, TotalResponses: 4, AverageScore: 7.75,
	}, *metrics)
	p.report(t)
	assert.Zero(t, p.violations.Load(), "found by Prism")
}

func TestPrismSendsEveryError(t *testing.T) {
	t.Parallel()
	p := &prism{checker: newChecker(t)}
	described := operations(p.docs[0])
	maps.Copy(described, operations(p.docs[1]))
	for _, call := range calls {
		for _, status := range errorStatuses(described[call.operation]) {
			client := p.client(t, clicknps.WithHeader("Prefer", "code="+strconv.Itoa(status)))
			apiErr := assertFailure(t, call.do(t.Context(), client, anyIDs), status)
			assert.NotEmpty(t, apiErr.Message, "%s %d", call.method, status)
			assert.Equal(t, status == http.StatusTooManyRequests, apiErr.RetryAfter > 0, call.method)
		}
	}
	p.report(t)
	assert.Zero(t, p.violations.Load(), "found by Prism")
}

// Prism must be seen to refuse something, or the zeros above say nothing.
func TestPrismRefusesWrongRequests(t *testing.T) {
	t.Parallel()
	p := &prism{checker: newChecker(t)}
	client := p.client(t)
	ctx := wrongRequest(t.Context())
	assert.Error(t, client.Do(ctx, "POST", "/surveys", map[string]any{"name": 1}, nil))
	assert.Error(t, client.Do(ctx, "GET", "/surveys", nil, nil, clicknps.WithQuery("limit", "0")))
	assert.Error(t, client.SalesOS.Do(ctx, "POST", "/nps-surveys", map[string]any{"name": "n", "x": 1}, nil))
	assert.Error(t, client.SalesOS.Do(ctx, "GET", "/nps-surveys/x/responses/export", nil, nil))
	assert.EqualValues(t, 4, p.violations.Load())
}
