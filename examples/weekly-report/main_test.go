package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// The year of the fake is always the same.
func TestYear(t *testing.T) {
	t.Setenv("CLICKNPS_API_KEY", "")
	file := filepath.Join(t.TempDir(), "report.html")
	var out strings.Builder
	require.NoError(t, run(t.Context(), []string{"-html", file}, &out))
	for _, want := range []string{
		"        week of  responses  NPS  95 % interval  change         \n",
		"     2025-12-22         76   +4     -11 to +18      -6  chance?\n",
		"     2024-12-30         63  +38     +20 to +53       –         \n",
		"  all customers        922   +8      +4 to +12      -7     real\n",
		"     enterprise        135  +43     +30 to +54     +10  chance?\n",
		"           free        494  -10      -15 to -5     -12     real\n",
		"           team        293  +22     +13 to +30      -5  chance?\n",
	} {
		assert.Contains(t, out.String(), want)
	}
	assert.Equal(t, 1+52+1+1+4+1+2, strings.Count(out.String(), "\n"))
	page, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, 4, bytes.Count(page, []byte("<svg ")))
	assert.Equal(t, 4*52, bytes.Count(page, []byte("<circle ")))
	loads := `(?i)<script|<link|<img|@import|url\(|https?://`
	assert.NotRegexp(t, loads, string(page), "one file, with nothing to load")
	for _, bad := range []string{"NaN", "ZgotmplZ", "Inf"} {
		assert.NotContains(t, string(page), bad)
	}
}

func newTestReport(t *testing.T, responses ...clicknps.Response) *report {
	t.Helper()
	srv := clicknpstest.Run(t)
	for _, r := range responses {
		srv.AddResponse(r)
	}
	r, err := newReport(t.Context(), srv.Client(), "s")
	require.NoError(t, err)
	return r
}

func response(subject string, score int, at string) clicknps.Response {
	created, err := time.Parse(time.RFC3339, at)
	if err != nil {
		panic(err)
	}
	return clicknps.Response{SurveyID: "s", SubjectID: subject, Score: score, CreatedAt: created}
}

// Weeks begin on Monday at 0:00 UTC, and a week without answers is there too.
func TestWeeksAndSegments(t *testing.T) {
	t.Parallel()
	r := newTestReport(t,
		response("team_1", 10, "2026-03-01T23:59:59Z"), // a Sunday
		response("team_2", 0, "2026-03-02T01:00:00+02:00"),
		response("free_1", 9, "2026-03-02T00:00:00Z"),
		response("nobody", 8, "2026-03-17T12:00:00Z"),
		response("team_3", clicknps.NoScore, "2026-03-18T12:00:00Z"),
	)
	assert.Equal(t, "2026-02-23", r.First.Format(time.DateOnly))
	assert.Equal(t, []string{everyone, "free", "other", "team"}, r.Segments)
	assert.Equal(t, []clicknps.Tally{
		{Promoters: 1, Detractors: 1}, {Promoters: 1}, {}, {Passives: 1, Unscored: 1},
	}, r.tallies[everyone])
	assert.Equal(t, []clicknps.Tally{{Promoters: 1, Detractors: 1}, {}, {}, {Unscored: 1}}, r.tallies["team"])
	assert.Equal(t, []line{
		{Name: "2026-03-16", Responses: 1, NPS: "0", Interval: "-60 to +60", Change: "–"},
		{Name: "2026-03-09", NPS: "–", Interval: "–", Change: "–"},
		{Name: "2026-03-02", Responses: 1, NPS: "+100", Interval: "-48 to +98", Change: "+100"},
		{Name: "2026-02-23", Responses: 2, NPS: "0", Interval: "-73 to +73", Change: "–"},
	}, r.weeks())
	page, err := r.html()
	require.NoError(t, err)
	assert.Equal(t, 3+1+1+1, bytes.Count(page, []byte("<circle ")), "one for each week that has scores")
}

func TestRealChanges(t *testing.T) {
	t.Parallel()
	good, bad := clicknps.Tally{Promoters: 80, Detractors: 20}, clicknps.Tally{Promoters: 20, Detractors: 80}
	rise, fall, same := newLine("a", good, bad), newLine("b", bad, good), newLine("c", good, good)
	assert.Equal(t, []string{"+120", "-120", "0"}, []string{rise.Change, fall.Change, same.Change})
	assert.Equal(t, []bool{true, true, false}, []bool{rise.Real, fall.Real, same.Real})
	assert.Equal(t, []string{"up", "down", "unsure"}, []string{rise.Class(), fall.Class(), same.Class()})
}

func TestPoints(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "0", points(math.Copysign(0, -1)))
	for nps, want := range map[float64]string{0: "0", -0.4: "0", 0.5: "+1", -99.6: "-100"} {
		assert.Equal(t, want, points(nps))
	}
}

// A segment's name is data of the user's: it is escaped, and the charts are well-formed XML.
func TestPageIsEscaped(t *testing.T) {
	t.Parallel()
	r := newTestReport(t, response(`<b>&"_1`, 10, "2026-03-02T00:00:00Z"))
	page, err := r.html()
	require.NoError(t, err)
	assert.NotContains(t, string(page), "<b>&")
	charts := strings.SplitAfter(string(page), "<svg ")
	for _, rest := range charts[1:] {
		svg, _, found := strings.Cut(rest, "</svg>")
		require.True(t, found)
		decoder := xml.NewDecoder(strings.NewReader("<svg " + svg + "</svg>"))
		for err = nil; err == nil; {
			_, err = decoder.Token()
		}
		require.ErrorIs(t, err, io.EOF)
	}
}

func TestErrors(t *testing.T) {
	srv := clicknpstest.Run(t)
	_, err := newReport(t.Context(), srv.Client(), "")
	require.EqualError(t, err, "there are no responses yet")
	t.Setenv("CLICKNPS_API_KEY", "sk_test_wrong")
	t.Setenv("CLICKNPS_BASE_URL", srv.URL())
	require.ErrorIs(t, run(t.Context(), nil, io.Discard), clicknps.ErrUnauthorized)
	require.Error(t, run(t.Context(), []string{"-unknown"}, io.Discard))
}
