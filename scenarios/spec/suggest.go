package spec

import (
	"fmt"
	"strings"
)

// Suggest is `; did you mean "from"?` for the candidate that resembles the word
// most, or nothing when none does: the end of a message about an unknown word.
func Suggest(word string, candidates []string) string {
	if c := nearest(word, candidates); c != "" {
		return fmt.Sprintf("; did you mean %q?", c)
	}
	return ""
}

// listed is how many candidates a message names.
const listed = 20

// Among is Suggest where the candidates stand in no file before the reader: it names them first.
func Among(word string, candidates []string) string {
	if len(candidates) == 0 {
		return ": there are none"
	}
	shown, more := candidates, ""
	if n := len(candidates) - listed; n > 1 {
		shown, more = candidates[:listed], fmt.Sprintf(" and %d more", n)
	}
	return ": there are " + strings.Join(shown, ", ") + more + Suggest(word, candidates)
}

// nearest is the candidate that the fewest edits make of the word, the first of
// equals; empty when more than a third of it would have to change.
func nearest(word string, candidates []string) string {
	if len(word) > 64 { // no name is as long
		return ""
	}
	best, fewest := "", 1+max(1, (len(word)+2)/3)
	for _, c := range candidates {
		if len(c)-len(word) >= fewest || len(word)-len(c) >= fewest {
			continue // as many edits at least
		}
		if d := edits(strings.ToLower(word), strings.ToLower(c)); c != word && d < fewest {
			best, fewest = c, d
		}
	}
	return best
}

// edits is the number of insertions, deletions, substitutions and swaps of
// neighbours between a and b: the optimal string alignment distance.
func edits(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
