package apitest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	clicknps "github.com/clicknps/go-sdk"
)

func TestMain(m *testing.M) {
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.PlainBodyDecoder)
	os.Exit(m.Run())
}

// describe loads a description. Its objects are closed: a field that it does not name is invalid.
func describe(t *testing.T, name string) *openapi3.T {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "api", name))
	require.NoError(t, err)
	var tree any
	require.NoError(t, yaml.Unmarshal(text, &tree))
	closeObjects(tree)
	text, err = json.Marshal(tree)
	require.NoError(t, err)
	doc, err := openapi3.NewLoader().LoadFromData(text)
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context(), openapi3.EnableExamplesValidation()))
	doc.Servers = nil // the fake may have any host
	return doc
}

func closeObjects(tree any) {
	switch node := tree.(type) {
	case []any:
		for _, child := range node {
			closeObjects(child)
		}
	case map[string]any:
		if _, ok := node["properties"]; ok && node["type"] == "object" {
			node["additionalProperties"] = false
		}
		for _, child := range node {
			closeObjects(child)
		}
	}
}

// operations returns the operations of a description by their ids.
func operations(doc *openapi3.T) map[string]*openapi3.Operation {
	found := map[string]*openapi3.Operation{}
	for _, item := range doc.Paths.Map() {
		for _, operation := range item.Operations() {
			found[operation.OperationID] = operation
		}
	}
	return found
}

// errorStatuses returns the error statuses that are documented one by one.
func errorStatuses(operation *openapi3.Operation) []int {
	var found []int
	for key := range operation.Responses.Map() {
		if status, err := strconv.Atoi(key); err == nil && status >= 400 {
			found = append(found, status)
		}
	}
	return found
}

// checker validates requests and answers against both descriptions, and counts them. It is safe for
// concurrent use.
type checker struct {
	docs    []*openapi3.T
	routers []routers.Router

	mu                       sync.Mutex
	requests, refused        int
	answers, invalid         int
	wrong                    int                     // sent with wrongRequest, and not among requests
	answered                 map[string]map[int]bool // statuses by operationId
	called                   map[string]bool         // the methods of the SDK
	requestErrs, answersErrs []error
}

func newChecker(t *testing.T) *checker {
	t.Helper()
	c := &checker{answered: map[string]map[int]bool{}, called: map[string]bool{}}
	for _, name := range []string{"clicknps.yaml", "salesos.yaml"} {
		doc := describe(t, name)
		router, err := gorillamux.NewRouter(doc)
		require.NoError(t, err)
		c.docs, c.routers = append(c.docs, doc), append(c.routers, router)
	}
	return c
}

// report fails the test for each invalid request and answer, and logs the counts.
func (c *checker) report(t *testing.T) {
	t.Helper()
	for _, err := range append(c.requestErrs, c.answersErrs...) {
		t.Error(err)
	}
	t.Logf("requests made %d, refused %d (and %d wrong on purpose); answers validated %d, invalid %d; "+
		"operations %d", c.requests, c.refused, c.wrong, c.answers, c.invalid, len(c.answered))
	assert.Zero(t, c.refused+c.invalid)
	assert.Positive(t, c.answers)
}

type wrongKey struct{}

// wrongRequest marks requests that the description must refuse.
func wrongRequest(ctx context.Context) context.Context {
	return context.WithValue(ctx, wrongKey{}, true)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// middleware validates each attempt.
func (c *checker) middleware(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		var body []byte
		if r.Body != nil {
			var err error
			if body, err = io.ReadAll(r.Body); err != nil {
				return nil, errors.Join(err, r.Body.Close())
			}
		}
		sent := r.Clone(r.Context())
		sent.Body = io.NopCloser(bytes.NewReader(body))
		input, requestErr := c.validateRequest(r, body)
		resp, err := next.RoundTrip(sent)
		if err != nil {
			return resp, err
		}
		answer, err := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(answer), failing{err}))
		answerErr := errors.New("no such operation")
		if input != nil {
			answerErr = openapi3filter.ValidateResponse(r.Context(), (&openapi3filter.ResponseValidationInput{
				RequestValidationInput: input, Status: resp.StatusCode, Header: resp.Header, Options: options,
			}).SetBodyBytes(answer))
		}
		c.count(r, input, requestErr, resp.StatusCode, answerErr)
		return resp, nil
	})
}

// failing ends a body as it ended for the middleware.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

func (c *checker) count(
	r *http.Request, input *openapi3filter.RequestValidationInput, requestErr error,
	status int, answerErr error,
) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := fmt.Sprintf("%s %s", r.Method, r.URL.RequestURI())
	switch wrong := r.Context().Value(wrongKey{}) != nil; {
	case !wrong && requestErr != nil:
		c.requests, c.refused = c.requests+1, c.refused+1
		c.requestErrs = append(c.requestErrs, fmt.Errorf("request %s: %w", name, requestErr))
	case !wrong:
		c.requests++
	case requestErr == nil:
		c.wrong++
		c.requestErrs = append(c.requestErrs, fmt.Errorf("request %s is not refused", name))
	default:
		c.wrong++
	}
	c.answers++
	if answerErr != nil {
		c.invalid++
		c.answersErrs = append(c.answersErrs, fmt.Errorf("answer %d to %s: %w", status, name, answerErr))
	}
	if input != nil {
		id := input.Route.Operation.OperationID
		if c.answered[id] == nil {
			c.answered[id] = map[int]bool{}
		}
		c.answered[id][status] = true
	}
	if call, ok := clicknps.CallFromContext(r.Context()); ok && status < 300 {
		c.called[call.Service+" "+call.Operation] = true
	}
}

var options = &openapi3filter.Options{
	MultiError: true, IncludeResponseStatus: true, RejectWhenRequestBodyNotSpecified: true,
	SkipSettingDefaults: true, AuthenticationFunc: authenticate,
}

// authenticate reports whether a request has a credential of the scheme.
func authenticate(_ context.Context, input *openapi3filter.AuthenticationInput) error {
	header := input.RequestValidationInput.Request.Header
	token, isBearer := strings.CutPrefix(header.Get("Authorization"), "Bearer ")
	if input.SecurityScheme.Type == "http" && isBearer && token != "" ||
		input.SecurityScheme.Type == "apiKey" && header.Get(input.SecurityScheme.Name) != "" {
		return nil
	}
	return errors.New("no credential")
}

// validateRequest returns a nil input if no operation has the request's method and path.
func (c *checker) validateRequest(
	r *http.Request, body []byte,
) (*openapi3filter.RequestValidationInput, error) {
	for _, router := range c.routers {
		check := r.Clone(r.Context())
		check.Body = http.NoBody
		if len(body) > 0 {
			check.Body = io.NopCloser(bytes.NewReader(body))
		}
		route, params, err := router.FindRoute(check)
		if err != nil {
			continue
		}
		input := &openapi3filter.RequestValidationInput{
			Request: check, PathParams: params, Route: route, Options: options,
		}
		for name := range check.URL.Query() {
			if route.Operation.Parameters.GetByInAndName("query", name) == nil {
				return input, fmt.Errorf("parameter %s is not described", name)
			}
		}
		return input, openapi3filter.ValidateRequest(r.Context(), input)
	}
	return nil, errors.New("no such operation")
}
