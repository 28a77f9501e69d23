package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/webhook"
)

const secret = "whsec_def456uvw012"

// TestMain lets the test binary be the program, so that a test can send it a signal.
func TestMain(m *testing.M) {
	if os.Getenv("BE_THE_WEBHOOK_RECEIVER") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// start starts the receiver as a process. It returns the URL that it prints, and its further output.
func start(t *testing.T, args ...string) (process *exec.Cmd, url string, lines *bufio.Scanner) {
	t.Helper()
	process = exec.CommandContext(t.Context(), os.Args[0], append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	process.Env = append(os.Environ(), "BE_THE_WEBHOOK_RECEIVER=1", "CLICKNPS_WEBHOOK_SECRET=an_old_one "+secret)
	process.Stderr = os.Stderr
	stdout, err := process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	lines = bufio.NewScanner(stdout)
	require.True(t, lines.Scan())
	url, found := strings.CutPrefix(lines.Text(), "listening at ")
	require.True(t, found, lines.Text())
	return process, url, lines
}

// post delivers a response of subject, and returns the status of the answer.
func post(t *testing.T, url, secret, subject string) (int, error) {
	t.Helper()
	body := fmt.Appendf(nil, `{"survey_id":"onboarding","subject_id":%q,"score":9,"timestamp":%q}`,
		subject, time.Now().Format(time.RFC3339Nano))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set(webhook.SignatureHeader, webhook.Sign(secret, body))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}
