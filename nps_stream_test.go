package clicknps_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// answersWith is a SalesOS client whose every answer is body.
func answersWith(t *testing.T, body func() io.Reader) *clicknps.Client {
	t.Helper()
	client, err := clicknps.New(clicknps.WithSalesOSToken(testToken), clicknps.WithHTTPClient(&http.Client{
		Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
				Body: io.NopCloser(body()), ContentLength: -1,
			}, nil
		}),
	}))
	require.NoError(t, err)
	return client
}

func streamed(t *testing.T, client *clicknps.Client, opts ...clicknps.RequestOption) (ids []string, err error) {
	t.Helper()
	for response, err := range client.NPS.AllResponses(t.Context(), "s", opts...) {
		if err != nil {
			require.Nil(t, response)
			return ids, err
		}
		ids = append(ids, response.ID)
	}
	return ids, nil
}

func TestAllResponsesInEveryShape(t *testing.T) {
	t.Parallel()
	const list = `[{"id":"r1","score":9,"new":1},{"id":"r2","score":"3"}]`
	for _, body := range []string{
		list, " " + list, `{"data":` + list + `,"metrics":{"npsScore":0}}`, `{"metrics":{"npsScore":0},"responses":` + list + `}`,
		`{"data":{"total":2,"items":` + list + `}}`,
	} {
		client := answersWith(t, func() io.Reader { return strings.NewReader(body) })
		var progress []int
		got, err := streamed(t, client, clicknps.WithProgress(func(done, total int) {
			require.Equal(t, -1, total)
			progress = append(progress, done)
		}))
		require.NoError(t, err, body)
		require.Equal(t, []string{"r1", "r2"}, got)
		require.Equal(t, []int{1, 2}, progress)
		for response, err := range client.NPS.AllResponses(t.Context(), "s") {
			require.NoError(t, err)
			require.JSONEq(t, `{"id":"r1","score":9,"new":1}`, string(response.RawJSON()))
			break
		}
	}
}

func TestAllResponsesThatBreakOff(t *testing.T) {
	t.Parallel()
	const whole = `{"data":[{"id":"r1","score":9},{"id":"r2","score":3}]`
	for n := range whole {
		client := answersWith(t, func() io.Reader { return strings.NewReader(whole[:n]) })
		got, err := streamed(t, client)
		require.Error(t, err, whole[:n])
		require.ErrorContains(t, err, fmt.Sprintf("after %d responses", len(got)))
		require.Len(t, got, strings.Count(whole[:n], "}"))
	}
	for _, body := range []string{`{}`, `null`, `7`, `{"data":null}`, `[null]`, `[{"id":"r","score":{}}]`, `<html>`} {
		got, err := streamed(t, answersWith(t, func() io.Reader { return strings.NewReader(body) }))
		require.Error(t, err, body)
		require.Empty(t, got)
	}
}

// repeated is n times a text, and an end.
type repeated struct {
	text []byte
	n    int
	end  string
	rest []byte
}

func (r *repeated) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		switch {
		case r.n > 0:
			r.n--
			r.rest = r.text
		case r.end != "":
			r.rest, r.end = []byte(r.end), ""
		default:
			return 0, io.EOF
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// heapPeak is how much the live heap has grown at most when it was looked at.
type heapPeak struct{ before, most uint64 }

func (h *heapPeak) look() {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if h.before == 0 {
		h.before = m.HeapAlloc
	}
	h.most = max(h.most, m.HeapAlloc)
}

// Write looks now and then.
func (h *heapPeak) Write(b []byte) (int, error) {
	h.look()
	return len(b), nil
}

const flat = 32 << 20

func TestAGiBOfExportTakesLittleMemory(t *testing.T) {
	client := answersWith(t, func() io.Reader { return &repeated{text: bytes.Repeat([]byte("0123456789abcde\n"), 1<<12), n: 1 << 14} })
	var heap heapPeak
	heap.look()
	n, err := client.NPS.Export(t.Context(), "s", clicknps.ExportCSV, bufio.NewWriterSize(&heap, 8<<20))
	require.NoError(t, err)
	require.EqualValues(t, 1<<30, n)
	require.Less(t, heap.most-heap.before, uint64(flat))
}

func TestResponsesTakeLittleMemoryHoweverMany(t *testing.T) {
	item := `{"id":"r","surveyId":"s","score":9,"comment":"` + strings.Repeat("x", 1<<20) + `"}`
	client := answersWith(t, func() io.Reader {
		return io.MultiReader(strings.NewReader("["), &repeated{text: []byte(item + ","), n: 1 << 7, end: item + "]"})
	})
	var heap heapPeak
	heap.look()
	n := 0
	for _, err := range client.NPS.AllResponses(t.Context(), "s") {
		require.NoError(t, err)
		n++
		heap.look()
	}
	require.Equal(t, 1<<7+1, n)
	require.Less(t, heap.most-heap.before, uint64(flat))
}

func TestAllResponsesOfTheFake(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t)
	survey := srv.AddNPSSurvey(clicknps.NPSSurvey{Name: "Quarterly"})
	for range 300 {
		srv.AddNPSResponse(survey.ID, clicknps.NPSResponse{Score: 9})
	}
	n := 0
	for response, err := range srv.Client().NPS.AllResponses(t.Context(), survey.ID) {
		require.NoError(t, err)
		require.Equal(t, 9, response.Score)
		n++
	}
	require.Equal(t, 300, n)
}
