package clicknps_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

func TestExportStreams(t *testing.T) {
	t.Parallel()
	csv := golden(t, "salesos_export.csv")
	for name, length := range map[string]int{"chunked": -1, "with a length": len(csv)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := serving(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/csv")
				if length >= 0 {
					w.Header().Set("Content-Length", strconv.Itoa(length))
				}
				for line := range strings.Lines(csv) {
					io.WriteString(w, line)
					w.(http.Flusher).Flush()
				}
			})
			var got bytes.Buffer
			var told []int
			n, err := client.SalesOS.NPS.Export(t.Context(), "s", clicknps.ExportCSV, &got, clicknps.WithProgress(func(done, total int64) {
				assert.EqualValues(t, length, total)
				assert.EqualValues(t, got.Len(), done, "told after it is written")
				told = append(told, int(done))
			}))
			require.NoError(t, err)
			assert.Equal(t, csv, got.String())
			assert.EqualValues(t, len(csv), n)
			require.NotEmpty(t, told)
			assert.IsIncreasing(t, append([]int{0}, told...))
			assert.Equal(t, len(csv), told[len(told)-1])
		})
	}
}

func TestExportOfNothing(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 204} {
		n, err := answering(t, status, "", "Content-Type", "text/csv").SalesOS.NPS.Export(t.Context(), "s", clicknps.ExportCSV, io.Discard)
		require.ErrorContains(t, err, "empty")
		assert.Zero(t, n)
	}
}

func TestExportThatBreaksOff(t *testing.T) {
	t.Parallel()
	handlers := map[string]http.HandlerFunc{
		"with a length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, "id,score\na,9\n")
		},
		"chunked": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "id,score\na,9\n")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := serving(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Request-Id", "req_1")
				handler(w, r)
			})
			var got bytes.Buffer
			n, err := client.SalesOS.NPS.Export(t.Context(), "s", clicknps.ExportCSV, &got, clicknps.WithProgress(func(int64, int64) {}))
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			assertIs(t, err)
			assert.EqualValues(t, 13, n)
			assert.Equal(t, "id,score\na,9\n", got.String())
			e := asError(t, err)
			assert.Equal(t, 200, e.StatusCode)
			assert.Equal(t, "req_1", e.RequestID)
			assert.Equal(t, 1, e.Attempts)
			assert.Equal(t, "/v1/nps-surveys/s/responses/export", e.Path)
			assert.Contains(t, err.Error(), "broke off after 13 bytes")
		})
	}
}

// full is a writer with room for few bytes.
type full struct{ room int }

var errFull = errors.New("the disk is full")

func (f *full) Write(p []byte) (int, error) {
	n := min(f.room, len(p))
	f.room -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestExportToAFullDisk(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]clicknps.RequestOption{nil, {clicknps.WithProgress(func(int64, int64) {})}} {
		body := newFlood("", 1<<20, "")
		n, err := body.client(t, 200).SalesOS.NPS.Export(t.Context(), "s", clicknps.ExportCSV, &full{100}, opts...)
		require.ErrorIs(t, err, errFull)
		assert.EqualValues(t, 100, n)
		assert.Contains(t, err.Error(), "broke off after 100 bytes")
		assert.EqualValues(t, 1, body.closed.Load())
	}
}

func TestExportAnsweredByAPage(t *testing.T) {
	t.Parallel()
	page := "<html>" + strings.Repeat(" ", 200) + "</html>"
	var got bytes.Buffer
	n, err := answering(t, 200, page, "Content-Type", "text/html; charset=utf-8").SalesOS.NPS.Export(t.Context(), "s", clicknps.ExportCSV, &got)
	require.Error(t, err)
	assert.Zero(t, n)
	assert.Zero(t, got.Len())
	assert.Equal(t, 200, asError(t, err).StatusCode)
	assert.Contains(t, err.Error(), `text/html "<html>`)

	// Unless HTML is what was asked for.
	n, err = answering(t, 200, page, "Content-Type", "text/html").SalesOS.NPS.Export(t.Context(), "s", "HTML", &got)
	require.NoError(t, err)
	assert.EqualValues(t, len(page), n)
}

