// Package webhook receives webhook deliveries from ClickNPS. It verifies signatures and times,
// decodes events, and calls a function once for each event.
//
//	verifier, err := webhook.NewVerifier([]string{os.Getenv("CLICKNPS_WEBHOOK_SECRET")})
//	…
//	http.Handle("/webhooks/clicknps", verifier.Handler(storeEvent))
//
// # What a delivery says
//
// ClickNPS sends a flat delivery for each answer: survey, subject, score, comment, and the time of
// this attempt. It has no response id and no time of the answer. The survey and the subject
// together name the answer, because only the first click of a subject counts. So store responses
// by (SurveyID, SubjectID), never by Response.ID, which is empty.
//
// Events arrive out of order: attempts are repeated for up to 45 hours, and several deliveries are
// sent at once. So insert on response.created and do nothing if the row exists; insert or overwrite
// on response.updated, but not what a later OccurredAt has stored.
//
// # Handler or Queue
//
// Use [Verifier.Handler] if the work takes less than the 20 seconds that the sender waits: no crash
// loses an event. Use [Verifier.Queue] for slow work that may be lost in a crash.
//
// # Setting it up
//
// Use one verifier for each ClickNPS account. Event keys are unique within an account only, so
// accounts that share the store of a [Deduper] need a prefix each. After a rotation, list the old
// secret beside the new one for 48 hours. For slow senders, set ReadTimeout, or ReadHeaderTimeout
// and read deadlines, in your [net/http.Server].
package webhook
