package clicknps

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/clicknps/go-sdk/internal/auth"
)

// WithIdempotencyKey sets the key of a POST to ClickNPS: 1–255 bytes of printable ASCII, without a
// space at either end. A POST with a key that ClickNPS has seen has no second effect. By default,
// each call has a random key.
func WithIdempotencyKey(key string) RequestOption {
	return requestOption(func(o *requestOptions) error {
		switch {
		case key == "":
			return invalid("Idempotency-Key", "the key must not be empty")
		case len(key) > 255:
			return invalid("Idempotency-Key", "the key must not be longer than 255 bytes")
		case !auth.Printable(key) || strings.TrimSpace(key) != key:
			return invalid("Idempotency-Key",
				"the key must be printable ASCII without a space at either end")
		}
		o.key = key
		o.given = append(o.given, parameter{"WithIdempotencyKey", "Idempotency-Key"})
		return nil
	})
}

// NewIdempotencyKey returns a random key.
func NewIdempotencyKey() string { return rand.Text() }

// DeriveIdempotencyKey returns a key that depends only on parts: the same parts in the same order
// give the same key in every process. Without parts the key is empty, which no call accepts.
func DeriveIdempotencyKey(parts ...string) string {
	if len(parts) == 0 {
		return ""
	}
	encoded := make([]byte, 0, 512)
	for _, part := range parts { // the length keeps ("ab","c") from being ("a","bc")
		encoded = binary.BigEndian.AppendUint64(encoded, uint64(len(part)))
		encoded = append(encoded, part...)
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:])
}
