package clicknps

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// NewIdempotencyKey returns a random key.
func NewIdempotencyKey() string { return rand.Text() }

// DeriveIdempotencyKey returns a key that depends only on parts: the same parts in the same order
// give the same key in every process. Without parts the key is empty, which no call accepts.
func DeriveIdempotencyKey(parts ...string) string {
	if len(parts) == 0 {
		return ""
	}
	hash := sha256.New()
	for _, part := range parts {
		// The length keeps ("ab","c") from being ("a","bc").
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		hash.Write([]byte(part))
	}
	return hex.EncodeToString(hash.Sum(nil))
}
