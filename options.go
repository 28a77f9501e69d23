package clicknps

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/clicknps/go-sdk/internal/auth"
)

// Option configures a [Client]. A value that can't be right, such as nil, is [ErrInvalidParams].
type Option interface{ applyToClient(*config) error }

// RequestOption configures one call. One that is of no use to the call is [ErrInvalidParams].
type RequestOption interface{ applyToCall(*requestOptions) error }

// SharedOption configures all calls of a [Client], or one call, where it takes precedence.
type SharedOption interface {
	Option
	RequestOption
}

type (
	option        func(*config) error
	requestOption func(*requestOptions) error
	sharedOption  func(*callSettings) error
)

func (f option) applyToClient(c *config) error              { return f(c) }
func (f requestOption) applyToCall(o *requestOptions) error { return f(o) }
func (f sharedOption) applyToClient(c *config) error {
	if err := f(&c.defaults); err != nil {
		return fmt.Errorf("clicknps: %w", explainParam(err))
	}
	return nil
}
func (f sharedOption) applyToCall(o *requestOptions) error { return f(&o.callSettings) }

type callSettings struct {
	policy  *RetryPolicy // complete
	header  http.Header
	rawJSON bool
	ofCall  bool // the settings are those of one call
}

func invalidOption(option, problem string) error {
	return fmt.Errorf("clicknps: %w: %s: %s", ErrInvalidParams, option, problem)
}

// WithAPIKey sets the ClickNPS API key: sk_live_… or sk_test_…. It is sent to no host but that of
// the base URL, and never shown.
func WithAPIKey(key string) Option {
	return option(func(c *config) error {
		c.apiKey = key
		c.credential = auth.Static("Authorization", "Bearer ", key)
		return checkSecret("WithAPIKey", key)
	})
}

// WithAPIKeySource sets a source of ClickNPS API keys that rotate. See [TokenSource].
func WithAPIKeySource(src TokenSource) Option {
	return option(func(c *config) error {
		if src == nil {
			return invalidOption("WithAPIKeySource", "the source is nil")
		}
		c.apiKey = ""
		c.credential = auth.Renewed("Authorization", "Bearer ", fetchFrom(src))
		return nil
	})
}

// WithBaseURL sets the address of ClickNPS. It is used as given; without any path, /v1 is added.
// The default is CLICKNPS_BASE_URL, else https://api.clicknps.com/v1.
func WithBaseURL(rawURL string) Option {
	return option(func(c *config) error {
		c.baseURL = setting{rawURL, "WithBaseURL"}
		return nil
	})
}

// WithSalesOSToken sets a JWT for SalesOS. Options may give SalesOS one credential only.
func WithSalesOSToken(jwt string) Option {
	return option(func(c *config) error {
		return c.setSalesOS("WithSalesOSToken", jwt, auth.Static("Authorization", "Bearer ", jwt))
	})
}

// WithSalesOSTokenSource sets a source of JWTs for SalesOS. See [TokenSource].
func WithSalesOSTokenSource(src TokenSource) Option {
	return option(func(c *config) error {
		if src == nil {
			return invalidOption("WithSalesOSTokenSource", "the source is nil")
		}
		return c.setSalesOS("WithSalesOSTokenSource", "-",
			auth.Renewed("Authorization", "Bearer ", fetchFrom(src)))
	})
}

// WithSalesOSAPIKey sets a key for SalesOS, which is sent as X-API-Key.
func WithSalesOSAPIKey(key string) Option {
	return option(func(c *config) error {
		return c.setSalesOS("WithSalesOSAPIKey", key, auth.Static("X-Api-Key", "", key))
	})
}

// WithSalesOSBaseURL is [WithBaseURL] for SalesOS. The default is SALESOS_BASE_URL, else
// https://api.salesos.org/v1.
func WithSalesOSBaseURL(rawURL string) Option {
	return option(func(c *config) error {
		c.salesOSBaseURL = setting{rawURL, "WithSalesOSBaseURL"}
		return nil
	})
}

// WithoutEnvironment keeps [New] from reading environment variables, which suits a client per
// tenant.
func WithoutEnvironment() Option {
	return option(func(c *config) error {
		c.withoutEnvironment = true
		return nil
	})
}

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

// WithLogger logs attempts at level debug, and retries and waits of over a second at level info,
// but no query, header, body or secret. Without this option nothing is logged.
func WithLogger(l *slog.Logger) Option {
	return option(func(c *config) error {
		if l == nil {
			return invalidOption("WithLogger", "the logger is nil")
		}
		c.logger = l
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

// WithPlainHTTP allows http:// to other hosts than loopback. It sends credentials unencrypted.
func WithPlainHTTP() Option {
	return option(func(c *config) error {
		c.plainHTTP = true
		return nil
	})
}

// WithHeader sets a header of each request. Credentials, idempotency keys and the headers that
// net/http sets are [ErrInvalidParams].
func WithHeader(name, value string) SharedOption {
	return sharedOption(func(s *callSettings) error {
		if err := checkHeader(name, value); err != nil {
			return err
		}
		s.header = s.header.Clone()
		if s.header == nil {
			s.header = make(http.Header)
		}
		s.header[http.CanonicalHeaderKey(name)] = []string{value}
		return nil
	})
}

func checkHeader(name, value string) error {
	switch http.CanonicalHeaderKey(name) {
	case "Authorization", "X-Api-Key", "Proxy-Authorization":
		return invalid(name, "WithHeader: %s is set by the client's credential", name)
	case "Idempotency-Key", "X-Idempotency-Key":
		return invalid(name, "WithHeader: %s is set by WithIdempotencyKey", name)
	case "Host", "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Upgrade":
		return invalid(name, "WithHeader: %s is set by net/http", name)
	}
	if !isToken(name) {
		return invalid("header", "WithHeader: %q is not the name of a header", name)
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return invalid(name, "WithHeader: the value of %q has a control character", name)
	}
	return nil
}

// isToken reports whether s is a token of RFC 9110, as methods and names of headers are.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alphanumeric := '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !alphanumeric && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// WithRawJSON fills in the RawJSON of resources: their JSON as received, with unknown fields.
func WithRawJSON() SharedOption {
	return sharedOption(func(s *callSettings) error {
		s.rawJSON = true
		return nil
	})
}
