package clicknps_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// refused checks an error of a call that was not sent: it names the field, in itself and in its message.
func refused(t *testing.T, err error, field string, names ...string) {
	t.Helper()
	require.ErrorIs(t, err, clicknps.ErrInvalidParams)
	e := asError(t, err)
	assert.Zero(t, e.StatusCode)
	assert.Zero(t, e.Attempts)
	assert.Equal(t, field, e.Field)
	require.Len(t, e.Fields, 1)
	assert.Equal(t, clicknps.FieldError{Field: field, Message: e.Message}, e.Fields[0])
	for _, name := range append(names, field, "invalid parameters") {
		assert.Contains(t, err.Error(), name)
	}
}

func TestIDsThatNameAnotherPath(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", ".", ".."} {
		for name, call := range callsByID(id) {
			t.Run(name+" "+id, func(t *testing.T) {
				t.Parallel()
				refused(t, call(with{Client: silent(t).client(t), ctx: t.Context()}), "id")
			})
		}
	}
}

func TestParamsThatCannotBeRight(t *testing.T) {
	t.Parallel()
	long := func(n int) clicknps.RequestOption { return clicknps.WithIdempotencyKey(strings.Repeat("k", n)) }
	mint := func(p clicknps.LinkMintParams) func(with) error {
		return func(w with) error { return drop(w.Links.Mint(w.ctx, &p, w.opts...)) }
	}
	listing := func(limit, offset int) func(with) error {
		return func(w with) error {
			sp := &clicknps.SurveyListParams{Limit: limit, Offset: offset}
			rp := &clicknps.ResponseListParams{Limit: limit, Offset: offset}
			wp := &clicknps.WebhookListParams{Limit: limit, Offset: offset}
			_, surveys := w.Surveys.List(w.ctx, sp)
			_, responses := w.Responses.List(w.ctx, rp)
			_, webhooks := w.Webhooks.List(w.ctx, wp)
			for _, err := range []error{
				surveys, responses, webhooks,
				walkError(w.Surveys.All(w.ctx, sp)),
				walkError(w.Responses.All(w.ctx, rp)),
			} {
				if !errors.Is(err, clicknps.ErrInvalidParams) {
					return err
				}
			}
			return walkError(w.Webhooks.All(w.ctx, wp))
		}
	}
	hook := func(url string, events ...clicknps.EventType) func(with) error {
		return func(w with) error {
			return drop(w.Webhooks.Create(w.ctx, &clicknps.WebhookCreateParams{URL: url, Events: events}, w.opts...))
		}
	}
	create := callsWithoutID()["Surveys.Create"]
	option := func(o clicknps.RequestOption) func(with) error {
		return func(w with) error { w.opts = append(w.opts, o); return create(w) }
	}
	tests := []struct {
		name, field string
		call        func(with) error
	}{
		{"negative limit", "limit", listing(-1, 0)},
		{"smallest limit", "limit", listing(math.MinInt, 0)},
		{"negative offset", "offset", listing(10, -1)},
		{"negative prefetch", "pages", func(w with) error {
			return walkError(w.Surveys.All(w.ctx, nil, clicknps.WithPrefetch(-1)))
		}},

		{"survey without a name", "name", func(w with) error {
			return drop(w.Surveys.Create(w.ctx, &clicknps.SurveyCreateParams{Question: "q"}))
		}},
		{"survey without a question", "question", func(w with) error {
			return drop(w.Surveys.Create(w.ctx, &clicknps.SurveyCreateParams{Name: "n"}))
		}},
		{"survey whose name is taken away", "name", func(w with) error {
			return drop(w.Surveys.Update(w.ctx, "s", &clicknps.SurveyUpdateParams{Name: new("")}))
		}},
		{"survey whose question is taken away", "question", func(w with) error {
			return drop(w.Surveys.Update(w.ctx, "s", &clicknps.SurveyUpdateParams{Question: new("")}))
		}},
		{"survey whose status is taken away", "status", func(w with) error {
			return drop(w.Surveys.Update(w.ctx, "s", &clicknps.SurveyUpdateParams{Status: new(clicknps.SurveyStatus(""))}))
		}},
		{"update that changes nothing", "params", func(w with) error {
			return drop(w.Surveys.Update(w.ctx, "s", &clicknps.SurveyUpdateParams{}))
		}},
		{"comment without words", "comment", func(w with) error {
			return drop(w.Responses.AddComment(w.ctx, "r", &clicknps.CommentParams{}))
		}},
		{"webhook without a URL", "url", hook("", "e")},
		{"webhook with a path only", "url", hook("/hooks", "e")},
		{"webhook without a scheme", "url", hook("example.com/hooks", "e")},
		{"webhook with another scheme", "url", hook("ftp://example.com", "e")},
		{"webhook whose URL is none", "url", hook("https://exa mple.com", "e")},
		{"webhook without events", "events", hook("https://example.com")},
		{"webhook with an empty event", "events", hook("https://example.com", "e", "")},
		{"webhook with an event that is not UTF-8", "events[0]", hook("https://example.com", "e\xff")},
		{"SalesOS survey without a name", "name", func(w with) error {
			return drop(w.SalesOS.NPS.Create(w.ctx, &clicknps.NPSSurveyCreateParams{Question: "q"}))
		}},
		{"SalesOS survey replaced by one without a name", "name", func(w with) error {
			return drop(w.SalesOS.NPS.Replace(w.ctx, "s", &clicknps.NPSSurveyReplaceParams{Question: "q"}))
		}},
		{"SalesOS survey whose name is taken away", "name", func(w with) error {
			return drop(w.SalesOS.NPS.Update(w.ctx, "s", &clicknps.NPSSurveyUpdateParams{Name: new("")}))
		}},
		{"SalesOS update that changes nothing", "params", func(w with) error {
			return drop(w.SalesOS.NPS.Update(w.ctx, "s", &clicknps.NPSSurveyUpdateParams{}))
		}},
		{"export without a format", "format", func(w with) error { return drop(w.SalesOS.NPS.Export(w.ctx, "s", "", io.Discard)) }},
		{"export to nowhere", "w", func(w with) error { return drop(w.SalesOS.NPS.Export(w.ctx, "s", "csv", nil)) }},

		{"mint for no survey", "survey_id", mint(clicknps.LinkMintParams{SubjectID: "c"})},
		{"mint for no subject", "subject_id", mint(clicknps.LinkMintParams{SurveyID: "s"})},
		{"mint with a slash", "survey_id", mint(clicknps.LinkMintParams{SurveyID: "s/1", SubjectID: "c"})},
		{"mint with a space", "subject_id", mint(clicknps.LinkMintParams{SurveyID: "s", SubjectID: "c 1"})},
		{"mint with a dot inside", "subject_id", mint(clicknps.LinkMintParams{SurveyID: "s", SubjectID: "a.b"})},
		{"mint with an @", "subject_id", mint(clicknps.LinkMintParams{SurveyID: "s", SubjectID: "c@example.com"})},
		{"mint with an umlaut", "survey_id", mint(clicknps.LinkMintParams{SurveyID: "für", SubjectID: "c"})},
		{"mint with a newline", "survey_id", mint(clicknps.LinkMintParams{SurveyID: "s\n", SubjectID: "c"})},
		{"mint for less than no time", "ttl_days", mint(clicknps.LinkMintParams{SurveyID: "s", SubjectID: "c", TTLDays: -1})},
		{"mint for more than a year", "ttl_days", mint(clicknps.LinkMintParams{SurveyID: "s", SubjectID: "c", TTLDays: 366})},
		{"mint with a redirect to a path", "redirect_url", mint(clicknps.LinkMintParams{SurveyID: "s", SubjectID: "c", RedirectURL: "/thanks"})},

		{"name that is not UTF-8", "name", func(w with) error {
			return drop(w.Surveys.Create(w.ctx, &clicknps.SurveyCreateParams{Name: "n\xff", Question: "q"}))
		}},
		{"changed question that is not UTF-8", "question", func(w with) error {
			return drop(w.SalesOS.NPS.Update(w.ctx, "s", &clicknps.NPSSurveyUpdateParams{Question: new("\xc3\x28")}))
		}},
		{"extra field whose name is not UTF-8", "name", option(clicknps.WithExtraField("x\xff", 1))},

		{"nil option", "opts", option(nil)},
		{"empty idempotency key", "Idempotency-Key", option(clicknps.WithIdempotencyKey(""))},
		{"idempotency key of 256 bytes", "Idempotency-Key", option(long(256))},
		{"idempotency key with an umlaut", "Idempotency-Key", option(clicknps.WithIdempotencyKey("schlüssel"))},
		{"idempotency key with a newline", "Idempotency-Key", option(clicknps.WithIdempotencyKey("k\nX: y"))},
		{"idempotency key derived from nothing", "Idempotency-Key", option(clicknps.WithIdempotencyKey(clicknps.DeriveIdempotencyKey()))},
		{"response to nowhere", "into", option(clicknps.WithCallInfo(nil))},
		{"empty header name", "header", option(clicknps.WithHeader("", "v"))},
		{"header name with a space", "header", option(clicknps.WithHeader("X Y", "v"))},
		{"header name with a colon", "header", option(clicknps.WithHeader("X:Y", "v"))},
		{"header name with an umlaut", "header", option(clicknps.WithHeader("Ü", "v"))},
		{"header name with a newline", "header", option(clicknps.WithHeader("X\r\nY", "v"))},
		{"header value with a newline", "X-Tag", option(clicknps.WithHeader("X-Tag", "a\r\nAuthorization: b"))},
		{"header value with a NUL", "X-Tag", option(clicknps.WithHeader("X-Tag", "\x00"))},
		{"authorization as a header", "authorization", option(clicknps.WithHeader("authorization", "Bearer x"))},
		{"key as a header", "X-API-Key", option(clicknps.WithHeader("X-API-Key", "x"))},
		{"idempotency key as a header", "Idempotency-Key", option(clicknps.WithHeader("Idempotency-Key", "x"))},
		{"host as a header", "Host", option(clicknps.WithHeader("Host", "example.com"))},

		{"extra field without a name", "name", option(clicknps.WithExtraField("", 1))},
		{"extra field that is there already", "name", option(clicknps.WithExtraField("name", "other"))},
		{"extra field of a request without a body", "tags", func(w with) error {
			return drop(w.Surveys.Get(w.ctx, "s", clicknps.WithExtraField("tags", 1)))
		}},
		{"extra field of a toggle", "tags", func(w with) error {
			return drop(w.SalesOS.NPS.Toggle(w.ctx, "s", clicknps.WithExtraField("tags", 1)))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			refused(t, tt.call(with{Client: silent(t).client(t), ctx: t.Context()}), tt.field)
		})
	}
}

