package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// connTrace is what net/http's Transport tells of an attempt's connection.
type connTrace struct{ reached, wanted, got, reused, answered atomic.Bool }

// withConnTrace returns the attempt's context, instrumented to record what became of its
// connection.
func (t *connTrace) withConnTrace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { t.wanted.Store(true) },
		GotConn: func(info httptrace.GotConnInfo) {
			t.got.Store(true)
			t.reused.Store(info.Reused)
		},
		GotFirstResponseByte: func() { t.answered.Store(true) },
	})
}

// isStale reports whether a request failed on a connection that the server had closed while it was
// idle.
func (t *connTrace) isStale() bool { return t.reused.Load() && !t.answered.Load() }

// neverSent reports whether an attempt failed before any of it was sent: there was no connection
// to send it on. A transport that is not net/http's tells nothing of its connections; its errors
// are judged by their type.
func (t *connTrace) neverSent(err error) bool {
	if t.wanted.Load() {
		return !t.got.Load()
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	return is[*net.DNSError](err) || is[tls.RecordHeaderError](err) || isFinal(err)
}

// innermost is the transport below the middleware. A request that a middleware fails without it
// was never sent.
type innermost struct {
	http.RoundTripper
	bypassed atomic.Bool // the middleware has sent a request by itself, or without its context: nobody can tell
}

type traceKey struct{}

// RoundTrip implements [http.RoundTripper].
func (i *innermost) RoundTrip(req *http.Request) (*http.Response, error) {
	if t, ok := req.Context().Value(traceKey{}).(*connTrace); ok {
		t.reached.Store(true)
	} else {
		i.bypassed.Store(true)
	}
	return i.RoundTripper.RoundTrip(req)
}

// stopped reports whether the middleware failed an attempt that did not reach the transport. i may
// be nil.
func (i *innermost) stopped(t *connTrace) bool {
	return i != nil && !t.reached.Load() && !i.bypassed.Load()
}

// answered records where an answer came from. i may be nil.
func (i *innermost) answered(t *connTrace) {
	if i != nil && !t.reached.Load() {
		i.bypassed.Store(true)
	}
}
