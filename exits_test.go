package clicknps_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
)

// exit is a way out of a call.
type exit struct {
	name   string
	call   caller // nil: a GET
	serve  inProcess
	bodies int   // that the answers have
	is     error // nil: success
}

type caller func(ctx context.Context, c *clicknps.Client) error

var errAny = errors.New("any error")

func exits() []exit {
	export := exportTo(io.Discard)
	return []exit{
		{name: "success", serve: script(), bodies: 1},
		{name: "404", serve: script(gives(404, "")), bodies: 1, is: clicknps.ErrNotFound},
		{name: "404 without a body", serve: script(func() (*http.Response, error) { return &http.Response{StatusCode: 404}, nil }), is: clicknps.ErrNotFound},
		{name: "redirect", serve: script(gives(302, "", "Location", "http://127.0.0.1:2/")), bodies: 1, is: errAny},
		{name: "redirect to nonsense", serve: script(gives(307, "", "Location", "://")), bodies: 1, is: errAny},
		{name: "repeats, then success", serve: script(gives(503, ""), loses, breaks(200), gives(429, "")), bodies: 4},
		{name: "given up", serve: script(gives(500, ""), gives(500, ""), gives(500, ""), gives(500, ""), breaks(500)), bodies: 5, is: clicknps.ErrServer},
		{name: "an answer and an error", serve: script(func() (*http.Response, error) { return answer(200, object), errLost }), bodies: 2},
		{name: "undecodable", serve: script(gives(200, "<html>")), bodies: 1, is: errAny},
		{name: "too large", serve: endless(200), bodies: 1, is: errAny},
		{name: "error too large", serve: endless(404), bodies: 1, is: clicknps.ErrNotFound},
		{name: "time-out", serve: hangsInProcess, is: context.DeadlineExceeded},
		{name: "time-out in the body", serve: sticks(200), bodies: 5, is: context.DeadlineExceeded},
		{name: "time-out in an error's body", serve: sticks(404), bodies: 1, is: clicknps.ErrNotFound},
		{name: "cancelled", serve: hangsInProcess, call: cancelled(get), is: context.Canceled},
		{name: "cancelled in the body", serve: sticks(200), bodies: 1, call: cancelled(get), is: context.Canceled},
		{name: "cancelled in a wait", serve: script(gives(429, "", "Retry-After", "60")), bodies: 1, call: cancelled(get), is: context.Canceled},
		{name: "wait refused", serve: script(gives(429, "", "Retry-After", "9999")), bodies: 1, is: clicknps.ErrRateLimited},
		{name: "transport panics", serve: func(*http.Request) (*http.Response, error) { panic("transport") }, call: recovered(get), is: errAny},
		{name: "export", serve: script(gives(200, "score\n9\n")), bodies: 1, call: export},
		{name: "export, repeated first", serve: script(gives(503, ""), loses, gives(200, "score\n")), bodies: 2, call: export},
		{name: "export refused", serve: script(gives(403, "")), bodies: 1, call: export, is: clicknps.ErrForbidden},
		{name: "export breaks off", serve: script(breaks(200)), bodies: 1, call: export, is: io.ErrUnexpectedEOF},
		{name: "export gets stuck", serve: sticks(200), bodies: 1, call: export, is: context.DeadlineExceeded},
		{name: "export is cancelled", serve: sticks(200), bodies: 1, call: cancelled(export), is: context.Canceled},
		{name: "export's writer fails", serve: endless(200), bodies: 1, call: exportTo(&failingWriter{room: 1 << 20}), is: errDisk},
		{name: "export's writer panics", serve: endless(200), bodies: 1, call: recovered(exportTo(panickingWriter{})), is: errAny},
		{name: "export is HTML", serve: script(gives(200, "<html>", "Content-Type", "text/html")), bodies: 1, call: export, is: errAny},
	}
}

// run makes the call in the bubble that it is called in.
func (x exit) run(t *testing.T, opts ...clicknps.Option) {
	call := x.call
	if call == nil {
		call = get
	}
	err := call(t.Context(), connect(t, nowhere, append(opts, through(x.serve))...))
	switch x.is {
	case nil:
		assert.NoError(t, err)
	case errAny:
		assert.Error(t, err)
	default:
		assert.ErrorIs(t, err, x.is)
	}
}

func TestPitfall09EveryBodyIsClosedOnce(t *testing.T) {
	for _, exit := range exits() {
		t.Run(exit.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var bodies bodyCounter
				exit.run(t, clicknps.WithMiddleware(bodies.middleware))
				bodies.assertAllClosed(t, exit.bodies)
			})
		})
	}
}