func TestNilParams(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(with) error{
		"Surveys.Create":       func(w with) error { return drop(w.Surveys.Create(w.ctx, nil)) },
		"Surveys.Update":       func(w with) error { return drop(w.Surveys.Update(w.ctx, "s", nil)) },
		"Responses.AddComment": func(w with) error { return drop(w.Responses.AddComment(w.ctx, "r", nil)) },
		"Webhooks.Create":      func(w with) error { return drop(w.Webhooks.Create(w.ctx, nil)) },
		"Links.Mint":           func(w with) error { return drop(w.Links.Mint(w.ctx, nil)) },
		"NPS.Create":           func(w with) error { return drop(w.SalesOS.NPS.Create(w.ctx, nil)) },
		"NPS.Update":           func(w with) error { return drop(w.SalesOS.NPS.Update(w.ctx, "s", nil)) },
		"NPS.Replace":          func(w with) error { return drop(w.SalesOS.NPS.Replace(w.ctx, "s", nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, call(with{Client: silent(t).client(t), ctx: t.Context()}), "params")
		})
	}
}

func TestExtraFieldThatIsNotJSON(t *testing.T) {
	t.Parallel()
	err := callsWithoutID()["Surveys.Create"](with{
		Client: silent(t).client(t), ctx: t.Context(), opts: []clicknps.RequestOption{clicknps.WithExtraField("x", func() {})},
	})
	require.ErrorIs(t, err, clicknps.ErrInvalidParams)
	assert.Contains(t, asError(t, err).Error(), "WithExtraField")
}