// An answer that is not what was asked for is an error before anything is written.
func TestExportOfSomethingElse(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		format       clicknps.ExportFormat
		status       int
		body         string
		header, text string
	}{
		"an error for a CSV":    {"csv", 200, `{"statusCode":500,"message":"no"}`, "", "it is JSON"},
		"JSON for a CSV":        {"csv", 200, "\ufeff [{\"score\":9}]", "", "it is JSON"},
		"an error for JSON":     {"json", 200, `{"statusCode":500,"message":"no"}`, "", "says that the call failed"},
		"an error for a sheet":  {"xlsx", 200, `{"error":"no"}`, "", "says that the call failed"},
		"a text for JSON":       {"json", 200, "upstream is away", "", "it is not JSON"},
		"a CSV for JSON":        {"JSON", 200, "id,score\na,9\n", "", "it is not JSON"},
		"a part":                {"csv", 206, "id,score\n", "", "a part of the whole"},
		"an encoding":           {"csv", 200, "\x1f\x8b\x08", "gzip", "content encoding, gzip"},
		"an unknown encoding":   {"csv", 200, "abc", "br\x1b", `content encoding, br\x1b`},
		"an encoding of a page": {"json", 200, "[]", "zstd", "content encoding, zstd"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got bytes.Buffer
			client := answering(t, tt.status, tt.body, "Content-Encoding", tt.header)
			n, err := client.SalesOS.NPS.Export(t.Context(), "s", tt.format, &got)
			assert.ErrorContains(t, err, tt.text)
			assert.Zero(t, n)
			assert.Empty(t, got.String())
			e := asError(t, err)
			assert.Equal(t, tt.status, e.StatusCode)
			assert.Equal(t, tt.body, string(e.Body))
		})
	}
	for format, body := range map[clicknps.ExportFormat]string{
		"json": "\ufeff\n[]", "JSON": `{"data":[]}`, "jsonl": "{\"score\":9}\n{\"score\":8}\n", "csv": "\"{\"\n",
	} {
		var got bytes.Buffer
		client := answering(t, 200, body, "Content-Encoding", "identity", "Content-Length", "0")
		_, err := client.SalesOS.NPS.Export(t.Context(), "s", format, &got)
		require.NoError(t, err, format)
		assert.Equal(t, body, got.String())
	}
}

// A server that closes the connection after a JSON export without a length has sent all of it only if
// the JSON has ended.
func TestJSONExportThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	const whole = `[{"comment":"a \\\"]}[{ \\\\"},{"score":9}]`
	for i := 1; i <= len(whole); i++ {
		client, _ := serving(t, func(w http.ResponseWriter, _ *http.Request) {
			conn, buffered, err := w.(http.Hijacker).Hijack()
			assert.NoError(t, err)
			io.WriteString(buffered, "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"+whole[:i])
			buffered.Flush()
			conn.Close()
		})
		var got bytes.Buffer
		n, err := client.SalesOS.NPS.Export(t.Context(), "s", clicknps.ExportJSON, &got)
		assert.Equal(t, i < len(whole), errors.Is(err, io.ErrUnexpectedEOF), whole[:i])
		assert.Equal(t, i == len(whole), err == nil, whole[:i])
		assert.EqualValues(t, i, n)
		assert.Equal(t, whole[:i], got.String())
	}
}

func TestExportThatFails(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	n, err := answering(t, 404, `{"statusCode":404,"message":"no such survey"}`).SalesOS.NPS.Export(t.Context(), "s", clicknps.ExportCSV, &got)
	assertIs(t, err, "not found")
	assert.Equal(t, "no such survey", asError(t, err).Message)
	assert.Zero(t, n)
	assert.Zero(t, got.Len())
}

// An export is never held in memory.
func TestExportOf64MiBInLittleMemory(t *testing.T) {
	body := newFlood("", 64<<20, "")
	client := body.client(t, 200)
	sink := &counter{}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := client.SalesOS.NPS.Export(t.Context(), "s", clicknps.ExportCSV, sink)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	assert.EqualValues(t, 64<<20, n)
	assert.EqualValues(t, 64<<20, sink.bytes)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20))
}

type counter struct{ bytes int }

func (c *counter) Write(p []byte) (int, error) {
	c.bytes += len(p)
	return len(p), nil
}

// slow is a body that comes in pieces, each after a pause. It ends when its request is cancelled.
type slow struct {
	ctx    context.Context
	pauses []time.Duration
}

func (s *slow) Read(p []byte) (int, error) {
	if len(s.pauses) == 0 {
		return 0, io.EOF
	}
	pause := time.NewTimer(s.pauses[0])
	defer pause.Stop()
	select {
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	case <-pause.C:
	}
	s.pauses = s.pauses[1:]
	return copy(p, "x"), nil
}

