package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/internal/result"
)

// What has changed of a cell.
const (
	NewlyFailing   = "newly failing"
	NewlyPassing   = "newly passing"
	ChangedOutcome = "changed outcome"
	Slower         = "slower"
)

// slowerBy is the least that counts as slower, whatever the factor: short cells vary.
const slowerBy = time.Second

// defaultSlower is the factor where none is given.
const defaultSlower = 1.5

// Change is what has changed of a cell since an earlier run.
type Change struct {
	Word string // one of the above
	Text string // in words
	Cell result.MatrixCell
}

// Comparison holds a matrix against an earlier one.
type Comparison struct {
	Earlier *result.Matrix
	Changes []Change // the bad ones first, then in the order of the matrix
	Same    int      // cells with the same outcome that are no slower
	New     int      // cells of which the earlier one knows nothing
	Missing int      // cells of the earlier one of which nothing is known now
}

// CompareMatrices finds what has changed since an earlier run.
func CompareMatrices(now, earlier *result.Matrix, o MatrixOptions) *Comparison {
	factor := cmp.Or(o.Slower, defaultSlower)
	c := &Comparison{Earlier: earlier}
	before := map[string]result.MatrixCell{}
	for _, x := range earlier.Cells {
		if x.Kind != result.KindNotRun {
			before[x.ID] = x
		}
	}
	for _, x := range now.Cells {
		was, known := before[x.ID]
		delete(before, x.ID)
		switch word, text := changed(x, was, factor); {
		case x.Kind == result.KindNotRun && known:
			c.Missing++
		case x.Kind == result.KindNotRun:
		case !known:
			c.New++
		case word == "":
			c.Same++
		default:
			c.Changes = append(c.Changes, Change{word, text, x})
		}
	}
	c.Missing += len(before)
	slices.SortStableFunc(c.Changes, func(a, b Change) int { return cmp.Compare(changeOrder(a.Word), changeOrder(b.Word)) })
	return c
}

func changeOrder(word string) int {
	return slices.Index([]string{NewlyFailing, NewlyPassing, ChangedOutcome, Slower}, word)
}

func changed(now, was result.MatrixCell, factor float64) (word, text string) {
	bad := func(o result.Outcome) bool { return o == result.Failed || o == result.Broken }
	text = fmt.Sprintf("%s, was %s", kindText(now), kindText(was))
	switch {
	case bad(now.Outcome) && !bad(was.Outcome):
		return NewlyFailing, text
	case now.Outcome == result.Passed && was.Outcome != result.Passed:
		return NewlyPassing, text
	case now.Kind != was.Kind:
		return ChangedOutcome, text
	case now.Outcome == result.Passed && was.Wall > 0 && now.Wall-was.Wall >= slowerBy && float64(now.Wall) >= factor*float64(was.Wall):
		return Slower, fmt.Sprintf("%s, was %s", span(threeDigits(now.Wall)), span(threeDigits(was.Wall)))
	}
	return "", ""
}

// kindText is what a cell counts as, with the reason.
func kindText(c result.MatrixCell) string {
	if c.Reason == "" {
		return matrixKinds[c.Kind].Words
	}
	return fmt.Sprintf("%s (%s)", matrixKinds[c.Kind].Words, c.Reason)
}

// Of is the change of a cell; nil: none.
func (c *Comparison) Of(id string) *Change {
	if c == nil {
		return nil
	}
	for i := range c.Changes {
		if c.Changes[i].Cell.ID == id {
			return &c.Changes[i]
		}
	}
	return nil
}

// Summary counts the changes in a line.
func (c *Comparison) Summary() string {
	var parts []string
	for _, word := range []string{NewlyFailing, NewlyPassing, ChangedOutcome, Slower} {
		n := 0
		for _, x := range c.Changes {
			if x.Word == word {
				n++
			}
		}
		parts = append(parts, fmt.Sprintf("%d %s", n, word))
	}
	parts = append(parts, fmt.Sprintf("%d the same", c.Same), fmt.Sprintf("%d new", c.New), fmt.Sprintf("%d not run now", c.Missing))
	return strings.Join(parts, ", ")
}
