// Package signing makes and checks the HMAC-SHA256 signatures of webhook bodies.
package signing

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"
	"sync"
)

// prefix names the algorithm in front of the hex digits.
const prefix = "sha256="

// Key returns the HMAC-SHA256 of body by one secret. The secret is held in the closure, where no
// printing reaches it. It is safe for concurrent use.
type Key func(body []byte) [sha256.Size]byte

// NewKey returns the key of secret.
func NewKey(secret string) Key {
	// A keyed hash is reused: setting one up costs as much as signing a short body.
	hashes := sync.Pool{New: func() any { return hmac.New(sha256.New, []byte(secret)) }}
	return func(body []byte) (sum [sha256.Size]byte) {
		h := hashes.Get().(hash.Hash)
		defer hashes.Put(h)
		h.Reset()
		h.Write(body)
		h.Sum(sum[:0])
		return sum
	}
}

// Sign returns the signature of body as its header carries it: "sha256=" and 64 hex digits.
func Sign(secret string, body []byte) string {
	sum := NewKey(secret)(body)
	return prefix + hex.EncodeToString(sum[:])
}

// Valid reports whether signature is that of body by one of keys. The hex digits may be of either
// case. Every key is tried, whichever fits, and each comparison takes constant time.
func Valid(keys []Key, signature string, body []byte) bool {
	digits, found := strings.CutPrefix(signature, prefix)
	given, err := hex.DecodeString(digits)
	if !found || err != nil {
		return false
	}
	valid := false
	for _, key := range keys {
		own := key(body)
		valid = hmac.Equal(own[:], given) || valid
	}
	return valid
}
