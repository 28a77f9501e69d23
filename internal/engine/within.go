package engine

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"time"
)

// patience is how long code of the user's may take to return after its context has ended.
const patience = 100 * time.Millisecond

var errAbandoned = errors.New("it did not return when its context ended")

// Within calls f, which may ignore ctx, on a goroutine of its own. If f has not returned a moment
// after ctx has ended, Within returns an error with ctx's in the chain, and passes what f returns
// without an error in the end to late. If f panics or ends its goroutine before, the caller does.
func Within[T any](ctx context.Context, f func() (T, error), late func(T)) (T, error) {
	var value, none T
	var err error
	var panicked any
	returned, done := false, make(chan struct{})
	go func() {
		defer close(done)
		defer func() { panicked = recover() }()
		value, err = f()
		returned = true
	}()
	select {
	case <-done:
	case <-ctx.Done():
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
			go func() {
				if <-done; returned && err == nil {
					late(value)
				}
			}()
			return none, explained(ctx, errAbandoned)
		}
	}
	switch {
	case panicked != nil:
		panic(panicked)
	case !returned:
		runtime.Goexit()
	}
	return value, err
}

// send passes a request to the transport, and returns at the latest when the request's context has
// ended. So do reads of the answer's body.
func (e *Engine) send(req *http.Request) (*http.Response, error) {
	if e.obedient {
		return e.transport.RoundTrip(req)
	}
	ctx := req.Context()
	resp, err := Within(ctx, func() (*http.Response, error) { return e.transport.RoundTrip(req) }, closeBody)
	if resp != nil && resp.Body != nil && resp.StatusCode >= 200 {
		resp.Body = &watchedBody{resp.Body, ctx, make([]byte, 32<<10)}
	}
	return resp, err
}

func closeBody(resp *http.Response) {
	if resp != nil && resp.Body != nil {
		resp.Body.Close()
	}
}

// watchedBody is a body that may ignore ctx. It reads into a buffer of its own, which an abandoned
// Read may still write to.
type watchedBody struct {
	io.ReadCloser
	ctx    context.Context
	buffer []byte
}

// Read implements [io.Reader].
func (b *watchedBody) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	buffer := b.buffer[:min(len(p), len(b.buffer))]
	n, err := Within(b.ctx, func() (int, error) { return b.ReadCloser.Read(buffer) }, func(int) {})
	copy(p, buffer[:n])
	return n, err
}
