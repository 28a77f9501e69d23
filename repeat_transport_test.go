package clicknps_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
)

// A transport that is not net/http's says by its errors' types whether anything was sent. In doubt it was.
func TestTransportThatTellsNothingOfItsConnections(t *testing.T) {
	for _, test := range []struct {
		err       error
		neverSent bool
	}{
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, true},
		{&url.Error{Op: "Post", URL: nowhere, Err: &net.OpError{Op: "dial", Err: context.DeadlineExceeded}}, true},
		{fmt.Errorf("dialing: %w", &net.DNSError{Err: "no such host", Name: "nowhere.example"}), true},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, true},
		{x509.UnknownAuthorityError{}, true},
		{x509.HostnameError{Certificate: new(x509.Certificate), Host: "nowhere.example"}, true},
		{tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, true},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, false},
		{&net.OpError{Op: "write", Err: syscall.EPIPE}, false},
		{io.EOF, false},
		{io.ErrUnexpectedEOF, false},
		{context.DeadlineExceeded, false},
		{errors.New("connection refused"), false},
	} {
		t.Run(test.err.Error(), func(t *testing.T) {
			sent := 0
			c := connect(t, nowhere, through(inProcess(func(*http.Request) (*http.Response, error) {
				if sent++; sent == 1 {
					return nil, test.err
				}
				return answer(200, object), nil
			})))
			err := salesOSPost.call(t.Context(), c)
			if test.neverSent {
				assert.NoError(t, err)
				assert.Equal(t, 2, sent)
				return
			}
			assert.ErrorIs(t, err, clicknps.ErrOutcomeUnknown)
			assert.Equal(t, 1, sent)
		})
	}
}

// One attempt that may have arrived is enough for a POST's outcome to be unknown, whatever came after it.
func TestOutcomeStaysUnknown(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	refuses := func() (*http.Response, error) { return nil, refused }
	for _, test := range []struct {
		name    string
		answers []func() (*http.Response, error)
		unknown bool
	}{
		{"lost, then never sent", []func() (*http.Response, error){loses, refuses, refuses}, true},
		{"never sent, then lost", []func() (*http.Response, error){refuses, refuses, loses}, true},
		{"503, then never sent", []func() (*http.Response, error){gives(503, ""), refuses, refuses}, true},
		{"429, then never sent", []func() (*http.Response, error){gives(429, ""), refuses, refuses}, false},
		{"never sent", []func() (*http.Response, error){refuses, refuses, refuses}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := connect(t, nowhere, clicknps.WithRetryPolicy(hastyWith(2)), through(script(test.answers...)))
			e := asError(t, clickNPSPost.call(t.Context(), c))
			assert.Equal(t, 3, e.Attempts)
			assert.Zero(t, e.StatusCode)
			assert.NotEmpty(t, e.IdempotencyKey)
			assert.Equal(t, test.unknown, errors.Is(e, clicknps.ErrOutcomeUnknown))
		})
	}
}

// A POST that never left may be cancelled without regret.
func TestCancelledBeforeSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, transport := newPipeServer(t, succeeds)
		outcome{dial: dialForever}.obstruct(transport, nil, 1)
		c := connect(t, nowhere, through(transport))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := salesOSPost.call(ctx, c)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.NotErrorIs(t, err, clicknps.ErrOutcomeUnknown)
		<-time.After(2 * time.Hour) // net/http goes on dialing
	})
}

// HTTP/2 is no different, though many requests share a connection.
func TestRepeatOverHTTP2(t *testing.T) {
	var seen atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, 2, r.ProtoMajor)
		if seen.Add(1) == 1 {
			panic(http.ErrAbortHandler) // resets the stream
		}
		_, _ = io.WriteString(w, object)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	c := connect(t, server.URL, through(server.Client().Transport))
	for _, col := range columns {
		seen.Store(0)
		err := col.call(t.Context(), c)
		if col.once {
			assert.ErrorIs(t, err, clicknps.ErrOutcomeUnknown)
			assert.Equal(t, int32(1), seen.Load())
		} else {
			assert.NoError(t, err, col.name)
			assert.Equal(t, int32(2), seen.Load())
		}
	}
}

// A server that lies about its answer's length does not get away with it.
func TestLyingContentLength(t *testing.T) {
	for name, test := range map[string]struct {
		text     string
		attempts int
	}{
		"too long":     {"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + object, 5},
		"too short":    {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\n" + object, 1},
		"none at all":  {"HTTP/1.1 200 OK\r\n\r\n" + object[:10], 1},
		"twice":        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Length: 38\r\n\r\n" + object, 5},
		"negative":     {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + object, 5},
		"bad chunk":    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + object, 5},
		"endless head": {"HTTP/1.1 200 OK\r\nX: " + string(make([]byte, 1<<10)), 5},
	} {
		t.Run(name, func(t *testing.T) {
			c := connect(t, newRawServer(t, hangsUp(test.text)).url())
			survey, err := c.Surveys.Get(t.Context(), "s1")
			assert.Equal(t, test.attempts, asError(t, err).Attempts)
			assert.Nil(t, survey)
		})
	}
	t.Run("right", func(t *testing.T) {
		c := connect(t, newRawServer(t, hangsUp("HTTP/1.0 200 OK\r\n\r\n"+object)).url())
		survey, err := c.Surveys.Get(t.Context(), "s1")
		require.NoError(t, err)
		assert.Equal(t, "s1", survey.ID)
	})
}
