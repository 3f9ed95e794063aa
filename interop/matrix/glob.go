package matrix

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Glob is a pattern of names: * stands for any text, ? for one character, {a,b} for one of
// several texts. Everything else stands for itself.
type Glob struct {
	text string
	expr *regexp.Regexp
}

// NewGlob reads a pattern. Its errors are for who knows the text.
func NewGlob(text string) (g Glob, err error) {
	if text == "" {
		return g, errors.New("want a pattern of names")
	}
	var expr strings.Builder
	expr.WriteString("^(?s:")
	depth := 0
	for _, r := range text {
		switch {
		case r == '*':
			expr.WriteString(".*")
		case r == '?':
			expr.WriteString(".")
		case r == '{' && depth == 0:
			depth++
			expr.WriteString("(?:")
		case r == '{':
			return g, errors.New("the pattern has { inside of {")
		case r == '}' && depth == 1:
			depth--
			expr.WriteString(")")
		case r == '}':
			return g, errors.New("the pattern has } without {")
		case r == ',' && depth == 1:
			expr.WriteString("|")
		default:
			expr.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	if depth != 0 {
		return g, errors.New("the pattern has { without }")
	}
	expr.WriteString(")$")
	compiled, err := regexp.Compile(expr.String())
	if err != nil {
		return g, fmt.Errorf("the pattern cannot be used: %w", err)
	}
	return Glob{text, compiled}, nil
}

// UnmarshalText reads a pattern.
func (g *Glob) UnmarshalText(b []byte) (err error) {
	*g, err = NewGlob(string(b))
	return err
}

func (g Glob) String() string { return g.text }

// Match reports whether the whole text is of the pattern.
func (g Glob) Match(text string) bool { return g.expr != nil && g.expr.MatchString(text) }

// Cell reports whether the pattern means the cell, by either of its texts; -> may stand for →.
func (g Glob) Cell(id CellID) bool {
	return g.Match(id.Name()) || g.Match(id.String()) || g.Match(strings.ReplaceAll(id.String(), "→", "->"))
}
