package clicknpstest_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

func TestNoQuotaByDefault(t *testing.T) {
	c := inProcess(t, clicknpstest.Run(t))
	for range 1_500 {
		require.Equal(t, 200, c.get("/v1/surveys").status)
	}
}

func TestSalesOSLimitIsOptional(t *testing.T) {
	got := inProcess(t, clicknpstest.Run(t, clicknpstest.WithSalesOSLimit(0))).get("/v1/nps-surveys")
	assert.Empty(t, got.header.Get("X-RateLimit-Limit"))
	assert.Equal(t, "100", inProcess(t, clicknpstest.Run(t)).with("X-API-Key", "").get("/v1/nps-surveys").header.Get("X-RateLimit-Limit"),
		"every answer bears the header, a 401 too")
}

func TestTheSameSeedGivesTheSameIDs(t *testing.T) {
	ids := func(seed uint64) []string {
		srv := clicknpstest.Run(t, clicknpstest.WithSeed(seed))
		return []string{srv.AddSurvey(clicknps.Survey{}).ID, srv.AddNPSSurvey(clicknps.NPSSurvey{}).ID, srv.Respond("s", "a", 1, "").ID}
	}
	assert.Equal(t, ids(7), ids(7))
	assert.NotEqual(t, ids(7), ids(8))
}

func TestOrdersOfLists(t *testing.T) {
	for order, want := range map[clicknpstest.Order][]string{
		clicknpstest.OldestFirst: {"b", "c", "a"},
		clicknpstest.NewestFirst: {"a", "c", "b"},
		clicknpstest.ByName:      {"a", "b", "c"},
	} {
		srv := clicknpstest.Run(t, clicknpstest.WithOrder(order))
		for _, name := range []string{"b", "c", "a"} {
			srv.AddSurvey(clicknps.Survey{ID: name, Name: name})
			srv.AddResponse(clicknps.Response{ID: name, SubjectID: name})
		}
		c := inProcess(t, srv)
		for _, host := range []string{"b", "c", "a"} {
			c.call("POST", "/v1/webhooks", `{"url":"https://`+host+`","events":["response.created"]}`)
		}
		var hosts []string
		for _, u := range c.get("/v1/webhooks").names(t, "url") {
			hosts = append(hosts, strings.TrimPrefix(u, "https://"))
		}
		assert.Equal(t, want, hosts)
		assert.Equal(t, want, c.get("/v1/surveys").names(t, "id"))
		assert.Equal(t, want, c.get("/v1/responses").names(t, "id"))
		pages := c.get("/v1/surveys?limit=2").names(t, "id")
		assert.Equal(t, want, append(pages, c.get("/v1/surveys?limit=2&offset=2").names(t, "id")...))
		assert.Equal(t, "b", srv.Surveys()[0].ID, "inspectors keep the order of creation")
	}
}

func TestTwoTestsGetDifferentIDs(t *testing.T) {
	id := func(name string, opts ...clicknpstest.Option) string {
		return clicknpstest.Run(&recordingTB{name: name}, opts...).AddSurvey(clicknps.Survey{}).ID
	}
	assert.NotEqual(t, id("TestA"), id("TestB"))
	assert.Equal(t, id("TestA"), id("TestA"))
	assert.Equal(t, id("TestA", clicknpstest.WithSeed(7)), id("TestB", clicknpstest.WithSeed(7)), "WithSeed wins")
}

// A list that pages is whole for who walks it, and its total is told to who takes a page.
func TestSalesOSPaging(t *testing.T) {
	t.Parallel()
	srv := clicknpstest.Run(t, clicknpstest.WithSalesOSPaging(20))
	var survey clicknps.NPSSurvey
	for range 45 {
		survey = srv.AddNPSSurvey(clicknps.NPSSurvey{Name: "n"})
	}
	for range 130 {
		srv.AddNPSResponse(clicknps.NPSResponse{SurveyID: survey.ID, Score: 9})
	}
	nps := srv.Client().SalesOS.NPS
	for _, tt := range []struct{ page, limit, items int }{
		{0, 0, 20}, {1, 0, 20}, {3, 0, 5}, {4, 0, 0}, {1, 45, 45}, {2, 44, 1}, {9, 9, 0},
	} {
		page, err := nps.List(t.Context(), &clicknps.NPSSurveyListParams{Page: tt.page, Limit: tt.limit})
		require.NoError(t, err)
		assert.Len(t, page.Data, tt.items)
		assert.Equal(t, 45, page.Pagination.Total)
	}
	page, err := nps.Responses(t.Context(), survey.ID, &clicknps.NPSResponseListParams{Limit: 1000})
	require.NoError(t, err)
	assert.Len(t, page.Data, 100)
	assert.Equal(t, 130, page.Metrics.TotalResponses, "the metrics are those of the survey")
	surveys, err := clicknps.Collect(nps.All(t.Context(), nil), 1000)
	require.NoError(t, err)
	assert.Len(t, surveys, 45)
	responses, err := clicknps.Collect(nps.AllResponses(t.Context(), survey.ID, nil), 1000)
	require.NoError(t, err)
	assert.Len(t, responses, 130)
}

// A client is paced by the headers of a named throttler too: nothing is refused.
func TestSalesOSThrottler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t, clicknpstest.WithSalesOSThrottler("medium"), clicknpstest.WithSalesOSLimit(5))
		var info clicknps.CallInfo
		client := srv.Client()
		for range 12 {
			_, err := client.SalesOS.NPS.Stats(t.Context(), clicknps.WithCallInfo(&info))
			require.NoError(t, err)
		}
		assert.Equal(t, "5", info.Header.Get("X-RateLimit-Limit-medium"))
		assert.Empty(t, info.Header.Get("X-RateLimit-Limit"))
		for _, r := range srv.Requests() {
			assert.Equal(t, 200, r.StatusCode)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL()+"/nps-surveys/stats", http.NoBody)
		require.NoError(t, err)
		req.Header.Set("X-API-Key", srv.SalesOSAPIKey())
		for n := range 6 {
			resp, err := srv.Transport().RoundTrip(req)
			require.NoError(t, err)
			require.Equal(t, n == 5, resp.StatusCode == 429)
			require.Equal(t, n == 5, resp.Header.Get("Retry-After-medium") == "60")
			require.Empty(t, resp.Header.Get("Retry-After"))
		}
	})
}
