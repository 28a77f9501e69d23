package clicknps_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
)

// httpDate is a time by the bubble's clock, in a header.
func httpDate(in time.Duration) string { return time.Now().Add(in).UTC().Format(http.TimeFormat) }

func unixTime(in time.Duration) string { return strconv.FormatInt(time.Now().Add(in).Unix(), 10) }

// What a server asks for is waited for, never less.
func TestToldWaits(t *testing.T) {
	const asked = 90 * time.Second
	reset := func(in time.Duration) []string { return []string{"X-RateLimit-Reset", unixTime(in)} }
	for name, told := range map[string]func() (body string, header []string){
		"seconds":                 func() (string, []string) { return "", []string{"Retry-After", "90"} },
		"seconds with spaces":     func() (string, []string) { return "", []string{"Retry-After", " 90 "} },
		"seconds with a fraction": func() (string, []string) { return "", []string{"Retry-After", "89.5"} },
		"date":                    func() (string, []string) { return "", []string{"Retry-After", httpDate(asked)} },
		"date by a clock that is on": func() (string, []string) {
			return "", []string{"Retry-After", httpDate(asked + time.Hour), "Date", httpDate(time.Hour)}
		},
		"date by a clock behind": func() (string, []string) {
			return "", []string{"Retry-After", httpDate(asked - time.Hour), "Date", httpDate(-time.Hour)}
		},
		"X-RateLimit-Reset": func() (string, []string) { return "", reset(asked) },
		"reset by a clock that is on": func() (string, []string) {
			return "", append(reset(asked+time.Hour), "Date", httpDate(time.Hour))
		},
		"ClickNPS' words":  func() (string, []string) { return `{"error":{"message":"Retry after 90 seconds."}}`, nil },
		"words in minutes": func() (string, []string) { return "please TRY AGAIN IN 1.5 minutes, or retry after 90s", nil },
		"header before all": func() (string, []string) {
			return "Retry after 5 seconds", append(reset(time.Second), "Retry-After", "90")
		},
		"reset before words": func() (string, []string) { return "Retry after 5 seconds", reset(asked) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var meta clicknps.ResponseMeta
				body, header := told()
				c := connect(t, nowhere, through(script(gives(429, body, header...))))
				start := time.Now()
				_, err := c.Surveys.Get(t.Context(), "s1", clicknps.WithResponse(&meta))
				require.NoError(t, err)
				assert.Len(t, meta.Attempts, 2)
				assert.Equal(t, time.Since(start), meta.Attempts[1].Waited)
				assert.GreaterOrEqual(t, time.Since(start), asked-500*time.Millisecond)
				assert.LessOrEqual(t, time.Since(start), asked+time.Second)
			})
		})
	}
}

// Only a wait that makes sense is one; a failure other than a 429 may ask with Retry-After only.
func TestUntoldWaits(t *testing.T) {
	for name, give := range map[string]func() (*http.Response, error){
		"nonsense":              gives(429, "", "Retry-After", "soon"),
		"negative":              gives(429, "", "Retry-After", "-60"),
		"not a number":          gives(429, "", "Retry-After", "NaN"),
		"zero":                  gives(429, "", "Retry-After", "0"),
		"long ago":              gives(429, "", "Retry-After", "Sat, 01 Jan 2000 00:00:00 GMT", "Date", "Sun, 02 Jan 2000 00:00:00 GMT"),
		"reset long ago":        gives(429, "", "X-RateLimit-Reset", "1"),
		"reset is nonsense":     gives(429, "", "X-RateLimit-Reset", "later"),
		"words without number":  gives(429, "Retry after lunch"),
		"503 with quota header": gives(503, "", "X-RateLimit-Reset", "946688400"),
		"503 with words":        gives(503, "Retry after 60 seconds"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := connect(t, nowhere, through(script(give)), clicknps.WithRetryPolicy(clicknps.RetryPolicy{}))
				start := time.Now()
				require.NoError(t, getCall.call(t.Context(), c))
				assert.GreaterOrEqual(t, time.Since(start), 500*time.Millisecond)
				assert.LessOrEqual(t, time.Since(start), time.Second)
			})
		})
	}
}

