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
	for response, err := range client.SalesOS.NPS.AllResponses(t.Context(), "s", nil, opts...) {
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
		got, err := streamed(t, client, clicknps.WithProgress(func(done, total int64) {
			require.EqualValues(t, -1, total)
			progress = append(progress, int(done))
		}))
		require.NoError(t, err, body)
		require.Equal(t, []string{"r1", "r2"}, got)
		require.Equal(t, []int{1, 2}, progress)
		for response, err := range client.SalesOS.NPS.AllResponses(t.Context(), "s", nil, clicknps.WithRawJSON()) {
			require.NoError(t, err)
			require.JSONEq(t, `{"id":"r1","score":9,"new":1}`, string(response.RawJSON))
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
		require.ErrorContains(t, err, fmt.Sprintf("after %d items", len(got)))
		require.Len(t, got, strings.Count(whole[:n], "}"))
	}
	for _, body := range []string{`{}`, `null`, `7`, `[null]`, `[{"id":"r","score":{}}]`, `<html>`} {
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
	n, err := client.SalesOS.NPS.Export(t.Context(), "s", clicknps.ExportCSV, bufio.NewWriterSize(&heap, 8<<20))
	require.NoError(t, err)
	require.EqualValues(t, 1<<30, n)
	require.Less(t, heap.most-heap.before, uint64(flat))
}

func TestResponsesTakeLittleMemoryHoweverMany(t *testing.T) {
	item := `{"surveyId":"s","score":9,"comment":"` + strings.Repeat("x", 1<<19) + `"}`
	client := answersWith(t, func() io.Reader {
		return io.MultiReader(strings.NewReader("["), &repeated{text: []byte(item + ","), n: 1 << 8, end: item + "]"})
	})
	var heap heapPeak
	heap.look()
	n := 0
	for _, err := range client.SalesOS.NPS.AllResponses(t.Context(), "s", nil) {
		require.NoError(t, err)
		n++
		heap.look()
	}
	require.Equal(t, 1<<8+1, n)
	require.Less(t, heap.most-heap.before, uint64(flat))
}

func TestAllResponsesOfTheFake(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t)
	survey := srv.AddNPSSurvey(clicknps.NPSSurvey{Name: "Quarterly"})
	for range 300 {
		srv.AddNPSResponse(clicknps.NPSResponse{SurveyID: survey.ID, Score: 9})
	}
	n := 0
	for response, err := range srv.Client().SalesOS.NPS.AllResponses(t.Context(), survey.ID, nil) {
		require.NoError(t, err)
		require.Equal(t, 9, response.Score)
		n++
	}
	require.Equal(t, 300, n)
}

// A call that fails, and a page of HTML, are errors of the walk: never an empty list.
func TestAllResponsesOfACallThatFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status     int
		body, kind string
		is         error
		want       string
	}{
		"not found":   {404, `{"statusCode":404,"message":"no such survey"}`, "application/json", clicknps.ErrNotFound, "no such survey"},
		"server":      {503, "", "text/plain", clicknps.ErrServer, "503"},
		"HTML":        {200, "<html>login</html>", "text/html", nil, "login"},
		"an error":    {200, `{"error":"no"}`, "application/json", nil, "no list"},
		"not a list":  {200, `{"data":7}`, "application/json", nil, "no list"},
		"no content":  {204, "", "", nil, "the body is empty"},
		"second page": {200, `[{"id":"a"}] x`, "application/json", nil, "invalid character"},
	} {
		got, err := streamed(t, answering(t, test.status, test.body, "Content-Type", test.kind))
		require.ErrorContains(t, err, test.want, name)
		require.LessOrEqual(t, len(got), 1)
		require.Equal(t, test.status, asError(t, err).StatusCode)
		if test.is != nil {
			require.ErrorIs(t, err, test.is)
		}
	}
}
