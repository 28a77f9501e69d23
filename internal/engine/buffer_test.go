package engine_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever length an answer claims to have, and however it comes, its body is what was sent.
func TestBodies(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 511, 512, 513, 64 << 10, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3 << 20} {
		text := strings.Repeat("0123456789abcdef-", size/17+1)[:size]
		for _, length := range []int64{-1, 0, 1, int64(size), 1 << 50} {
			for _, piece := range []int{7, 1 << 30} {
				e := newEngine(t, transport(func(*http.Request) (*http.Response, error) {
					body := &pieces{strings.NewReader(text), piece * (1 + size/1000)}
					return answerFrom(200, io.NopCloser(body), length), nil
				}))
				r := requireOK(t, e)
				assert.Equal(t, text, string(r.Body))
				r.Free()
				assert.Nil(t, r.Body)
				r.Free()
			}
		}
	}
}

// pieces reads at most so much at once, and gives the end together with the last of it.
type pieces struct {
	*strings.Reader
	most int
}

func (p *pieces) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b[:min(len(b), p.most)])
	if p.Len() == 0 {
		err = io.EOF
	}
	return n, err
}

// Memory is used again, but never while a result still has it.
func TestFree(t *testing.T) {
	t.Parallel()
	n := 0
	e := newEngine(t, transport(func(*http.Request) (*http.Response, error) {
		n++
		return answer(200, fmt.Sprintf("%0100d", n)), nil
	}))
	kept := requireOK(t, e)
	want := bytes.Clone(kept.Body)
	for range 100 {
		r := requireOK(t, e)
		assert.Equal(t, fmt.Sprintf("%0100d", n), string(r.Body))
		r.Free()
		r.Free()
		assert.Equal(t, want, kept.Body)
	}
}

// Bodies come from a pool: an answer of 100 KB does not cost the 400 KB that a new buffer would. The
// race detector lets the pool forget some.
func TestBodiesAreUsedAgain(t *testing.T) {
	text := strings.Repeat("x", 100<<10)
	e := newEngine(t, transport(func(*http.Request) (*http.Response, error) {
		return answerFrom(200, io.NopCloser(strings.NewReader(text)), -1), nil
	}))
	var before, after runtime.MemStats
	requireOK(t, e).Free()
	runtime.ReadMemStats(&before)
	for range 100 {
		requireOK(t, e).Free()
	}
	runtime.ReadMemStats(&after)
	require.Less(t, (after.TotalAlloc-before.TotalAlloc)/100, uint64(200<<10))
}
