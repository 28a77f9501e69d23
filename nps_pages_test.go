package clicknps_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// paged is a SalesOS list that pages. before, if set, runs before each request, from 1.
type paged struct {
	ids    []string
	size   int // the server's own page size
	before func(n int)
	n      int
	query  []string
}

func (p *paged) respond(req *http.Request) (*http.Response, error) {
	p.n++
	if p.before != nil {
		p.before(p.n)
	}
	p.query = append(p.query, req.URL.RawQuery)
	page, _ := strconv.Atoi(req.URL.Query().Get("page"))
	size, _ := strconv.Atoi(req.URL.Query().Get("limit"))
	if size == 0 || size > p.size {
		size = p.size
	}
	start := min((max(page, 1)-1)*size, len(p.ids))
	items := []map[string]any{}
	for _, id := range p.ids[start:min(start+size, len(p.ids))] {
		items = append(items, map[string]any{"id": id, "score": 9})
	}
	body, _ := json.Marshal(items)
	return reply(200, string(body), "X-Total-Count", strconv.Itoa(len(p.ids)))(req)
}

func numbered(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("id-%d", i))
	}
	return ids
}

func npsIDs(t *testing.T, c *clicknps.Client, limit int) (surveys, responses []string, err error) {
	t.Helper()
	for s, err := range c.SalesOS.NPS.All(t.Context(), &clicknps.NPSSurveyListParams{Limit: limit}) {
		if err != nil {
			return surveys, nil, err
		}
		surveys = append(surveys, s.ID)
	}
	for r, err := range c.SalesOS.NPS.AllResponses(t.Context(), "s", &clicknps.NPSResponseListParams{Limit: limit}) {
		if err != nil {
			return surveys, responses, err
		}
		responses = append(responses, r.ID)
	}
	return surveys, responses, nil
}

func TestNPSListsGoOnWhereTheServerPages(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 19, 20, 21, 45, 60} {
		for _, limit := range []int{0, 7, 100} {
			p := &paged{ids: numbered(n), size: 20}
			surveys, responses, err := npsIDs(t, newWire(p.respond).client(t), limit)
			require.NoError(t, err, "%d by %d", n, limit)
			assert.Equal(t, p.ids, surveys)
			assert.Equal(t, p.ids, responses)
			size := 20
			if limit == 7 {
				size = 7
			}
			assert.Len(t, p.query, 2*max(1, (n+size-1)/size), "%d by %d: no request more than needed", n, limit)
		}
	}
	p := &paged{ids: numbered(45), size: 20}
	_, _, err := npsIDs(t, newWire(p.respond).client(t), 0)
	require.NoError(t, err)
	assert.Equal(t, []string{"", "page=2", "page=3", "", "page=2", "page=3"}, p.query)
}

func TestNPSListReportsWhatThereIsMore(t *testing.T) {
	t.Parallel()
	p := &paged{ids: numbered(45), size: 20}
	c := newWire(p.respond).client(t)
	for _, test := range []struct {
		page, limit int
		items       int
		want        clicknps.Pagination
	}{
		{0, 0, 20, clicknps.Pagination{Total: 45, Limit: 20, HasMore: true}},
		{2, 10, 10, clicknps.Pagination{Total: 45, Limit: 10, Offset: 10, HasMore: true}},
		{3, 20, 5, clicknps.Pagination{Total: 45, Limit: 20, Offset: 40}},
		{9, 20, 0, clicknps.Pagination{Total: 45, Limit: 20, Offset: 160}},
	} {
		page, err := c.SalesOS.NPS.List(t.Context(), &clicknps.NPSSurveyListParams{Page: test.page, Limit: test.limit})
		require.NoError(t, err)
		assert.Len(t, page.Data, test.items)
		assert.Equal(t, test.want, page.Pagination)
		responses, err := c.SalesOS.NPS.Responses(t.Context(), "s", &clicknps.NPSResponseListParams{Page: test.page, Limit: test.limit})
		require.NoError(t, err)
		assert.Equal(t, test.want, responses.Pagination)
	}
	page, err := answering(t, 200, `[{"id":"a"}]`).SalesOS.NPS.List(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, clicknps.Pagination{Total: -1}, page.Pagination, "nobody says")
}

// A list that shrinks or grows during the walk is walked again, and what is new is handed over.
func TestNPSListsThatChange(t *testing.T) {
	t.Parallel()
	p := &paged{ids: numbered(60), size: 20}
	p.before = func(n int) {
		if n == 2 {
			p.ids = p.ids[1:] // id-20 moves to page 1, behind the walk
		}
	}
	var got []string
	for s, err := range newWire(p.respond).client(t).SalesOS.NPS.All(t.Context(), nil) {
		require.NoError(t, err)
		got = append(got, s.ID)
	}
	assert.ElementsMatch(t, numbered(60), got)

	p = &paged{ids: numbered(60), size: 20}
	p.before = func(int) { p.ids = append(p.ids, fmt.Sprintf("new-%d", p.n)) }
	_, err := clicknps.Collect(newWire(p.respond).client(t).SalesOS.NPS.All(t.Context(), nil), 10_000)
	require.ErrorIs(t, err, clicknps.ErrListChanged)
	asError(t, err)
	assert.Less(t, p.n, 30)
}

// A server that counts more than it shows is told, not believed and not asked for ever.
func TestNPSListsThatAreShort(t *testing.T) {
	t.Parallel()
	for name, respond := range map[string]httpmock.Responder{
		"ignores page": reply(200, `[{"id":"a"},{"id":"b"}]`, "X-Total-Count", "45"),
		"empty":        reply(200, `[]`, "X-Total-Count", "45"),
	} {
		w := newWire(respond)
		_, err := clicknps.Collect(w.client(t).SalesOS.NPS.All(t.Context(), nil), 100)
		require.ErrorIs(t, err, clicknps.ErrListChanged, name)
		assert.LessOrEqual(t, len(w.sent()), 2, name)
	}
	for _, odd := range []string{"", "-1", "many", "1e9"} {
		all, err := clicknps.Collect(newWire(reply(200, `[{"id":"a"}]`, "X-Total-Count", odd)).client(t).SalesOS.NPS.All(t.Context(), nil), 9)
		require.NoError(t, err, odd)
		assert.Len(t, all, 1)
	}
}
