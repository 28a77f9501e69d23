package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// start runs the program until the test ends, and returns what it prints.
func start(t *testing.T, args ...string) (lines []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, printed := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, args, printed) }()
	for scanner := bufio.NewScanner(out); len(lines) < 5 && scanner.Scan(); {
		lines = append(lines, scanner.Text())
	}
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-ended)
	})
	return lines
}

// environment reads lines as a shell does.
func environment(t *testing.T, lines []string) map[string]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "fake.env")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600))
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `set -a; . "$0"; env`, file).Output()
	require.NoError(t, err)
	env := map[string]string{}
	for _, line := range strings.Split(string(out), "\n") {
		name, value, _ := strings.Cut(line, "=")
		env[name] = value
	}
	return env
}

func get(t *testing.T, base, host, authorization string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base, nil)
	require.NoError(t, err)
	req.Host = host
	req.Header.Set("Authorization", authorization)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

func TestWhatIsPrintedMakesTheClientWork(t *testing.T) {
	lines := start(t, "-addr", "127.0.0.1:0", "-plan", "free", "-key", "sk_test_mine")
	env := environment(t, lines)
	var names []string
	for _, line := range lines {
		name, _, _ := strings.Cut(line, "=")
		names = append(names, name)
		t.Setenv(name, env[name])
	}
	assert.Equal(t, []string{
		"CLICKNPS_BASE_URL", "CLICKNPS_API_KEY", "CLICKNPS_WEBHOOK_SECRET", "SALESOS_BASE_URL", "SALESOS_TOKEN",
	}, names)
	assert.Equal(t, "sk_test_mine", env["CLICKNPS_API_KEY"])
	assert.Equal(t, "whsec_def456uvw012", env["CLICKNPS_WEBHOOK_SECRET"])
	assert.Equal(t, 200, get(t, env["SALESOS_BASE_URL"]+"/nps-surveys", "", "Bearer "+env["SALESOS_TOKEN"]))

	client, err := clicknps.New()
	require.NoError(t, err)
	for range 60 {
		_, err = client.Surveys.List(t.Context(), nil)
		require.NoError(t, err)
	}
	status := get(t, env["CLICKNPS_BASE_URL"]+"/surveys", "", "Bearer sk_test_mine")
	assert.Equal(t, 429, status, "the free plan's minute is used up")
}

func TestForeignHostsAreRefused(t *testing.T) {
	env := environment(t, start(t, "-addr", "localhost:0"))
	base := env["CLICKNPS_BASE_URL"]
	for host, want := range map[string]int{
		"":                    200,
		"localhost":           200,
		"LOCALHOST:1":         200,
		"127.0.0.1:8080":      200,
		"127.1.2.3":           200,
		"[::1]:8080":          200,
		"evil.example":        403,
		"evil.example:8080":   403,
		"localhost.evil":      403,
		"127.0.0.1.evil:8080": 403,
		"192.0.2.1":           403,
		"[2001:db8::1]:8080":  403,
	} {
		assert.Equal(t, want, get(t, base+"/surveys", host, "Bearer "+env["CLICKNPS_API_KEY"]), host)
	}
}

// oneConn is a listener with one connection to accept.
type oneConn chan net.Conn

func (l oneConn) Accept() (net.Conn, error) {
	if conn, ok := <-l; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (l oneConn) Close() error { close(l); return nil }

func (l oneConn) Addr() net.Addr { return &net.TCPAddr{} }

func TestASlowSenderIsCutOff(t *testing.T) {
	for sent, want := range map[string]time.Duration{
		"":                               10 * time.Second,
		"POST / HTTP/1.1\r\nHost: x\r\n": 10 * time.Second,
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{": time.Minute,
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n":                        2 * time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			client, accepted := net.Pipe()
			socket := make(oneConn, 1)
			socket <- accepted
			fake := clicknpstest.Run(t)
			server := newServer(fake)
			go func() { _ = server.Serve(socket) }()
			begin := time.Now()
			_, err := io.WriteString(client, sent)
			require.NoError(t, err)
			_, _ = io.Copy(io.Discard, client) // until the server closes it
			assert.Equal(t, want, time.Since(begin), sent)
			require.NoError(t, server.Close())
		})
	}
}

func TestTheBaseURLIsThisMachine(t *testing.T) {
	env := environment(t, start(t, "-addr", ":0"))
	base, err := url.Parse(env["CLICKNPS_BASE_URL"])
	require.NoError(t, err)
	assert.Equal(t, "127.0.0.1", base.Hostname(), "plain HTTP is for the loopback interface only")
	authorization := "Bearer " + env["CLICKNPS_API_KEY"]
	assert.Equal(t, 200, get(t, base.String()+"/surveys", "", authorization))
	assert.Equal(t, 403, get(t, base.String()+"/surveys", "evil.example", authorization))
	assert.Equal(t, 403, get(t, base.String()+"/surveys", ":80", authorization), "no host at all")
}

func TestRefusesFlagsThatItDoesNotKnow(t *testing.T) {
	for _, args := range [][]string{
		{"-plan", "gold"}, {"serve"}, {"-addr", "no such address"}, {"-key", "a b"}, {"-key", "$(date)"},
	} {
		assert.Error(t, run(t.Context(), args, io.Discard), args)
	}
}
