package netsh

import (
	"slices"
	"strings"
)

// match finds the word that is meant by itself or by an unambiguous beginning of it,
// in upper or lower case ("NetShell and Command Abbreviation"). Without one, several
// are those that could be meant.
func match(word string, known []string) (found string, several []string) {
	for _, k := range known {
		if strings.EqualFold(word, k) {
			return k, nil
		}
		if word != "" && len(word) < len(k) && strings.EqualFold(word, k[:len(word)]) {
			several = append(several, k)
		}
	}
	if len(several) == 1 {
		return several[0], nil
	}
	slices.Sort(several)
	return "", several
}
