package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/ipseclab/ipseclab/internal/result"
)

// movingLine is the line that moves on a terminal. Lines are written above it.
type movingLine struct {
	mu  sync.Mutex
	bar *progressbar.ProgressBar // nil: no terminal
}

// start draws the line if w is a terminal.
func (m *movingLine) start(w io.Writer, total int, what string) {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		m.bar = newBar(w, total, what)
	}
}

func newBar(w io.Writer, total int, what string) *progressbar.ProgressBar {
	return progressbar.NewOptions(total,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what), progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(false), progressbar.OptionClearOnFinish(), progressbar.OptionSetRenderBlankState(true))
}

// above writes text above the line, which then counts so many more.
func (m *movingLine) above(w io.Writer, text string, more int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bar != nil {
		m.bar.Clear() // a progress line that cannot be drawn is no reason to stop
		defer m.bar.Add(more)
	}
	fmt.Fprint(w, text)
}

// end removes the line.
func (m *movingLine) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bar != nil {
		m.bar.Finish()
	}
}

// progress shows how a run goes on: a line that moves on a terminal, with a
// line for what did not pass; elsewhere a line per scenario.
type progress struct {
	movingLine
	lines io.Writer
	width int // of the longest name
}

func newProgress(lines, stderr io.Writer, names []string) *progress {
	p := &progress{lines: lines}
	for _, name := range names {
		p.width = max(p.width, len(name))
	}
	p.start(stderr, len(names), "scenarios")
	return p
}

// scenario shows that one has come to an end.
func (p *progress) scenario(e result.Entry, r *result.Scenario) {
	text := line(e, r, p.width)
	if p.bar != nil && e.Outcome == result.Passed {
		text = ""
	}
	p.above(p.lines, text, 1)
}

// line is a scenario's line, and the reasons below it where it did not pass.
func line(e result.Entry, r *result.Scenario, width int) string {
	var b strings.Builder
	time := fmt.Sprintf("%s of virtual time", rounded(e.Virtual))
	if r.Clock == result.ClockWall {
		time = fmt.Sprintf("%s by the wall clock", rounded(e.Virtual))
	}
	fmt.Fprintf(&b, "%-11s  %-*s  %s, %s, %s in %s\n", e.Outcome, width, e.Name,
		count(len(r.Steps), "step"), count(e.Frames, "frame"), time, rounded(e.Wall))
	if reasons := whys(r); reasons != "" {
		fmt.Fprintf(&b, "             %s\n", strings.ReplaceAll(reasons, "\n", "\n             "))
	}
	return b.String()
}

// summary is what stands at the end of a run.
func summary(w io.Writer, run *result.Run, unfinished int, index string) {
	var parts []string
	for _, o := range []result.Outcome{result.Passed, result.Unsupported, result.Failed, result.Broken} {
		if n := run.Totals[o]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		}
	}
	if unfinished > 0 {
		parts = append(parts, fmt.Sprintf("%d not finished: interrupted", unfinished))
	}
	for _, g := range run.Grids {
		fmt.Fprintf(w, "grid %s: %s\n", g.Name, measured(g.Totals))
	}
	fmt.Fprintf(w, "%s: %s, in %s%s\nreport: %s\n", count(len(run.Scenarios)+unfinished, "scenario"), strings.Join(parts, ", "), rounded(run.Wall), each(run), index)
}

// measured says what was found in the cells of a grid.
func measured(totals map[string]int) string {
	var parts []string
	for _, outcome := range append(result.MeasuredOutcomes(), result.Unmeasured) {
		if n := totals[outcome]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, outcome))
		}
	}
	return strings.Join(parts, ", ")
}

// each says how long a scenario took on average, and the long ones apart; of one there is nothing to say.
func each(run *result.Run) string {
	a := run.Average()
	switch {
	case len(run.Scenarios) < 2:
		return ""
	case a.LongScenarios == 0:
		return fmt.Sprintf(", %s each", rounded(a.Each))
	case a.Scenarios == 0:
		return fmt.Sprintf(", %s each, all of them long", rounded(a.LongEach))
	}
	return fmt.Sprintf(", %s each, and %s of %s each", rounded(a.Each), count(a.LongScenarios, "long one"), rounded(a.LongEach))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// rounded is a duration in few digits.
func rounded(d time.Duration) time.Duration {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond)
	case d < time.Minute:
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Second)
}
