package clicknps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

const maxDeliveryBytes = 1 << 20

var errNoHandlerFunc = errors.New("clicknps: webhook: the handler function is nil")

// Handler returns an [http.Handler] to mount where ClickNPS sends its deliveries. It verifies each one as
// [WebhookVerifier.Verify] does and calls fn once for each event, with the request's context, which ends when the sender
// hangs up. fn is called for several events at once.
//
// What fn returns decides about the event: nil, and it is done; an error or a panic, and the sender delivers it again.
// So fn should be safe to repeat, and quick: the sender gives up after some seconds. For slow work, let fn store the
// event and work later, or use [WebhookVerifier.Queue]. A delivery that arrives while the same event is being handled
// waits for the outcome and answers the same. (In another process that shares the [Deduper] it is acknowledged at once.)
//
// The answers, each with a short JSON body:
//
//	200  handled, now or before
//	400  signed, but malformed
//	401  the signature is missing or wrong, or the event is stale
//	405  not a POST
//	413  the body is over 1 MiB
//	500  fn failed, or the Deduper did
//
// Nothing is logged; [WithErrorHandler] sees every failure. With a nil fn every event is answered with 500.
func (v *WebhookVerifier) Handler(fn func(ctx context.Context, e *Event) error) http.Handler {
	return v.handler(fn, answer{status: http.StatusOK, result: "handled"})
}

// handler answers with done what fn has handled.
func (v *WebhookVerifier) handler(fn func(ctx context.Context, e *Event) error, done answer) http.Handler {
	if fn == nil {
		fn = func(context.Context, *Event) error { return errNoHandlerFunc }
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, refusal, err := v.receive(w, r)
		if err != nil {
			v.onError(r.Context(), nil, err)
			refusal.write(w)
			return
		}
		duplicate, err := v.handleOnce(r.Context(), e, fn)
		switch {
		case errors.Is(err, errQueueFull):
			answer{http.StatusServiceUnavailable, "unavailable", "too many events are waiting: send this one again later"}.write(w)
		case err != nil:
			answer{http.StatusInternalServerError, "not_handled", "the event could not be handled: send it again later"}.write(w)
		case duplicate:
			answer{status: http.StatusOK, result: "duplicate"}.write(w)
		default:
			done.write(w)
		}
	})
}

// receive reads and verifies a delivery. With an error comes the answer to give.
func (v *WebhookVerifier) receive(w http.ResponseWriter, r *http.Request) (*Event, answer, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, answer{http.StatusMethodNotAllowed, "method_not_allowed", "webhook deliveries are sent with POST"},
			fmt.Errorf("clicknps: webhook: method %s", r.Method)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDeliveryBytes))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, answer{http.StatusRequestEntityTooLarge, "too_large", "the body is over 1 MiB"},
			fmt.Errorf("clicknps: webhook: %w", err)
	}
	if err != nil {
		return nil, answer{http.StatusBadRequest, "incomplete", "the body could not be read to its end"},
			fmt.Errorf("clicknps: webhook: reading the body: %w", err)
	}
	if err := v.authenticate(r.Header, body); err != nil {
		return nil, answer{
			http.StatusUnauthorized, "invalid_signature",
			"the " + signatureHeader + " header is missing or does not fit the body",
		}, err
	}
	e, err := v.read(body)
	switch {
	case errors.Is(err, ErrStaleEvent):
		return nil, answer{http.StatusUnauthorized, "stale_event", "the signed timestamp is too far from the receiver's clock"}, err
	case err != nil: // it was signed: its author may know what is wrong
		return nil, answer{http.StatusBadRequest, "malformed", err.Error()}, err
	}
	return e, answer{}, nil
}

// answer is what the sender is told: a message only if something is wrong.
type answer struct {
	status  int
	result  string
	message string
}

func (a answer) write(w http.ResponseWriter) {
	body := map[string]any{"status": a.result}
	if a.message != "" {
		body = map[string]any{"error": map[string]string{"type": a.result, "message": a.message}}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(body) // fails only if the sender has hung up
}
