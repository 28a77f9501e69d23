package clicknps_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// pages is an in-process server of a list of n surveys, 300 bytes each.
type pages struct {
	n       int
	latency time.Duration
}

func (p pages) RoundTrip(r *http.Request) (*http.Response, error) {
	if p.latency > 0 {
		<-time.After(p.latency)
	}
	query := r.URL.Query()
	offset, _ := strconv.Atoi(query.Get("offset"))
	limit, _ := strconv.Atoi(query.Get("limit"))
	end := min(offset+limit, p.n)
	body := bytes.NewBuffer(make([]byte, 0, 40<<10))
	body.WriteString(`{"data":[`)
	for i := offset; i < end; i++ {
		if i > offset {
			body.WriteByte(',')
		}
		fmt.Fprintf(body, `{"id":"survey_%07d",`, i)
		body.WriteString(`"name":"Survey after onboarding","question":"How likely are you to recommend us to a friend or colleague?",` +
			`"status":"active","created_at":"2025-01-15T10:30:00Z","updated_at":"2025-02-15T10:30:00Z","owner":{"id":"user_000001","team":"customer success"},"tags":["onboarding","q1"]}`)
	}
	fmt.Fprintf(body, `],"pagination":{"total":%d,"limit":%d,"offset":%d,"has_more":%t}}`, p.n, limit, offset, end < p.n)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(body), ContentLength: int64(body.Len()), Request: r,
	}, nil
}

func (p pages) client(tb testing.TB) *clicknps.Client {
	client, err := clicknps.New(clicknps.WithAPIKey("sk_test_bench"), clicknps.WithHTTPClient(&http.Client{Transport: p}))
	require.NoError(tb, err)
	return client
}

func (p pages) walk(tb testing.TB, opts ...clicknps.RequestOption) {
	n := 0
	for _, err := range p.client(tb).Surveys.All(tb.Context(), nil, opts...) {
		require.NoError(tb, err)
		n++
	}
	require.Equal(tb, p.n, n)
}

// rawWalk is what a program without an SDK would do.
func (p pages) rawWalk(b *testing.B) {
	client, n := &http.Client{Transport: p}, 0
	for {
		var page rawPage
		raw(b, client, fmt.Sprintf("https://api.clicknps.com/v1/surveys?limit=100&offset=%d", n), &page)
		n += len(page.Data)
		if !page.Pagination.HasMore {
			require.Equal(b, p.n, n)
			return
		}
	}
}

// Twenty pages at 20 ms each: eight ahead take a fifth of the time, to the millisecond.
func TestPrefetchSavesTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		list := pages{n: 100 + 19*99, latency: 20 * time.Millisecond}
		start := time.Now()
		list.walk(t)
		sequential := time.Since(start)
		require.Equal(t, 400*time.Millisecond, sequential)
		start = time.Now()
		list.walk(t, clicknps.WithPrefetch(8))
		require.LessOrEqual(t, float64(time.Since(start)), 0.22*float64(sequential))
	})
}

// A walk keeps at most 16 bytes an item, whatever it has handed over.
func TestAWalkKeepsLittle(t *testing.T) {
	const n = 200_000
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, at := heap(), 0
	for _, err := range (pages{n: n}).client(t).Surveys.All(t.Context(), nil) {
		require.NoError(t, err)
		if at++; at == n {
			kept := float64(heap()-before) / n
			require.Less(t, kept, 16.0)
			t.Logf("%.1f bytes an item", kept)
		}
	}
	require.Equal(t, n, at)
}

// A million surveys in 10,000 pages, and the heap that a walk holds at its end.
func BenchmarkWalk(b *testing.B) {
	list := pages{n: 1_000_000}
	b.Run("lib=raw", func(b *testing.B) {
		for b.Loop() {
			list.rawWalk(b)
		}
	})
	b.Run("lib=clicknps", func(b *testing.B) {
		for b.Loop() {
			list.walk(b)
		}
	})
}

// Twenty pages at 20 ms each.
func BenchmarkPrefetch(b *testing.B) {
	list := pages{n: 100 + 19*99, latency: 20 * time.Millisecond}
	for _, prefetch := range []int{0, 8} {
		b.Run(fmt.Sprintf("prefetch=%d", prefetch), func(b *testing.B) {
			for b.Loop() {
				list.walk(b, clicknps.WithPrefetch(prefetch))
			}
		})
	}
}
