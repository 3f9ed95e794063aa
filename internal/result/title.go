package result

import (
	"slices"
	"strings"
)

// CommonTitle is what the titles of a file's cells have in common: their first
// words up to a colon, or with an ellipsis for the rest. It is empty when they
// have none.
func CommonTitle(titles []string) string {
	switch all := slices.Compact(slices.Clone(titles)); len(all) {
	case 0:
		return ""
	case 1:
		return all[0]
	}
	common := strings.Fields(titles[0])
	for _, t := range titles[1:] {
		n := 0
		for _, word := range strings.Fields(t) {
			if n == len(common) || word != common[n] {
				break
			}
			n++
		}
		common = common[:n]
	}
	if len(common) == 0 {
		return ""
	}
	for i, word := range slices.Backward(common) {
		if strings.HasSuffix(word, ":") {
			return strings.TrimSuffix(strings.Join(common[:i+1], " "), ":")
		}
	}
	return strings.TrimSuffix(strings.Join(common, " "), ",") + " …"
}
