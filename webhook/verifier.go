package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/internal/signing"
)

// The headers of a delivery.
const (
	SignatureHeader = "X-ClickNPS-Signature" // "sha256=" and the hex HMAC-SHA256 of the body
	TimestampHeader = "X-ClickNPS-Timestamp" // unix seconds; not signed, so this package does not use it
)

// Errors of [Verifier.Verify], for errors.Is.
var (
	ErrInvalidSignature = errors.New("invalid signature") // none of the verifier's secrets signed the body
	ErrStale            = errors.New("stale event")       // the signed time is out of tolerance
)

var errEmptyBody = errors.New("the body is empty; has a middleware read it?")

// maxEventAge is the age up to which the event of an envelope is accepted. ClickNPS makes its last
// attempt after 45 hours.
const maxEventAge = 72 * time.Hour

// Verifier receives the webhook deliveries of one ClickNPS account. It is safe for concurrent use.
// It knows which events are being handled, so a program makes one for each account and keeps it.
// Its secrets are not shown when it is printed.
type Verifier struct {
	keys      []signing.Key
	tolerance time.Duration
	deduper   Deduper
	onError   func(ctx context.Context, e *Event, err error)

	mu     sync.Mutex
	claims map[string]*claim // of this process, by event key
}

// Option configures a [Verifier].
type Option func(*Verifier) error

// WithTolerance sets how far the signed time of a delivery may be from this machine's clock, in
// the past or in the future. The default is 5 minutes. With d <= 0, times are not checked, and
// only deduplication protects from replays.
func WithTolerance(d time.Duration) Option {
	return func(v *Verifier) error {
		v.tolerance = min(d, 10*365*24*time.Hour) // so that remember can't overflow
		return nil
	}
}

// WithDeduper replaces the verifier's own memory of events, for example with a store that several
// processes share. The default remembers the last 100,000 handled events until the program ends. A
// nil d is [clicknps.ErrInvalidParams].
func WithDeduper(d Deduper) Option {
	return func(v *Verifier) error {
		if d == nil {
			return invalid("WithDeduper: nil")
		}
		v.deduper = d
		return nil
	}
}

// WithErrorHandler sets a function that is called with every failure in [Verifier.Handler] and
// [Verifier.Queue]: deliveries that were refused, errors and panics of the handler function,
// failures of the [Deduper]. The event is nil if none could be verified. A nil fn is
// [clicknps.ErrInvalidParams].
//
// fn may be called concurrently. Its context has the values of the request's, and ends after 5
// seconds; the verifier then goes on without waiting for fn. A panic of fn is ignored.
func WithErrorHandler(fn func(ctx context.Context, e *Event, err error)) Option {
	return func(v *Verifier) error {
		if fn == nil {
			return invalid("WithErrorHandler: nil")
		}
		v.onError = fn
		return nil
	}
}

// NewVerifier returns a verifier of deliveries that are signed with any of secrets. After a
// rotation, list the old secret beside the new one for 48 hours.
//
// The error is [clicknps.ErrInvalidParams] without a secret, for one that is empty, has white space
// around it or contains a line break, and for a nil option.
func NewVerifier(secrets []string, opts ...Option) (*Verifier, error) {
	v := &Verifier{
		tolerance: 5 * time.Minute,
		deduper:   newMemoryDeduper(memoryCapacity),
		claims:    make(map[string]*claim),
	}
	if len(secrets) == 0 {
		return nil, invalid("no secret given")
	}
	for i, secret := range secrets {
		if secret == "" || strings.TrimSpace(secret) != secret || strings.ContainsAny(secret, "\r\n") {
			return nil, invalid("secret %d is empty, or has white space around it or a line break in it", i)
		}
		v.keys = append(v.keys, signing.NewKey(secret))
	}
	for i, opt := range opts {
		if opt == nil {
			return nil, invalid("option %d is nil", i)
		}
		if err := opt(v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("webhook: %w: %s", clicknps.ErrInvalidParams, fmt.Sprintf(format, args...))
}

// Verify checks the signature of body, decodes body and compares its signed time with the clock.
// body must be the bytes as received; the event has a copy of them. Verify does not deduplicate:
// the caller does, by [Event.Key].
//
// The error is [ErrInvalidSignature] if the signature is missing, wrong or given more than once,
// and [ErrStale] if the signed time is out of tolerance. Any other describes a body that is signed
// but malformed.
//
// The signature header is found in any case. The time of a flat delivery is that of the attempt,
// and must be within the tolerance. The time of an envelope is that of the event, which may be 72
// hours old. A body without a time is never stale.
func (v *Verifier) Verify(header http.Header, body []byte) (*Event, error) {
	if err := v.authenticate(header, body); err != nil {
		return nil, err
	}
	e, err := parse(bytes.Clone(body))
	if err != nil {
		return nil, fmt.Errorf("webhook: malformed body: %w", err)
	}
	at, oldest := e.SentAt, v.tolerance
	if at.IsZero() {
		at, oldest = e.OccurredAt, max(v.tolerance, maxEventAge)
	}
	age := time.Since(at)
	if v.tolerance > 0 && !at.IsZero() && (age > oldest || age < -v.tolerance) {
		return nil, fmt.Errorf("webhook: %w: its time is %s ago", ErrStale, age)
	}
	return e, nil
}

func (v *Verifier) authenticate(header http.Header, body []byte) error {
	var signatures []string
	for name, values := range header {
		if strings.EqualFold(name, SignatureHeader) {
			signatures = append(signatures, values...)
		}
	}
	reason := "it does not match the body"
	switch {
	case len(signatures) == 0:
		reason = "no " + SignatureHeader + " header"
	case len(signatures) > 1:
		reason = "more than one " + SignatureHeader + " header"
	case signing.Valid(v.keys, signatures[0], body):
		return nil
	case len(body) == 0:
		reason = errEmptyBody.Error()
	}
	return fmt.Errorf("webhook: %w: %s", ErrInvalidSignature, reason)
}

// remember is how long handled events are remembered: longer than any attempt can be accepted. An
// envelope is accepted from one tolerance before its time to 72 hours or one tolerance after it.
func (v *Verifier) remember() time.Duration { return maxEventAge + 2*max(v.tolerance, 0) + time.Hour }

func (v *Verifier) report(ctx context.Context, e *Event, err error) {
	if v.onError != nil {
		_ = bounded(ctx, "the error handler", func(ctx context.Context) error {
			v.onError(ctx, e, err)
			return nil
		})
	}
}

// Sign returns the value of [SignatureHeader] that ClickNPS would send with body. Use it to test
// your receiver.
func Sign(secret string, body []byte) string { return signing.Sign(secret, body) }
