package clicknps_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// raw is what every resource has.
type rawJSON interface{ RawJSON() json.RawMessage }

// strange is an item with what decoding does not keep: unknown fields, their order, spaces and the way numbers are written.
func strange(fields string) string {
	return `{ "owner" : {"id":"u\u0031", "id":2},` + fields + `, "n": 1.0e2,"big":12345678901234567890, "tags":["ü<>",null] }`
}

func TestRawJSONIsWhatTheServerSent(t *testing.T) {
	t.Parallel()
	links := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(golden(t, "links_minted.json")), "{"), "}")
	tests := []struct {
		name, fields string
		call         func(context.Context, *clicknps.Client) (rawJSON, error)
	}{
		{"Survey", `"id":"s1"`, func(ctx context.Context, c *clicknps.Client) (rawJSON, error) { return c.Surveys.Get(ctx, "s1") }},
		{"Survey whose fields are not of their type", `"id":7,"created_at":1736937000`, func(ctx context.Context, c *clicknps.Client) (rawJSON, error) {
			return c.Surveys.Get(ctx, "7")
		}},
		{"Response", `"id":"r1"`, func(ctx context.Context, c *clicknps.Client) (rawJSON, error) { return c.Responses.Get(ctx, "r1") }},
		{"Webhook", `"id":"w1"`, func(ctx context.Context, c *clicknps.Client) (rawJSON, error) {
			return c.Webhooks.Create(ctx, &clicknps.WebhookCreateParams{URL: "https://example.com", Events: []clicknps.EventType{"x"}})
		}},
		{"MintedLinks", links, func(ctx context.Context, c *clicknps.Client) (rawJSON, error) {
			return c.Links.Mint(ctx, &clicknps.LinkMintParams{SurveyID: "s", SubjectID: "c"})
		}},
		{"NPSSurvey", `"id":"n1"`, func(ctx context.Context, c *clicknps.Client) (rawJSON, error) { return c.NPS.Get(ctx, "n1") }},
		{"NPSMetrics", `"npsScore":1`, func(ctx context.Context, c *clicknps.Client) (rawJSON, error) { return c.NPS.Metrics(ctx) }},
		{"NPSStats", `"totalSurveys":"1"`, func(ctx context.Context, c *clicknps.Client) (rawJSON, error) { return c.NPS.Stats(ctx) }},
		{"NPSResponses", `"data":[]`, func(ctx context.Context, c *clicknps.Client) (rawJSON, error) { return c.NPS.Responses(ctx, "n1") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			item := strange(tt.fields)
			got, err := tt.call(t.Context(), answering(t, 200, "\n"+item+"\n"))
			require.NoError(t, err)
			assert.Equal(t, item, string(got.RawJSON()))
		})
	}
}

func TestRawJSONOfListItems(t *testing.T) {
	t.Parallel()
	one, two := strange(`"id":"a"`), strange(`"id":"b","score":"9"`) // the second is not of its type
	clickNPS := `{"more":[1], "data":[` + one + " ,\n" + two + `]}`
	tests := []struct {
		name, body string
		items      func(context.Context, *clicknps.Client) ([]rawJSON, error)
	}{
		{"Surveys.List", clickNPS, func(ctx context.Context, c *clicknps.Client) ([]rawJSON, error) {
			page, err := c.Surveys.List(ctx, nil)
			return rawItems(page.Data), err
		}},
		{"Responses.List", clickNPS, func(ctx context.Context, c *clicknps.Client) ([]rawJSON, error) {
			page, err := c.Responses.List(ctx, nil)
			return rawItems(page.Data), err
		}},
		{"Webhooks.List", clickNPS, func(ctx context.Context, c *clicknps.Client) ([]rawJSON, error) {
			page, err := c.Webhooks.List(ctx, nil)
			return rawItems(page.Data), err
		}},
		{"NPS.List", `[` + one + `,` + two + `]`, func(ctx context.Context, c *clicknps.Client) ([]rawJSON, error) {
			surveys, err := c.NPS.List(ctx)
			return rawItems(surveys), err
		}},
		{"NPS.List in an envelope", `{"surveys":[` + one + `,` + two + `]}`, func(ctx context.Context, c *clicknps.Client) ([]rawJSON, error) {
			surveys, err := c.NPS.List(ctx)
			return rawItems(surveys), err
		}},
		{"NPS.Responses", `{"data":{"responses":[` + one + `,` + two + `]}}`, func(ctx context.Context, c *clicknps.Client) ([]rawJSON, error) {
			responses, err := c.NPS.Responses(ctx, "n1")
			return rawItems(responses.Data), err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			items, err := tt.items(t.Context(), answering(t, 200, tt.body))
			require.NoError(t, err)
			require.Len(t, items, 2)
			assert.Equal(t, one, string(items[0].RawJSON()))
			assert.Equal(t, two, string(items[1].RawJSON()))
		})
	}
}

func rawItems[T rawJSON](items []T) []rawJSON {
	raw := make([]rawJSON, len(items))
	for i := range items {
		raw[i] = items[i]
	}
	return raw
}

func TestRawJSONOfNestedMetrics(t *testing.T) {
	t.Parallel()
	for _, metrics := range []string{
		strange(`"npsScore":25,"promoters":3`),
		strange(`"npsScore":"25","promoters":"3"`), // numbers in strings
	} {
		body := `{"data":[{"id":"a","score":9}],"metrics":` + metrics + `,"next":null}`
		got, err := answering(t, 200, body).NPS.Responses(t.Context(), "n1")
		require.NoError(t, err)
		assert.Equal(t, body, string(got.RawJSON()))
		assert.Equal(t, metrics, string(got.Metrics.RawJSON()))
		assert.InDelta(t, 25, got.Metrics.Score, 0)
		assert.Equal(t, 3, got.Metrics.Promoters)
	}
}

func TestRawJSONOfNothing(t *testing.T) {
	t.Parallel()
	assert.Nil(t, clicknps.Survey{ID: "made here"}.RawJSON())
	got, err := answering(t, 200, `[{"id":"a","score":9}]`).NPS.Responses(t.Context(), "n1")
	require.NoError(t, err)
	assert.Nil(t, got.Metrics.RawJSON(), "the server sent none")
}

func TestRawJSONIsACopy(t *testing.T) {
	t.Parallel()
	page, err := answering(t, 200, `{"data":[{"id":"a"},{"id":"b"}]}`).Surveys.List(t.Context(), nil)
	require.NoError(t, err)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i, want := range []string{`{"id":"a"}`, `{"id":"b"}`} {
				raw := page.Data[i].RawJSON()
				assert.Equal(t, want, string(raw))
				clear(raw)
			}
		})
	}
	all.Wait()
	survey, err := answering(t, 200, `{"id":"a"}`).Surveys.Get(t.Context(), "a")
	require.NoError(t, err)
	clear(survey.RawJSON())
	assert.Equal(t, `{"id":"a"}`, string(survey.RawJSON()))
}
