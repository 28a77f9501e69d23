package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

func TestMissingSecretAndUsedAddress(t *testing.T) {
	used, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer used.Close()
	var out strings.Builder
	args := []string{"-addr", used.Addr().String()}

	t.Setenv("CLICKNPS_WEBHOOK_SECRET", " ")
	err = run(t.Context(), args, &out)
	require.ErrorIs(t, err, clicknps.ErrInvalidParams)
	assert.ErrorContains(t, err, "CLICKNPS_WEBHOOK_SECRET: ")

	t.Setenv("CLICKNPS_WEBHOOK_SECRET", secret)
	assert.ErrorIs(t, run(t.Context(), args, &out), syscall.EADDRINUSE)
	assert.Empty(t, out.String())
}

func TestReceivesFromTheFake(t *testing.T) {
	process, url, lines := start(t)
	srv := clicknpstest.Run(t)
	_, err := srv.Client().Webhooks.Create(t.Context(), &clicknps.WebhookCreateParams{
		URL: url, Events: []clicknps.EventType{clicknps.EventResponseCreated, clicknps.EventResponseUpdated},
	})
	require.NoError(t, err)
	survey := srv.AddSurvey(clicknps.Survey{Name: "Onboarding"})
	srv.Respond(survey.ID, "user_42", 9, "Loving it\nscore      NPS -100")
	srv.Advance(3 * time.Minute)
	second := srv.Respond(survey.ID, "user_43", 0, "")
	srv.Advance(3 * time.Minute)
	comment := &clicknps.CommentParams{Comment: "Too slow"}
	_, err = srv.Client().Responses.AddComment(t.Context(), second.ID, comment)
	require.NoError(t, err)
	srv.Advance(0)
	_, err = srv.Redeliver(1) // the response.created, after the response.updated
	require.NoError(t, err)
	require.Len(t, srv.Deliveries(), 4)
	for _, d := range srv.Deliveries() {
		assert.Equal(t, http.StatusOK, d.StatusCode)
	}

	require.NoError(t, process.Process.Signal(os.Interrupt))
	var printed []string
	for lines.Scan() {
		printed = append(printed, lines.Text())
	}
	require.NoError(t, process.Wait())
	require.Len(t, printed, 4)
	assert.Equal(t, []string{
		`response   user_42 9 promoter "Loving it\nscore      NPS -100"`,
		`response   user_43 0 detractor`,
		`response   user_43 0 detractor "Too slow"`,
	}, printed[:3])
	assert.Regexp(t, `^score      NPS \+0\.0 \(.*\) from 2 responses$`, printed[3])
}

// A signal comes while many senders deliver. What was acknowledged is printed once.
func TestSignalLosesNothingAcknowledged(t *testing.T) {
	for _, queue := range []string{"0", "1000"} {
		t.Run("queue "+queue, func(t *testing.T) {
			process, url, lines := start(t, "-queue", queue)
			var mu sync.Mutex
			acknowledged := map[string]bool{}
			enough := make(chan struct{})
			var senders sync.WaitGroup
			for sender := range 8 {
				senders.Go(func() {
					for i := 0; ; i++ {
						subject := fmt.Sprintf("user_%d_%d", sender, i)
						status, err := post(t, url, secret, subject)
						if err != nil {
							return // nobody listens any more
						}
						mu.Lock()
						if status < 300 && !acknowledged[subject] {
							acknowledged[subject] = true
							if len(acknowledged) == 50 {
								close(enough)
							}
						}
						mu.Unlock()
					}
				})
			}
			go func() {
				<-enough
				_ = process.Process.Signal(syscall.SIGTERM)
			}()
			printed, last := map[string]int{}, ""
			for lines.Scan() {
				last = lines.Text()
				if subject, found := strings.CutPrefix(last, "response   "); found {
					printed[strings.Fields(subject)[0]]++
				}
			}
			require.NoError(t, process.Wait())
			senders.Wait()
			assert.GreaterOrEqual(t, len(acknowledged), 50)
			for subject := range acknowledged {
				assert.Equal(t, 1, printed[subject], subject)
			}
			assert.Contains(t, last, fmt.Sprintf("from %d responses", len(printed)))
		})
	}
}
