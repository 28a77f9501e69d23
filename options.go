package clicknps

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/clicknps/go-sdk/internal/engine"
)

// Option configures a [Client].
type Option func(*config) error

// config is what the options say.
type config struct {
	apiKey, baseURL                 string
	salesOSCredential               *credential
	salesOSCredentialFrom           string // the option or variable that gave it
	salesOSBaseURL                  string
	httpClient                      *http.Client
	middleware                      []func(http.RoundTripper) http.RoundTripper
	policy                          engine.Policy
	plan                            *Plan
	reserve                         int
	rateLimiter, salesOSRateLimiter RateLimiter
	logger                          *slog.Logger
	userAgent                       string
	plainHTTP                       bool
}

func newConfig(opts []Option) (*config, error) {
	c := &config{
		baseURL:        "https://api.clicknps.com/v1",
		salesOSBaseURL: "https://api.salesos.org/v1",
		policy:         defaultRetryPolicy,
		logger:         slog.New(slog.DiscardHandler),
		userAgent:      "clicknps-go/" + Version,
	}
	for i, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("clicknps: %w: option %d is nil", ErrInvalidParams, i)
		}
		if err := opt(c); err != nil {
			return nil, err
		}
	}
	if c.plan != nil && c.rateLimiter != nil {
		return nil, invalidOption("WithPlan", "WithRateLimiter takes its place: give one of the two")
	}
	if c.reserve > 0 && (c.plan == nil || c.reserve >= c.plan.PerHour) {
		return nil, invalidOption("WithReserve", "it needs WithPlan, and must be below the plan's PerHour")
	}
	if c.httpClient == nil {
		c.httpClient = newHTTPClient()
	}
	return c, c.readEnvironment()
}

// readEnvironment fills in the credentials that no option gave.
func (c *config) readEnvironment() error {
	if key := os.Getenv("CLICKNPS_API_KEY"); key != "" && c.apiKey == "" {
		if err := checkSecret("CLICKNPS_API_KEY", key); err != nil {
			return err
		}
		c.apiKey = key
	}
	if c.salesOSCredential != nil {
		return nil
	}
	if jwt := os.Getenv("SALESOS_TOKEN"); jwt != "" {
		if err := c.setSalesOSCredential("SALESOS_TOKEN", jwt, static("Authorization", "Bearer ", jwt)); err != nil {
			return err
		}
	}
	if key := os.Getenv("SALESOS_API_KEY"); key != "" {
		return c.setSalesOSCredential("SALESOS_API_KEY", key, static("X-Api-Key", "", key))
	}
	return nil
}

// invalidOption is an error of New.
func invalidOption(option, problem string) error {
	return fmt.Errorf("clicknps: %w: %s: %s", ErrInvalidParams, option, problem)
}

// WithAPIKey sets the ClickNPS API key: sk_live_… for production, sk_test_… for test mode, or that of a server of your own.
// It is sent to the base URL's host and nowhere else, and never shown.
func WithAPIKey(key string) Option {
	return func(c *config) error {
		c.apiKey = key
		return checkSecret("WithAPIKey", key)
	}
}

// WithBaseURL sets where ClickNPS is. The default is https://api.clicknps.com/v1. The path is used as given; without any, /v1 is added.
func WithBaseURL(rawURL string) Option {
	return func(c *config) error {
		c.baseURL = rawURL
		return nil
	}
}

// WithSalesOSToken sets a JWT for SalesOS. It lives 24 hours; [WithSalesOSTokenSource] renews it.
func WithSalesOSToken(jwt string) Option {
	return func(c *config) error {
		return c.setSalesOSCredential("WithSalesOSToken", jwt, static("Authorization", "Bearer ", jwt))
	}
}

// WithSalesOSTokenSource sets where JWTs for SalesOS come from. A token is asked for once for all goroutines, again
// a minute before it expires, and again when SalesOS answers 401.
func WithSalesOSTokenSource(src TokenSource) Option {
	return func(c *config) error {
		if src == nil {
			return invalidOption("WithSalesOSTokenSource", "the source is nil")
		}
		return c.setSalesOSCredential("WithSalesOSTokenSource", "-", renewed(src))
	}
}

