package spec

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// position is a place in a file; both count from 1, columns in characters.
type position struct{ line, column int }

// source is the text behind a scenario and where its parts stand in it.
type source struct {
	file   string
	lines  []string
	values map[string]position // by path: of a scalar, or of the key before a mapping or list
	keys   map[string]position // by path: of the key
}

// lineBreaks makes one of the line breaks of YAML (1.2.2, 5.4), as they are counted.
var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n")

func newSource(file, text string) *source {
	return &source{
		file:   file,
		lines:  strings.Split(lineBreaks.Replace(text), "\n"),
		values: map[string]position{},
		keys:   map[string]position{},
	}
}

// at is the position of the value at the path, or of the nearest thing around it.
func (s *source) at(path string) (p position) {
	for path != "" {
		if p, ok := s.values[path]; ok {
			return p
		}
		path = parent(path)
	}
	return position{}
}

// error makes a mistake at a position. A nil source knows no positions.
func (s *source) error(p position, path, message string) *Error {
	e := &Error{Path: path, Message: message}
	if s != nil {
		e.File, e.Line, e.Column, e.Excerpt = s.file, p.line, p.column, s.excerpt(p)
	}
	return e
}

// excerptWidth is how much of a long line is shown, in characters.
const excerptWidth = 100

// excerpt shows the line of the position, the line before it and a pointer:
//
//	  11 |     ping:
//	> 12 |       form: alice
//	     |       ^
func (s *source) excerpt(p position) string {
	if p.line < 1 || p.line > len(s.lines) {
		return ""
	}
	line := printable(s.lines[p.line-1])
	column := min(max(p.column, 1), len(line)+1)
	skip := 0
	if column > excerptWidth-10 {
		skip = column - excerptWidth/2
	}
	cut := func(r []rune) string {
		if skip >= len(r) {
			return ""
		}
		return strings.TrimRight(string(r[skip:min(len(r), skip+excerptWidth)]), " ")
	}
	var b strings.Builder
	digits := len(fmt.Sprint(p.line))
	if p.line > 1 {
		fmt.Fprintf(&b, "%s\n", strings.TrimRight(fmt.Sprintf("  %*d | %s", digits, p.line-1, cut(printable(s.lines[p.line-2]))), " "))
	}
	fmt.Fprintf(&b, "> %*d | %s\n", digits, p.line, cut(line))
	fmt.Fprintf(&b, "  %*s | %s^", digits, "", strings.Repeat(" ", column-1-skip))
	return b.String()
}

// printable is a line with one visible column per character: tabs become
// spaces, and what a terminal would obey becomes a replacement character.
func printable(line string) []rune {
	r := []rune(line)
	for i, c := range r {
		switch {
		case c == '\t':
			r[i] = ' '
		case !unicode.IsPrint(c):
			r[i] = utf8.RuneError
		}
	}
	return r
}

// plainKey reports whether a key stands in a path as it is.
func plainKey(key string) bool {
	for i := range len(key) {
		switch c := key[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return 0 < len(key) && len(key) <= 64
}

// child is the path of a key below a path; odd keys are quoted.
func child(path, key string) string {
	if plainKey(key) {
		return path + "." + key
	}
	return path + "." + fmt.Sprintf("%q", shorten(key))
}

// item is the path of an element of the list at a path.
func item(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// parent is the path of the mapping or list around a path, "" for the root's.
func parent(path string) string {
	if strings.HasSuffix(path, `"`) { // a quoted key may hold any character
		if i := strings.LastIndex(path[:len(path)-1], `."`); i >= 0 {
			return path[:i]
		}
	}
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// shorten keeps what a file says from flooding a message.
func shorten(text string) string {
	if r := []rune(text); len(r) > 60 {
		return string(r[:59]) + "…"
	}
	return text
}

// File is the file that the scenario was read from, as given to Parse; "" when built in code.
func (s *Scenario) File() string {
	if s.src == nil {
		return ""
	}
	return s.src.file
}

// Line is the line of the value at a path such as $.steps[2].ping.to, or of the
// nearest thing around it; 0 for a scenario built in code. Indexes count from 0.
func (s *Scenario) Line(path string) int {
	if s.src == nil {
		return 0
	}
	return s.src.at(path).line
}

// Errorf makes a mistake at a path, for checks that are done elsewhere.
func (s *Scenario) Errorf(path, format string, args ...any) *Error {
	e := s.src.error(s.src.locate(path), path, fmt.Sprintf(format, args...))
	if s.src == nil {
		e.File = s.Name
	}
	return e
}

func (s *source) locate(path string) position {
	if s == nil {
		return position{}
	}
	return s.at(path)
}
