package clicknps

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/clicknps/go-sdk/internal/engine"
	"github.com/clicknps/go-sdk/internal/lenient"
	"github.com/clicknps/go-sdk/internal/ratelimit"
)

// Version is the version of this SDK, as in the User-Agent header.
const Version = "0.1.0"

// Client calls both services. Make one with [New] and share it: a Client and its services are safe
// for concurrent use, and all goroutines share tokens, rate limits and pauses.
type Client struct {
	Surveys   *SurveysService
	Responses *ResponsesService
	Webhooks  *WebhooksService
	Links     *LinksService
	SalesOS   *SalesOS

	api      *service
	testMode bool
}

// SalesOS holds the service of SalesOS.
type SalesOS struct {
	NPS *NPSService

	api *service
}

// New returns a client. It reads what no option sets from the environment: CLICKNPS_API_KEY and
// CLICKNPS_BASE_URL; SALESOS_TOKEN, else SALESOS_API_KEY, and SALESOS_BASE_URL. It sends nothing.
//
// New fails with [ErrInvalidParams] if an option can't be right, and with [ErrMissingCredentials]
// if neither service has a credential. So do the calls of a service that has none.
func New(opts ...Option) (*Client, error) {
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	const clickNPSMissing = "set CLICKNPS_API_KEY or use WithAPIKey"
	const salesOSMissing = "set SALESOS_TOKEN or SALESOS_API_KEY, or use WithSalesOSToken"
	clickNPS := &service{name: "clicknps", credential: c.credential, missing: clickNPSMissing, keyed: true}
	if err := c.connect(clickNPS, c.baseURL, c.clickNPSLimiter()); err != nil {
		return nil, err
	}
	salesOS := &service{name: "salesos", credential: c.salesOSCredential, missing: salesOSMissing}
	if err := c.connect(salesOS, c.salesOSBaseURL, c.salesOSLimiter()); err != nil {
		return nil, err
	}
	if c.credential == nil && c.salesOSCredential == nil {
		return nil, fmt.Errorf("clicknps: %w: for ClickNPS, %s; for SalesOS, %s",
			ErrMissingCredentials, clickNPSMissing, salesOSMissing)
	}
	return &Client{
		Surveys:   &SurveysService{clickNPS},
		Responses: &ResponsesService{clickNPS},
		Webhooks:  &WebhooksService{clickNPS},
		Links:     &LinksService{clickNPS},
		SalesOS:   &SalesOS{NPS: &NPSService{salesOS}, api: salesOS},
		api:       clickNPS,
		testMode:  strings.HasPrefix(c.apiKey, "sk_test_"),
	}, nil
}

func (c *config) connect(s *service, baseURL setting, limiter ratelimit.Limiter) (err error) {
	s.userAgent = []string{c.userAgent}
	s.observers, s.defaults, s.limiter = c.observers, c.defaults, limiter
	if s.base, err = parseBaseURL(baseURL, c.plainHTTP); err != nil {
		return err
	}
	s.engine, err = engine.New(engine.Config{
		HTTPClient: c.httpClient,
		Middleware: c.middleware,
		Observed:   !c.ownTransport,
		Credential: s.credential,
		Limiter:    limiter,
		Budget:     c.defaults.policy.Budget,
		Logger:     c.logger,
	})
	if err != nil {
		return fmt.Errorf("clicknps: %w: %w", ErrInvalidParams, err)
	}
	return nil
}

// TestMode reports whether the ClickNPS key is known to be a test key, which begins with sk_test_.
func (c *Client) TestMode() bool { return c.testMode }

// Do calls an endpoint of ClickNPS that this SDK does not know. path is below the base URL,
// escaped by the caller and without a query, which [WithQuery] sets; "..", "?" and "#" in it are
// [ErrInvalidParams]. body is sent as JSON unless it is nil, as it must be for a GET. The answer
// is decoded into result; if result is nil, it is checked and dropped. A POST has an idempotency
// key.
func (c *Client) Do(
	ctx context.Context, method, path string, body, result any, opts ...RequestOption,
) error {
	return c.api.call(ctx, method, path, body, result, opts)
}

// Do is [Client.Do] for SalesOS, where a POST has no idempotency key.
func (s *SalesOS) Do(
	ctx context.Context, method, path string, body, result any, opts ...RequestOption,
) error {
	return s.api.call(ctx, method, path, body, result, opts)
}

func (s *service) call(
	ctx context.Context, method, path string, body, result any, opts []RequestOption,
) error {
	o := s.options(opts)
	o.fail(checkRequest(method, path, body))
	c := call{operation: "Do", method: method, path: "/" + strings.TrimPrefix(path, "/"), body: body}
	return s.do(ctx, c, o, func(res *engine.Result) error {
		if result == nil {
			return check(res)
		}
		return undecodable(lenient.Unmarshal(res.Body, result))
	})
}

func checkRequest(method, path string, body any) error {
	switch {
	case !isToken(method) || method != strings.ToUpper(method):
		return invalid("method", "%q is not an HTTP method", method)
	case body != nil && (method == http.MethodGet || method == http.MethodHead):
		return invalid("body", "a %s must not have a body", method)
	case strings.Trim(path, "/") == "":
		return invalid("path", "path must not be empty")
	case strings.Contains(path, "..") || strings.ContainsAny(path, "?#"):
		return invalid("path", `path must not have "..", "?" or "#"`)
	}
	return nil
}
