package apitest

import (
	"context"
	"io"
	"iter"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	clicknps "github.com/clicknps/go-sdk"
)

// ids name what the calls are about.
type ids struct{ survey, response, webhook, npsSurvey string }

// call is a call of one method of the SDK.
type call struct {
	method    string // as in Call.Operation
	operation string // the operationId of its first request
	do        func(context.Context, *clicknps.Client, ids) error
}

// service is the service that the call is made to, as in Call.Service.
func (c call) service() string {
	if strings.HasPrefix(c.method, "NPS.") || c.method == "SalesOS.Do" {
		return "salesos"
	}
	return "clicknps"
}

// calls has each method of the SDK. What deletes is at the end.
var calls = append(clickNPSCalls, salesOSCalls...)

var clickNPSCalls = []call{
	{"Surveys.List", "listSurveys", func(ctx context.Context, c *clicknps.Client, _ ids) error {
		return errOf(c.Surveys.List(ctx, &clicknps.SurveyListParams{Limit: 10, Offset: 1}))
	}},
	{"Surveys.All", "listSurveys", func(ctx context.Context, c *clicknps.Client, _ ids) error {
		return walk(c.Surveys.All(ctx, nil))
	}},
	{"Surveys.Create", "createSurvey", func(ctx context.Context, c *clicknps.Client, _ ids) error {
		params := &clicknps.SurveyCreateParams{Name: "My Survey", Question: "How likely?"}
		return errOf(c.Surveys.Create(ctx, params))
	}},
	{"Surveys.Get", "getSurvey", func(ctx context.Context, c *clicknps.Client, at ids) error {
		return errOf(c.Surveys.Get(ctx, at.survey))
	}},
	{"Surveys.Update", "updateSurvey", func(ctx context.Context, c *clicknps.Client, at ids) error {
		return errOf(c.Surveys.Update(ctx, at.survey, &clicknps.SurveyUpdateParams{
			Name: new("New name"), Question: new("Why?"), Status: new(clicknps.SurveyStatusPaused),
		}))
	}},
	{"Responses.List", "listResponses", func(ctx context.Context, c *clicknps.Client, at ids) error {
		return errOf(c.Responses.List(ctx, &clicknps.ResponseListParams{SurveyID: at.survey, Limit: 1}))
	}},
	{"Responses.All", "listResponses", func(ctx context.Context, c *clicknps.Client, at ids) error {
		return walk(c.Responses.All(ctx, &clicknps.ResponseListParams{SurveyID: at.survey}))
	}},
	{"Responses.Get", "getResponse", func(ctx context.Context, c *clicknps.Client, at ids) error {
		return errOf(c.Responses.Get(ctx, at.response))
	}},
	{"Responses.AddComment", "addComment", func(ctx context.Context, c *clicknps.Client, at ids) error {
		return errOf(c.Responses.AddComment(ctx, at.response, &clicknps.CommentParams{Comment: "Loving it"}))
	}},
	{"Links.Mint", "mintLinks", func(ctx context.Context, c *clicknps.Client, at ids) error {
		return errOf(c.Links.Mint(ctx, &clicknps.LinkMintParams{
			SurveyID: at.survey, SubjectID: "user_42", TTLDays: 365,
			RedirectURL: "https://example.com/thanks",
		}))
	}},
	{"Webhooks.Create", "createWebhook", func(ctx context.Context, c *clicknps.Client, _ ids) error {
		return errOf(c.Webhooks.Create(ctx, &clicknps.WebhookCreateParams{
			URL: "https://example.com/hooks",
			Events: []clicknps.EventType{
				clicknps.EventResponseCreated, clicknps.EventResponseUpdated, clicknps.EventSurveyCompleted,
			},
		}))
	}},
	{"Webhooks.List", "listWebhooks", func(ctx context.Context, c *clicknps.Client, _ ids) error {
		return errOf(c.Webhooks.List(ctx, nil))
	}},
	{"Webhooks.All", "listWebhooks", func(ctx context.Context, c *clicknps.Client, _ ids) error {
		return walk(c.Webhooks.All(ctx, nil))
	}},
	{"Client.Do", "getSurvey", func(ctx context.Context, c *clicknps.Client, at ids) error {
		return c.Do(ctx, "GET", "/surveys/"+at.survey, nil, nil)
	}},
	{"Webhooks.Delete", "deleteWebhook", func(ctx context.Context, c *clicknps.Client, at ids) error {
		return c.Webhooks.Delete(ctx, at.webhook)
	}},
	{"Surveys.Delete", "deleteSurvey", func(ctx context.Context, c *clicknps.Client, at ids) error {
		return c.Surveys.Delete(ctx, at.survey)
	}},
}

