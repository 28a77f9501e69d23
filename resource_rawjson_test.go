package clicknps_test

import (
	"context"
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// strange is an item with what decoding drops: unknown fields, their order, spaces and the way numbers are written.
func strange(fields string) string {
	return `{ "owner" : {"id":"u\u0031", "id":2},` + fields + `, "n": 1.0e2,"big":12345678901234567890, "tags":["ü<>",null] }`
}

// rawOf are calls that return the RawJSON of each item of their answer.
var rawOf = map[string]struct {
	fields string
	call   func(context.Context, *clicknps.Client, ...clicknps.RequestOption) (json.RawMessage, error)
}{
	"Survey": {`"id":"s1"`, func(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) (json.RawMessage, error) {
		v, err := c.Surveys.Get(ctx, "s1", opts...)
		return v.RawJSON, err
	}},
	"Survey of other types": {`"id":7,"created_at":1736937000`, func(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) (json.RawMessage, error) {
		v, err := c.Surveys.Get(ctx, "7", opts...)
		return v.RawJSON, err
	}},
	"Response": {`"id":"r1"`, func(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) (json.RawMessage, error) {
		v, err := c.Responses.Get(ctx, "r1", opts...)
		return v.RawJSON, err
	}},
	"Webhook": {`"id":"w1"`, func(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) (json.RawMessage, error) {
		v, err := c.Webhooks.Create(ctx, &clicknps.WebhookCreateParams{
			URL: "https://example.com", Events: []clicknps.EventType{"x"},
		}, opts...)
		return v.RawJSON, err
	}},
	"NPSSurvey": {`"id":"n1"`, func(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) (json.RawMessage, error) {
		v, err := c.SalesOS.NPS.Get(ctx, "n1", opts...)
		return v.RawJSON, err
	}},
	"NPSSurvey by SetActive": {`"id":"n1","isActive":true`, func(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) (json.RawMessage, error) {
		v, err := c.SalesOS.NPS.SetActive(ctx, "n1", true, opts...)
		return v.RawJSON, err
	}},
	"NPSMetrics": {`"npsScore":1`, func(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) (json.RawMessage, error) {
		v, err := c.SalesOS.NPS.Metrics(ctx, opts...)
		return v.RawJSON, err
	}},
	"NPSStats": {`"totalSurveys":"1"`, func(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) (json.RawMessage, error) {
		v, err := c.SalesOS.NPS.Stats(ctx, opts...)
		return v.RawJSON, err
	}},
	"NPSResponses": {`"data":[]`, func(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) (json.RawMessage, error) {
		v, err := c.SalesOS.NPS.Responses(ctx, "n1", nil, opts...)
		return v.RawJSON, err
	}},
}

func TestWithRawJSONKeepsWhatTheServerSent(t *testing.T) {
	t.Parallel()
	for name, test := range rawOf {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			item := strange(test.fields)
			client := answering(t, 200, "\n"+item+"\n")
			raw, err := test.call(t.Context(), client)
			require.NoError(t, err)
			assert.Nil(t, raw)
			raw, err = test.call(t.Context(), client, clicknps.WithRawJSON())
			require.NoError(t, err)
			assert.Equal(t, item, strings.TrimSpace(string(raw)))
			own := newWire(reply(200, item)).client(t, clicknps.WithRawJSON())
			raw, err = test.call(t.Context(), own)
			require.NoError(t, err)
			assert.Equal(t, item, string(raw))
		})
	}
}

func TestWithRawJSONOfListItems(t *testing.T) {
	t.Parallel()
	one, two := strange(`"id":"a"`), strange(`"id":"b","score":"9","isActive":"true"`)
	body := `{"more":[1], "data":[` + one + " ,\n" + two + `],"metrics":{"npsScore":1, "x":2}}`
	c := newWire(reply(200, body)).client(t, clicknps.WithRawJSON())
	surveys, err := c.Surveys.List(t.Context(), nil)
	require.NoError(t, err)
	nps, err := c.SalesOS.NPS.List(t.Context(), nil)
	require.NoError(t, err)
	responses, err := c.SalesOS.NPS.Responses(t.Context(), "n", nil)
	require.NoError(t, err)
	for i, want := range []string{one, two} {
		assert.Equal(t, want, string(surveys.Data[i].RawJSON))
		assert.Equal(t, want, string(nps.Data[i].RawJSON))
		assert.Equal(t, want, string(responses.Data[i].RawJSON))
	}
	assert.Equal(t, `{"npsScore":1, "x":2}`, string(responses.Metrics.RawJSON))
	i := 0
	for response, err := range c.SalesOS.NPS.AllResponses(t.Context(), "n", nil) {
		require.NoError(t, err)
		assert.Equal(t, []string{one, two}[i], string(response.RawJSON))
		i++
	}
	assert.Equal(t, 2, i)
}

// A resource is its exported fields and nothing else: it can be compared, and keeps nothing of its answer alive.
func TestItemsKeepNoBodies(t *testing.T) {
	const pages, size = 50, 100
	padding := strings.Repeat("x", 1000)
	n := 0
	var b strings.Builder
	b.WriteString(`{"data":[`)
	for i := range size {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"id":"PAGE-` + string(rune('a'+i%26)) + strings.Repeat("i", i/26) + `","unknown":"` + padding + `"}`)
	}
	b.WriteString(`],"pagination":{"total":100,"limit":100,"offset":0,"has_more":false}}`)
	kept := make([]*clicknps.Response, 0, pages*size)
	source := answering(t, 200, b.String())
	before := heap()
	for range pages {
		for r, err := range source.Responses.All(t.Context(), nil) {
			require.NoError(t, err)
			kept = append(kept, r)
			n++
		}
	}
	grown := heap() - before
	assert.Equal(t, pages*size, n)
	assert.Less(t, grown/(pages*size), int64(400), "bytes for each item kept")
	runtime.KeepAlive(kept)
}

func heap() int64 {
	var stats runtime.MemStats
	for range 2 {
		runtime.GC()
	}
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
