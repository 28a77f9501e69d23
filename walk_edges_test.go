package clicknps_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// page is a page as an odd server may send it.
type page struct {
	ids   []string
	total any // number, string, nil: missing
	more  any
}

// lister is a server that pages as it likes. request is counted from 1.
type lister func(request, offset, limit int) page

func (l lister) client(t *testing.T, opts ...clicknps.Option) *clicknps.Client {
	t.Helper()
	var mu sync.Mutex
	requests := 0
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		requests++
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		p := l(requests, offset, limit)
		pagination := map[string]any{"offset": offset, "limit": limit}
		if p.total != nil {
			pagination["total"] = p.total
		}
		if p.more != nil {
			pagination["has_more"] = p.more
		}
		data := []map[string]string{}
		for _, id := range p.ids {
			data = append(data, map[string]string{"id": id})
		}
		body, err := json.Marshal(map[string]any{"data": data, "pagination": pagination})
		require.NoError(t, err)
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(body))), ContentLength: int64(len(body))}, nil
	})
	opts = append([]clicknps.Option{clicknps.WithAPIKey("sk_test_x"), clicknps.WithHTTPClient(&http.Client{Transport: transport})}, opts...)
	client, err := clicknps.New(opts...)
	require.NoError(t, err)
	return client
}

func ids(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("survey_%03d", i)
	}
	return all
}

// cut is what stands in all from offset, at most limit items.
func cut(all []string, offset, limit int) []string {
	return all[min(offset, len(all)):min(offset+limit, len(all))]
}

func walkAll(t *testing.T, client *clicknps.Client, opts ...clicknps.RequestOption) ([]string, error) {
	t.Helper()
	var got []string
	for survey, err := range client.Surveys.All(t.Context(), nil, opts...) {
		if err != nil {
			require.Nil(t, survey)
			return got, err
		}
		got = append(got, survey.ID)
	}
	return got, nil
}

func TestWalksOfOddServers(t *testing.T) {
	t.Parallel()
	all := ids(45)
	for name, server := range map[string]lister{
		"capped at 10": func(_, offset, limit int) page {
			got := cut(all, offset, min(limit, 10))
			return page{got, 45, offset+len(got) < 45}
		},
		"capped at 2": func(_, offset, limit int) page {
			got := cut(all, offset, min(limit, 2))
			return page{got, 45, offset+len(got) < 45}
		},
		"capped at 1": func(_, offset, limit int) page {
			got := cut(all, offset, min(limit, 1))
			return page{got, 45, offset+len(got) < 45}
		},
		"short pages now and then": func(request, offset, limit int) page {
			got := cut(all, offset, min(limit, 10-request%8))
			return page{got, 45, offset+len(got) < 45}
		},
		"an empty page now and then": func(request, offset, limit int) page {
			if request%3 == 2 {
				return page{nil, 45, true}
			}
			got := cut(all, offset, min(limit, 10))
			return page{got, 45, offset+len(got) < 45}
		},
		"nothing to see at offsets 20 to 39 of 65": func(_, offset, limit int) page {
			var got []string
			for i := offset; i < min(offset+min(limit, 10), 65); i++ {
				switch {
				case i < 20:
					got = append(got, all[i])
				case i >= 40:
					got = append(got, all[i-20])
				}
			}
			return page{got, 65, offset+10 < 65}
		},
		"numbers as strings": func(_, offset, limit int) page {
			return page{cut(all, offset, min(limit, 10)), "45", offset+10 < 45}
		},
		"no has_more": func(_, offset, limit int) page {
			return page{cut(all, offset, min(limit, 10)), 45, nil}
		},
		"neither total nor has_more": func(_, offset, limit int) page {
			return page{cut(all, offset, min(limit, 10)), nil, nil}
		},
		"the same item twice in a page": func(_, offset, limit int) page {
			got := cut(all, offset, min(limit, 10))
			return page{append(slices.Clone(got), got[len(got)-1]), 45, offset+len(got) < 45}
		},
	} {
		for _, prefetch := range []int{0, 4} {
			t.Run(fmt.Sprintf("%s/prefetch=%d", name, prefetch), func(t *testing.T) {
				t.Parallel()
				got, err := walkAll(t, server.client(t), clicknps.WithPrefetch(prefetch))
				require.NoError(t, err)
				require.Equal(t, all, got)
			})
		}
	}
}

// What can't be made exact is an error, after a bounded number of requests.
func TestWalksThatCannotBeExact(t *testing.T) {
	t.Parallel()
	all := ids(45)
	for name, server := range map[string]lister{
		"the offset is not heeded": func(_, _, limit int) page { return page{cut(all, 0, min(limit, 10)), 45, true} },
		"empty pages without end":  func(_, _, _ int) page { return page{nil, 45, true} },
		"more without end, past the total": func(_, offset, limit int) page {
			return page{cut(all, offset, min(limit, 10)), 45, true}
		},
		"another list each time": func(request, _, limit int) page {
			other := make([]string, min(limit, 10))
			for i := range other {
				other[i] = fmt.Sprintf("survey_%d_%d", request, i)
			}
			return page{other, 45, true}
		},
		"capped at 1, and moving": func(request, offset, _ int) page {
			return page{cut(ids(1000), offset+request, 1), 1000 - request, true}
		},
	} {
		for _, prefetch := range []int{0, 4} {
			t.Run(fmt.Sprintf("%s/prefetch=%d", name, prefetch), func(t *testing.T) {
				t.Parallel()
				_, err := walkAll(t, server.client(t), clicknps.WithPrefetch(prefetch))
				require.ErrorIs(t, err, clicknps.ErrListChanged)
				e, ok := errors.AsType[*clicknps.Error](err)
				require.True(t, ok)
				require.Equal(t, "/v1/surveys", e.Path)
			})
		}
	}
}

