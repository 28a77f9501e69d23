package clicknps_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
)

// A 404 means that a DELETE succeeded if an attempt before it may have done the work, and that it failed otherwise.
func TestRepeatedDelete(t *testing.T) {
	gone := answers(404, `{"error":"Not found"}`)
	for _, test := range []struct {
		name    string
		replies []rawReply
		refused int // dials
		deleted bool
	}{
		{"at once", []rawReply{gone}, 0, false},
		{"after a connection that never came about", []rawReply{gone}, 1, false},
		{"after a 429", []rawReply{answers(429, ""), gone}, 0, false},
		{"after a reset", []rawReply{resets(""), gone}, 0, true},
		{"after a lost answer", []rawReply{hangsUp(""), gone}, 0, true},
		{"after a cut-off answer", []rawReply{hangsUp("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), gone}, 0, true},
		{"after a 503", []rawReply{answers(503, ""), gone}, 0, true},
		{"after a reset and a 429", []rawReply{resets(""), answers(429, ""), gone}, 0, true},
		{"after a 429 and a 500", []rawReply{answers(429, ""), answers(500, ""), gone}, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var meta clicknps.ResponseMeta
			server, transport := newRawServer(t, test.replies...), &http.Transport{}
			outcome{dial: dialRefused(t)}.obstruct(transport, new(net.Dialer).DialContext, test.refused)
			c := connect(t, server.url(), through(transport))
			err := c.Surveys.Delete(t.Context(), "s1", clicknps.WithResponse(&meta))
			if test.deleted {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, clicknps.ErrNotFound)
			}
			assert.Equal(t, 404, meta.StatusCode)
			assert.Len(t, meta.Attempts, len(test.replies)+test.refused)
		})
	}
}

func TestMaxRetries(t *testing.T) {
	for maxRetries, attempts := range map[int]int{-1: 1, 0: 5, 1: 2, 7: 8} {
		server := newRawServer(t, answers(503, `{}`))
		c := connect(t, server.url(), clicknps.WithRetryPolicy(hastyWith(maxRetries)))
		_, err := c.Surveys.Get(t.Context(), "s1")
		assert.ErrorIs(t, err, clicknps.ErrServer)
		assert.Len(t, server.seen(), attempts, "MaxRetries %d", maxRetries)
	}
}

// Waits that the server asks for leave MaxRetries for what fails on its own.
func TestToldWaitsDoNotUseUpMaxRetries(t *testing.T) {
	for _, told := range []rawReply{answers(429, "", "Retry-After", "2"), answers(503, "", "Retry-After", "2")} {
		synctest.Test(t, func(t *testing.T) {
			replies := append(slices.Repeat([]rawReply{told}, 12), answers(503, ""), answers(503, ""), succeeds)
			server, transport := newPipeServer(t, replies...)
			c := connect(t, server.url(), clicknps.WithRetryPolicy(hastyWith(2)), through(transport))
			start := time.Now()
			_, err := c.Surveys.Get(t.Context(), "s1")
			require.NoError(t, err)
			assert.Len(t, server.seen(), len(replies))
			assert.InDelta(t, 24*time.Second, time.Since(start), float64(time.Second))
		})
	}
}

// A call that is cancelled once its request is out may have taken effect.
func TestCancelledAfterSending(t *testing.T) {
	reason := errors.New("the user went home")
	for _, col := range columns {
		t.Run(col.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			server := newRawServer(t, func(conn net.Conn) bool {
				cancel(reason)
				return hangs(conn)
			})
			err := col.call(ctx, connect(t, server.url()))
			assert.ErrorIs(t, err, context.Canceled)
			assert.ErrorIs(t, err, reason)
			assert.Equal(t, col.once || col.keyed, errors.Is(err, clicknps.ErrOutcomeUnknown), "%v", err)
			assert.Len(t, server.seen(), 1)
		})
	}
}

// net/http's Transport has a habit of its own: it sends a request again on another connection when the one it had kept
// turns out to be closed. Behind the client's back it must not.
func TestNothingIsRepeatedBehindTheClientsBack(t *testing.T) {
	for name, lost := range map[string]rawReply{"closed": hangsUp(""), "reset": resets("")} {
		for _, col := range columns[1:] { // a GET can't be kept from it, and does no harm
			t.Run(col.name+" "+name, func(t *testing.T) {
				t.Parallel()
				server := newRawServer(t, succeeds, lost, succeeds)
				c := connect(t, server.url(), clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: -1}))
				require.NoError(t, getCall.call(t.Context(), c), "warms the connection up")

				err := col.call(t.Context(), c)
				assert.Error(t, err)
				assert.Equal(t, col.once || col.keyed, errors.Is(err, clicknps.ErrOutcomeUnknown), "%v", err)
				assert.Len(t, server.seen(), 2)
			})
		}
	}
}

// A server that closes a kept connection between two requests costs nobody a call, and doubles none.
func TestKeptConnectionIsClosedBetweenRequests(t *testing.T) {
	for _, col := range columns {
		t.Run(col.name, func(t *testing.T) {
			t.Parallel()
			var stale atomic.Bool
			server, transport := newRawServer(t, succeeds), &http.Transport{}
			t.Cleanup(transport.CloseIdleConnections)
			transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				return &staleConn{conn, &stale}, err
			}
			c := connect(t, server.url(), through(transport))
			for range 5 {
				stale.Store(false)
				require.NoError(t, getCall.call(t.Context(), c), "warms the connection up")
				stale.Store(true)
				before := len(server.seen())
				require.NoError(t, col.call(t.Context(), c))
				assert.Len(t, server.seen(), before+1)
			}
			assert.Equal(t, 6, server.accepted())
		})
	}
}

// staleConn is a connection whose other end goes away unnoticed: what is written next fails, and nothing arrives.
type staleConn struct {
	net.Conn
	stale *atomic.Bool
}

func (c *staleConn) Write(p []byte) (int, error) {
	if c.stale.CompareAndSwap(true, false) {
		c.Close()
		return 0, &net.OpError{Op: "write", Net: "tcp", Err: net.ErrClosed}
	}
	return c.Conn.Write(p)
}
