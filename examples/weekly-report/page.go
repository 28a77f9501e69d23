package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/clicknps/go-sdk"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// The size of a chart and of its margins, in SVG units.
const (
	chartWidth, chartHeight = 720.0, 240.0
	left, right, top, below = 56.0, 14.0, 12.0, 28.0
)

// chart is what the page draws: a point and an interval for each week, and a trend line with its
// interval around it.
type chart struct {
	Title, Summary string
	Width, Height  float64
	Left, Right    float64 // where the plot begins and ends
	Grid           []label // horizontal lines
	Months         []label
	Points         []point
	Band, Trend    string // an SVG polygon and an SVG polyline
}

type label struct {
	At   float64
	Text string
}

type point struct {
	X, Y, Low, High float64
	Text            string
}

func x(week, weeks int) float64 {
	return left + (float64(week)+0.5)*(chartWidth-left-right)/float64(weeks)
}

// y is 100 at the top and −100 at the bottom.
func y(nps float64) float64 { return top + (100-nps)*(chartHeight-top-below)/200 }

func (r *report) chart(segment string) chart {
	weeks := len(r.tallies[segment])
	c := chart{
		Title: segment, Width: chartWidth, Height: chartHeight, Left: left, Right: chartWidth - right,
	}
	for nps := -100; nps <= 100; nps += 50 {
		c.Grid = append(c.Grid, label{y(float64(nps)), points(float64(nps))})
	}
	var above, under, trend []string
	for i := range weeks {
		monday := r.First.Add(time.Duration(i) * week)
		if monday.Day() <= 7 {
			c.Months = append(c.Months, label{x(i, weeks), monday.Format("Jan")})
		}
		if t := r.sum(segment, i, i+1); t.Total() > 0 {
			c.Points = append(c.Points, newPoint(x(i, weeks), t, "week of "+monday.Format(time.DateOnly)))
		}
		if t := r.sum(segment, i-smooth+1, i+1); t.Total() > 0 {
			p := newPoint(x(i, weeks), t, "")
			above = append(above, fmt.Sprintf("%.1f,%.1f", p.X, p.High))
			under = append([]string{fmt.Sprintf("%.1f,%.1f", p.X, p.Low)}, under...)
			trend = append(trend, fmt.Sprintf("%.1f,%.1f", p.X, p.Y))
		}
	}
	c.Band, c.Trend = strings.Join(append(above, under...), " "), strings.Join(trend, " ")
	now := r.sum(segment, weeks-smooth, weeks)
	low, high := now.Interval(confidence)
	c.Summary = fmt.Sprintf("NPS %s in the last %d weeks (%s to %s)",
		points(now.NPS()), smooth, points(low), points(high))
	return c
}

func newPoint(x float64, t clicknps.Tally, when string) point {
	low, high := t.Interval(confidence)
	text := fmt.Sprintf("%s: NPS %s (%s to %s), %d responses",
		when, points(t.NPS()), points(low), points(high), t.Total())
	return point{X: x, Y: y(t.NPS()), Low: y(low), High: y(high), Text: text}
}

// html returns the page: one file, without scripts and without anything to load.
func (r *report) html() ([]byte, error) {
	var charts []chart
	for _, s := range r.Segments {
		charts = append(charts, r.chart(s))
	}
	last := r.First.Add(time.Duration(len(r.tallies[everyone]))*week - 1)
	var page bytes.Buffer
	err := pageTemplate.Execute(&page, map[string]any{
		"From": r.First.Format(time.DateOnly), "To": last.Format(time.DateOnly),
		"Compared": compared, "Smooth": smooth,
		"All": charts[0], "Charts": charts[1:],
		"SegmentTable": table{"Segment", r.segments()}, "WeekTable": table{"Week of", r.weeks()},
	})
	return page.Bytes(), err
}
