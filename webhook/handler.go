package webhook

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

const maxBodyBytes = 1 << 20

// Handler returns an [http.Handler] to mount where ClickNPS sends its deliveries. It verifies each
// delivery as [Verifier.Verify] does and calls fn once for each event, concurrently.
//
// If fn returns nil, the event is done. If it returns an error or panics, the sender delivers the
// event again, at most six times within 45 hours. So fn should be safe to repeat, and quick: the
// sender gives up after 20 seconds. For slow work, let fn store the event, or use [Verifier.Queue].
//
// The context of fn is the request's. It also ends when another delivery has got the claim of the
// event, because this one could not be extended for 15 minutes; [context.Cause] says so.
//
// A duplicate that arrives while this process handles the event waits for the outcome and is
// answered the same. The answers, each with a short JSON body:
//
//	200  handled, now or before
//	400  signed, but malformed; or cut off
//	401  the signature is missing or wrong, or the event is stale
//	405  not a POST
//	413  the body is over 1 MiB
//	500  fn is nil or failed, or the Deduper failed
//	503  another process handles the event, or a duplicate's sender hung up before the outcome
//
// After 500 and 503 the sender delivers the event again. Nothing is logged; [WithErrorHandler] sees
// every failure.
func (v *Verifier) Handler(fn func(context.Context, *Event) error) http.Handler {
	return v.serve(func(ctx context.Context, e *Event) error {
		c, err := v.claim(ctx, ctx, e)
		if err != nil {
			return err
		}
		if err = c.end(c.call(fn)); err != nil {
			v.report(ctx, e, err)
		}
		return err
	}, answer{http.StatusOK, "handled", ""})
}

// answer is what the sender is told.
type answer struct {
	code    int
	Status  string `json:"status"`
	Message string `json:"message,omitempty"` // what is wrong
}

// serve returns a handler that calls handle for each delivery that is verified. It answers with
// done if handle succeeds.
func (v *Verifier) serve(handle func(context.Context, *Event) error, done answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, a, err := v.receive(w, r)
		if err != nil {
			v.report(r.Context(), nil, err)
		} else {
			switch err := handle(r.Context(), e); {
			case err == nil:
				a = done
			case errors.Is(err, errDuplicate):
				a = answer{http.StatusOK, "duplicate", ""}
			case errors.Is(err, errHeld), errors.Is(err, errQueueFull):
				a = answer{http.StatusServiceUnavailable, "unavailable", "busy: send it again later"}
			default:
				a = answer{http.StatusInternalServerError, "not_handled", "failed: send it again later"}
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(a.code)
		_ = json.NewEncoder(w).Encode(a) // fails only if the sender has hung up
	})
}

// receive reads and verifies a delivery. If there is an error, the answer is for the sender.
func (v *Verifier) receive(w http.ResponseWriter, r *http.Request) (*Event, answer, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, answer{http.StatusMethodNotAllowed, "method_not_allowed", "a delivery is a POST"},
			fmt.Errorf("webhook: method %q instead of POST", r.Method)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, cmp.Or[io.ReadCloser](r.Body, http.NoBody), maxBodyBytes))
	if err != nil {
		a := answer{http.StatusBadRequest, "incomplete", "the body could not be read to its end"}
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			a = answer{http.StatusRequestEntityTooLarge, "too_large", "the body is over 1 MiB"}
		}
		return nil, a, fmt.Errorf("webhook: reading the body: %w", err)
	}
	e, err := v.Verify(r.Header, body)
	switch {
	case err == nil:
		return e, answer{}, nil
	case errors.Is(err, ErrInvalidSignature): // the same for all forgeries
		return nil, answer{
			http.StatusUnauthorized, "invalid_signature",
			"the " + SignatureHeader + " header is missing or does not match the body",
		}, err
	case errors.Is(err, ErrStale):
		return nil, answer{
			http.StatusUnauthorized, "stale_event",
			"the signed time is too far from the receiver's clock",
		}, err
	}
	// The body was signed, so its sender may know what is wrong.
	return nil, answer{http.StatusBadRequest, "malformed", err.Error()}, err
}
