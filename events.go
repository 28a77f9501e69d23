package clicknps

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/clicknps/go-sdk/internal/signing"
)

const (
	signatureHeader  = "X-ClickNPS-Signature"
	defaultTolerance = 5 * time.Minute
	// maxEventAge is when an event is too old for any attempt: the sender gives up after 45 hours.
	maxEventAge = 72 * time.Hour
)

// Event is a verified webhook delivery: something that happened to a survey.
type Event struct {
	Type      EventType // a flat delivery carries none: EventResponseCreated
	Key       string    // the same for every attempt of one event, for deduplication
	SurveyID  string
	Response  *Response // never nil in a response.created or response.updated event; its own RawJSON is nil
	Survey    *Survey   // never nil in a survey.completed event; its own RawJSON is nil
	Timestamp time.Time // the signed one; zero if the body has none

	raw json.RawMessage
}

// RawJSON returns the delivery's body as it was received, with the fields that this SDK does not know. It is a copy.
func (e Event) RawJSON() json.RawMessage { return bytes.Clone(e.raw) }

// WebhookVerifier receives webhook deliveries: it tells the real from the forged, the fresh from the replayed and the new
// from the repeated. [WebhookVerifier.Handler] does all of it, [WebhookVerifier.Queue] too and acknowledges before the
// work is done; [WebhookVerifier.Verify] leaves deduplication to its caller.
//
// It is safe for concurrent use. It knows which events are being handled, so a program makes one and keeps it.
// However it is printed, its secrets are not shown.
type WebhookVerifier struct {
	keys      []signing.Key
	tolerance time.Duration
	deduper   Deduper
	onError   func(ctx context.Context, e *Event, err error)

	mu       sync.Mutex
	underway map[string]*handling // by event key
}

// VerifierOption configures a [WebhookVerifier].
type VerifierOption func(*WebhookVerifier) error

// WithTolerance sets how far the signed timestamp of a delivery may be from this machine's clock, before or after it.
// The default is 5 minutes. With d <= 0 timestamps are not checked, and only deduplication protects from replays.
// Handled events are remembered for 72 hours: keep d under 36.
func WithTolerance(d time.Duration) VerifierOption {
	return func(v *WebhookVerifier) error {
		v.tolerance = d
		return nil
	}
}

// WithDeduper replaces the verifier's own memory of handled events, for example by a store that several processes share.
// The default remembers the last 100,000 events, until the program ends. A store outlives the program: an event whose
// handling was cut short by a crash stays claimed there, and is acknowledged as a duplicate when it comes again.
// A nil d is [ErrInvalidParams].
func WithDeduper(d Deduper) VerifierOption {
	return func(v *WebhookVerifier) error {
		if d == nil {
			return invalidOption("WithDeduper", "nil")
		}
		v.deduper = d
		return nil
	}
}

// WithErrorHandler sets a function that is told of everything that goes wrong in [WebhookVerifier.Handler] and
// [WebhookVerifier.Queue]: deliveries that were refused (e is then nil), errors and panics of the handler function,
// failures of the [Deduper]. Without it nothing is told but the answer to the sender. It may be called concurrently.
func WithErrorHandler(fn func(ctx context.Context, e *Event, err error)) VerifierOption {
	return func(v *WebhookVerifier) error {
		if fn == nil {
			return invalidOption("WithErrorHandler", "nil")
		}
		v.onError = fn
		return nil
	}
}

// NewWebhookVerifier returns a verifier of deliveries that are signed with any of secrets: list the new and the old one
// while a secret is being changed. No secret, or an empty one, is [ErrInvalidParams].
func NewWebhookVerifier(secrets []string, opts ...VerifierOption) (*WebhookVerifier, error) {
	if len(secrets) == 0 {
		return nil, invalidOption("webhook secrets", "none given")
	}
	v := &WebhookVerifier{
		tolerance: defaultTolerance,
		deduper:   newMemoryDeduper(memoryDeduperCapacity),
		onError:   func(context.Context, *Event, error) {},
		underway:  make(map[string]*handling),
	}
	for i, secret := range secrets {
		if strings.TrimSpace(secret) == "" {
			return nil, invalidOption("webhook secrets", fmt.Sprintf("secret %d is empty", i))
		}
		v.keys = append(v.keys, signing.NewKey(secret))
	}
	for i, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("clicknps: %w: option %d is nil", ErrInvalidParams, i)
		}
		if err := opt(v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// Verify checks the signature of body in header, decodes body and holds its signed timestamp against the clock.
// The body must be the bytes as received; they are copied. Verify does not deduplicate: that is for the caller, by
// [Event.Key], or for [WebhookVerifier.Handler]. It is safe for concurrent use.
//
// The error is [ErrInvalidSignature], also when there is no signature or more than one; [ErrStaleEvent] when the
// timestamp is out of tolerance; any other says what is wrong with a body that was signed but can't be understood.
//
// Of the headers only X-ClickNPS-Signature is looked at. X-ClickNPS-Timestamp is not signed: anyone who has seen a
// delivery can send it again under a fresh one. A body's "timestamp" is signed and new at each attempt. An envelope's
// "created_at" is as old as its event, which an attempt may follow by two days: it is stale after 72 hours.
func (v *WebhookVerifier) Verify(header http.Header, body []byte) (*Event, error) {
	if err := v.authenticate(header, body); err != nil {
		return nil, err
	}
	return v.read(bytes.Clone(body))
}

func (v *WebhookVerifier) authenticate(header http.Header, body []byte) error {
	switch signatures := header.Values(signatureHeader); {
	case len(signatures) == 0:
		return fmt.Errorf("clicknps: webhook: %w: no %s header", ErrInvalidSignature, signatureHeader)
	case len(signatures) > 1:
		return fmt.Errorf("clicknps: webhook: %w: more than one %s header", ErrInvalidSignature, signatureHeader)
	case !signing.Valid(v.keys, signatures[0], body):
		return fmt.Errorf("clicknps: webhook: %w: it does not fit the body", ErrInvalidSignature)
	}
	return nil
}

// read decodes a body that is known to be the sender's, and keeps it.
func (v *WebhookVerifier) read(body []byte) (*Event, error) {
	e, kind, err := parseEvent(body)
	if err != nil {
		return nil, fmt.Errorf("clicknps: webhook: malformed body: %w", err)
	}
	if v.tolerance <= 0 || kind == noTimestamp {
		return e, nil
	}
	maxAge := v.tolerance
	if kind == eventTimestamp {
		maxAge = max(maxAge, maxEventAge)
	}
	switch age := time.Since(e.Timestamp); {
	case age > maxAge:
		return nil, fmt.Errorf("clicknps: webhook: %w: its timestamp is over %s old", ErrStaleEvent, maxAge)
	case age < -v.tolerance:
		return nil, fmt.Errorf("clicknps: webhook: %w: its timestamp is over %s in the future", ErrStaleEvent, v.tolerance)
	}
	return e, nil
}

// SignWebhook returns the value of the X-ClickNPS-Signature header for body: what ClickNPS would send.
// It is for tests of your own receiver.
func SignWebhook(secret string, body []byte) string { return signing.Sign(secret, body) }