// Full jitter: any wait between MinBackoff and a bound that doubles up to MaxBackoff.
func TestBackoff(t *testing.T) {
	policy := clicknps.RetryPolicy{MaxRetries: 4, MinBackoff: time.Second, MaxBackoff: 6 * time.Second}
	longest := []time.Duration{0, 2 * time.Second, 4 * time.Second, 6 * time.Second, 6 * time.Second}
	synctest.Test(t, func(t *testing.T) {
		var least, most [5]time.Duration
		for range 200 {
			var meta clicknps.ResponseMeta
			c := connect(t, nowhere, clicknps.WithRetryPolicy(policy), through(script(loses, gives(503, ""), loses, gives(503, ""))))
			_, err := c.Surveys.Get(t.Context(), "s1", clicknps.WithResponse(&meta))
			require.NoError(t, err)
			require.Len(t, meta.Attempts, 5)
			for i, a := range meta.Attempts {
				if least[i] == 0 || a.Waited < least[i] {
					least[i] = a.Waited
				}
				most[i] = max(most[i], a.Waited)
			}
		}
		assert.Zero(t, most[0], "the first attempt waits for nothing")
		for i := 1; i < 5; i++ {
			spread := longest[i] - policy.MinBackoff
			assert.GreaterOrEqual(t, least[i], policy.MinBackoff)
			assert.LessOrEqual(t, most[i], longest[i])
			assert.Less(t, least[i], policy.MinBackoff+spread/10, "repeat %d", i)
			assert.Greater(t, most[i], longest[i]-spread/10, "repeat %d", i)
		}
	})
}

// A wait that would outlive the deadline is not begun, whatever it is for.
func TestWaitsThatWouldOutliveTheDeadline(t *testing.T) {
	for _, test := range []struct {
		name       string
		reply      func() (*http.Response, error)
		status     int
		retryAfter time.Duration
		is         error
	}{
		{"429", gives(429, "", "Retry-After", "10"), 429, 10 * time.Second, clicknps.ErrRateLimited},
		{"429 in words", gives(429, "Retry after 10 seconds"), 429, 10 * time.Second, clicknps.ErrRateLimited},
		{"503", gives(503, "", "Retry-After", "10"), 503, 10 * time.Second, clicknps.ErrServer},
		{"backoff after a 503", gives(503, ""), 503, 0, clicknps.ErrServer},
		{"backoff after a loss", loses, 0, 0, errLost},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				c := connect(t, nowhere, through(script(test.reply)), clicknps.WithRetryPolicy(clicknps.RetryPolicy{MinBackoff: 6 * time.Second}))
				start := time.Now()
				e := asError(t, getCall.call(ctx, c))
				assert.Zero(t, time.Since(start))
				assert.Equal(t, test.status, e.StatusCode)
				assert.Equal(t, 1, e.Attempts)
				assert.ErrorIs(t, e, test.is)
				assert.ErrorIs(t, e, context.DeadlineExceeded)
				if test.retryAfter > 0 {
					assert.Equal(t, test.retryAfter, e.RetryAfter)
				}
				if test.status != 429 {
					assert.NotErrorIs(t, e, clicknps.ErrRateLimited)
				}
			})
		})
	}
}