func (s *slow) Close() error { return nil }

func dripping(t *testing.T, pauses ...time.Duration) *clicknps.Client {
	return newClient(t,
		clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: -1, AttemptTimeout: 10 * time.Second}),
		clicknps.WithHTTPClient(&http.Client{Transport: inProcess(func(req *http.Request) (*http.Response, error) {
			body := &slow{req.Context(), pauses}
			return &http.Response{StatusCode: 200, Body: body, ContentLength: -1, Header: http.Header{}, Request: req}, nil
		})}))
}

func TestAttemptTimeoutIsBetweenReadsOfAnExport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		nine := 9 * time.Second
		n, err := dripping(t, nine, nine, nine, nine, nine).SalesOS.NPS.Export(t.Context(), "s", clicknps.ExportCSV, io.Discard)
		require.NoError(t, err, "no read took too long")
		assert.EqualValues(t, 5, n)
		assert.Equal(t, 5*nine, time.Since(start))
	})
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		n, err := dripping(t, time.Second, time.Second, 11*time.Second).SalesOS.NPS.Export(t.Context(), "s", clicknps.ExportCSV, io.Discard)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.EqualValues(t, 2, n)
		assert.Contains(t, err.Error(), "broke off after 2 bytes: no answer within the attempt's time-out of 10s")
		assert.Equal(t, 12*time.Second, time.Since(start))
	})
}

// A reader that is slow itself does not use up the server's time.
func TestSlowWriterOfAnExport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := pausing{time.Minute}
		n, err := dripping(t, time.Second, time.Second, time.Second).SalesOS.NPS.Export(t.Context(), "s", clicknps.ExportCSV, w)
		require.NoError(t, err)
		assert.EqualValues(t, 3, n)
	})
}

type pausing struct{ pause time.Duration }

func (p pausing) Write(b []byte) (int, error) {
	<-time.After(p.pause)
	return len(b), nil
}

func TestCancelledExport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		n, err := dripping(t, 3*time.Second, 9*time.Second).SalesOS.NPS.Export(ctx, "s", clicknps.ExportCSV, io.Discard)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.EqualValues(t, 1, n)
		assert.Equal(t, 5*time.Second, time.Since(start))
	})
}

// Until the first byte has come, an export is repeated as any other GET.
func TestExportCutOffBeforeItsFirstByteIsRepeated(t *testing.T) {
	t.Parallel()
	requests := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests++; requests == 1 {
			w.Header().Set("Content-Length", "10")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, "id,score\n")
	}))
	t.Cleanup(srv.Close)
	client, err := clicknps.New(clicknps.WithSalesOSBaseURL(srv.URL), clicknps.WithSalesOSToken(testToken),
		clicknps.WithRetryPolicy(clicknps.RetryPolicy{MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond}))
	require.NoError(t, err)
	var meta clicknps.CallInfo
	n, err := client.SalesOS.NPS.Export(t.Context(), "s", clicknps.ExportCSV, io.Discard, clicknps.WithCallInfo(&meta))
	require.NoError(t, err)
	require.EqualValues(t, 9, n)
	require.Len(t, meta.Attempts, 2)
	require.ErrorIs(t, meta.Attempts[0].Err, io.ErrUnexpectedEOF)
}

// A page of HTML is none of the service's answers, whether it says that it is HTML or not.
func TestAPageOfHTMLWithoutAContentType(t *testing.T) {
	t.Parallel()
	client := answering(t, 200, "<html><body>log in</body></html>", "Content-Type", "")
	_, err := client.SalesOS.NPS.Export(t.Context(), "s", clicknps.ExportCSV, io.Discard)
	require.ErrorContains(t, err, "HTML")
	require.ErrorContains(t, client.Surveys.Delete(t.Context(), "s"), "HTML")
}

func TestAnExportShorterThanItsLength(t *testing.T) {
	t.Parallel()
	client, err := clicknps.New(clicknps.WithSalesOSToken(testToken), clicknps.WithHTTPClient(&http.Client{
		Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("short")), ContentLength: 100}, nil
		}),
	}))
	require.NoError(t, err)
	_, err = client.SalesOS.NPS.Export(t.Context(), "s", clicknps.ExportCSV, io.Discard)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}
