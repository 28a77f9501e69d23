package clicknps

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/clicknps/go-sdk/internal/auth"
)

type config struct {
	apiKey                          string // empty: none, or not known
	credential, salesOSCredential   *auth.Credential
	salesOSCredentialFrom           string // the option or variable that gave it
	baseURL, salesOSBaseURL         setting
	withoutEnvironment, plainHTTP   bool
	httpClient                      *http.Client
	ownTransport                    bool // httpClient is ours, not the user's
	middleware                      []func(http.RoundTripper) http.RoundTripper
	observers                       []observer
	defaults                        callSettings
	plan                            *Plan
	reserve                         int
	rateLimiter, salesOSRateLimiter RateLimiter
	logger                          *slog.Logger
	userAgent                       string
}

// setting is a value and the option or variable that it comes from.
type setting struct{ value, from string }

const userAgent = "clicknps-go/" + Version

func newConfig(opts []Option) (*config, error) {
	c := &config{
		defaults:  callSettings{policy: &defaultRetryPolicy},
		logger:    slog.New(slog.DiscardHandler),
		userAgent: userAgent,
	}
	for i, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("clicknps: %w: option %d is nil", ErrInvalidParams, i)
		}
		if err := opt.applyToClient(c); err != nil {
			return nil, err
		}
	}
	if c.plan != nil && c.rateLimiter != nil {
		return nil, invalidOption("WithPlan", "WithRateLimiter replaces it: use one of the two")
	}
	if c.reserve > 0 && (c.plan == nil || c.reserve >= c.plan.PerHour) {
		return nil, invalidOption("WithReserve", "it needs WithPlan, and must be below the plan's PerHour")
	}
	if c.httpClient == nil {
		c.httpClient = &http.Client{Transport: sharedTransport()}
		c.ownTransport = true
	}
	if !c.withoutEnvironment {
		if err := c.readEnvironment(); err != nil {
			return nil, err
		}
	}
	if c.baseURL.value == "" && c.baseURL.from == "" {
		c.baseURL.value = "https://api.clicknps.com/v1"
	}
	if c.salesOSBaseURL.value == "" && c.salesOSBaseURL.from == "" {
		c.salesOSBaseURL.value = "https://api.salesos.org/v1"
	}
	c.defaults.ofCall = true // what follows is for one call
	return c, nil
}

func (c *config) readEnvironment() error {
	if key := os.Getenv("CLICKNPS_API_KEY"); key != "" && c.credential == nil {
		c.apiKey, c.credential = key, auth.Static("Authorization", "Bearer ", key)
		if err := checkSecret("CLICKNPS_API_KEY", key); err != nil {
			return err
		}
	}
	readURL(&c.baseURL, "CLICKNPS_BASE_URL")
	readURL(&c.salesOSBaseURL, "SALESOS_BASE_URL")
	if c.salesOSCredential != nil {
		return nil
	}
	if jwt := os.Getenv("SALESOS_TOKEN"); jwt != "" {
		return c.setSalesOS("SALESOS_TOKEN", jwt, auth.Static("Authorization", "Bearer ", jwt))
	}
	if key := os.Getenv("SALESOS_API_KEY"); key != "" {
		return c.setSalesOS("SALESOS_API_KEY", key, auth.Static("X-Api-Key", "", key))
	}
	return nil
}

func readURL(s *setting, variable string) {
	if value := os.Getenv(variable); value != "" && s.from == "" {
		*s = setting{value, variable}
	}
}

func (c *config) setSalesOS(from, secret string, cred *auth.Credential) error {
	if c.salesOSCredential != nil {
		return invalidOption(from,
			"SalesOS has a credential from "+c.salesOSCredentialFrom+" already: give one")
	}
	c.salesOSCredential, c.salesOSCredentialFrom = cred, from
	return checkSecret(from, secret)
}

// checkSecret refuses a secret that no header can carry, and does not show it.
func checkSecret(from, secret string) error {
	err := auth.CheckSecret(secret)
	if err != nil {
		err = invalidOption(from, err.Error())
		if secret == "" {
			err = fmt.Errorf("%w: %w", err, ErrMissingCredentials)
		}
	}
	return err
}

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

// parseBaseURL checks a base URL and removes its trailing slashes.
func parseBaseURL(s setting, plainHTTP bool) (*url.URL, error) {
	u, err := url.Parse(s.value)
	if err != nil {
		u = &url.URL{}
	}
	problem := ""
	switch {
	case err != nil:
		problem = "it can't be parsed"
	case u.Scheme != "https" && u.Scheme != "http":
		problem = "it must begin with https://"
	case u.Hostname() == "":
		problem = "it has no host"
	case u.User != nil:
		problem = "it must not have a user or password"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		problem = "it must not have a query or fragment"
	case u.Scheme == "http" && !plainHTTP && !isLoopback(u.Hostname()):
		problem = "http:// would send the credential in the clear: use https://, or WithPlainHTTP"
	}
	if problem != "" {
		return nil, invalidOption(s.from,
			fmt.Sprintf("%q is no base URL: %s", withoutUserInfo(s.value), problem))
	}
	base := &url.URL{
		Scheme: u.Scheme, Host: u.Host,
		Path: strings.TrimRight(u.Path, "/"), RawPath: strings.TrimRight(u.RawPath, "/"),
	}
	if base.Path == "" {
		base.Path = "/v1"
	}
	return base, nil
}

// withoutUserInfo cuts user, password, query and fragment from a URL, even if it can't be parsed.
func withoutUserInfo(rawURL string) string {
	rawURL = rawURL[:strings.IndexAny(rawURL+"?", "?#")]
	if i := strings.LastIndex(rawURL, "@"); i >= 0 {
		scheme, _, found := strings.Cut(rawURL[:i], "//")
		if !found {
			scheme = ""
		}
		rawURL = scheme + "//" + rawURL[i+1:]
	}
	return rawURL
}

func isLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}
