package clicknps_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// printed is v in every way that programs print things.
func printed(t testing.TB, v any) map[string]string {
	t.Helper()
	all := map[string]string{"json": "not JSON"}
	if data, err := json.Marshal(v); err == nil {
		all["json"] = string(data)
	}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		all[verb] = fmt.Sprintf(verb, v)
		all["nested "+verb] = fmt.Sprintf(verb, struct{ V any }{v})
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", v)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "v", v)
	all["slog"] = log.String()
	if err, ok := v.(error); ok {
		all["error"], all["%s"], all["%q"] = err.Error(), fmt.Sprintf("%s", v), fmt.Sprintf("%q", v)
	}
	return all
}

// A server, or a proxy before it, may repeat the credential that it was sent.
func TestEchoedCredentialsAreCut(t *testing.T) {
	t.Parallel()
	const long = "k/" + testToken // a slash, which some encoders escape
	services := map[string]struct {
		secret string
		opts   []clicknps.Option
		call   func(with) error
	}{
		"API key": {long, []clicknps.Option{clicknps.WithAPIKey(long)}, callsByID("s")["Responses.Get"]},
		"token":   {long, []clicknps.Option{clicknps.WithSalesOSToken(long)}, callsByID("s")["NPS.Get"]},
		"X-API-Key": {
			long, []clicknps.Option{clicknps.WithSalesOSAPIKey(long)}, callsByID("s")["NPS.Get"],
		},
		"token source": {
			long,
			[]clicknps.Option{clicknps.WithSalesOSTokenSource(clicknps.TokenSourceFunc(func(context.Context) (clicknps.Token, error) {
				return clicknps.Token{Value: long}, nil
			}))},
			callsByID("s")["NPS.Get"],
		},
	}
	answers := map[string]struct {
		status int
		body   string // SECRET stands for the credential
	}{
		"message":           {401, `{"error":{"type":"auth","message":"no such key: Bearer SECRET"}}`},
		"type":              {401, `{"error":{"type":"SECRET","message":"no"}}`},
		"field":             {400, `{"error":{"type":"validation_error","message":"no","field":"SECRET"}}`},
		"list of strings":   {400, `{"message":["SECRET must be a key"]}`},
		"list of fields":    {400, `{"errors":[{"field":"SECRET","message":"SECRET is not valid"}]}`},
		"escaped":           {401, `{"error":"ESCAPED"}`},
		"strange JSON":      {401, `{"key":"SECRET"}`},
		"HTML":              {502, "<html>SECRET</html>"},
		"over the cut":      {502, strings.Repeat(".", 100) + "SECRET"},
		"2xx":               {200, `{"key":"SECRET"}`},
		"2xx, over the cut": {200, strings.Repeat(" ", 100) + `{"key":"SECRET"}`},
		"2xx, as a number":  {200, `{"id":"s","score":"SECRET","isActive":"SECRET"}`},
	}
	for service, s := range services {
		for name, a := range answers {
			t.Run(service+" "+name, func(t *testing.T) {
				t.Parallel()
				body := strings.ReplaceAll(a.body, "SECRET", s.secret)
				body = strings.ReplaceAll(body, "ESCAPED", strings.ReplaceAll(s.secret, "/", `\/`))
				w := newWire(reply(a.status, body, "X-Request-Id", "req-"+s.secret))
				client, err := clicknps.New(append(s.opts, through(w), clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: -1}))...)
				require.NoError(t, err)
				err = s.call(with{Client: client, ctx: t.Context()})
				e := asError(t, err)
				require.Contains(t, w.sent()[0].Header.Get("Authorization")+w.sent()[0].Header.Get("X-API-Key"), s.secret)
				assert.Equal(t, body, string(e.Body), "the body is as received")
				for how, shown := range printed(t, e) {
					assert.NotContains(t, shown, s.secret[:20], how)
				}
			})
		}
	}
}

// A token that was renewed meanwhile is still a secret.
func TestEchoedTokenBeforeIsCut(t *testing.T) {
	t.Parallel()
	tokens := []string{"first-token", "second-token"}
	source := clicknps.TokenSourceFunc(func(context.Context) (clicknps.Token, error) {
		token := tokens[0]
		tokens = tokens[1:]
		return clicknps.Token{Value: token}, nil
	})
	w := newWire(reply(401, `{"message":"first-token and second-token have expired"}`))
	client, err := clicknps.New(clicknps.WithSalesOSTokenSource(source), through(w))
	require.NoError(t, err)
	_, err = client.SalesOS.NPS.Get(t.Context(), "s")
	require.ErrorIs(t, err, clicknps.ErrUnauthorized)
	require.Len(t, w.sent(), 2)
	assert.Equal(t, "[redacted] and [redacted] have expired", asError(t, err).Message)
}

func TestErrorsDoNotPrintTheirBody(t *testing.T) {
	t.Parallel()
	_, err := answering(t, 404, `{"message":"no","customer":"jane@example.com"}`).Surveys.Get(t.Context(), "s")
	e := asError(t, err)
	assert.Contains(t, string(e.Body), "jane@example.com")
	for how, shown := range printed(t, e) {
		assert.NotContains(t, shown, "jane@example.com", how)
		assert.NotContains(t, shown, "amFuZUBleGFtcGxlLmNvb", how) // in base64
	}
}

