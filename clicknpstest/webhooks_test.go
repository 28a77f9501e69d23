package clicknpstest_test

import (
	"strings"
	"testing"

	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWebhookLife(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := inProcess(t, srv)
	created := c.call("POST", "/v1/webhooks", `{"url":"https://example.com/hooks/clicknps","events":["response.created","survey.completed"]}`)
	require.Equal(t, 201, created.status, created.body)
	hook := srv.Webhooks()[0]
	stamp := hook.CreatedAt.Format("2006-01-02T15:04:05.999Z")
	want := strings.NewReplacer("webhook_abc123", hook.ID, "2025-01-15T10:30:00Z", stamp).Replace(golden(t, "webhook.json"))
	assert.JSONEq(t, want, created.body)
	assert.Equal(t, srv.WebhookSecret(), hook.Secret)
	assert.Equal(t, []string{hook.ID}, c.get("/v1/webhooks").names(t, "id"))

	for body, field := range map[string]string{
		`{"events":["response.created"]}`:                               "url",
		`{"url":"/hook","events":["response.created"]}`:                 "url",
		`{"url":"ftp://example.com","events":["response.created"]}`:     "url",
		`{"url":"https://example.com"}`:                                 "events",
		`{"url":"https://example.com","events":[]}`:                     "events",
		`{"url":"https://example.com","events":["response.forgotten"]}`: "events",
	} {
		got := c.call("POST", "/v1/webhooks", body)
		assert.Equal(t, 400, got.status, body)
		assert.Contains(t, got.body, `"field":"`+field+`"`, body)
	}
	assert.Equal(t, 200, c.call("DELETE", "/v1/webhooks/"+hook.ID, "").status)
	assert.Equal(t, 404, c.call("DELETE", "/v1/webhooks/"+hook.ID, "").status)
	assert.Empty(t, srv.Webhooks())
}