func get(ctx context.Context, c *clicknps.Client) error { return getCall.call(ctx, c) }

func exportTo(w io.Writer) caller {
	return func(ctx context.Context, c *clicknps.Client) error {
		_, err := c.NPS.Export(ctx, "s1", clicknps.ExportCSV, w)
		return err
	}
}

// cancelled makes a call whose context ends after a second.
func cancelled(call caller) caller {
	return func(ctx context.Context, c *clicknps.Client) error {
		ctx, cancel := context.WithCancel(ctx)
		defer time.AfterFunc(time.Second, cancel).Stop()
		return call(ctx, c)
	}
}

// recovered makes a panic an error.
func recovered(call caller) caller {
	return func(ctx context.Context, c *clicknps.Client) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v", p)
			}
		}()
		return call(ctx, c)
	}
}

// sticks answers with a body that does not end.
func sticks(status int) inProcess {
	return func(r *http.Request) (*http.Response, error) { return answerFrom(status, stuck(r, "{"), -1), nil }
}

// endless answers with a body that is larger than anybody wants.
func endless(status int) inProcess {
	return func(*http.Request) (*http.Response, error) {
		return answerFrom(status, io.NopCloser(io.LimitReader(spaces{}, 33<<20)), -1), nil
	}
}

func hangsInProcess(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func breaks(status int) func() (*http.Response, error) {
	return func() (*http.Response, error) { return answerFrom(status, brokenBody("{"), 99), nil }
}

type spaces struct{}

var blank = bytes.Repeat([]byte(" "), 1<<20)

func (spaces) Read(p []byte) (int, error) { return copy(p, blank), nil }

type failingWriter struct{ room int }

var errDisk = errors.New("disk full")

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.room -= len(p); w.room < 0 {
		return 0, errDisk
	}
	return len(p), nil
}

type panickingWriter struct{}

func (panickingWriter) Write([]byte) (int, error) { panic("writer") }

// TestNothingIsLeftRunning makes calls over connections of net/http's. A bubble fails if one of its goroutines lives on;
// that all connections are closed, the server sees.
func TestNothingIsLeftRunning(t *testing.T) {
	cutOff := hangsUp("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
	sticks := func(c net.Conn) bool { return sends("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")(c) && hangs(c) }
	page := answers(200, `{"data":[{"id":"a"},{"id":"b"}],"pagination":{"total":100,"limit":2,"offset":0,"has_more":true}}`)
	told := answers(429, "", "Retry-After", "60")
	export := exportTo(io.Discard)
	for name, test := range map[string]struct {
		call    caller
		replies []rawReply
	}{
		"success":                {get, []rawReply{succeeds}},
		"404":                    {get, []rawReply{answers(404, "")}},
		"repeats, then success":  {get, []rawReply{answers(503, ""), cutOff, hangsUp(""), told, succeeds}},
		"given up":               {get, []rawReply{hangsUp("")}},
		"time-out":               {get, []rawReply{hangs}},
		"time-out in the body":   {get, []rawReply{sticks}},
		"cancelled":              {cancelled(get), []rawReply{hangs}},
		"cancelled in a wait":    {cancelled(get), []rawReply{told}},
		"cancelled in the body":  {cancelled(get), []rawReply{sticks}},
		"export":                 {export, []rawReply{succeeds}},
		"export breaks off":      {export, []rawReply{cutOff}},
		"export gets stuck":      {export, []rawReply{sticks}},
		"export is cancelled":    {cancelled(export), []rawReply{sticks}},
		"export's writer panics": {recovered(exportTo(panickingWriter{})), []rawReply{succeeds}},
		"walk is left":           {walk(func() bool { return false }), []rawReply{page, hangs}},
		"walk is cancelled":      {cancelled(walk(func() bool { return true })), []rawReply{page, hangs}},
		"walk panics":            {recovered(walk(func() bool { panic("loop") })), []rawReply{page, hangs}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, transport := newPipeServer(t, test.replies...)
				_ = test.call(t.Context(), connect(t, server.url(), through(transport)))
				transport.CloseIdleConnections()
				synctest.Wait()
				require.NotZero(t, server.accepted())
				assert.Zero(t, server.open())
			})
		})
	}
}

// walk walks a list, two pages ahead, while more wants more.
func walk(more func() bool) caller {
	return func(ctx context.Context, c *clicknps.Client) error {
		params := &clicknps.SurveyListParams{ListOptions: clicknps.ListOptions{Limit: 2}}
		for _, err := range c.Surveys.All(ctx, params, clicknps.WithPrefetch(2)) {
			if err != nil || !more() {
				return err
			}
		}
		return nil
	}
}
