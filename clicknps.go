// Package clicknps is a client of ClickNPS and SalesOS NPS Surveys.
package clicknps

import (
	"log/slog"
	"net/http"
	"time"
)

// Client calls the two services. It is safe for concurrent use.
type Client struct {
	Surveys   *SurveysService
	Responses *ResponsesService
	Webhooks  *WebhooksService
	Links     *LinksService
	NPS       *NPSService // SalesOS
}

type (
	SurveysService   struct{}
	ResponsesService struct{}
	WebhooksService  struct{}
	LinksService     struct{}
	NPSService       struct{}
)

// Option configures a [Client].
type Option func(*config) error

type config struct{}

// New returns a client.
func New(opts ...Option) (*Client, error) { return &Client{}, nil }

func (c *Client) Live() bool                                                { return false }
func WithAPIKey(key string) Option                                          { return nil }
func WithBaseURL(rawURL string) Option                                      { return nil }
func WithSalesOSToken(jwt string) Option                                    { return nil }
func WithSalesOSAPIKey(key string) Option                                   { return nil }
func WithSalesOSBaseURL(rawURL string) Option                               { return nil }
func WithHTTPClient(hc *http.Client) Option                                 { return nil }
func WithMiddleware(mw ...func(http.RoundTripper) http.RoundTripper) Option { return nil }
func WithRetryPolicy(p RetryPolicy) Option                                  { return nil }
func WithPlan(p Plan) Option                                                { return nil }
func WithRateLimiter(l RateLimiter) Option                                  { return nil }
func WithSalesOSRateLimiter(l RateLimiter) Option                           { return nil }
func WithLogger(l *slog.Logger) Option                                      { return nil }
func WithUserAgent(product string) Option                                   { return nil }
func WithPlainHTTP() Option                                                 { return nil }

// RetryPolicy says how often and how long to repeat.
type RetryPolicy struct {
	MaxRetries     int           // repeats after a failure; 0 means 4, -1 none
	MinBackoff     time.Duration // 0 means 500 ms
	MaxBackoff     time.Duration // 0 means 8 s
	MaxRetryAfter  time.Duration // longest wait that a server may ask for; 0 means 2 min
	AttemptTimeout time.Duration // 0 means 30 s
}
