package engine_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk/internal/engine"
)

// outcome is a row of the retry table: what comes of an attempt.
type outcome struct {
	name   string
	class  class
	reply  reply
	dial   dialer // instead of a reply: no connection comes about
	status int    // of the answer; 0: none
	slow   bool   // time passes: in a bubble
}

type class int

const (
	neverSent class = iota
	broken
	limited
	failed
	other
)

type dialer func(ctx context.Context) (net.Conn, error)

func outcomes() []outcome {
	const cutOff = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + object
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	const twice = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}"
	const upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
	failure := func(status int) string {
		return fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: 9\r\n\r\n{", status)
	}
	return []outcome{
		{name: "refused", dial: dialRefused},
		{name: "no such host", dial: dialUnknownHost},
		{name: "dial time-out", slow: true, dial: dialForever},
		{name: "reset", class: broken, reply: resets("")},
		{name: "closed before the answer", class: broken, reply: hangsUp("")},
		{name: "closed in the header", class: broken, reply: hangsUp("HTTP/1.1 200 OK\r\nContent-Le")},
		{name: "not HTTP", class: broken, reply: hangsUp("SSH-2.0-OpenSSH_9.6\r\n")},
		{name: "time-out", slow: true, class: broken, reply: fallsSilent("")},
		{name: "time-out in the body", slow: true, class: broken, status: 200, reply: fallsSilent(cutOff)},
		{name: "cut-off 200", class: broken, status: 200, reply: hangsUp(cutOff)},
		{name: "reset in the body", class: broken, status: 200, reply: resets(cutOff)},
		{name: "cut-off chunks", class: broken, status: 200, reply: hangsUp(chunked + "9\r\n{")},
		{name: "bad chunks", class: broken, status: 200, reply: hangsUp(chunked + "zz\r\n{")},
		{name: "two lengths", class: broken, reply: hangsUp(twice)},
		{name: "101", class: broken, status: 101, reply: fallsSilent(upgrade)},
		{name: "000", class: broken, reply: answers(0, "{}")},
		{name: "429", class: limited, status: 429, reply: answers(429, "{}")},
		{name: "cut-off 429", class: limited, status: 429, reply: hangsUp(failure(429))},
		{name: "503", class: failed, status: 503, reply: answers(503, "{}")},
		{name: "cut-off 503", class: failed, status: 503, reply: resets(failure(503))},
		{name: "404", class: other, status: 404, reply: answers(404, "{}")},
		{name: "cut-off 404", class: other, status: 404, reply: hangsUp(failure(404))},
	}
}

// retried is the table itself.
func (k kind) retried(c class) bool {
	switch c {
	case neverSent, limited:
		return true
	case broken, failed:
		return !k.once
	}
	return false
}

// TestRetryTable holds every kind of call against everything that can come of an attempt, once,
// always, and with retries switched off.
func TestRetryTable(t *testing.T) {
	t.Parallel()
	for _, row := range outcomes() {
		for _, k := range kinds {
			t.Run(row.name+"/"+k.name, func(t *testing.T) {
				t.Parallel()
				meet := func(t *testing.T) {
					meetOnce(t, row, k)
					meetAlways(t, row, k, 2)
					meetAlways(t, row, k, -1)
				}
				if !row.slow {
					meet(t)
					return
				}
				synctest.Test(t, func(t *testing.T) {
					meet(t)
					<-time.After(time.Hour) // net/http goes on dialing when nobody waits any more
				})
			})
		}
	}
}

// meetOnce makes a call whose first attempt has the row's outcome. All later ones would succeed.
func meetOnce(t *testing.T, row outcome, k kind) {
	server, r := row.meet(t, k, 1, 2)
	require.NotEmpty(t, r.Attempts)
	assert.Equal(t, row.status, r.Attempts[0].StatusCode)
	if !k.retried(row.class) {
		assert.Len(t, r.Attempts, 1)
		row.assertResult(t, k, r)
		return
	}
	assert.Len(t, r.Attempts, 2)
	assert.NoError(t, r.Err)
	assert.Equal(t, 200, r.StatusCode)
	assert.Equal(t, object, string(r.Body))
	assertAlike(t, row, k, server.seen(), 2)
}

// meetAlways makes a call whose every attempt has the row's outcome.
func meetAlways(t *testing.T, row outcome, k kind, maxRetries int) {
	server, r := row.meet(t, k, 1000, maxRetries)
	attempts := 1
	if k.retried(row.class) {
		attempts = max(maxRetries, 0) + 1
	}
	assert.Len(t, r.Attempts, attempts)
	row.assertResult(t, k, r)
	assertAlike(t, row, k, server.seen(), attempts)
}

