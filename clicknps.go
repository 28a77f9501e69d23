package clicknps

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/clicknps/go-sdk/internal/engine"
	"github.com/clicknps/go-sdk/internal/ratelimit"
)

// Version is this SDK's version, as it stands in the User-Agent header.
const Version = "0.1.0"

// Client calls the two services. Make one with [New] and share it: it is safe for concurrent use, and what it learns
// of a service's limits serves all goroutines. When it does not know yet whether a service lets requests in, at the start and
// after a 429, one call goes first, and others wait for its answer: at most 200 ms at the start, a second after a 429.
type Client struct {
	Surveys   *SurveysService
	Responses *ResponsesService
	Webhooks  *WebhooksService
	Links     *LinksService
	NPS       *NPSService // SalesOS

	live bool
}

// New returns a client. Credentials come from options, else from the environment: CLICKNPS_API_KEY for ClickNPS;
// SALESOS_TOKEN or SALESOS_API_KEY for SalesOS. A service without any answers each call with [ErrMissingCredentials].
//
// An option that can't be right is an error that wraps [ErrInvalidParams]; nothing is sent.
func New(opts ...Option) (*Client, error) {
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	clickNPS, err := c.clickNPS()
	if err != nil {
		return nil, err
	}
	salesOS, err := c.salesOS()
	if err != nil {
		return nil, err
	}
	return &Client{
		Surveys:   &SurveysService{clickNPS},
		Responses: &ResponsesService{clickNPS},
		Webhooks:  &WebhooksService{clickNPS},
		Links:     &LinksService{clickNPS},
		NPS:       &NPSService{salesOS},
		live:      strings.HasPrefix(c.apiKey, "sk_live_"),
	}, nil
}

// Live reports whether the ClickNPS key is a production key: one that begins with sk_live_.
func (c *Client) Live() bool { return c.live }

func (c *config) clickNPS() (*service, error) {
	base, err := parseBaseURL("WithBaseURL", c.baseURL, c.plainHTTP)
	if err != nil {
		return nil, err
	}
	var cred *credential
	if c.apiKey != "" {
		cred = static("Authorization", "Bearer ", c.apiKey)
	}
	s := &service{name: "clicknps", base: base, credential: cred, keyed: true, userAgent: []string{c.userAgent}}
	switch {
	case c.rateLimiter != nil:
		return c.connect(s, paced{c.rateLimiter})
	case c.plan != nil:
		limiter := c.plan.limiter(c.reserve)
		s.quota = limiter
		return c.connect(s, paced{limiter})
	}
	return c.connect(s, nil)
}

func (c *config) salesOS() (*service, error) {
	base, err := parseBaseURL("WithSalesOSBaseURL", c.salesOSBaseURL, c.plainHTTP)
	if err != nil {
		return nil, err
	}
	s := &service{name: "salesos", base: base, credential: c.salesOSCredential, userAgent: []string{c.userAgent}}
	if c.salesOSRateLimiter != nil {
		return c.connect(s, paced{c.salesOSRateLimiter})
	}
	pacer := &ratelimit.HeaderPacer{Window: time.Minute}
	s.quota = pacer
	return c.connect(s, pacer)
}

// connect gives s its engine.
func (c *config) connect(s *service, limiter engine.Limiter) (*service, error) {
	var err error
	s.engine, err = engine.New(engine.Config{
		Service:    s.name,
		HTTPClient: c.httpClient,
		Middleware: c.middleware,
		Policy:     c.policy,
		Credential: s.credential,
		Limiter:    limiter,
		Holds:      s.quota != nil,
		Logger:     c.logger,
	})
	if err != nil {
		return nil, fmt.Errorf("clicknps: %w: %w", ErrInvalidParams, err)
	}
	return s, nil
}

// newHTTPClient is net/http's default client with more warm connections a host: all calls go to two.
func newHTTPClient() *http.Client {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return &http.Client{Transport: http.DefaultTransport}
	}
	transport = transport.Clone()
	transport.MaxIdleConnsPerHost = transport.MaxIdleConns
	return &http.Client{Transport: transport}
}
