package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"text/tabwriter"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// line is a row of a table.
type line struct {
	Name      string
	Responses int
	NPS       string
	Interval  string
	Change    string
	Real      bool // the change is more than chance
	rise      bool
}

func newLine(name string, now, before clicknps.Tally) line {
	l := line{Name: name, Responses: now.Total(), NPS: "–", Interval: "–", Change: "–"}
	if now.Total() == 0 {
		return l
	}
	low, high := now.Interval(confidence)
	l.NPS, l.Interval = points(now.NPS()), points(low)+" to "+points(high)
	if before.Total() > 0 {
		low, high := now.Change(before, confidence)
		l.Real, l.rise = low > 0 || high < 0, low > 0
		l.Change = points(now.NPS() - before.NPS())
	}
	return l
}

// points returns a score or a difference of scores without decimals, and with a sign unless it is
// 0.
func points(nps float64) string {
	if n := int(math.Round(nps)); n != 0 {
		return fmt.Sprintf("%+d", n)
	}
	return "0"
}

// Class returns the CSS class of the change.
func (l line) Class() string {
	switch {
	case !l.Real:
		return "unsure"
	case l.rise:
		return "up"
	}
	return "down"
}

// table is a table of the page.
type table struct {
	Title string
	Lines []line
}

// weeks returns a line for each week, each compared with the week before, the newest first.
func (r *report) weeks() (lines []line) {
	for i := len(r.tallies[everyone]) - 1; i >= 0; i-- {
		monday := r.First.Add(time.Duration(i) * week).Format(time.DateOnly)
		lines = append(lines, newLine(monday, r.sum(everyone, i, i+1), r.sum(everyone, i-1, i)))
	}
	return lines
}

// segments returns a line for each segment: the last weeks, compared with as many before.
func (r *report) segments() (lines []line) {
	n := len(r.tallies[everyone])
	for _, name := range r.Segments {
		now, before := r.sum(name, n-compared, n), r.sum(name, n-2*compared, n-compared)
		lines = append(lines, newLine(name, now, before))
	}
	return lines
}

func (r *report) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	table := func(title string, lines []line) {
		fmt.Fprintf(w, "%s\tresponses\tNPS\t95 %% interval\tchange\t\t\n", title)
		for _, l := range lines {
			verdict := map[bool]string{true: "real", false: "chance?"}[l.Real]
			if l.Change == "–" {
				verdict = ""
			}
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t\n", l.Name, l.Responses, l.NPS, l.Interval, l.Change, verdict)
		}
		fmt.Fprintln(w, "\t\t\t\t\t\t")
	}
	table("week of", r.weeks())
	table(fmt.Sprintf("last %d weeks", compared), r.segments())
	return w.Flush()
}

// addYear gives the fake the responses of 2025, always the same ones.
func addYear(fake *clicknpstest.Server) {
	segments := []struct {
		name                  string
		answers               int     // a week, about
		promoters, detractors float64 // shares of the answers
		turn                  float64 // what promoters lose or win over the year
	}{
		{"enterprise", 12, 0.48, 0.16, 0.14},
		{"free", 35, 0.45, 0.22, -0.35},
		{"team", 22, 0.46, 0.20, 0},
	}
	random := rand.New(rand.NewPCG(2025, 1))
	for i := range 52 {
		monday := time.Date(2024, 12, 30+7*i, 0, 0, 0, 0, time.UTC)
		for _, s := range segments {
			for n := range s.answers/2 + random.IntN(s.answers) {
				score, luck := 7+random.IntN(2), random.Float64()
				if luck < s.promoters+s.turn*float64(i)/52 {
					score = 9 + random.IntN(2)
				} else if luck > 1-s.detractors {
					score = random.IntN(7)
				}
				fake.AddResponse(clicknps.Response{
					SurveyID: "demo", SubjectID: fmt.Sprintf("%s_%d_%d", s.name, i, n), Score: score,
					CreatedAt: monday.Add(time.Duration(random.Int64N(int64(week)))),
				})
			}
		}
	}
}
