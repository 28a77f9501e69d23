package clicknps_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
)

// column is a column of the repeat table: a kind of call, by an endpoint of that kind.
type column struct {
	name  string
	keyed bool // bears an Idempotency-Key
	once  bool // must not be sent again once it may have arrived
	call  func(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) error
}

var columns = []column{
	{name: "GET", call: func(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) error {
		_, err := c.Surveys.Get(ctx, "s1", opts...)
		return err
	}},
	{name: "PUT", call: func(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) error {
		_, err := c.NPS.Replace(ctx, "s1", &clicknps.NPSSurveyReplaceParams{Name: "n"}, opts...)
		return err
	}},
	{name: "PATCH", call: func(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) error {
		_, err := c.Surveys.Update(ctx, "s1", &clicknps.SurveyUpdateParams{Name: new("n")}, opts...)
		return err
	}},
	{name: "DELETE", call: func(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) error {
		return c.Surveys.Delete(ctx, "s1", opts...)
	}},
	{name: "POST to ClickNPS", keyed: true, call: func(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) error {
		_, err := c.Surveys.Create(ctx, &clicknps.SurveyCreateParams{Name: "n", Question: "q"}, opts...)
		return err
	}},
	{name: "POST to SalesOS", once: true, call: func(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) error {
		_, err := c.NPS.Create(ctx, &clicknps.NPSSurveyCreateParams{Name: "n"}, opts...)
		return err
	}},
	{name: "POST to SalesOS without a body", once: true, call: func(ctx context.Context, c *clicknps.Client, opts ...clicknps.RequestOption) error {
		_, err := c.NPS.Toggle(ctx, "s1", opts...)
		return err
	}},
}

var (
	getCall, putCall                      = columns[0], columns[1]
	clickNPSPost, salesOSPost, toggleCall = columns[4], columns[5], columns[6]
)

// outcome is a row of the repeat table: what comes of an attempt.
type outcome struct {
	name    string
	class   outcomeClass
	reply   rawReply
	dial    dialer // instead of reply: no connection comes about
	status  int    // of the answer; 0: none
	is      error
	bubbled bool // time passes: in a bubble
}

type outcomeClass int

const (
	neverSent outcomeClass = iota
	broken
	limited
	failed
	other
)

// dialer fails to connect.
type dialer func(ctx context.Context) (net.Conn, error)