func TestNilContext(t *testing.T) {
	t.Parallel()
	eachCall(t, func(t *testing.T, _ string, call func(with) error) {
		refused(t, call(with{Client: silent(t).client(t)}), "ctx")
	})
}

func TestCancelledContext(t *testing.T) {
	t.Parallel()
	cause := errors.New("the program ends")
	eachCall(t, func(t *testing.T, _ string, call func(with) error) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		err := call(with{Client: silent(t).client(t), ctx: ctx})
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, cause)
		require.NotErrorIs(t, err, clicknps.ErrOutcomeUnknown)
		assert.Zero(t, asError(t, err).Attempts)
	})
}

func TestIdempotencyKeyIsForClickNPSPosts(t *testing.T) {
	t.Parallel()
	eachCall(t, func(t *testing.T, name string, call func(with) error) {
		opts := []clicknps.RequestOption{clicknps.WithIdempotencyKey("key-1")}
		if !keyedCalls[name] {
			refused(t, call(with{Client: silent(t).client(t), ctx: t.Context(), opts: opts}), "Idempotency-Key")
			return
		}
		w := newWire(reply(http.StatusBadRequest, ""))
		e := asError(t, call(with{Client: w.client(t), ctx: t.Context(), opts: opts}))
		assert.Equal(t, "key-1", e.IdempotencyKey)
		require.Len(t, w.sent(), 1)
		assert.Equal(t, []string{"key-1"}, w.sent()[0].Header["Idempotency-Key"])
	})
}

func TestExtraFields(t *testing.T) {
	t.Parallel()
	w := newWire(reply(200, golden(t, "survey.json")))
	client := w.client(t)
	_, err := client.Surveys.Create(t.Context(), &clicknps.SurveyCreateParams{Name: "n", Question: "q"},
		clicknps.WithExtraField("tags", []string{"a"}), clicknps.WithExtraField("big", json.Number("12345678901234567890")))
	require.NoError(t, err)
	assert.Equal(t, `{"big":12345678901234567890,"name":"n","question":"q","tags":["a"]}`, w.sent()[0].Body)

	// What the params leave out may be said in another way.
	_, err = client.Surveys.Update(t.Context(), "s", &clicknps.SurveyUpdateParams{}, clicknps.WithExtraField("question", nil))
	require.NoError(t, err)
	assert.Equal(t, `{"question":null}`, w.sent()[1].Body)
}
