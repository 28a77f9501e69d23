package clicknps

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"

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

func invalidOption(option, problem string) error {
	return fmt.Errorf("clicknps: %w: %s: %s", ErrInvalidParams, option, problem)
}

// WithoutEnvironment keeps [New] from reading environment variables, which suits a client per
// tenant.
func WithoutEnvironment() Option {
	return option(func(c *config) error {
		c.withoutEnvironment = true
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
