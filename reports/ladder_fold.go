package reports

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of a ladder, so that a day of traffic stays readable and the report
// small. Whatever they keep back is counted where it would stand.
const (
	ladderRows = 1500 // rows in all, folded ones included
	stretch    = 100  // rows of one step that are shown unfolded
	stretchEnd = 15   // of these, at the end of the step
	maxPeriod  = 64   // rows of the longest repeated pattern that is looked for
)

// foldRepeats hides repetitions: each step's rows are searched for patterns that
// follow each other at least three times alike, of which only the first stays
// open; and what is still too long is folded in the middle.
func foldRepeats(rows []row) []row {
	signs := signatures(rows)
	var out []row
	for start := 0; start < len(rows); {
		end := start + 1
		for end < len(rows) && rows[end].step == nil {
			end++
		}
		out = append(out, foldMiddle(foldStretch(rows[start:end], signs[start:end]))...)
		start = end
	}
	return out
}

func foldStretch(rows []row, signs []int) []row {
	var out []row
	for i := 0; i < len(rows); {
		bestPeriod, bestTimes := 0, 0
		for p := 1; p <= maxPeriod && i+3*p <= len(rows); p++ {
			times := 1
			for j := i + p; j+p <= len(rows) && slices.Equal(signs[j:j+p], signs[i:i+p]); j += p {
				times++
			}
			if times >= 3 && (times-1)*p > max(2, (bestTimes-1)*bestPeriod) {
				bestPeriod, bestTimes = p, times
			}
		}
		if bestTimes == 0 {
			out = append(out, rows[i])
			i++
			continue
		}
		next := i + bestPeriod
		end := i + bestPeriod*bestTimes
		out = append(out, rows[i:next]...)
		out = append(out, newFold(rows[next:end], bestTimes-1, bestPeriod))
		i = end
	}
	return out
}

// foldMiddle hides the middle of a step that is still too long.
func foldMiddle(rows []row) []row {
	if len(rows) <= stretch {
		return rows
	}
	from, to := stretch-stretchEnd, len(rows)-stretchEnd
	out := append(slices.Clone(rows[:from]), newFold(slices.Clone(rows[from:to]), 0, 0))
	return append(out, rows[to:]...)
}

func newFold(rows []row, times, of int) row {
	f := &fold{times: times, of: of, rows: rows, until: rows[len(rows)-1].at}
	f.kinds = kinds(rows)
	f.total = row{fold: f}.weight()
	return row{at: rows[0].at, fold: f}
}

// limit cuts what lies beyond ladderRows; what a reader sees first is kept first.
func (b *builder) limit() {
	left := ladderRows
	take := func(rows []row) ([]row, int) {
		n := min(left, len(rows))
		left -= n
		omitted := 0
		for _, r := range rows[n:] {
			omitted += r.weight()
		}
		return rows[:n], omitted
	}
	b.rows, b.omitted = take(b.rows)
	for queue := folds(b.rows); len(queue) > 0; queue = queue[1:] {
		f := queue[0]
		f.rows, f.omitted = take(f.rows)
		queue = append(queue, folds(f.rows)...)
	}
}

// folds are the folds among rows.
func folds(rows []row) []*fold {
	var out []*fold
	for _, r := range rows {
		if r.fold != nil {
			out = append(out, r.fold)
		}
	}
	return out
}

// weight is how many rows a row stands for.
func (r row) weight() int {
	if r.fold == nil {
		return 1
	}
	n := 0
	for _, inner := range r.fold.rows {
		n += inner.weight()
	}
	return n
}

// kinds counts rows by what they show, in words.
func kinds(rows []row) string {
	var messages, notes, frames int
	var walk func([]row)
	walk = func(rows []row) {
		for _, r := range rows {
			notes += len(r.notes)
			if r.message != nil {
				messages++
			}
			if r.traffic != nil {
				frames += r.traffic.frames + r.traffic.back
			}
			if r.fold != nil {
				walk(r.fold.rows)
			}
		}
	}
	walk(rows)
	var parts []string
	for _, p := range []struct {
		n    int
		noun string
	}{{messages, "IKE message"}, {notes, "change"}, {frames, "data frame"}} {
		if p.n > 0 {
			parts = append(parts, plural(p.n, p.noun))
		}
	}
	return strings.Join(parts, ", ")
}

// signatures numbers rows so that rows which a reader would call alike have one number.
func signatures(rows []row) []int {
	numbers := map[string]int{}
	out := make([]int, len(rows))
	for i, r := range rows {
		s := r.signature()
		n, ok := numbers[s]
		if !ok {
			n = len(numbers)
			numbers[s] = n
		}
		out[i] = n
	}
	return out
}

func (r row) signature() string {
	switch {
	case r.step != nil:
		return fmt.Sprintf("step %d", r.step.Index)
	case r.message != nil:
		m := r.message
		return fmt.Sprint("message ", m.from, m.to, m.name(), m.contents(), m.lost, m.Retransmit > 0, m.notes)
	case r.traffic != nil:
		return fmt.Sprint("traffic ", min(r.traffic.from, r.traffic.to), max(r.traffic.from, r.traffic.to), r.traffic.class, r.traffic.back > 0)
	}
	var b strings.Builder
	for _, n := range r.notes {
		fmt.Fprintf(&b, "note %d %s %s\n", n.column, n.kind, n.same)
	}
	return b.String()
}
