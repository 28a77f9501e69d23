package otelclicknps_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/clicknps/go-sdk/otelclicknps"
	"github.com/clicknps/go-sdk/webhook"
)

// Each private value has a mark, which must not appear in what is exported. The servers echo all they get.
func TestNothingPrivateIsReported(t *testing.T) {
	const mark = "PRIVATE"
	r, srv := record(t), clicknpstest.Run(t, clicknpstest.WithKey("sk_test_"+mark))
	echo := func(status int) {
		srv.ClearFaults()
		srv.Inject(clicknpstest.Fault{
			Status: status, Body: `{"error":"` + mark + `","id":"` + mark + `"}`,
			Header: http.Header{"X-Request-Id": {mark}, "Retry-After": {mark}, mark: {mark}},
		})
	}
	client := r.client(srv, once, clicknps.WithHeader("X-Header", mark), clicknps.WithSalesOSAPIKey(mark))
	ctx := t.Context()
	for _, status := range []int{200, 302, 404, 429, 500} {
		echo(status)
		_, _ = client.Surveys.Get(ctx, mark, clicknps.WithQuery(mark, mark))
		_, _ = client.Surveys.Create(ctx, &clicknps.SurveyCreateParams{Name: mark, Question: mark},
			clicknps.WithIdempotencyKey(mark), clicknps.WithExtraField(mark, mark))
		_, _ = client.Links.Mint(ctx, &clicknps.LinkMintParams{SurveyID: mark, SubjectID: mark})
		_, _ = client.SalesOS.NPS.Export(ctx, mark, mark, &strings.Builder{})
		_, _ = client.SalesOS.NPS.SetActive(ctx, mark, true)
		_ = client.Do(ctx, mark, "/"+mark, map[string]string{mark: mark}, nil)
		for range client.Responses.All(ctx, &clicknps.ResponseListParams{SurveyID: mark}) {
		}
	}
	srv.ClearFaults()
	errPrivate := errors.New(mark)
	failing := r.client(srv, once, instead(func(*http.Request) (*http.Response, error) { return nil, errPrivate }))
	require.ErrorContains(t, failing.Webhooks.Delete(ctx, mark), mark)
	fn := otelclicknps.Handler(func(context.Context, *webhook.Event) error { return errPrivate }, r.options()...)
	require.Error(t, fn(ctx, &webhook.Event{
		Type: mark, Key: mark, SurveyID: mark, Response: &clicknps.Response{Comment: mark}, RawJSON: []byte(mark),
	}))

	assert.Greater(t, len(r.spans.Ended()), 70)
	assert.NotContains(t, strings.ToUpper(r.dump()), mark)
	assert.Contains(t, r.dump(), "Links.Mint")
}
