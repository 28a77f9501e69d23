package clicknpstest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	commentTime = 180 * time.Second
	allEvents   = `["response.created","response.updated","survey.completed"]`
)

// answering is a receiver that answers every delivery with the status that status holds.
func answering(status *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(int(status.Load()))
	})
}

// subscribed returns a fake whose deliveries go to a receiver in process; status is what it answers.
func subscribed(t *testing.T, events string) (srv *clicknpstest.Server, c caller, status *atomic.Int64) {
	t.Helper()
	srv = clicknpstest.Run(t)
	status = new(atomic.Int64)
	status.Store(204)
	srv.DeliverTo(answering(status))
	c = inProcess(t, srv)
	require.Equal(t, 201, c.call("POST", "/v1/webhooks", `{"url":"https://example.com/hook","events":`+events+`}`).status)
	return srv, c, status
}

func TestDeliveriesAreTheObservedOnesByteForByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			at               time.Time
			subject, comment string
			score            int
			golden, sig      string
		}{
			{
				time.Date(2026, 11, 22, 0, 32, 18, 355_000_000, time.UTC), "user_42", "Loving it — très bien 👍 <b>&amp;</b>", 9,
				"webhook_flat_comment.json", "sha256=ccc396ecca39e8ae514d85fd43ea7e837c5d0153a2be3d0a022d077a1803d38b",
			},
			{
				time.Date(2026, 11, 22, 0, 32, 18, 365_000_000, time.UTC), "user_44", "", 10,
				"webhook_flat.json", "sha256=511574d33d8bb82be953329c181d2770c39ff06c1ad49883af92db617123b00e",
			},
		} {
			srv, _, _ := subscribed(t, `["response.created"]`)
			until(tt.at)
			srv.Respond("onboarding", tt.subject, tt.score, tt.comment)
			srv.Advance(commentTime - time.Nanosecond)
			require.Empty(t, srv.Deliveries(), "the comment may still come")
			srv.Advance(time.Nanosecond)
			got := srv.Deliveries()
			require.Len(t, got, 1)
			assert.Equal(t, golden(t, tt.golden), string(got[0].Body), "the timestamp is the receiver's clock")
			assert.Equal(t, tt.sig, got[0].Header.Get("X-ClickNPS-Signature"))
			assert.Equal(t, "1795307538", got[0].Header.Get("X-ClickNPS-Timestamp"))
			assert.Equal(t, "ClickNPS-Webhooks/1.0", got[0].Header.Get("User-Agent"))
			assert.Equal(t, "application/json", got[0].Header.Get("Content-Type"))
			assert.Equal(t, tt.at.Add(commentTime), got[0].At.UTC())
			assert.Equal(t, clicknps.EventResponseCreated, got[0].Event)
			assert.Equal(t, "https://example.com/hook", got[0].URL)
			assert.Equal(t, srv.Webhooks()[0].ID, got[0].WebhookID)
			assert.Equal(t, 204, got[0].StatusCode)
			assert.NoError(t, got[0].Err)
		}
	})
}

func TestFailedDeliveriesAreTriedEightTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, status := subscribed(t, allEvents)
		status.Store(302)
		clicked := time.Now()
		srv.Respond("s", "a", 9, "")
		srv.Advance(30 * 24 * time.Hour)
		due := clicked.Add(commentTime)
		got := srv.Deliveries()
		require.Len(t, got, 8)
		for i, wait := range []time.Duration{
			0, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
		} {
			due = due.Add(wait)
			assert.Equal(t, due, got[i].At, i)
			assert.Equal(t, i+1, got[i].Attempt)
			assert.Equal(t, 302, got[i].StatusCode, "a redirect is not followed")
		}
	})
}

func TestARepeatHasANewTimestampAndTheSameEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, status := subscribed(t, allEvents)
		status.Store(500)
		r := srv.Respond("s", "a", 9, "")
		srv.Advance(commentTime)
		c.call("POST", "/v1/responses/"+r.ID+"/comment", `{"comment":"late"}`)
		until(time.Now().Add(time.Second))
		srv.Advance(time.Minute)
		status.Store(200)
		until(time.Now().Add(time.Second))
		srv.Advance(time.Hour)

		var flat, updated []clicknpstest.Delivery
		for _, d := range srv.Deliveries() {
			if d.Event == clicknps.EventResponseCreated {
				flat = append(flat, d)
			} else {
				updated = append(updated, d)
			}
		}
		require.Len(t, flat, 3)
		require.Len(t, updated, 3)
		for i := range 3 {
			assert.Contains(t, string(flat[i].Body), `"comment":null`, "a late comment is not the first event's")
			assert.Equal(t, string(updated[0].Body), string(updated[i].Body), "an envelope's created_at is the event's")
		}
		assert.NotEqual(t, string(flat[0].Body), string(flat[1].Body))
		assert.NotEqual(t, flat[0].Header.Get("X-ClickNPS-Signature"), flat[1].Header.Get("X-ClickNPS-Signature"))
		assert.Equal(t, 200, flat[2].StatusCode)
		srv.Advance(48 * time.Hour)
		assert.Len(t, srv.Deliveries(), 6, "nothing follows a success")
	})
}

func TestACommentInTimeRidesAlong(t *testing.T) {
	srv, c, _ := subscribed(t, allEvents)
	r := srv.Respond("s", "a", 9, "")
	srv.Advance(commentTime - time.Minute)
	c.call("POST", "/v1/responses/"+r.ID+"/comment", `{"comment":"in time"}`)
	srv.Advance(time.Hour)
	got := srv.Deliveries()
	require.Len(t, got, 1)
	assert.Contains(t, string(got[0].Body), `"comment":"in time"`)
}

func TestALateCommentIsAnUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, _ := subscribed(t, allEvents)
		until(documented)
		srv.AddResponse(clicknps.Response{ID: "response_abc123", SurveyID: "survey_abc123", SubjectID: "user_42", Score: 9})
		until(documented.Add(5 * time.Minute))
		c.call("POST", "/v1/responses/response_abc123/comment", `{"comment":"Loving it"}`)
		srv.Advance(0)
		got := srv.Deliveries()
		require.Len(t, got, 1)
		assert.Equal(t, clicknps.EventResponseUpdated, got[0].Event)
		assert.Equal(t, golden(t, "webhook_response_updated.json"), withoutEventID(t, got[0].Body))
	})
}

// withoutEventID puts the goldens' event id into an envelope.
func withoutEventID(t *testing.T, body []byte) string {
	t.Helper()
	var envelope struct{ ID string }
	require.NoError(t, json.Unmarshal(body, &envelope))
	require.Regexp(t, `^event_[a-z0-9]{12}$`, envelope.ID)
	return strings.Replace(string(body), envelope.ID, "event_abc123", 1)
}

func TestASurveyIsCompletedByItsTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, _ := subscribed(t, `["survey.completed"]`)
		until(documented)
		srv.AddSurvey(clicknps.Survey{ID: "survey_abc123"})
		srv.SetTarget("survey_abc123", 2)
		until(documented.Add(5 * time.Minute))
		for _, click := range []struct{ survey, subject string }{{"survey_abc123", "a"}, {"other", "b"}, {"survey_abc123", "a"}} {
			srv.Respond(click.survey, click.subject, 9, "")
		}
		srv.Advance(0)
		require.Empty(t, srv.Deliveries(), "one customer of two")
		srv.Respond("survey_abc123", "b", 9, "")
		srv.Respond("survey_abc123", "c", 9, "")
		srv.Advance(0)
		got := srv.Deliveries()
		require.Len(t, got, 1, "completed once")
		assert.Equal(t, golden(t, "webhook_survey_completed.json"), withoutEventID(t, got[0].Body))
		assert.Equal(t, clicknps.SurveyStatusCompleted, srv.Surveys()[0].Status)

		c.call("PATCH", "/v1/surveys/survey_abc123", `{"name":"Renamed"}`)
		again, err := srv.Redeliver(0)
		require.NoError(t, err)
		assert.Equal(t, string(got[0].Body), string(again.Body), "the event is of its time")

		reached := srv.AddSurvey(clicknps.Survey{})
		srv.AddResponse(clicknps.Response{SurveyID: reached.ID, SubjectID: "a"})
		srv.SetTarget(reached.ID, 1)
		srv.Advance(0)
		assert.Len(t, srv.Deliveries(), 3, "a target that is reached already")
	})
}

func TestDeliveriesAreMadeWhenTimePasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _, status := subscribed(t, allEvents)
		status.Store(503)
		clicked := time.Now()
		srv.Respond("s", "a", 9, "")
		until(clicked.Add(commentTime))
		synctest.Wait()
		require.Len(t, srv.Deliveries(), 1)
		srv.Advance(30 * time.Second)
		until(time.Now().Add(30 * time.Second))
		synctest.Wait()
		require.Len(t, srv.Deliveries(), 2, "a minute later, half of it advanced")
		srv.Close()
		until(time.Now().Add(time.Hour))
		assert.Len(t, srv.Deliveries(), 2, "none after Close")
	})
}

func TestWebhooksGetWhatTheyWantWhileTheyExist(t *testing.T) {
	srv, c, status := subscribed(t, `["response.created"]`)
	c.call("POST", "/v1/webhooks", `{"url":"https://example.com/other","events":["survey.completed"]}`)
	srv.Respond("s", "a", 9, "")
	srv.Advance(commentTime - time.Second)
	c.call("POST", "/v1/webhooks", `{"url":"https://example.com/late","events":["response.created"]}`)
	status.Store(500)
	srv.Advance(time.Second)
	got := srv.Deliveries()
	require.Len(t, got, 2)
	assert.Equal(t, []string{"https://example.com/hook", "https://example.com/late"}, []string{got[0].URL, got[1].URL})

	c.call("DELETE", "/v1/webhooks/"+got[0].WebhookID, "")
	srv.Advance(time.Minute)
	require.Len(t, srv.Deliveries(), 3, "a deleted webhook gets no repeat")
	assert.Equal(t, "https://example.com/late", srv.Deliveries()[2].URL)
	_, err := srv.Redeliver(0)
	assert.ErrorContains(t, err, "was deleted")
}

func TestAWebhookHearsNothingOfTheTimeBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t)
		srv.DeliverTo(http.NotFoundHandler())
		srv.Respond("s", "a", 9, "")
		until(time.Now().Add(commentTime + time.Second))
		srv.Respond("s", "b", 9, "")
		inProcess(t, srv).call("POST", "/v1/webhooks", `{"url":"https://example.com","events":`+allEvents+`}`)
		srv.Advance(commentTime)
		require.Len(t, srv.Deliveries(), 1)
		assert.Contains(t, string(srv.Deliveries()[0].Body), `"subject_id":"b"`)
	})
}