// A walk that does not begin at the list's start can't tell what it missed when all that it had is gone.
func TestAWalkFromAnOffsetThatLosesItsPlace(t *testing.T) {
	t.Parallel()
	server := lister(func(request, offset, limit int) page {
		all := ids(100)
		if request > 1 {
			all = ids(200)[100:]
		}
		got := cut(all, offset, min(limit, 10))
		return page{got, 100, offset+len(got) < 100}
	})
	var err error
	for _, err = range server.client(t).Surveys.All(t.Context(), &clicknps.SurveyListParams{ListOptions: clicknps.ListOptions{Offset: 20}}) {
		if err != nil {
			break
		}
	}
	require.ErrorIs(t, err, clicknps.ErrListChanged)
}

// quiet is a list of n that stays as it is.
func quiet(n int) lister {
	all := ids(n)
	return func(_, offset, limit int) page {
		got := cut(all, offset, limit)
		return page{got, n, offset+len(got) < n}
	}
}

func TestAWalkFromAnOffset(t *testing.T) {
	t.Parallel()
	var got []string
	params := &clicknps.SurveyListParams{ListOptions: clicknps.ListOptions{Offset: 20, Limit: 7}}
	walk := quiet(45).client(t).Surveys.All(t.Context(), params)
	params.Offset, params.Limit = 0, 1 // what the params say later does not matter
	for survey, err := range walk {
		require.NoError(t, err)
		got = append(got, survey.ID)
	}
	require.Equal(t, ids(45)[20:], got)
	again := 0
	for _, err := range walk { // each range is a walk of its own
		require.NoError(t, err)
		again++
	}
	require.Equal(t, 25, again)
}

func TestProgressOfAWalk(t *testing.T) {
	t.Parallel()
	type step struct{ done, total int }
	var steps []step
	_, err := walkAll(t, quiet(250).client(t), clicknps.WithProgress(func(done, total int) { steps = append(steps, step{done, total}) }))
	require.NoError(t, err)
	require.Equal(t, []step{{100, 250}, {199, 250}, {250, 250}}, steps)
}

// Nothing is asked for before it is needed; with WithPrefetch(n) never more than n pages are under way.
func TestHowMuchIsFetchedAhead(t *testing.T) {
	t.Parallel()
	for _, prefetch := range []int{0, 1, 4, 16} {
		t.Run(strconv.Itoa(prefetch), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				now, most, all := 0, 0, 0
				counting := clicknps.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
					return roundTripper(func(r *http.Request) (*http.Response, error) {
						mu.Lock()
						now, all = now+1, all+1
						most = max(most, now)
						mu.Unlock()
						select {
						case <-time.After(20 * time.Millisecond):
						case <-r.Context().Done():
						}
						mu.Lock()
						now--
						mu.Unlock()
						return next.RoundTrip(r)
					})
				})
				n := 0
				for _, err := range quiet(2000).client(t, counting).Surveys.All(t.Context(), nil, clicknps.WithPrefetch(prefetch)) {
					require.NoError(t, err)
					if n++; n == 500 {
						break
					}
				}
				require.Equal(t, max(1, prefetch), most)
				require.LessOrEqual(t, all, 6+prefetch)
			})
		})
	}
}

// However the loop is left, all goroutines of the walk have ended when it is: a bubble does not end before.
func TestEveryWayOutOfAWalkEndsItsGoroutines(t *testing.T) {
	t.Parallel()
	slow := clicknps.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(time.Second):
				return next.RoundTrip(r)
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})
	})
	for name, loop := range map[string]func(t *testing.T, client *clicknps.Client){
		"to the end": func(t *testing.T, client *clicknps.Client) {
			_, err := walkAll(t, client, clicknps.WithPrefetch(4))
			require.NoError(t, err)
		},
		"break": func(t *testing.T, client *clicknps.Client) {
			for range client.Surveys.All(t.Context(), nil, clicknps.WithPrefetch(4)) {
				break
			}
		},
		"panic": func(t *testing.T, client *clicknps.Client) {
			require.Panics(t, func() {
				for range client.Surveys.All(t.Context(), nil, clicknps.WithPrefetch(4)) {
					panic("in the loop's body")
				}
			})
		},
		"cancelled": func(t *testing.T, client *clicknps.Client) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var err error
			for _, err = range client.Surveys.All(ctx, nil, clicknps.WithPrefetch(4)) {
				cancel()
			}
			require.ErrorIs(t, err, context.Canceled)
		},
		"deadline": func(t *testing.T, client *clicknps.Client) {
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			defer cancel()
			var err error
			for _, err = range client.Surveys.All(ctx, nil, clicknps.WithPrefetch(4)) {
				continue
			}
			require.ErrorIs(t, err, context.DeadlineExceeded)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				loop(t, quiet(2000).client(t, slow))
				require.Less(t, time.Since(start), time.Minute)
			})
		})
	}
}

// A panic in middleware reaches the loop, though the page was fetched ahead on another goroutine.
func TestAPanicOfMiddlewareReachesTheLoop(t *testing.T) {
	t.Parallel()
	requests := 0
	var mu sync.Mutex
	broken := clicknps.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			if requests++; requests == 3 {
				panic("in middleware")
			}
			return next.RoundTrip(r)
		})
	})
	client := quiet(2000).client(t, broken)
	require.PanicsWithValue(t, "in middleware", func() {
		for range client.Surveys.All(t.Context(), nil, clicknps.WithPrefetch(4)) {
			continue
		}
	})
}
