package clicknps

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/clicknps/go-sdk/internal/auth"
)

// WithHTTPClient sets the HTTP client whose Transport and Jar are used. Its Timeout bounds each
// attempt if it is shorter than [RetryPolicy].AttemptTimeout. Redirects are not followed; hc is
// not changed.
//
// Without this option, all clients share a transport that checks HTTP/2 connections by pings. Your
// own transport should do so too, or calls wait on connections that the network has dropped: see
// [http.HTTP2Config], with SendPingTimeout and PingTimeout well below AttemptTimeout.
func WithHTTPClient(hc *http.Client) Option {
	return option(func(c *config) error {
		if hc == nil {
			return invalidOption("WithHTTPClient", "the client is nil")
		}
		c.httpClient = hc
		return nil
	})
}

// WithMiddleware wraps the transport. The first middleware is the outermost. Each sees every
// attempt, with its credential; [CallFromContext] returns the call. A middleware may set headers,
// but must not write into their values, which requests share. If it fails a request without
// calling the next RoundTripper, the request counts as never sent, and may be retried.
func WithMiddleware(mw ...func(http.RoundTripper) http.RoundTripper) Option {
	return option(func(c *config) error {
		for _, m := range mw {
			if m == nil {
				return invalidOption("WithMiddleware", "a middleware is nil")
			}
		}
		c.middleware = append(c.middleware, mw...)
		return nil
	})
}

// WithUserAgent puts product, printable ASCII such as "acme-crm/2.1", in front of the User-Agent.
func WithUserAgent(product string) Option {
	return option(func(c *config) error {
		if strings.TrimSpace(product) == "" || !auth.Printable(product) {
			return invalidOption("WithUserAgent",
				"the product must be printable ASCII, such as acme-crm/2.1")
		}
		c.userAgent = product + " " + userAgent
		return nil
	})
}

const userAgent = "clicknps-go/" + Version

// sharedTransport is the transport of all clients without WithHTTPClient. Its pings find HTTP/2
// connections that have gone silent well before an attempt times out.
var sharedTransport = sync.OnceValue(func() http.RoundTripper {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	transport = transport.Clone()
	transport.MaxIdleConnsPerHost = transport.MaxIdleConns // all calls go to two hosts
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 5 * time.Second}
	return transport
})
