package main

import (
	"context"
	"fmt"
	"os"
	"strings"
)

const (
	green  = "32"
	yellow = "33"
	red    = "31"
	bold   = "1"

	barWidth   = 60
	confidence = 0.95
)

// showScore prints the Net Promoter Score, and a bar of promoters, passives and detractors.
func (t *tour) showScore(context.Context) error {
	if t.tally.Total() == 0 {
		t.say("score", "none yet: nobody has answered")
		return nil
	}
	t.say("score", "%s ± %.1f at %.0f %% confidence, from %d responses",
		t.paint(bold, fmt.Sprintf("NPS %+.1f", t.tally.NPS())), t.tally.MarginOfError(confidence), 100*confidence, t.tally.Total())
	parts := []struct {
		name, colour, block string
		count               int
	}{
		{"promoters", green, "█", t.tally.Promoters},
		{"passives", yellow, "▓", t.tally.Passives},
		{"detractors", red, "░", t.tally.Detractors},
	}
	var bar, legend strings.Builder
	drawn, counted := 0, 0
	for _, p := range parts {
		counted += p.count
		// To where the sum stands, so that the parts always fill the bar.
		cells := counted*barWidth/t.tally.Total() - drawn
		drawn += cells
		bar.WriteString(t.paint(p.colour, strings.Repeat(p.block, cells)))
		fmt.Fprintf(&legend, "%s %s %.0f %% (%d)   ", t.paint(p.colour, p.block), p.name, 100*float64(p.count)/float64(t.tally.Total()), p.count)
	}
	fmt.Fprintf(t.out, "\n    %s\n    %s\n\n", bar.String(), strings.TrimSpace(legend.String()))
	return nil
}

// paint colours text if it goes to a terminal.
func (t *tour) paint(colour, text string) string {
	if !t.colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// isTerminal reports whether f is a terminal, and colour is wanted (https://no-color.org).
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}
