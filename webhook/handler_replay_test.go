package webhook_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/webhook"
)

// An envelope can be replayed as long as it is accepted, and is remembered for longer.
func TestHandlerRemembersWhatCanBeReplayed(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"now": 0, "5 min ahead": 5 * time.Minute, "a day old": -24 * time.Hour} {
		for _, tolerance := range []time.Duration{5 * time.Minute, 100 * time.Hour} {
			t.Run(fmt.Sprint(name, ", tolerance ", tolerance), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					calls := 0
					handler := newVerifier(t, webhook.WithTolerance(tolerance)).Handler(func(context.Context, *webhook.Event) error {
						calls++
						return nil
					})
					at := time.Now().Add(ahead)
					body := fmt.Sprintf(`{"type":"survey.completed","created_at":%q,"data":{"id":"s"}}`, at.Format(time.RFC3339Nano))
					assertAnswer(t, deliver(t, handler, body), 200, "handled")
					for time.Since(at) <= max(72*time.Hour, tolerance) {
						assertAnswer(t, deliver(t, handler, body), 200, "duplicate")
						<-time.After(10 * time.Minute)
					}
					assertAnswer(t, deliver(t, handler, body), 401, "stale_event")
					assert.Equal(t, 1, calls)
				})
			})
		}
	}
}

// Envelopes without an id are events of their own if their times differ, and duplicates if not.
func TestHandlerTellsEnvelopesWithoutIDApart(t *testing.T) {
	start := time.Now().Add(-time.Hour)
	at := func(minutes int) string { return start.Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339) }
	comment := func(text string, minutes int) string {
		return fmt.Sprintf(`{"type":"response.updated","created_at":%q,"data":{"survey_id":"s","subject_id":"u","score":9,"comment":%q}}`,
			at(minutes), text)
	}
	completed := func(minutes int) string {
		return fmt.Sprintf(`{"event":"survey.completed","created_at":%q,"data":{"id":"s"}}`, at(minutes))
	}
	handler := newVerifier(t).Handler(handled)
	for _, result := range []string{"handled", "duplicate"} {
		for _, body := range []string{comment("A", 1), comment("B", 2), comment("A", 3), completed(4), completed(5)} {
			assertAnswer(t, deliver(t, handler, body), 200, result)
		}
	}
}

// Stored as the package comment says, deliveries end in the same rows in any order.
func TestDeliveriesInAnyOrderEndInTheSameRows(t *testing.T) {
	start := time.Now().Add(-time.Hour)
	envelope := func(kind clicknps.EventType, minutes int, comment string) string {
		return fmt.Sprintf(`{"type":%q,"created_at":%q,"data":{"survey_id":"s","subject_id":"u","score":9,"comment":%q}}`,
			kind, start.Add(time.Duration(minutes)*time.Minute).Format(time.RFC3339), comment)
	}
	bodies := []string{
		`{"survey_id":"s","subject_id":"u","score":9,"comment":null}`, // flat
		envelope(clicknps.EventResponseUpdated, 1, "first"),
		envelope(clicknps.EventResponseUpdated, 2, "last"),
	}
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		rows := map[[2]string]storedAnswer{}
		store := func(_ context.Context, e *webhook.Event) error { storeAnswer(rows, e); return nil }
		for range 2 { // a second process, or a memory that was lost
			handler := newVerifier(t).Handler(store)
			for _, i := range append(order, order...) {
				assert.Equal(t, 200, deliver(t, handler, bodies[i]).Code)
			}
		}
		comments := map[[2]string]string{}
		for key, row := range rows {
			comments[key] = row.comment
		}
		assert.Equal(t, map[[2]string]string{{"s", "u"}: "last"}, comments, "order %v", order)
	}
}

// Whatever a Deduper and an error handler do to their goroutines, a queue's workers go on.
func TestQueueWorkersSurviveTheDeduper(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("lost my head") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				deduper := newStore()
				deduper.release = func(context.Context, string, string) error { end(); return nil }
				deduper.complete = deduper.release
				calls := map[string]int{}
				queue := newVerifier(t, webhook.WithDeduper(deduper),
					webhook.WithErrorHandler(func(context.Context, *webhook.Event, error) { end() })).
					Queue(func(_ context.Context, e *webhook.Event) error {
						if calls[e.Response.SubjectID]++; e.Response.SubjectID == "user_0" {
							return assert.AnError // so that it is released in the end
						}
						return nil
					}, webhook.QueueOptions{Workers: 1})
				for i := range 3 {
					assertAnswer(t, deliver(t, queue, flatBody(fmt.Sprint("user_", i), time.Now())), 202, "accepted")
				}
				require.NoError(t, queue.Shutdown(t.Context()))
				assert.Equal(t, map[string]int{"user_0": 5, "user_1": 1, "user_2": 1}, calls)
				assert.Equal(t, []string{"Release", "Complete", "Complete"}, deduper.methods()[3:])
			})
		})
	}
}
