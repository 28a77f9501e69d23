package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestServesUntilTheContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, printed := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-addr", "127.0.0.1:0", "-plan", "free", "-key", "sk_test_mine"}, printed)
	}()

	env := map[string]string{}
	for lines := bufio.NewScanner(out); len(env) < 5 && lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), "=")
		env[name] = value
	}
	assert.Equal(t, "sk_test_mine", env["CLICKNPS_API_KEY"])
	assert.NotEmpty(t, env["CLICKNPS_WEBHOOK_SECRET"])
	get := func(path, header, value string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, env["CLICKNPS_BASE_URL"]+path, nil)
		require.NoError(t, err)
		req.Header.Set(header, value)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	assert.Equal(t, 200, get("/nps-surveys", "Authorization", "Bearer "+env["SALESOS_TOKEN"]))
	assert.Equal(t, 200, get("/nps-surveys", "X-API-Key", env["SALESOS_API_KEY"]))
	for range 60 {
		require.Equal(t, 200, get("/surveys", "Authorization", "Bearer sk_test_mine"))
	}
	assert.Equal(t, 429, get("/surveys", "Authorization", "Bearer sk_test_mine"), "the free plan's minute is used up")

	cancel()
	assert.NoError(t, <-ended)
}

func TestRefusesFlagsThatItDoesNotKnow(t *testing.T) {
	for _, args := range [][]string{{"-plan", "gold"}, {"serve"}, {"-addr", "no such address"}} {
		assert.Error(t, run(t.Context(), args, io.Discard), args)
	}
}