// Whatever is waited for, a cancelled context ends it at once, and says why.
func TestCancelledWaits(t *testing.T) {
	reason := errors.New("the user went home")
	hang := clicknps.TokenSourceFunc(func(ctx context.Context) (clicknps.Token, error) {
		<-ctx.Done()
		return clicknps.Token{}, ctx.Err()
	})
	paced := func(*http.Request) (*http.Response, error) {
		return answer(200, object, "X-RateLimit-Limit", "1", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", unixTime(time.Minute)), nil
	}
	for _, test := range []struct {
		name   string
		serve  inProcess
		opts   []clicknps.Option
		before int // calls that succeed
		call   column
	}{
		{name: "backoff", serve: script(loses), call: getCall, opts: []clicknps.Option{clicknps.WithRetryPolicy(clicknps.RetryPolicy{MinBackoff: time.Minute})}},
		{name: "told wait", serve: script(gives(429, "", "Retry-After", "60")), call: getCall},
		{name: "told wait of a POST to SalesOS", serve: script(gives(429, "", "Retry-After", "60")), call: salesOSPost},
		{name: "plan", serve: script(), call: getCall, before: 1, opts: []clicknps.Option{clicknps.WithPlan(clicknps.Plan{PerMinute: 1})}},
		{name: "pacing", serve: paced, call: putCall, before: 1},
		{name: "request", serve: hangsInProcess, call: getCall},
		{name: "body", serve: sticks(200), call: getCall},
		{name: "token", serve: script(), call: putCall, opts: []clicknps.Option{clicknps.WithSalesOSTokenSource(hang)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts := append([]clicknps.Option{clicknps.WithAPIKey(testKey), through(test.serve)}, test.opts...)
				if test.name != "token" {
					opts = append(opts, clicknps.WithSalesOSToken(testToken))
				}
				c, err := clicknps.New(opts...)
				require.NoError(t, err)
				for range test.before {
					require.NoError(t, test.call.call(t.Context(), c))
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(20*time.Second, func() { cancel(reason) })
				start := time.Now()
				err = test.call.call(ctx, c)
				assert.Equal(t, 20*time.Second, time.Since(start))
				asError(t, err)
				assert.ErrorIs(t, err, context.Canceled)
				assert.ErrorIs(t, err, reason)
				assert.NotErrorIs(t, err, clicknps.ErrOutcomeUnknown)
				<-time.After(time.Minute) // a token is fetched for others too, and so outlives the call
			})
		})
	}
}

// Nor does a call begin, or go on between two attempts, when nobody wants it any more.
func TestCancelledBetweenWaits(t *testing.T) {
	reason := errors.New("the user went home")
	for _, before := range []bool{true, false} {
		ctx, cancel := context.WithCancelCause(t.Context())
		sent := 0
		c := connect(t, nowhere, through(inProcess(func(*http.Request) (*http.Response, error) {
			sent++
			cancel(reason)
			return answer(503, ""), nil
		})))
		if before {
			cancel(reason)
		}
		err := getCall.call(ctx, c)
		asError(t, err)
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, reason)
		assert.Equal(t, !before, sent == 1)
		assert.Equal(t, !before, errors.Is(err, clicknps.ErrServer), "the answer is kept")
	}
}

// A pause that is longer than MaxRetryAfter is not waited for, by anybody; when it is over, all is well.
func TestPauseLongerThanMaxRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := connect(t, nowhere, through(script(gives(429, "", "Retry-After", "300"))))
		start := time.Now()
		e := asError(t, getCall.call(t.Context(), c))
		assert.Equal(t, 429, e.StatusCode)
		assert.Equal(t, 5*time.Minute, e.RetryAfter)
		assert.NotErrorIs(t, e, context.DeadlineExceeded)

		e = asError(t, clickNPSPost.call(t.Context(), c))
		assert.Zero(t, e.StatusCode)
		assert.Zero(t, e.Attempts)
		assert.Equal(t, 5*time.Minute, e.RetryAfter)
		assert.ErrorIs(t, e, clicknps.ErrRateLimited)
		assert.NotErrorIs(t, e, clicknps.ErrOutcomeUnknown)
		assert.NoError(t, salesOSPost.call(t.Context(), c), "the other service is not concerned")
		assert.Zero(t, time.Since(start))

		<-time.After(4 * time.Minute)
		assert.NoError(t, getCall.call(t.Context(), c), "the last minute is waited for")
		assert.Equal(t, 5*time.Minute, time.Since(start))
	})
}

