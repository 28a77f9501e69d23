package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// line is one line of the output: a log record, a span or the metrics.
type line struct {
	Msg       string
	Operation string
	Status    any    // of a log record: the status of the answer
	TraceID   string `json:"trace_id"`
	SpanID    string `json:"span_id"`

	Name                string
	SpanContext, Parent struct{ TraceID, SpanID string }
	Attributes, Events  []struct {
		Key, Name string
		Value     struct{ Value any }
	}

	ScopeMetrics []struct{ Metrics []struct{ Name string } }
}

func TestOutput(t *testing.T) {
	var out strings.Builder
	synctest.Test(t, func(t *testing.T) { require.NoError(t, run(t.Context(), &out)) })
	var call line
	var logs, attempts, metrics []string
	for text := range strings.Lines(out.String()) {
		var l line
		require.NoError(t, json.Unmarshal([]byte(text), &l), text)
		switch {
		case l.Msg != "" && l.Operation == "Surveys.Get":
			logs = append(logs, fmt.Sprint(l.Msg, " ", l.Status, " ", l.TraceID, " ", l.SpanID))
		case l.Name == "Surveys.Get":
			call = l
		case l.Name == "GET /surveys/{id}":
			attempts = append(attempts, l.Parent.SpanID)
		}
		for _, s := range l.ScopeMetrics {
			for _, m := range s.Metrics {
				metrics = append(metrics, m.Name)
			}
		}
	}

	id := call.SpanContext
	require.NotEmpty(t, id.SpanID, "no span of the call that was retried")
	require.Len(t, call.Events, 1)
	assert.Equal(t, "clicknps.wait", call.Events[0].Name)
	assert.Equal(t, []string{id.SpanID, id.SpanID}, attempts)
	assert.Equal(t, []string{
		"clicknps: request is retried 429 " + id.TraceID + " " + id.SpanID,
		"clicknps: request 200 " + id.TraceID + " " + id.SpanID,
	}, logs)
	assert.ElementsMatch(t, []string{
		"clicknps.call.duration", "clicknps.attempt.duration", "clicknps.retries", "clicknps.wait.duration",
		"clicknps.quota.left", "clicknps.quota.limit",
	}, metrics)
}
