package clicknps_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// flood is a body that has size bytes between start and end. It counts what is read, and notes that it is closed.
type flood struct {
	io.Reader
	read   atomic.Int64
	closed atomic.Int64
}

// filler is read without end.
type filler struct{}

var fill = bytes.Repeat([]byte("x"), 64<<10)

func (filler) Read(p []byte) (int, error) { return copy(p, fill), nil }

func newFlood(start string, size int64, end string) *flood {
	return &flood{Reader: io.MultiReader(strings.NewReader(start), io.LimitReader(filler{}, size), strings.NewReader(end))}
}

func (b *flood) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read.Add(int64(n))
	return n, err
}

func (b *flood) Close() error {
	b.closed.Add(1)
	return nil
}

func (b *flood) client(t *testing.T, status int) *clicknps.Client {
	return newWire(func(*http.Request) (*http.Response, error) {
		res := httpmock.NewBytesResponse(status, nil)
		res.Body, res.ContentLength = b, -1
		return res, nil
	}).client(t)
}

func TestAnswerOf40MiB(t *testing.T) {
	t.Parallel()
	for name, is := range map[string][]string{"Surveys.Get": nil, "NPS.Toggle": {"outcome unknown"}, "Webhooks.Create": {"outcome unknown"}} {
		call := callsByID("s")[name]
		if call == nil {
			call = callsWithoutID()[name]
		}
		body := newFlood(`{"id":"s","name":"`, 40<<20, `"}`)
		err := call(with{Client: body.client(t, 200), ctx: t.Context()})
		assertIs(t, err, is...)
		assert.Contains(t, err.Error(), "200 OK")
		assert.Contains(t, err.Error(), "larger than 32 MiB")
		assert.Len(t, asError(t, err).Body, 64<<10)
		assert.Less(t, body.read.Load(), int64(33<<20), "no more is read than needed to know")
		assert.EqualValues(t, 1, body.closed.Load())
	}
}

func TestErrorOf40MiB(t *testing.T) {
	t.Parallel()
	body := newFlood("", 40<<20, "")
	err := callsByID("s")["Surveys.Get"](with{Client: body.client(t, 404), ctx: t.Context()})
	assertIs(t, err, "not found")
	assert.Len(t, asError(t, err).Body, 64<<10)
	assert.Less(t, body.read.Load(), int64(2<<20), "the rest is not worth a connection")
	assert.EqualValues(t, 1, body.closed.Load())
}

// serving is a client of a real server.
func serving(t *testing.T, handler http.HandlerFunc) (*clicknps.Client, *httptest.Server) {
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return newClient(t, clicknps.WithBaseURL(srv.URL), clicknps.WithSalesOSBaseURL(srv.URL)), srv
}

func TestGzipBomb(t *testing.T) {
	t.Parallel()
	var mebibyte bytes.Buffer
	w := gzip.NewWriter(&mebibyte)
	_, err := w.Write(bytes.Repeat([]byte(" "), 1<<20))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	bomb := bytes.Repeat(mebibyte.Bytes(), 64) // members one after another are one stream
	require.Less(t, len(bomb), 1<<20)

	client, _ := serving(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "gzip", r.Header.Get("Accept-Encoding"))
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Length", strconv.Itoa(len(bomb)))
		w.Write(bomb)
	})
	_, err = client.Surveys.List(t.Context(), nil)
	assertIs(t, err)
	assert.Contains(t, err.Error(), "larger than 32 MiB")
	assert.Len(t, asError(t, err).Body, 64<<10)
}

func TestCompressedAnswers(t *testing.T) {
	t.Parallel()
	client, _ := serving(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		io.WriteString(z, golden(t, "survey.json"))
		if strings.HasSuffix(r.URL.Path, "/whole") {
			z.Close()
		}
	})
	got, err := client.Surveys.Get(t.Context(), "whole")
	require.NoError(t, err)
	assert.Equal(t, survey.ID, got.ID)
	_, err = client.Surveys.Get(t.Context(), "cut")
	require.Error(t, err)
	assert.Equal(t, 200, asError(t, err).StatusCode)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

// A body in an encoding that nobody undid is no value, nor is a part of one.
func TestAnswerOfAnotherKind(t *testing.T) {
	t.Parallel()
	eachCall(t, func(t *testing.T, name string, call func(with) error) {
		for _, encoding := range []string{"gzip", "br", "zstd", "deflate, gzip"} {
			err := call(with{Client: answering(t, 200, object, "Content-Encoding", encoding), ctx: t.Context()})
			assert.ErrorContains(t, err, "nobody asked for its content encoding, "+encoding)
		}
		err := call(with{Client: answering(t, 206, object), ctx: t.Context()})
		assert.ErrorContains(t, err, "a part of the whole")
	})
}

func TestAnswerThatIsCutOff(t *testing.T) {
	t.Parallel()
	client, _ := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, golden(t, "survey.json")) // net/http closes the connection, for there should be more
	})
	for name, call := range callsForValues() {
		err := call(with{Client: client, ctx: t.Context()})
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, name)
		switch {
		case name == "NPS.SetActive": // a GET
			assertIs(t, err)
		case keyedCalls[name], name == "NPS.Create", name == "NPS.Toggle":
			assertIs(t, err, "outcome unknown")
		default:
			assertIs(t, err)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere, other := serving(t, func(_ http.ResponseWriter, r *http.Request) {
		assert.Fail(t, "a redirect was followed", "%s %s %v", r.Method, r.URL, r.Header)
	})
	require.NotNil(t, elsewhere)
	for _, status := range []int{301, 302, 303, 307, 308} {
		for where, location := range map[string]string{
			"another host": other.URL + "/v1/surveys?token=hidden", "the same host": "/v2/surveys?token=hidden", "another scheme": "https://127.0.0.1/?token=hidden",
		} {
			t.Run(strconv.Itoa(status)+" to "+where, func(t *testing.T) {
				t.Parallel()
				var requests atomic.Int64
				client, _ := serving(t, func(w http.ResponseWriter, r *http.Request) {
					requests.Add(1)
					http.Redirect(w, r, location, status)
				})
				calls := callsByID("s")
				for _, name := range []string{"Surveys.Get", "Surveys.Update", "Surveys.Delete", "Responses.AddComment", "NPS.Replace", "NPS.Toggle", "NPS.Export"} {
					before := requests.Load()
					err := calls[name](with{Client: client, ctx: t.Context()})
					assertIs(t, err)
					assert.Equal(t, status, asError(t, err).StatusCode)
					assert.Contains(t, err.Error(), "redirects are not followed")
					assert.NotContains(t, err.Error(), "hidden")
					assert.EqualValues(t, 1, requests.Load()-before, name)
				}
			})
		}
	}
}