// meet makes a call to a server whose first n answers have the row's outcome.
func (row outcome) meet(t *testing.T, k kind, n, maxRetries int) (*rawServer, *engine.Result) {
	replies := []reply{succeeds}
	if row.reply != nil {
		replies = append([]reply{row.reply}, replies[:min(1, max(0, 2-n))]...)
	}
	var server *rawServer
	var rt *http.Transport
	if row.slow {
		server, rt = newPipeServer(t, replies...)
	} else {
		server, rt = newRawServer(t, replies...), ownTransport(t)
		rt.DialContext = new(net.Dialer).DialContext
	}
	if dial := rt.DialContext; row.dial != nil {
		var dials atomic.Int32
		rt.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if int(dials.Add(1)) <= n {
				return row.dial(ctx)
			}
			return dial(ctx, network, addr)
		}
	}
	return server, newEngine(t, rt).Do(t.Context(), k.call(t, server.url(), hasty(maxRetries)))
}

// assertResult checks the result of a call that was given up.
func (row outcome) assertResult(t *testing.T, k kind, r *engine.Result) {
	assert.Equal(t, row.status, r.StatusCode)
	assert.Equal(t, row.class <= broken, r.Err != nil, "%v", r.Err)
	if k.method != "GET" { // of which nobody asks
		assert.Equal(t, row.class == broken || row.class == failed, r.Uncertain)
	}
}

// assertAlike checks that the server saw the same request each time. Of attempts that were never
// sent it sees none.
func assertAlike(t *testing.T, row outcome, k kind, seen []rawRequest, attempts int) {
	if row.dial != nil {
		attempts = len(seen)
		assert.LessOrEqual(t, attempts, 1)
	}
	want := rawRequest{
		Method: k.method, URI: "/v1/surveys/s%2F1?subject=hidden", Authorization: "Bearer s3cret",
	}
	if k.keyed {
		want.Key = key
	}
	if k.method[0] == 'P' {
		want.Body = `{"name":"n"}`
	}
	assert.Equal(t, slices.Repeat([]rawRequest{want}, attempts), append([]rawRequest{}, seen...))
}

func dialRefused(ctx context.Context) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1:1") // where nobody listens
}

func dialUnknownHost(context.Context) (net.Conn, error) {
	return nil, &net.DNSError{Err: "no such host", Name: "nowhere.example"}
}

func dialForever(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestRetryTableOfStatuses holds every kind of call against every status.
func TestRetryTableOfStatuses(t *testing.T) {
	t.Parallel()
	transient := []int{408, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 529, 530}
	for _, k := range kinds {
		synctest.Test(t, func(t *testing.T) {
			e := newEngine(t, transport(func(r *http.Request) (*http.Response, error) {
				var status int
				_, err := fmt.Sscanf(r.URL.Path, "/%d", &status)
				return answer(status, "", "Location", "http://elsewhere.example"), err
			}), func(c *engine.Config) { c.Budget = -1 })
			for status := 200; status <= 599; status++ {
				r := e.Do(t.Context(), k.call(t, fmt.Sprintf("http://api.example.com/%d", status), &usual))
				attempts, uncertain := 1, status >= 500 || status == 408
				if status == 429 || slices.Contains(transient, status) && !k.once {
					attempts = 5
				}
				require.Len(t, r.Attempts, attempts, "%s %d", k.name, status)
				require.Equal(t, uncertain, r.Uncertain, "%s %d", k.name, status)
				require.NoError(t, r.Err)
				require.Equal(t, status, r.StatusCode)
				require.Equal(t, "http://elsewhere.example", r.Header.Get("Location"), "it is not followed")
			}
		})
	}
}

// A 409 says that an earlier attempt with the same key is still in progress, if there is one.
func TestConflict(t *testing.T) {
	t.Parallel()
	conflict := gives(409, "")
	for name, tt := range map[string]struct {
		kind     kind
		steps    []step
		attempts int
		status   int
	}{
		"at once":                       {keyedPost, []step{conflict}, 1, 409},
		"after a loss":                  {keyedPost, []step{loses, conflict, conflict}, 4, 200},
		"after a 503":                   {keyedPost, []step{gives(503, ""), conflict}, 3, 200},
		"after a 429":                   {keyedPost, []step{gives(429, ""), conflict}, 2, 409},
		"after an attempt that was not": {keyedPost, []step{refuses, conflict}, 2, 409},
		"always":                        {keyedPost, append([]step{loses}, repeat(4, conflict)...), 5, 409},
		"without a key":                 {put, []step{loses, conflict}, 2, 409},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := do(t.Context(), t, newEngine(t, script(tt.steps...)), tt.kind)
				assert.Len(t, r.Attempts, tt.attempts)
				assert.Equal(t, tt.status, r.StatusCode)
				assert.NoError(t, r.Err)
			})
		})
	}
}

