package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/clicknps/go-sdk/webhook"
)

func TestSettings(t *testing.T) {
	used, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer used.Close()
	settings := map[string]string{
		"CLICKNPS_WEBHOOK_SECRET": secret, "DATABASE_URL": "postgres://localhost/", "REDIS_URL": "",
	}
	for _, test := range []struct{ name, value, want string }{
		{"CLICKNPS_WEBHOOK_SECRET", " ", "CLICKNPS_WEBHOOK_SECRET: "},
		{"DATABASE_URL", "", "DATABASE_URL: not set"},
		{"DATABASE_URL", "port=x", "DATABASE_URL: "},
		{"REDIS_URL", "http://localhost", "REDIS_URL: "},
		{"REDIS_URL", "redis://localhost", "address already in use"},
	} {
		for name, value := range settings {
			t.Setenv(name, value)
		}
		t.Setenv(test.name, test.value)
		var out strings.Builder
		assert.ErrorContains(t, run(t.Context(), used.Addr().String(), &out), test.want)
		assert.Empty(t, out.String())
	}
}

func TestReceiver(t *testing.T) {
	t.Parallel()
	databaseURL, db := startPostgres(t)
	for name, test := range map[string]func(*testing.T, *process, *pgxpool.Pool){
		"receives from the fake":                  testFake,
		"a signal loses nothing acknowledged":     testSignal,
		"a sender that is slow is disconnected":   testSlowSender,
		"what is not stored is not acknowledged":  testFailedSave,
		"what is signed by another is not stored": testForgery,
	} {
		execute(t, db, "DELETE FROM responses")
		t.Run(name, func(t *testing.T) {
			test(t, start(t, "receiver", "DATABASE_URL="+databaseURL, "REDIS_URL="), db)
		})
	}
}

func testFake(t *testing.T, p *process, db *pgxpool.Pool) {
	srv := clicknpstest.Run(t)
	_, err := srv.Client().Webhooks.Create(t.Context(), &clicknps.WebhookCreateParams{
		URL:    p.url,
		Events: []clicknps.EventType{clicknps.EventResponseCreated, clicknps.EventResponseUpdated},
	})
	require.NoError(t, err)
	response := srv.Respond("onboarding", "user_42", 0, "")
	srv.Respond("onboarding", "user_43", 10, "Loving it")
	srv.Advance(3 * time.Minute)
	comment := &clicknps.CommentParams{Comment: "Too slow"}
	_, err = srv.Client().Responses.AddComment(t.Context(), response.ID, comment)
	require.NoError(t, err)
	srv.Advance(0)
	for _, d := range srv.Deliveries() {
		assert.Equal(t, http.StatusOK, d.StatusCode)
	}
	requireRows(t, srv.Responses(), rows(t, db))
}

func testForgery(t *testing.T, p *process, db *pgxpool.Pool) {
	status, err := post(t, p.url, "another secret", "anna")
	require.NoError(t, err)
	assert.Equal(t, http.StatusUnauthorized, status)
	status, err = post(t, p.url, "an_old_one", "bert")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, []row{{"onboarding", "bert", new(9), ""}}, rows(t, db))
}

func testFailedSave(t *testing.T, p *process, db *pgxpool.Pool) {
	execute(t, db, "ALTER TABLE responses RENAME TO hidden")
	status, err := post(t, p.url, secret, "anna")
	require.NoError(t, err)
	assert.Equal(t, http.StatusInternalServerError, status)
	execute(t, db, "ALTER TABLE hidden RENAME TO responses")
	status, err = post(t, p.url, secret, "anna")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, status)
	assert.Len(t, rows(t, db), 1)
}

// A signal comes while many senders deliver.
func testSignal(t *testing.T, p *process, db *pgxpool.Pool) {
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	var senders sync.WaitGroup
	for sender := range 8 {
		senders.Go(func() {
			for i := 0; ; i++ {
				subject := fmt.Sprintf("user_%d_%d", sender, i)
				status, err := post(t, p.url, secret, subject)
				if err != nil {
					return // nobody listens any more
				}
				assert.Equal(t, http.StatusOK, status)
				mu.Lock()
				if acknowledged[subject] = true; len(acknowledged) == 50 {
					assert.NoError(t, p.Process.Signal(os.Interrupt))
				}
				mu.Unlock()
			}
		})
	}
	require.NoError(t, <-p.ended)
	senders.Wait()
	saved := rows(t, db)
	assert.GreaterOrEqual(t, len(acknowledged), 50)
	assert.Len(t, saved, len(acknowledged))
	for _, r := range saved {
		assert.True(t, acknowledged[r.SubjectID], r.SubjectID)
	}
}

func testSlowSender(t *testing.T, p *process, _ *pgxpool.Pool) {
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(p.url, "http://"), path))
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{", path)
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
	answer, err := io.ReadAll(conn)
	require.NoError(t, err, "the receiver must end the connection within 10 seconds")
	assert.Contains(t, string(answer), "400 Bad Request")
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
