package signing_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/clicknps/go-sdk/internal/signing"
)

// Test case 2 of RFC 4231.
const (
	rfcSecret    = "Jefe"
	rfcBody      = "what do ya want for nothing?"
	rfcSignature = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
)

func TestSignAgreesWithRFC4231(t *testing.T) {
	assert.Equal(t, rfcSignature, signing.Sign(rfcSecret, []byte(rfcBody)))
}

func TestValid(t *testing.T) {
	digits := strings.TrimPrefix(rfcSignature, "sha256=")
	for name, test := range map[string]struct {
		signature string
		want      bool
	}{
		"as sent":            {rfcSignature, true},
		"upper case":         {"sha256=" + strings.ToUpper(digits), true},
		"empty":              {"", false},
		"prefix only":        {"sha256=", false},
		"no prefix":          {digits, false},
		"other algorithm":    {"sha512=" + digits, false},
		"upper-case prefix":  {"SHA256=" + digits, false},
		"cut":                {rfcSignature[:len(rfcSignature)-2], false},
		"longer":             {rfcSignature + "00", false},
		"not hex":            {"sha256=" + strings.Repeat("zz", 32), false},
		"list of signatures": {rfcSignature + "," + rfcSignature, false},
		"space":              {" " + rfcSignature, false},
		"all zero":           {"sha256=" + strings.Repeat("0", 64), false},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, signing.Valid([]signing.Key{signing.NewKey(rfcSecret)}, test.signature, []byte(rfcBody)))
		})
	}
}

func TestValidTriesEveryKey(t *testing.T) {
	tried := make([]int, 3)
	keys := make([]signing.Key, len(tried))
	for i := range keys {
		key := signing.NewKey([]string{"first", rfcSecret, "third"}[i])
		keys[i] = func(body []byte) [32]byte {
			tried[i]++
			return key(body)
		}
	}
	assert.True(t, signing.Valid(keys, rfcSignature, []byte(rfcBody)))
	assert.False(t, signing.Valid(keys, signing.Sign("another", []byte(rfcBody)), []byte(rfcBody)))
	assert.Equal(t, []int{2, 2, 2}, tried)
	assert.False(t, signing.Valid(nil, rfcSignature, []byte(rfcBody)), "no key fits nothing")
}

func TestKeyIsSafeForConcurrentUse(t *testing.T) {
	keys := []signing.Key{signing.NewKey("secret")}
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			body := fmt.Appendf(nil, "body %d", i)
			assert.True(t, signing.Valid(keys, signing.Sign("secret", body), body))
		})
	}
	group.Wait()
}
