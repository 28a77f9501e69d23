package clicknps_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"maps"
	"net/http"
	"reflect"
	"testing"

	clicknps "github.com/clicknps/go-sdk"
)

// with is what a call is made with.
type with struct {
	*clicknps.Client
	ctx  context.Context
	opts []clicknps.RequestOption
}

// callsByID are all calls that take an id, as if it stood in path. What they return but for the error does not matter.
func callsByID(id string) map[string]func(with) error {
	return map[string]func(with) error{
		"Surveys.Get": func(w with) error { return drop(w.Surveys.Get(w.ctx, id, w.opts...)) },
		"Surveys.Update": func(w with) error {
			return drop(w.Surveys.Update(w.ctx, id, &clicknps.SurveyUpdateParams{Name: new("n")}, w.opts...))
		},
		"Surveys.Delete": func(w with) error { return w.Surveys.Delete(w.ctx, id, w.opts...) },
		"Responses.Get":  func(w with) error { return drop(w.Responses.Get(w.ctx, id, w.opts...)) },
		"Responses.AddComment": func(w with) error {
			return drop(w.Responses.AddComment(w.ctx, id, &clicknps.CommentParams{Comment: "c"}, w.opts...))
		},
		"Webhooks.Delete": func(w with) error { return w.Webhooks.Delete(w.ctx, id, w.opts...) },
		"NPS.Get":         func(w with) error { return drop(w.SalesOS.NPS.Get(w.ctx, id, w.opts...)) },
		"NPS.Update": func(w with) error {
			return drop(w.SalesOS.NPS.Update(w.ctx, id, &clicknps.NPSSurveyUpdateParams{Name: new("n")}, w.opts...))
		},
		"NPS.Replace": func(w with) error {
			return drop(w.SalesOS.NPS.Replace(w.ctx, id, &clicknps.NPSSurveyReplaceParams{Name: "n", Type: "t"}, w.opts...))
		},
		"NPS.Delete": func(w with) error { return w.SalesOS.NPS.Delete(w.ctx, id, w.opts...) },
		"NPS.Toggle": func(w with) error { return drop(w.SalesOS.NPS.Toggle(w.ctx, id, w.opts...)) },
		"NPS.SetActive": func(w with) error {
			survey, err := w.SalesOS.NPS.SetActive(w.ctx, id, true, w.opts...)
			if err == nil && !survey.IsActive {
				return errNoData
			}
			return drop(survey, err)
		},
		"NPS.Responses": func(w with) error { return drop(w.SalesOS.NPS.Responses(w.ctx, id, nil, w.opts...)) },
		"NPS.Export": func(w with) error {
			return drop(w.SalesOS.NPS.Export(w.ctx, id, clicknps.ExportCSV, io.Discard, w.opts...))
		},
		"NPS.AllResponses": func(w with) error { return walkError(w.SalesOS.NPS.AllResponses(w.ctx, id, nil, w.opts...)) },
	}
}

