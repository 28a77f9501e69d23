package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

func TestCheckOfTheFake(t *testing.T) {
	srv := clicknpstest.Run(t)
	srv.AddSurvey(clicknps.Survey{Name: "Onboarding", Question: "Would you recommend us?"})
	for name, value := range map[string]string{
		"CLICKNPS_API_KEY": srv.APIKey(), "CLICKNPS_BASE_URL": srv.URL(),
		"SALESOS_TOKEN": srv.SalesOSToken(), "SALESOS_BASE_URL": srv.URL(),
	} {
		t.Setenv(name, value)
	}
	r, err := run(t.Context(), true)
	require.NoError(t, err)
	assert.False(t, r.differs())
	require.Len(t, r.Connections, 1)
	c := r.Connections[0]
	assert.Equal(t, len(srv.Requests()), c.Requests)
	assert.Equal(t, "HTTP/1.1", c.Protocol)
	assert.Equal(t, "100", c.Limits["X-Ratelimit-Limit"])
	var table strings.Builder
	require.NoError(t, r.print(&table))
	assert.Contains(t, table.String(), "a list has data and pagination")
	assert.NotContains(t, table.String(), srv.APIKey())
	data, err := json.Marshal(r)
	require.NoError(t, err)
	assert.NotContains(t, string(data), srv.SalesOSToken())
}

func TestCheckWithoutCredentials(t *testing.T) {
	for _, name := range []string{"CLICKNPS_API_KEY", "SALESOS_TOKEN", "SALESOS_API_KEY"} {
		t.Setenv(name, "")
	}
	_, err := run(t.Context(), false)
	require.ErrorIs(t, err, clicknps.ErrMissingCredentials)
}

func TestCheckOfAnotherServer(t *testing.T) {
	srv := clicknpstest.Run(t)
	srv.Inject(clicknpstest.Fault{Status: 200, Body: `{"data":[{"id":"a","name":"n","question":"q","status":"` +
		srv.APIKey() + `"}]}`})
	for name, value := range map[string]string{
		"CLICKNPS_API_KEY": srv.APIKey(), "CLICKNPS_BASE_URL": srv.URL(),
		"SALESOS_TOKEN": "", "SALESOS_API_KEY": "",
	} {
		t.Setenv(name, value)
	}
	r, err := run(t.Context(), false)
	require.NoError(t, err)
	assert.True(t, r.differs())
	var table strings.Builder
	require.NoError(t, r.print(&table))
	assert.Contains(t, table.String(), `status is "[redacted]"`)
	assert.NotContains(t, table.String(), srv.APIKey())

	t.Setenv("CLICKNPS_BASE_URL", "http://127.0.0.1:1")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = run(ctx, false)
	require.Error(t, err, "nothing can be reached")
}