func TestOne429PausesEveryGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var refused time.Time
		var during int
		c := connect(t, nowhere, through(inProcess(func(r *http.Request) (*http.Response, error) {
			<-time.After(20 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case r.URL.Path != "/v1/surveys/s1":
			case refused.IsZero():
				refused = time.Now()
				return answer(429, "", "Retry-After", "1"), nil
			case time.Since(refused) > 20*time.Millisecond && time.Since(refused) < time.Second:
				during++
			}
			return answer(200, object), nil
		})))
		var group sync.WaitGroup
		start := time.Now()
		for range 20 {
			group.Go(func() {
				for range 10 {
					assert.NoError(t, getCall.call(t.Context(), c))
				}
			})
		}
		other := time.Duration(0)
		group.Go(func() {
			for range 10 {
				assert.NoError(t, putCall.call(t.Context(), c))
			}
			other = time.Since(start)
		})
		group.Wait()
		assert.Less(t, during, 4)
		assert.GreaterOrEqual(t, time.Since(start), time.Second)
		assert.Equal(t, 200*time.Millisecond, other, "the other service goes on")
	})
}

// Each attempt has its time, however often the call is repeated.
func TestAttemptTimeoutIsPerAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var meta clicknps.ResponseMeta
		n := 0
		c := connect(t, nowhere, clicknps.WithRetryPolicy(clicknps.RetryPolicy{AttemptTimeout: 10 * time.Second}),
			through(inProcess(func(r *http.Request) (*http.Response, error) {
				switch n++; n {
				case 1:
					return hangsInProcess(r)
				case 2:
					return sticks(200)(r)
				}
				<-time.After(9 * time.Second)
				return answer(200, object), nil
			})))
		_, err := c.Surveys.Get(t.Context(), "s1", clicknps.WithResponse(&meta))
		require.NoError(t, err)
		require.Len(t, meta.Attempts, 3)
		for i, took := range []time.Duration{10 * time.Second, 10 * time.Second, 9 * time.Second} {
			assert.Equal(t, took, meta.Attempts[i].Took)
		}
		assert.ErrorIs(t, meta.Attempts[0].Err, context.DeadlineExceeded)
		assert.ErrorContains(t, meta.Attempts[0].Err, "10s")
	})
}

// slowly reads or writes a byte every so often.
type slowly struct {
	every time.Duration
	left  int
}

func (s *slowly) Read(p []byte) (int, error) {
	if s.left--; s.left < 0 {
		return 0, io.EOF
	}
	<-time.After(s.every)
	return copy(p, "x"), nil
}

func (s *slowly) Write(p []byte) (int, error) {
	<-time.After(s.every)
	return len(p), nil
}

// An export may take as long as it wants, while something comes; how long the writer takes is the caller's affair.
func TestExportMayTakeLong(t *testing.T) {
	for name, test := range map[string]struct {
		body io.Reader
		to   io.Writer
		is   error
	}{
		"slow server":  {&slowly{29 * time.Second, 100}, io.Discard, nil},
		"slow writer":  {&slowly{time.Second, 10}, &slowly{every: time.Hour}, nil},
		"stuck server": {io.MultiReader(strings.NewReader("id"), &slowly{31 * time.Second, 2}), io.Discard, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := connect(t, nowhere, through(inProcess(func(r *http.Request) (*http.Response, error) {
					return answerFrom(200, contextBody{test.body, r.Context()}, -1), nil
				})))
				err := exportTo(test.to)(t.Context(), c)
				if test.is == nil {
					assert.NoError(t, err)
				} else {
					assert.ErrorIs(t, err, test.is)
				}
			})
		})
	}
}

// contextBody is a body that ends with its request, as net/http's do.
type contextBody struct {
	io.Reader
	ctx context.Context
}

func (b contextBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.ctx.Err() != nil {
		return 0, b.ctx.Err()
	}
	return n, err
}

func (contextBody) Close() error { return nil }