// WithSalesOSAPIKey sets a SalesOS key, sent as X-API-Key.
func WithSalesOSAPIKey(key string) Option {
	return func(c *config) error {
		return c.setSalesOSCredential("WithSalesOSAPIKey", key, static("X-Api-Key", "", key))
	}
}

func (c *config) setSalesOSCredential(from, secret string, cred *credential) error {
	if c.salesOSCredential != nil {
		return invalidOption(from, "SalesOS has a credential from "+c.salesOSCredentialFrom+" already: give one")
	}
	c.salesOSCredential, c.salesOSCredentialFrom = cred, from
	return checkSecret(from, secret)
}

// WithSalesOSBaseURL sets where SalesOS is. The default is https://api.salesos.org/v1. The path is used as given; without any, /v1 is added.
func WithSalesOSBaseURL(rawURL string) Option {
	return func(c *config) error {
		c.salesOSBaseURL = rawURL
		return nil
	}
}

// WithHTTPClient sets the HTTP client whose Transport and Jar are used. Its Timeout, if shorter than
// [RetryPolicy].AttemptTimeout, takes that one's place; its CheckRedirect does not matter, for redirects are not followed.
// The client is not changed.
func WithHTTPClient(hc *http.Client) Option {
	return func(c *config) error {
		if hc == nil {
			return invalidOption("WithHTTPClient", "the client is nil")
		}
		c.httpClient = hc
		return nil
	}
}

// WithMiddleware wraps the transport. The first is the outermost; each sees every attempt, with its credential. It may set
// headers, but not write into their values, which requests share.
func WithMiddleware(mw ...func(http.RoundTripper) http.RoundTripper) Option {
	return func(c *config) error {
		for _, m := range mw {
			if m == nil {
				return invalidOption("WithMiddleware", "a middleware is nil")
			}
		}
		c.middleware = append(c.middleware, mw...)
		return nil
	}
}

// WithLogger sets where requests are logged: each at level debug, each that is repeated at info. No query, header, body
// or secret is logged. Nothing is logged without it.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		if l == nil {
			return invalidOption("WithLogger", "the logger is nil")
		}
		c.logger = l
		return nil
	}
}

// WithUserAgent puts product, such as "acme-crm/2.1", in front of the SDK's own User-Agent.
func WithUserAgent(product string) Option {
	return func(c *config) error {
		if product == "" || !isPrintable(product) {
			return invalidOption("WithUserAgent", "the product must be printable ASCII, such as acme-crm/2.1")
		}
		c.userAgent = product + " clicknps-go/" + Version
		return nil
	}
}

// WithPlainHTTP allows http:// to a host that is not loopback. Credentials then cross the network in the clear.
func WithPlainHTTP() Option {
	return func(c *config) error {
		c.plainHTTP = true
		return nil
	}
}

// parseBaseURL checks a base URL and cuts its trailing slashes.
func parseBaseURL(option, rawURL string, plainHTTP bool) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	switch {
	case err != nil:
		return nil, invalidOption(option, "not a URL") // url.Parse's error would print a password
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, invalidOption(option, "the URL must begin with https://")
	case u.Hostname() == "":
		return nil, invalidOption(option, "the URL has no host")
	case u.User != nil:
		return nil, invalidOption(option, "the URL must not have a user or password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, invalidOption(option, "the URL must not have a query or fragment")
	case u.Scheme == "http" && !plainHTTP && !isLoopback(u.Hostname()):
		return nil, invalidOption(option, "http:// would send the credential in the clear: use https://, or WithPlainHTTP")
	}
	base := &url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimRight(u.Path, "/"), RawPath: strings.TrimRight(u.RawPath, "/")}
	if base.Path == "" {
		base.Path = "/v1"
	}
	return base, nil
}

func isLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}