func outcomes(t *testing.T) []outcome {
	rows := []outcome{
		{name: "refused", dial: dialRefused(t)},
		{name: "no such host", dial: dialUnknownHost},
		{name: "TLS", dial: dialUntrusted(t)},
		{name: "dial time-out", dial: dialForever, bubbled: true, is: context.DeadlineExceeded},
		{name: "reset", class: broken, reply: resets("")},
		{name: "EOF before the answer", class: broken, reply: hangsUp("")},
		{name: "EOF in the header", class: broken, reply: hangsUp("HTTP/1.1 200 OK\r\nContent-Le")},
		{name: "not HTTP", class: broken, reply: hangsUp("SSH-2.0-OpenSSH_9.6\r\n")},
		{name: "attempt time-out", class: broken, reply: hangs, bubbled: true, is: context.DeadlineExceeded},
		{name: "time-out in the body", class: broken, bubbled: true, status: 200, is: context.DeadlineExceeded, reply: func(c net.Conn) bool {
			return sends("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")(c) && hangs(c)
		}},
		{name: "cut-off 200", class: broken, status: 200, reply: hangsUp("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + object)},
		{name: "cut-off chunked 200", class: broken, status: 200, reply: hangsUp("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n26\r\n" + object)},
		{name: "reset in the body", class: broken, status: 200, reply: resets("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")},
		{name: "429", class: limited, status: 429, is: clicknps.ErrRateLimited, reply: answers(429, `{}`)},
		{name: "429 with Retry-After", class: limited, status: 429, is: clicknps.ErrRateLimited, bubbled: true, reply: answers(429, `{}`, "Retry-After", "1")},
		{name: "cut-off 503", class: failed, status: 503, is: clicknps.ErrServer, reply: hangsUp("HTTP/1.1 503 Sorry\r\nContent-Length: 100\r\n\r\n{")},
	}
	for _, status := range []int{500, 502, 503, 504} {
		rows = append(rows, outcome{name: strconv.Itoa(status), class: failed, status: status, is: clicknps.ErrServer, reply: answers(status, `{}`)})
	}
	rows = append(rows, outcome{name: "408", class: failed, status: 408, reply: answers(408, `{}`)})
	for status, is := range map[int]error{
		304: nil, 400: clicknps.ErrBadRequest, 401: clicknps.ErrUnauthorized, 403: clicknps.ErrForbidden, 404: clicknps.ErrNotFound,
		409: clicknps.ErrConflict, 410: nil, 422: clicknps.ErrValidation, 425: nil, 501: clicknps.ErrServer, 505: clicknps.ErrServer,
	} {
		rows = append(rows, outcome{name: strconv.Itoa(status), class: other, status: status, is: is, reply: answers(status, "")})
	}
	return rows
}

// TestRepeatTable holds every kind of call against everything that can come of an attempt, once and for ever.
func TestRepeatTable(t *testing.T) {
	for _, row := range outcomes(t) {
		t.Run(row.name, func(t *testing.T) {
			for _, col := range columns {
				t.Run(col.name+" once", func(t *testing.T) { row.in(t, col.meetsOnce) })
				t.Run(col.name+" always", func(t *testing.T) { row.in(t, col.meetsAlways) })
				t.Run(col.name+" without retries", func(t *testing.T) { row.in(t, col.meetsNoRetries) })
			}
		})
	}
}

// in runs test in a bubble if the row asks for one.
func (row outcome) in(t *testing.T, test func(*testing.T, outcome)) {
	if row.bubbled {
		synctest.Test(t, func(t *testing.T) { test(t, row) })
		return
	}
	t.Parallel()
	test(t, row)
}

// repeated is the table itself.
func (col column) repeated(class outcomeClass) bool {
	switch class {
	case neverSent, limited:
		return true
	case broken, failed:
		return !col.once
	}
	return false
}

// meetsOnce makes a call whose first attempt has the row's outcome; all later ones would succeed.
func (col column) meetsOnce(t *testing.T, row outcome) {
	var meta clicknps.ResponseMeta
	server, c := row.serve(t, 1)
	err := col.call(t.Context(), c, clicknps.WithResponse(&meta))

	attempts, sent := 1, 1
	if col.repeated(row.class) {
		attempts, sent = 2, 2
		assert.NoError(t, err)
		assert.Equal(t, 200, meta.StatusCode)
	} else {
		col.assertError(t, row, err, 1)
	}
	if row.class == neverSent {
		sent--
	}
	assert.Len(t, meta.Attempts, attempts)
	assert.Equal(t, row.status, meta.Attempts[0].StatusCode)
	col.assertAlike(t, server.seen(), sent, meta.IdempotencyKey)
}

// meetsAlways makes a call whose every attempt has the row's outcome.
func (col column) meetsAlways(t *testing.T, row outcome) {
	server, c := row.serve(t, 1000)
	err := col.call(t.Context(), c)

	attempts := 1
	if col.repeated(row.class) {
		attempts = 3
	}
	if row.class == limited && row.bubbled {
		attempts = 33 // what the server asks for does not use up MaxRetries, but there is an end to it
	}
	e := col.assertError(t, row, err, attempts)
	sent := attempts
	if row.class == neverSent {
		sent = 0
	}
	col.assertAlike(t, server.seen(), sent, e.IdempotencyKey)
}

// meetsNoRetries makes a call by a client that repeats nothing, not even a 429.
func (col column) meetsNoRetries(t *testing.T, row outcome) {
	server, c := row.serve(t, 1, clicknps.WithRetryPolicy(hastyWith(-1)))
	err := col.call(t.Context(), c)
	e := col.assertError(t, row, err, 1)
	sent := 1
	if row.class == neverSent {
		sent = 0
	}
	col.assertAlike(t, server.seen(), sent, e.IdempotencyKey)
}

// serve returns a server whose first n answers have the row's outcome, and a client of it that repeats twice.
func (row outcome) serve(t *testing.T, n int, opts ...clicknps.Option) (*rawServer, *clicknps.Client) {
	opts = append([]clicknps.Option{clicknps.WithRetryPolicy(hastyWith(2))}, opts...)
	replies := []rawReply{succeeds}
	if row.reply != nil {
		replies = []rawReply{row.reply}
		if n == 1 {
			replies = append(replies, succeeds)
		}
	}
	if row.bubbled {
		server, transport := newPipeServer(t, replies...)
		row.obstruct(transport, transport.DialContext, n)
		return server, connect(t, server.url(), append(opts, through(transport))...)
	}
	server, transport := newRawServer(t, replies...), &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	row.obstruct(transport, new(net.Dialer).DialContext, n)
	return server, connect(t, server.url(), append(opts, through(transport))...)
}

// obstruct lets the first n dials of a row without a reply fail.
func (row outcome) obstruct(transport *http.Transport, dial func(context.Context, string, string) (net.Conn, error), n int) {
	if row.dial == nil {
		return
	}
	var dials atomic.Int32
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if int(dials.Add(1)) <= n {
			return row.dial(ctx)
		}
		return dial(ctx, network, addr)
	}
}

// assertError checks the error of a call that was given up.
func (col column) assertError(t *testing.T, row outcome, err error, attempts int) *clicknps.Error {
	e, ok := errors.AsType[*clicknps.Error](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, row.status, e.StatusCode)
	assert.Equal(t, attempts, e.Attempts)
	if row.is != nil {
		assert.ErrorIs(t, err, row.is)
	}
	unknown := col.once && (row.class == broken || row.class == failed) || col.keyed && row.class == broken
	assert.Equal(t, unknown, errors.Is(err, clicknps.ErrOutcomeUnknown), "%v", err)
	if row.class != failed && row.class != other {
		assert.NotErrorIs(t, err, clicknps.ErrServer)
	}
	return e
}

// assertAlike checks that the server saw the same request n times.
func (col column) assertAlike(t *testing.T, seen []rawRequest, n int, key string) {
	require.Len(t, seen, n)
	assert.Equal(t, col.keyed, key != "")
	for _, r := range seen {
		assert.Equal(t, seen[0].Method, r.Method)
		assert.Equal(t, seen[0].Path, r.Path)
		assert.Equal(t, seen[0].Body, r.Body)
		assert.Equal(t, key, r.Header.Get("Idempotency-Key"))
	}
}

// dialRefused dials a port that nobody listens on.
func dialRefused(t *testing.T) dialer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l.Close()
	return func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	}
}

// dialUnknownHost asks a resolver that does not answer.
func dialUnknownHost(ctx context.Context) (net.Conn, error) {
	dumb := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no name server") }
	resolver := &net.Resolver{PreferGo: true, Dial: dumb}
	return (&net.Dialer{Resolver: resolver}).DialContext(ctx, "tcp", "nowhere.example:80")
}

// dialUntrusted shakes hands with a server whose certificate nobody vouches for.
func dialUntrusted(t *testing.T) dialer {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = nullLog
	server.StartTLS()
	t.Cleanup(server.Close)
	return func(ctx context.Context) (net.Conn, error) {
		return new(tls.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}
}

// dialForever never gets through.
func dialForever(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Hour) // net/http goes on dialing when nobody waits any more
	defer cancel()
	<-ctx.Done()
	return nil, ctx.Err()
}
