package clicknpstest_test

import (
	"strings"
	"testing"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
