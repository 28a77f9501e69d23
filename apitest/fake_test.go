package apitest

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

var once = clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: -1})

// newFake returns a fake with something of each kind, a client of it that c watches, and the ids.
func newFake(
	t *testing.T, c *checker, opts ...clicknpstest.Option,
) (*clicknpstest.Server, *clicknps.Client, ids) {
	t.Helper()
	fake := clicknpstest.Run(t, opts...)
	survey := fake.AddSurvey(clicknps.Survey{Name: "Onboarding"})
	nps := fake.AddNPSSurvey(clicknps.NPSSurvey{Name: "Relationship", IsActive: true})
	fake.AddNPSResponse(clicknps.NPSResponse{
		SurveyID: nps.ID, Score: 10, Comment: "Fast", Email: "user@example.com",
	})
	fake.AddNPSResponse(clicknps.NPSResponse{SurveyID: nps.ID, Score: clicknps.NoScore})
	at := ids{survey: survey.ID, response: fake.Respond(survey.ID, "user_1", 0, "").ID, npsSurvey: nps.ID}
	fake.Respond(survey.ID, "user_2", 10, "Loving it")
	hook, err := fake.Client().Webhooks.Create(t.Context(), &clicknps.WebhookCreateParams{
		URL: "https://example.com/hooks", Events: []clicknps.EventType{clicknps.EventSurveyCompleted},
	})
	require.NoError(t, err)
	at.webhook = hook.ID
	return fake, fake.Client(once, clicknps.WithMiddleware(c.middleware)), at
}

// Each method of the SDK succeeds, and each operation of the descriptions is exercised.
func TestEveryCallOfTheSDK(t *testing.T) {
	t.Parallel()
	c := newChecker(t)
	_, client, at := newFake(t, c)
	for _, call := range calls {
		require.NoError(t, call.do(t.Context(), client, at), call.method)
	}
	paged, byToken, at := newFake(t, c, clicknpstest.WithSalesOSPaging(1), clicknpstest.WithMaxLimit(1))
	for range 3 {
		paged.AddNPSSurvey(clicknps.NPSSurvey{Name: "Another"})
	}
	byKey := paged.Client(once,
		clicknps.WithSalesOSAPIKey(paged.SalesOSAPIKey()), clicknps.WithMiddleware(c.middleware))
	for _, call := range calls {
		if strings.Contains(call.method, ".All") || strings.HasSuffix(call.method, ".List") {
			require.NoError(t, call.do(t.Context(), byToken, at), call.method)
			require.NoError(t, call.do(t.Context(), byKey, at), call.method)
		}
	}
	for _, call := range calls {
		method := call.method
		if strings.HasSuffix(method, ".Do") {
			method = "Do"
		}
		assert.True(t, c.called[call.service()+" "+method], "%s made no request that succeeded", call.method)
	}
	clickLinks(t, c)
	c.report(t)
	for _, doc := range c.docs {
		for id := range operations(doc) {
			assert.NotEmpty(t, c.answered[id], "no request reached %s", id)
		}
	}
}

