// Package bench measures the SDK beside plain net/http with encoding/json, and beside other services' SDKs.
package bench

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A page of 100 items, 30 KB.
func BenchmarkPage(b *testing.B) {
	url := serve(b)
	for _, library := range libraries {
		b.Run("lib="+library.name, func(b *testing.B) {
			calls := library.calls(b, url)
			_, _, err := calls.page(b.Context()) // opens the connection, and fills the library's caches
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				if n, _, err := calls.page(b.Context()); n != items || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// One item, 300 bytes.
func BenchmarkObject(b *testing.B) {
	url := serve(b)
	for _, library := range libraries {
		b.Run("lib="+library.name, func(b *testing.B) {
			calls := library.calls(b, url)
			_, err := calls.object(b.Context())
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				if name, err := calls.object(b.Context()); name != lastObject || err != nil {
					b.Fatal(name, err)
				}
			}
		})
	}
}

func TestEveryLibraryDecodesWhatIsMeasured(t *testing.T) {
	t.Parallel()
	url := serve(t)
	for _, library := range libraries {
		t.Run(library.name, func(t *testing.T) {
			t.Parallel()
			calls := library.calls(t, url)
			n, name, err := calls.page(t.Context())
			require.NoError(t, err)
			require.Equal(t, items, n)
			require.Equal(t, lastObject, name)
			name, err = calls.object(t.Context())
			require.NoError(t, err)
			require.Equal(t, lastObject, name)
		})
	}
}

// Every library reads the same number of bytes.
func TestPagesAreOfOneSize(t *testing.T) {
	t.Parallel()
	for _, s := range shapes {
		require.InEpsilon(t, items*itemBytes, len(s.page()), 0.01, s.list)
		require.Len(t, s.one(0), itemBytes, s.list)
		require.Len(t, s.one(items-1), itemBytes, s.list)
	}
}