var errRefused = &net.OpError{Op: "dial", Err: errors.New("connection refused")}

func refuses(*http.Request) (*http.Response, error) { return nil, errRefused }

// That an attempt may have taken effect is not forgotten, whatever follows.
func TestUncertain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		steps     []step
		uncertain bool
	}{
		"success":               {nil, false},
		"lost, then success":    {[]step{loses}, true},
		"lost, then never sent": {[]step{loses, refuses, refuses}, true},
		"never sent, then lost": {[]step{refuses, refuses, loses}, true},
		"503, then never sent":  {[]step{gives(503, ""), refuses, refuses}, true},
		"lost, then a 401":      {[]step{loses, gives(401, "")}, true},
		"lost, then a 429":      {[]step{loses, gives(429, ""), gives(429, "")}, true},
		"429, then never sent":  {[]step{gives(429, ""), refuses, refuses}, false},
		"429, then a 501":       {[]step{gives(429, ""), gives(501, "")}, true},
		"never sent":            {[]step{refuses, refuses, refuses}, false},
		"cut-off 200":           {[]step{breaks(200, "{")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := quick(t, newEngine(t, script(tt.steps...)), keyedPost, 2)
			assert.Equal(t, tt.uncertain, r.Uncertain)
		})
	}
}

// A certificate that is not trusted is final after one handshake. Nothing was sent.
func TestUntrustedCertificate(t *testing.T) {
	t.Parallel()
	for name, trust := range map[string]func(*httptest.Server, *tls.Config){
		"unknown authority": func(*httptest.Server, *tls.Config) {},
		"another host": func(s *httptest.Server, c *tls.Config) {
			c.RootCAs = s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
			c.ServerName = "elsewhere.test"
		},
	} {
		for _, k := range []kind{get, post} {
			t.Run(name+"/"+k.name, func(t *testing.T) {
				t.Parallel()
				var conns atomic.Int32
				server := httptest.NewUnstartedServer(http.NotFoundHandler())
				server.Config.ErrorLog = log.New(io.Discard, "", 0)
				server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
					if s == http.StateNew {
						conns.Add(1)
					}
				}
				server.StartTLS()
				defer server.Close()
				rt := ownTransport(t)
				rt.TLSClientConfig = &tls.Config{}
				trust(server, rt.TLSClientConfig)
				r := newEngine(t, rt).Do(t.Context(), k.call(t, server.URL, hasty(4)))
				_, ok := errors.AsType[*tls.CertificateVerificationError](r.Err)
				assert.True(t, ok, "%v", r.Err)
				assert.Len(t, r.Attempts, 1)
				assert.Equal(t, int32(1), conns.Load())
				assert.False(t, r.Uncertain)
			})
		}
	}
}

// Other transports may return the bare errors of crypto/x509.
func TestFinalErrors(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		&tls.CertificateVerificationError{Err: errors.New("x")},
		x509.UnknownAuthorityError{},
		x509.HostnameError{Certificate: new(x509.Certificate), Host: "nowhere.example"},
		x509.CertificateInvalidError{Cert: new(x509.Certificate), Reason: x509.Expired},
	} {
		e := newEngine(t, script(fails(fmt.Errorf("dialing: %w", err))))
		r := quick(t, e, post, 4)
		assert.ErrorIs(t, r.Err, err)
		assert.Len(t, r.Attempts, 1)
		assert.False(t, r.Uncertain)
	}
}

func TestMaxRetries(t *testing.T) {
	t.Parallel()
	for maxRetries, attempts := range map[int]int{-1: 1, 0: 1, 1: 2, 7: 8, int(^uint(0) >> 1): 100} {
		n := 0
		e := newEngine(t, transport(func(*http.Request) (*http.Response, error) {
			if n++; n == 100 {
				return answer(200, ""), nil
			}
			return answer(503, ""), nil
		}))
		policy := hasty(maxRetries)
		policy.MinBackoff, policy.MaxBackoff = 1, 1
		r := e.Do(t.Context(), get.call(t, address, policy))
		assert.Len(t, r.Attempts, attempts, "MaxRetries %d", maxRetries)
	}
}
