package apierror_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/apierror"
)

func FuzzParse(f *testing.F) {
	names, err := filepath.Glob(filepath.Join("..", "..", "testdata", "wire", "*error*.json"))
	require.NoError(f, err)
	for _, name := range names {
		data, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(string(data))
	}
	for _, seed := range []string{
		"", "null", "[]", "\"\xfb\xfb\xfb\"", `"no"`, "<html>\xff</html>", "\ufeff{}", strings.Repeat("[", 500),
		`["a must be b",{"property":"x","message":["y"]},{"errors":{"detail":"z"},"requestId":"r"}]`,
		`{"message":{"message":{"error":["deep"]}}}`, `{"error":{"type":"validation_error","field":"name"}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b := apierror.Parse([]byte(text))
		if len(b.Fields) > 0 && b.Field == "" && b.Fields[0].Name != "" ||
			b.Field != "" && len(b.Fields) == 0 {
			t.Errorf("Field %q, Fields %q", b.Field, b.Fields)
		}
		if len(b.Message) > 3*len(text) { // an invalid byte becomes U+FFFD, of three bytes
			t.Errorf("a message of %d bytes from %d", len(b.Message), len(text))
		}
	})
}
