package clicknps_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
)

// nowhere is a base URL for calls that a transport in process answers.
const nowhere = "http://127.0.0.1:1/v1"

// inProcess is a transport that answers by itself, so that it works in a bubble.
type inProcess func(*http.Request) (*http.Response, error)

func (f inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	return f(r)
}

// answer is an answer in process. header is name, value, name, value, …
func answer(status int, body string, header ...string) *http.Response {
	return answerFrom(status, io.NopCloser(strings.NewReader(body)), int64(len(body)), header...)
}

func answerFrom(status int, body io.ReadCloser, length int64, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	return &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h, Body: body, ContentLength: length}
}

// script answers the nth request with the nth answer, all further ones with an object.
func script(answers ...func() (*http.Response, error)) inProcess {
	var mu sync.Mutex
	return func(*http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		if len(answers) == 0 {
			return answer(http.StatusOK, object), nil
		}
		next := answers[0]
		answers = answers[1:]
		return next()
	}
}

func gives(status int, body string, header ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) { return answer(status, body, header...), nil }
}

var errLost = errors.New("connection reset by peer")

func loses() (*http.Response, error) { return nil, errLost }

// asError is err as an *Error, which it must be.
func asError(t testing.TB, err error) *clicknps.Error {
	t.Helper()
	e, ok := errors.AsType[*clicknps.Error](err)
	require.True(t, ok, "%v", err)
	return e
}

// bodyCounter is a middleware that knows what became of every body.
type bodyCounter struct {
	mu     sync.Mutex
	bodies []*countedBody
}

type countedBody struct {
	io.ReadCloser
	counter *bodyCounter
	closed  int
	late    bool // read after it was closed
}

func (c *bodyCounter) middleware(next http.RoundTripper) http.RoundTripper {
	return inProcess(func(r *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		if resp != nil && resp.Body != nil {
			body := &countedBody{ReadCloser: resp.Body, counter: c}
			resp.Body = body
			c.mu.Lock()
			c.bodies = append(c.bodies, body)
			c.mu.Unlock()
		}
		return resp, err
	})
}

func (b *countedBody) Read(p []byte) (int, error) {
	b.counter.mu.Lock()
	b.late = b.late || b.closed > 0
	b.counter.mu.Unlock()
	return b.ReadCloser.Read(p)
}

func (b *countedBody) Close() error {
	b.counter.mu.Lock()
	b.closed++
	b.counter.mu.Unlock()
	return b.ReadCloser.Close()
}

// assertAllClosed checks that there were n bodies, and that each was closed once, after the last read.
func (c *bodyCounter) assertAllClosed(t *testing.T, n int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	assert.Len(t, c.bodies, n)
	for i, b := range c.bodies {
		assert.Equal(t, 1, b.closed, "body %d", i)
		assert.False(t, b.late, "body %d", i)
	}
}

// stuckBody gives its text, and then nothing until the request ends.
type stuckBody struct {
	text io.Reader
	ctx  context.Context
}

func (b stuckBody) Read(p []byte) (int, error) {
	if n, _ := b.text.Read(p); n > 0 {
		return n, nil
	}
	<-b.ctx.Done()
	return 0, b.ctx.Err()
}

func (stuckBody) Close() error { return nil }

func stuck(r *http.Request, text string) io.ReadCloser {
	return stuckBody{strings.NewReader(text), r.Context()}
}

// brokenBody gives its text and then an error.
func brokenBody(text string) io.ReadCloser {
	return io.NopCloser(io.MultiReader(strings.NewReader(text), errReader{}))
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