func TestErrorLogValue(t *testing.T) {
	t.Parallel()
	client := answering(t, 429, golden(t, "error_rate_limit.json"), "X-Request-Id", "req_1")
	_, err := client.Surveys.Create(t.Context(), &clicknps.SurveyCreateParams{Name: "n", Question: "q"}, clicknps.WithIdempotencyKey("key-1"))
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Error("failed", "err", asError(t, err))
	var line struct{ Err map[string]any }
	require.NoError(t, json.Unmarshal(log.Bytes(), &line))
	assert.Equal(t, map[string]any{
		"error": err.Error(), "service": "clicknps", "status": 429.0, "type": "rate_limit_exceeded", "field": "",
		"request_id": "req_1", "retry_after": 60e9, "attempts": 1.0, "idempotency_key": "key-1",
	}, line.Err)
}

func TestClientAndOptionsShowNoSecret(t *testing.T) {
	t.Parallel()
	const key, token, source = "sk_live_printed", "jwt.printed.x", "sourced.printed.x"
	w := inProcess(func(*http.Request) (*http.Response, error) { return answer(404, ""), nil })
	opts := []clicknps.Option{clicknps.WithAPIKey(key), clicknps.WithSalesOSToken(token), through(w)}
	client, err := clicknps.New(opts...)
	require.NoError(t, err)
	sourced, err := clicknps.New(through(w), clicknps.WithSalesOSTokenSource(clicknps.TokenSourceFunc(func(context.Context) (clicknps.Token, error) {
		return clicknps.Token{Value: source}, nil
	})))
	require.NoError(t, err)
	require.ErrorIs(t, callsByID("s")["Surveys.Get"](with{Client: client, ctx: t.Context()}), clicknps.ErrNotFound)
	require.ErrorIs(t, callsByID("s")["NPS.Get"](with{Client: sourced, ctx: t.Context()}), clicknps.ErrNotFound)

	for _, v := range []any{client, *client, client.SalesOS, *client.Surveys, sourced, *sourced, *sourced.SalesOS.NPS, opts, opts[0], clicknps.WithSalesOSAPIKey(key)} {
		for how, shown := range printed(t, v) {
			assert.NotContains(t, shown, "printed", "%T %s", v, how)
		}
	}
	assert.NotContains(t, failedComparison(client, &clicknps.Client{}), "printed")
}

// failedComparison is what a test prints that compares two values: everything that they hold, without asking them.
func failedComparison(a, b any) string {
	var r recorder
	assert.Equal(&r, a, b)
	return string(r)
}

type recorder []byte

func (r *recorder) Errorf(format string, args ...any) { *r = fmt.Appendf(*r, format, args...) }

func TestResourcesShowNoSecret(t *testing.T) {
	t.Parallel()
	hook, err := answering(t, 201, golden(t, "webhook.json")).Webhooks.Create(t.Context(), &clicknps.WebhookCreateParams{
		URL: "https://example.com", Events: []clicknps.EventType{"e"},
	})
	require.NoError(t, err)
	require.Equal(t, "whsec_def456uvw012", hook.Secret)
	page := clicknps.Page[clicknps.Webhook]{Data: []clicknps.Webhook{*hook}}
	token := clicknps.Token{Value: "whsec_def456uvw012", Expiry: day}
	for _, v := range []any{hook, *hook, []clicknps.Webhook{*hook}, page, &page, token, &token, []clicknps.Token{token}} {
		for how, shown := range printed(t, v) {
			if how == "json" || how == "slog" {
				continue // JSON is for storing them; slog is asked below
			}
			assert.NotContains(t, shown, "whsec_def", "%T %s", v, how)
		}
	}
	for _, v := range []any{hook, *hook, token, &token} {
		assert.NotContains(t, printed(t, v)["slog"], "whsec_def", "%T", v)
	}
	for _, shown := range []string{hook.String(), hook.GoString(), hook.LogValue().String(), asError(t, missingID(t)).GoString()} {
		assert.Regexp(t, "webhook_abc123|id must not be", shown, "not nothing at all")
	}
	for _, part := range []string{"https://example.com/hooks/clicknps", "response.created", "2025-01-15"} {
		assert.Contains(t, hook.LogValue().String(), part)
	}
	assert.Equal(t, "[items=1 pagination={0 0 0 false}]", page.LogValue().String())
	assert.Contains(t, token.String(), "2025-01-15")
	hook.Secret = ""
	assert.NotContains(t, hook.String(), "redacted", "there is nothing to hide")
}

func missingID(t *testing.T) error {
	_, err := silent(t).client(t).Surveys.Get(t.Context(), "")
	return err
}

// A middleware's error is the caller's own: it stays in the chain as it is.
func TestCauseStaysInTheChain(t *testing.T) {
	t.Parallel()
	broken := errors.New("the proxy is down")
	client := newWire(func(*http.Request) (*http.Response, error) { return nil, broken }).client(t)
	_, err := client.Surveys.Get(t.Context(), "s")
	require.ErrorIs(t, err, broken)
	e := asError(t, err)
	assert.Zero(t, e.StatusCode)
	assert.Equal(t, 1, e.Attempts)
	assert.Equal(t, "clicknps: GET /v1/surveys/s: the proxy is down", e.Error())
}
