package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// TestMain lets a test run this program as a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_MAIN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const demoOutput = `3 workers minted links for 49 of 60 customers.
The service got 50 requests and refused 0.
20 deliveries came, and 10 events were handled.
`

func TestDemo(t *testing.T) {
	t.Setenv("CLICKNPS_API_KEY", "")
	t.Setenv("REDIS_URL", "")
	var out strings.Builder
	require.NoError(t, run(t.Context(), nil, &out))
	assert.Equal(t, demoOutput, out.String())
}

func TestDemoWithRealRedis(t *testing.T) {
	t.Setenv("CLICKNPS_API_KEY", "")
	t.Setenv("REDIS_URL", startRedis(t))
	var out strings.Builder
	require.NoError(t, run(t.Context(), nil, &out))
	assert.Equal(t, demoOutput, out.String())
}

// Three processes share a quota of 50. The service, which counts for itself, refuses nothing.
func TestProcesses(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t, clicknpstest.WithPlan(clicknps.Plan{PerMinute: 50}))
	srv.AddSurvey(clicknps.Survey{ID: survey})
	env := append(os.Environ(), "RUN_MAIN=1", "REDIS_URL="+startRedis(t),
		"CLICKNPS_API_KEY="+srv.APIKey(), "CLICKNPS_BASE_URL="+srv.URL())
	outputs, errs := make([]string, 3), make([]error, 3)
	var wg sync.WaitGroup
	for i := range outputs {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0], "-worker", fmt.Sprint(i), "-of", "3", "-for", "5s")
			cmd.Env = env
			out, err := cmd.CombinedOutput()
			outputs[i], errs[i] = string(out), err
		})
	}
	wg.Wait()
	total := 0
	for i, out := range outputs {
		require.NoError(t, errs[i], out)
		var number, minted int
		_, err := fmt.Sscanf(out, "worker %d minted links for %d customers", &number, &minted)
		require.NoError(t, err, out)
		assert.Equal(t, i, number)
		total += minted
	}
	assert.Equal(t, 50, total)
	require.Len(t, srv.Requests(), 50)
	for _, r := range srv.Requests() {
		assert.NotEqual(t, http.StatusTooManyRequests, r.StatusCode)
	}
}

func TestErrors(t *testing.T) {
	require.ErrorContains(t, run(t.Context(), []string{"-worker", "3"}, io.Discard), "-worker must be below -of")
	t.Setenv("REDIS_URL", "localhost")
	require.ErrorContains(t, run(t.Context(), nil, io.Discard), "REDIS_URL: ")
	t.Setenv("REDIS_URL", "redis://127.0.0.1:1")
	t.Setenv("CLICKNPS_API_KEY", "sk_test_1")
	require.ErrorContains(t, run(t.Context(), nil, io.Discard), "connection refused")
	require.ErrorIs(t, run(t.Context(), []string{"-per-minute", "-1"}, io.Discard), clicknps.ErrInvalidParams)
	t.Setenv("CLICKNPS_API_KEY", " ")
	require.ErrorIs(t, run(t.Context(), nil, io.Discard), clicknps.ErrInvalidParams)
}

// startRedis starts a Redis that keeps nothing on disk, and returns its URL. Its user may not ask
// how long it has been up: else its quotas would be free only after its first minute, which no test
// should wait for.
func startRedis(t *testing.T) (url string) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	require.NoError(t, err, "this test needs Redis 7 or newer: apt-get install redis-server, or run .ci/redis")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	cmd := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
		"--dir", t.TempDir(), "--user", "fleet", "on", ">secret", "~*", "+@all", "-info")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	url = "redis://fleet:secret@127.0.0.1:" + port
	opts, err := redis.ParseURL(url)
	require.NoError(t, err)
	client := redis.NewClient(opts)
	defer client.Close()
	up := func() bool { return client.Ping(t.Context()).Err() == nil }
	require.Eventually(t, up, 20*time.Second, 20*time.Millisecond)
	return url
}
