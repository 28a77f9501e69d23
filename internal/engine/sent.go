package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http/httptrace"
	"sync/atomic"
)

// connection is what net/http's Transport tells of an attempt's connection.
type connection struct{ wanted, got atomic.Bool }

// traced is the attempt's context, with ears for its connection.
func (w *watch) traced() context.Context {
	return httptrace.WithClientTrace(w.ctx, &httptrace.ClientTrace{
		GetConn: func(string) { w.conn.wanted.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { w.conn.got.Store(true) },
	})
}

// neverSent reports whether an attempt failed before any of it was sent: there was no connection to send it on.
// A transport that is not net/http's tells nothing of its connections; its errors are judged by their type.
func neverSent(err error, w *watch) bool {
	if w.conn.wanted.Load() {
		return !w.conn.got.Load()
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	return is[*net.DNSError](err) || is[*tls.CertificateVerificationError](err) || is[tls.RecordHeaderError](err) ||
		is[x509.UnknownAuthorityError](err) || is[x509.HostnameError](err)
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