var salesOSCalls = []call{
	{"NPS.List", "listNPSSurveys", func(ctx context.Context, c *clicknps.Client, _ ids) error {
		return errOf(c.SalesOS.NPS.List(ctx, &clicknps.NPSSurveyListParams{Page: 1, Limit: 100}))
	}},
	{"NPS.All", "listNPSSurveys", func(ctx context.Context, c *clicknps.Client, _ ids) error {
		return walk(c.SalesOS.NPS.All(ctx, nil))
	}},
	{"NPS.Create", "createNPSSurvey", func(ctx context.Context, c *clicknps.Client, _ ids) error {
		return errOf(c.SalesOS.NPS.Create(ctx, &clicknps.NPSSurveyCreateParams{
			Name: "My Survey", Question: "How likely?", Type: clicknps.NPSRelationship, IsActive: new(false),
		}))
	}},
	{"NPS.Metrics", "metrics", func(ctx context.Context, c *clicknps.Client, _ ids) error {
		return errOf(c.SalesOS.NPS.Metrics(ctx))
	}},
	{"NPS.DashboardMetrics", "dashboardMetrics", func(ctx context.Context, c *clicknps.Client, _ ids) error {
		return errOf(c.SalesOS.NPS.DashboardMetrics(ctx))
	}},
	{"NPS.Stats", "stats", func(ctx context.Context, c *clicknps.Client, _ ids) error {
		return errOf(c.SalesOS.NPS.Stats(ctx))
	}},
	{"NPS.Get", "getNPSSurvey", func(ctx context.Context, c *clicknps.Client, at ids) error {
		return errOf(c.SalesOS.NPS.Get(ctx, at.npsSurvey))
	}},
	{"NPS.Update", "updateNPSSurvey", func(ctx context.Context, c *clicknps.Client, at ids) error {
		params := &clicknps.NPSSurveyUpdateParams{Name: new("New name")}
		return errOf(c.SalesOS.NPS.Update(ctx, at.npsSurvey, params))
	}},
	{"NPS.Replace", "replaceNPSSurvey", func(ctx context.Context, c *clicknps.Client, at ids) error {
		return errOf(c.SalesOS.NPS.Replace(ctx, at.npsSurvey, &clicknps.NPSSurveyReplaceParams{
			Name: "Other name", Question: "Why?", Type: clicknps.NPSTransactional, IsActive: true,
		}))
	}},
	{"NPS.SetActive", "getNPSSurvey", func(ctx context.Context, c *clicknps.Client, at ids) error {
		return errOf(c.SalesOS.NPS.SetActive(ctx, at.npsSurvey, false))
	}},
	{"NPS.Toggle", "toggleNPSSurvey", func(ctx context.Context, c *clicknps.Client, at ids) error {
		return errOf(c.SalesOS.NPS.Toggle(ctx, at.npsSurvey))
	}},
	{"NPS.Responses", "listNPSResponses", func(ctx context.Context, c *clicknps.Client, at ids) error {
		params := &clicknps.NPSResponseListParams{Page: 1, Limit: 20}
		return errOf(c.SalesOS.NPS.Responses(ctx, at.npsSurvey, params))
	}},
	{"NPS.AllResponses", "listNPSResponses", func(ctx context.Context, c *clicknps.Client, at ids) error {
		return walk(c.SalesOS.NPS.AllResponses(ctx, at.npsSurvey, nil))
	}},
	{"NPS.Export", "exportNPSResponses", func(ctx context.Context, c *clicknps.Client, at ids) error {
		return errOf(c.SalesOS.NPS.Export(ctx, at.npsSurvey, clicknps.ExportCSV, io.Discard))
	}},
	{"NPS.Export", "exportNPSResponses", func(ctx context.Context, c *clicknps.Client, at ids) error {
		asJSON := clicknps.WithHeader("Accept", "application/json") // Prism does not know what format means
		return errOf(c.SalesOS.NPS.Export(ctx, at.npsSurvey, clicknps.ExportJSON, io.Discard, asJSON))
	}},
	{"SalesOS.Do", "stats", func(ctx context.Context, c *clicknps.Client, _ ids) error {
		return c.SalesOS.Do(ctx, "GET", "/nps-surveys/stats", nil, nil)
	}},
	{"NPS.Delete", "deleteNPSSurvey", func(ctx context.Context, c *clicknps.Client, at ids) error {
		return c.SalesOS.NPS.Delete(ctx, at.npsSurvey)
	}},
}

func errOf[T any](_ T, err error) error { return err }

func walk[T any](items iter.Seq2[*T, error]) error {
	_, err := clicknps.Collect(items, 1000)
	return err
}

// The calls are those of all methods that the services of a client have.
func TestCallsAreComplete(t *testing.T) {
	t.Parallel()
	var c clicknps.Client
	methods := []string{"Client.Do", "SalesOS.Do"}
	services := map[string]any{
		"Surveys": c.Surveys, "Responses": c.Responses, "Webhooks": c.Webhooks, "Links": c.Links,
		"NPS": clicknps.SalesOS{}.NPS,
	}
	assert.Len(t, services, exported[clicknps.Client]()) // SalesOS has one service, NPS
	assert.Equal(t, 1, exported[clicknps.SalesOS]())
	for name, service := range services {
		for m := range reflect.TypeOf(service).Methods() {
			methods = append(methods, name+"."+m.Name)
		}
	}
	var called []string
	for _, c := range calls {
		if c.method != "NPS.Export" || len(called) == 0 || called[len(called)-1] != c.method {
			called = append(called, c.method)
		}
	}
	assert.ElementsMatch(t, methods, called)
}

// exported is the number of T's exported fields.
func exported[T any]() (n int) {
	for field := range reflect.TypeFor[T]().Fields() {
		if field.IsExported() {
			n++
		}
	}
	return n
}