// clickLinks follows links as a customer's browser does.
func clickLinks(t *testing.T, c *checker) {
	t.Helper()
	fake, client, at := newFake(t, c)
	browser := &http.Client{
		Transport:     c.middleware(fake.Transport()),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	send := func(method, link string, form url.Values) int {
		req, err := http.NewRequestWithContext(t.Context(), method, link, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		resp, err := browser.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	mint := func(subject, redirect string) string {
		minted, err := client.Links.Mint(t.Context(), &clicknps.LinkMintParams{
			SurveyID: at.survey, SubjectID: subject, RedirectURL: redirect,
		})
		require.NoError(t, err)
		return minted.Links[9]
	}
	link := mint("user_3", "https://example.com/thanks")
	assert.Equal(t, http.StatusSeeOther, send("GET", link, nil))
	mint("user_3", "") // has a score now
	assert.Equal(t, http.StatusOK, send("GET", link, nil))
	assert.Equal(t, http.StatusOK, send("HEAD", mint("user_4", ""), nil))
	assert.Equal(t, http.StatusOK, send("POST", mint("user_5", ""), nil))
	assert.Equal(t, http.StatusSeeOther, send("POST", link+"/comment", url.Values{"comment": {"Loving it"}}))
	assert.Equal(t, http.StatusSeeOther, send("POST", link+"/comment", url.Values{"comment": {" "}}))
	fake.Advance(31 * 24 * time.Hour)
	for _, method := range []string{"GET", "HEAD", "POST"} {
		assert.Equal(t, http.StatusNotFound, send(method, link, nil))
	}
	assert.Equal(t, http.StatusNotFound, send("POST", link+"/comment", url.Values{"comment": {"late"}}))
}

// rateHeaders are what SalesOS puts on every answer. An injected answer has no header but its own.
func rateHeaders(status int) http.Header {
	header := http.Header{
		"X-Ratelimit-Limit": {"100"}, "X-Ratelimit-Remaining": {"99"},
		"X-Ratelimit-Reset": {strconv.FormatInt(time.Now().Add(time.Minute).Unix(), 10)},
	}
	if status == http.StatusTooManyRequests {
		header.Set("Retry-After", "30")
	}
	return header
}

// The fake answers each call with each error that its description has, and the SDK reads it.
func TestEveryErrorOfTheDescriptions(t *testing.T) {
	t.Parallel()
	c := newChecker(t)
	described := operations(c.docs[0])
	maps.Copy(described, operations(c.docs[1]))
	for _, call := range calls {
		statuses := errorStatuses(described[call.operation])
		if call.service() == "clicknps" {
			statuses = append(statuses, 409, 413, 422, 502, 503) // described as 4XX and 5XX
		}
		for _, status := range slices.Compact(slices.Sorted(slices.Values(statuses))) {
			fake, client, at := newFake(t, c)
			fault := clicknpstest.Fault{Status: status}
			if call.service() == "salesos" {
				fault.Header = rateHeaders(status)
			}
			fake.Inject(fault)
			apiErr := assertFailure(t, call.do(t.Context(), client, at), status)
			assert.NotEmpty(t, apiErr.Message, "%s %d", call.method, status)
			assert.True(t, c.answered[call.operation][status], "%s: %d", call.method, status)
		}
	}
	c.report(t)
}

func assertFailure(t *testing.T, err error, status int) *clicknps.Error {
	t.Helper()
	var apiErr *clicknps.Error
	require.ErrorAs(t, err, &apiErr)
	assert.Equal(t, status, apiErr.StatusCode, "%v", err)
	return apiErr
}

// These are errors that the fake comes to by itself.
func TestErrorsOfTheFakeItself(t *testing.T) {
	t.Parallel()
	c := newChecker(t)
	fake, client, at := newFake(t, c)
	stranger := fake.Client(once, clicknps.WithMiddleware(c.middleware),
		clicknps.WithAPIKey("sk_test_wrong"), clicknps.WithSalesOSToken("wrong"))
	unknown := ids{survey: "survey_x", response: "response_x", webhook: "webhook_x", npsSurvey: "x"}
	for _, call := range calls {
		assertFailure(t, call.do(t.Context(), stranger, at), http.StatusUnauthorized)
		if strings.Contains(c.path(call.operation), "{id}") || call.method == "Links.Mint" {
			assertFailure(t, call.do(t.Context(), client, unknown), http.StatusNotFound)
		}
	}
	create := func(name string) error {
		params := &clicknps.SurveyCreateParams{Name: name, Question: "Why?"}
		return errOf(client.Surveys.Create(t.Context(), params, clicknps.WithIdempotencyKey("unique-key-123")))
	}
	require.NoError(t, create("One"))
	require.NoError(t, create("One")) // replayed
	assertFailure(t, create("Two"), http.StatusConflict)

	limited, _, at := newFake(t, c,
		clicknpstest.WithPlan(clicknps.Plan{PerMinute: 1}), clicknpstest.WithSalesOSLimit(1))
	_, err := limited.Client().SalesOS.NPS.Stats(t.Context()) // newFake has made a ClickNPS call
	require.NoError(t, err)
	for _, call := range calls {
		hasty := limited.Client(once, clicknps.WithMiddleware(c.middleware)) // a new client knows of no limit
		assertFailure(t, call.do(t.Context(), hasty, at), http.StatusTooManyRequests)
	}
	c.report(t)
}

// path is the path of the operation with an id.
func (c *checker) path(id string) string {
	for _, doc := range c.docs {
		for path, item := range doc.Paths.Map() {
			for _, operation := range item.Operations() {
				if operation.OperationID == id {
					return path
				}
			}
		}
	}
	return ""
}

// What the descriptions refuse the fake refuses, too: each field, missing and of a wrong value.
func TestWrongRequestsAreRefused(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	const askUs = "How likely?"
	links := func(name string, value any) object {
		body := object{"survey_id": "s", "subject_id": "u"}
		body[name] = value
		return body
	}
	hook := func(name string, value any) object {
		body := object{"url": "https://example.com", "events": []string{"response.created"}}
		body[name] = value
		return body
	}
	tests := []struct {
		method, path string
		bodies       []object
	}{
		{"GET", "/surveys?limit=0", nil},
		{"GET", "/surveys?limit=x", nil},
		{"GET", "/surveys?offset=-1", nil},
		{"GET", "/responses?limit=-1", nil},
		{"GET", "/webhooks?offset=1.5", nil},
		{"POST", "/surveys", []object{
			{},
			{"name": "n"},
			{"question": askUs},
			{"name": "", "question": askUs},
			{"name": " ", "question": askUs},
			{"name": "n", "question": "\t"},
			{"name": 1, "question": askUs},
			{"name": nil, "question": askUs},
		}},
		{"PATCH", "/surveys/SURVEY", []object{
			{"name": ""}, {"question": nil}, {"status": "open"}, {"status": nil}, {"status": ""},
		}},
		{"POST", "/responses/RESPONSE/comment", []object{{}, {"comment": ""}, {"comment": 1}, {"comment": nil}}},
		{"POST", "/webhooks", []object{
			{},
			hook("url", nil), hook("url", "ftp://example.com"), hook("url", "https://"),
			hook("events", []string{}), hook("events", []string{"click"}), hook("events", "response.created"),
		}},
		{"POST", "/links/mint", []object{
			{},
			links("survey_id", ""), links("survey_id", "a b"), links("subject_id", strings.Repeat("a", 256)),
			links("ttl_days", 0), links("ttl_days", 366), links("ttl_days", 1.5),
			links("redirect_url", "example.com"),
		}},
		{"POST", "/nps-surveys", []object{
			{},
			{"name": ""},
			{"name": 1},
			{"name": "n", "x": 1},
			{"name": "n", "type": ""},
			{"name": "n", "isActive": "yes"},
			{"name": "n", "question": 1},
		}},
		{"PATCH", "/nps-surveys/NPS", []object{{"name": nil}, {"x": 1}, {"type": "x"}, {"isActive": 1}}},
		{"PUT", "/nps-surveys/NPS", []object{{"question": askUs, "type": "relationship", "isActive": true}}},
		{"GET", "/nps-surveys/NPS/responses/export", nil},
		{"GET", "/nps-surveys/NPS/responses/export?format=xml", nil},
	}
	c := newChecker(t)
	_, client, at := newFake(t, c)
	names := strings.NewReplacer("SURVEY", at.survey, "RESPONSE", at.response, "NPS", at.npsSurvey)
	for _, tt := range tests {
		path, query, _ := strings.Cut(names.Replace(tt.path), "?")
		var opts []clicknps.RequestOption
		if name, value, ok := strings.Cut(query, "="); ok {
			opts = append(opts, clicknps.WithQuery(name, value))
		}
		do := client.Do
		if strings.HasPrefix(path, "/nps-surveys") {
			do = client.SalesOS.Do
		}
		if tt.bodies == nil {
			err := do(wrongRequest(t.Context()), tt.method, path, nil, nil, opts...)
			assertFailure(t, err, http.StatusBadRequest)
		}
		for _, body := range tt.bodies {
			err := do(wrongRequest(t.Context()), tt.method, path, body, nil, opts...)
			assertFailure(t, err, http.StatusBadRequest)
		}
	}
	c.report(t)
}

// The SDK does not send these: a credential or a content type that is missing or of another kind.
func TestWrongHeadersAreRefused(t *testing.T) {
	t.Parallel()
	c := newChecker(t)
	fake, _, _ := newFake(t, c)
	key, jwt := "Bearer "+fake.APIKey(), "Bearer "+fake.SalesOSToken()
	tests := []struct {
		method, path, authorization, contentType string
		status                                   int
	}{
		{"GET", "/v1/surveys", "", "", 401},
		{"GET", "/v1/surveys", fake.APIKey(), "", 401},
		{"POST", "/v1/surveys", key, "", 400},
		{"POST", "/v1/surveys", key, "text/plain", 400},
		{"GET", "/v1/nps-surveys", "", "", 401},
		{"GET", "/v1/nps-surveys", strings.TrimPrefix(jwt, "Bearer "), "", 401},
		{"POST", "/v1/nps-surveys", jwt, "text/plain", 400},
	}
	for _, tt := range tests {
		var body io.Reader
		if tt.method == "POST" {
			body = strings.NewReader(`{"name":"n","question":"q"}`)
		}
		ctx := wrongRequest(t.Context())
		req, err := http.NewRequestWithContext(ctx, tt.method, "https://clicknps.test"+tt.path, body)
		require.NoError(t, err)
		if tt.authorization != "" {
			req.Header.Set("Authorization", tt.authorization)
		}
		if tt.contentType != "" {
			req.Header.Set("Content-Type", tt.contentType)
		}
		resp, err := c.middleware(fake.Transport()).RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, tt.status, resp.StatusCode, "%v", tt)
	}
	c.report(t)
}

// The least that the descriptions allow is accepted.
func TestLeastRequestsAreAccepted(t *testing.T) {
	t.Parallel()
	c := newChecker(t)
	_, client, at := newFake(t, c)
	type object = map[string]any
	require.NoError(t, client.Do(t.Context(), "PATCH", "/surveys/"+at.survey, object{}, nil))
	nps := "/nps-surveys/" + at.npsSurvey
	require.NoError(t, client.SalesOS.Do(t.Context(), "PUT", nps, object{"name": "n"}, nil))
	require.NoError(t, client.SalesOS.Do(t.Context(), "PATCH", nps, object{}, nil))
	c.report(t)
}

// A checker that accepts everything would pass all tests above.
func TestTheCheckerFindsMistakes(t *testing.T) {
	t.Parallel()
	const survey = `{"id":"s","name":"n","question":"q","created_at":"2025-01-15T10:30:00Z","status":"active"}`
	for name, fault := range map[string]clicknpstest.Fault{
		"a missing field":    {Body: strings.Replace(survey, `"name":"n",`, "", 1)},
		"an unknown field":   {Body: strings.Replace(survey, `"name"`, `"x":1,"name"`, 1)},
		"a wrong type":       {Body: strings.Replace(survey, `"n"`, "1", 1)},
		"a wrong time":       {Body: strings.Replace(survey, "T10", " 10", 1)},
		"a wrong enum":       {Body: strings.Replace(survey, "active", "open", 1)},
		"a text error":       {Status: 404, Body: `{"error":"Survey not found"}`},
		"another media type": {Status: 404, Body: "Not found"},
		"another status":     {Status: 206, Body: survey},
	} {
		c := newChecker(t)
		fake, client, at := newFake(t, c)
		fake.Inject(fault)
		_, _ = client.Surveys.Get(t.Context(), at.survey)
		assert.Equal(t, []int{1, 0, 1, 1}, []int{c.requests, c.refused, c.answers, c.invalid}, name)
	}
	for name, do := range map[string]func(context.Context, *clicknps.Client) error{
		"an unknown field": func(ctx context.Context, client *clicknps.Client) error {
			params := &clicknps.NPSSurveyCreateParams{Name: "n"}
			return errOf(client.SalesOS.NPS.Create(ctx, params, clicknps.WithExtraField("x", 1)))
		},
		"an unknown parameter": func(ctx context.Context, client *clicknps.Client) error {
			return errOf(client.SalesOS.NPS.Stats(ctx, clicknps.WithQuery("x", "1")))
		},
		"a body that is not described": func(ctx context.Context, client *clicknps.Client) error {
			return client.SalesOS.Do(ctx, "POST", "/nps-surveys/x/toggle", map[string]any{}, nil)
		},
	} {
		c := newChecker(t)
		_, client, _ := newFake(t, c)
		_ = do(t.Context(), client)
		assert.Equal(t, []int{1, 1, 1, 0}, []int{c.requests, c.refused, c.answers, c.invalid}, name)
	}
}
