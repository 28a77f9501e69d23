package clicknps_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// perSecond admits 50 requests in each second of the clock.
type perSecond struct {
	mu               sync.Mutex
	second           time.Time
	used             int
	refused, allowed int
	latency          time.Duration
}

func (p *perSecond) RoundTrip(*http.Request) (*http.Response, error) {
	<-time.After(p.latency / 2)
	p.mu.Lock()
	now := time.Now()
	if s := now.Truncate(time.Second); s != p.second {
		p.second, p.used = s, 0
	}
	ok := p.used < 50
	if ok {
		p.used++
		p.allowed++
	} else {
		p.refused++
	}
	p.mu.Unlock()
	<-time.After(p.latency / 2)
	if !ok {
		return &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {"1"}}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"id":"s"}`))}, nil
}

// Told of no plan, a client learns from the refusals how many requests are let in, and runs into the wall about once a window.
func TestALimitIsLearned(t *testing.T) {
	t.Parallel()
	const requests, ideal = 400, 7 * time.Second // eight windows, the first of which begins at once
	for _, goroutines := range []int{4, 8, 12} {
		t.Run(fmt.Sprintf("%d goroutines", goroutines), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &perSecond{latency: 2 * time.Millisecond}
				client, err := clicknps.New(clicknps.WithAPIKey("sk_test_x"), clicknps.WithHTTPClient(&http.Client{Transport: server}))
				require.NoError(t, err)
				start := time.Now()
				work := make(chan struct{}, requests)
				for range requests {
					work <- struct{}{}
				}
				close(work)
				var group sync.WaitGroup
				for range goroutines {
					group.Go(func() {
						for range work {
							if _, err := client.Surveys.Get(t.Context(), "s"); err != nil {
								t.Error(err)
							}
						}
					})
				}
				group.Wait()
				require.Equal(t, requests, server.allowed)
				require.LessOrEqual(t, server.refused, requests/20)
				require.LessOrEqual(t, time.Since(start), ideal*11/10)
			})
		})
	}
}