// callsWithoutID are all others.
func callsWithoutID() map[string]func(with) error {
	return map[string]func(with) error{
		"Surveys.List": func(w with) error { return drop(w.Surveys.List(w.ctx, nil, w.opts...)) },
		"Surveys.All":  func(w with) error { return walkError(w.Surveys.All(w.ctx, nil, w.opts...)) },
		"Surveys.Create": func(w with) error {
			return drop(w.Surveys.Create(w.ctx, &clicknps.SurveyCreateParams{Name: "n", Question: "q"}, w.opts...))
		},
		"Responses.List": func(w with) error { return drop(w.Responses.List(w.ctx, nil, w.opts...)) },
		"Responses.All":  func(w with) error { return walkError(w.Responses.All(w.ctx, nil, w.opts...)) },
		"Webhooks.List":  func(w with) error { return drop(w.Webhooks.List(w.ctx, nil, w.opts...)) },
		"Webhooks.All":   func(w with) error { return walkError(w.Webhooks.All(w.ctx, nil, w.opts...)) },
		"Webhooks.Create": func(w with) error {
			return drop(w.Webhooks.Create(w.ctx, &clicknps.WebhookCreateParams{URL: "https://h", Events: []clicknps.EventType{"e"}}, w.opts...))
		},
		"Links.Mint": func(w with) error {
			return drop(w.Links.Mint(w.ctx, &clicknps.LinkMintParams{SurveyID: "s", SubjectID: "c"}, w.opts...))
		},
		"NPS.List": func(w with) error { return drop(w.SalesOS.NPS.List(w.ctx, nil, w.opts...)) },
		"NPS.All":  func(w with) error { return walkError(w.SalesOS.NPS.All(w.ctx, nil, w.opts...)) },
		"NPS.Create": func(w with) error {
			return drop(w.SalesOS.NPS.Create(w.ctx, &clicknps.NPSSurveyCreateParams{Name: "n"}, w.opts...))
		},
		"NPS.Metrics":          func(w with) error { return drop(w.SalesOS.NPS.Metrics(w.ctx, w.opts...)) },
		"NPS.DashboardMetrics": func(w with) error { return drop(w.SalesOS.NPS.DashboardMetrics(w.ctx, w.opts...)) },
		"NPS.Stats":            func(w with) error { return drop(w.SalesOS.NPS.Stats(w.ctx, w.opts...)) },
	}
}

// keyedCalls bear an idempotency key: the POSTs to ClickNPS.
var keyedCalls = map[string]bool{"Surveys.Create": true, "Responses.AddComment": true, "Webhooks.Create": true, "Links.Mint": true}

// eachCall runs a test for every call there is.
func eachCall(t *testing.T, test func(t *testing.T, name string, call func(with) error)) {
	t.Helper()
	calls := callsByID("id1")
	maps.Copy(calls, callsWithoutID())
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, name, call)
		})
	}
}

var errNoData = errors.New("a success without data")

// drop returns err, or errNoData for a zero value without an error.
func drop[T any](value T, err error) error {
	if v := reflect.ValueOf(value); err == nil && (v.IsZero() || v.Kind() == reflect.Pointer && v.Elem().IsZero()) {
		return errNoData
	}
	return err
}

// walkError walks a list to its end or its first error.
func walkError[T any](items iter.Seq2[*T, error]) error {
	for item, err := range items {
		if err = drop(item, err); err != nil {
			return err
		}
	}
	return nil
}

func getCall(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) error {
	_, err := c.Surveys.Get(ctx, "s1", opts...)
	return err
}

func putCall(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) error {
	_, err := c.SalesOS.NPS.Replace(ctx, "s1", &clicknps.NPSSurveyReplaceParams{Name: "n", Type: "transactional"}, opts...)
	return err
}

func patchCall(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) error {
	_, err := c.Surveys.Update(ctx, "s1", &clicknps.SurveyUpdateParams{Name: new("n")}, opts...)
	return err
}

func deleteCall(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) error {
	return c.Surveys.Delete(ctx, "s1", opts...)
}

func clickNPSPost(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) error {
	_, err := c.Surveys.Create(ctx, &clicknps.SurveyCreateParams{Name: "n", Question: "q"}, opts...)
	return err
}

func salesOSPost(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) error {
	_, err := c.SalesOS.NPS.Create(ctx, &clicknps.NPSSurveyCreateParams{Name: "n"}, opts...)
	return err
}

func toggleCall(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) error {
	_, err := c.SalesOS.NPS.Toggle(ctx, "s1", opts...)
	return err
}

var everyKind = []endpointCall{getCall, putCall, patchCall, deleteCall, clickNPSPost, salesOSPost, toggleCall}

// endpointCall is a call of one endpoint; everyKind has one for each kind of retry.
type endpointCall = func(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) error

func hangsInProcess(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}
