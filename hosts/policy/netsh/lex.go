package netsh

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// place is where something stands in a script; both count from 1, columns in characters.
type place struct{ line, column int }

// char is a character of a logical line and its place in the file.
type char struct {
	r rune
	place
}

// source is one logical line: a physical one, and those that continue it.
type source struct {
	first, last int
	chars       []char
	text        string // as it stands in the file, without the space around it
	broken      string // why it cannot be read at all
}

// at is the place of the line's first character that is not a space.
func (s *source) at() place {
	for _, c := range s.chars {
		if !unicode.IsSpace(c.r) {
			return c.place
		}
	}
	return place{s.first, 1}
}

// logical splits a script into its logical lines.
func logical(text string) (all []source) {
	physical := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n")
	if n := len(physical); physical[n-1] == "" {
		physical = physical[:n-1] // behind the last line break
	}
	var s *source
	var whole strings.Builder
	comment, quoted := false, false
	for i, l := range physical {
		if s == nil {
			s = &source{first: i + 1}
			comment, quoted = isComment(strings.TrimSpace(l)), false
			whole.Reset()
		}
		s.last = i + 1
		if !utf8.ValidString(l) {
			s.broken = "it is not text in UTF-8"
			l = strings.ToValidUTF8(l, string(utf8.RuneError))
		}
		if part := strings.TrimSpace(l); part != "" && whole.Len() < maxLine {
			if whole.Len() > 0 {
				whole.WriteByte(' ')
			}
			whole.WriteString(part)
		}
		column := 0
		for _, r := range l {
			column++
			if len(s.chars) <= maxLine {
				s.chars = append(s.chars, char{r, place{i + 1, column}})
			}
			quoted = quoted != (r == '"')
			if s.broken == "" && unicode.IsControl(r) && r != '\t' {
				s.broken = fmt.Sprintf("there is a control character (%U) in it", r)
			}
		}
		if len(s.chars) > maxLine && s.broken == "" && !comment {
			s.broken = fmt.Sprintf("it is longer than %d characters, the most that is read", maxLine)
		}
		if !comment && !quoted && strings.HasSuffix(l, "^") { // ^ has no meaning within quotes
			if len(s.chars) <= maxLine {
				s.chars = s.chars[:len(s.chars)-1]
			}
			if i+1 < len(physical) {
				continue
			}
			s.broken = "it ends with ^, and there is no line that could continue it"
		}
		s.text = whole.String()
		all = append(all, *s)
		s = nil
	}
	return all
}

// maxLine is how long a logical line may be, in characters.
const maxLine = 1 << 16

// isComment reports a line of batch files or of netsh's own that does nothing: # as netsh
// dump writes it, rem and :: of batch files.
func isComment(text string) bool {
	text = strings.TrimLeft(text, "@ \t")
	switch {
	case text == "", text[0] == '#', strings.HasPrefix(text, "::"):
		return true
	}
	return len(text) >= 3 && strings.EqualFold(text[:3], "rem") && (len(text) == 3 || text[3] == ' ' || text[3] == '\t')
}

// token is one word of a line, without its quotes.
type token struct {
	place
	text   string
	equals int   // where in text the first = outside quotes is; -1: there is none
	value  place // of what stands behind that =
	filled bool  // there is something behind that =, if only a pair of quotes
	quoted bool  // there are quotes in it
}

// words takes a logical line apart. batch has ^ escape, and > redirect, as in a batch file.
func words(s *source, batch bool) (all []token, err error) {
	var b strings.Builder
	var t *token
	quoted := place{}
	end := func() {
		if t != nil {
			t.text = b.String()
			all = append(all, *t)
			b.Reset()
			t = nil
		}
	}
	for i := 0; i < len(s.chars); i++ {
		c := s.chars[i]
		inside := quoted != place{}
		next := rune(0)
		if i+1 < len(s.chars) {
			next = s.chars[i+1].r
		}
		switch {
		case !inside && unicode.IsSpace(c.r):
			end()
			continue
		case !inside && batch && strings.ContainsRune("|&<", c.r):
			return nil, refuse(c.place, "unsupported: %c joins commands of a batch file: give each command a line of its own", c.r)
		case !inside && batch && c.r == '>':
			if t != nil && (b.String() == "1" || b.String() == "2") {
				t = nil // the number of the output that goes elsewhere
				b.Reset()
			}
			end()
			return all, nil
		case !inside && strings.ContainsRune("“”„‟«»", c.r):
			return nil, refuse(c.place, "%c is a typographic quotation mark, which is none to netsh: write \"", c.r)
		}
		if t == nil {
			t = &token{place: c.place, equals: -1, value: c.place}
		}
		if t.equals >= 0 && !t.filled {
			t.filled, t.value = true, c.place
		}
		switch {
		case c.r == '"' && inside && next == '"':
			b.WriteRune('"')
			i++
		case c.r == '"' && inside:
			quoted = place{}
		case c.r == '"':
			quoted, t.quoted = c.place, true
		case c.r == '=' && !inside && t.equals < 0:
			t.equals = b.Len()
			b.WriteRune('=')
		case c.r == '^' && !inside && batch && next != 0:
			b.WriteRune(next)
			i++
		default:
			b.WriteRune(c.r)
		}
	}
	if quoted != (place{}) {
		return nil, refuse(quoted, "a quotation mark opens here, and none closes it in this line")
	}
	end()
	return all, nil
}

// argument is a value with its tag, or without one.
type argument struct {
	tag        string // as written; "": by its position
	value      string
	at, behind place // of the tag, or of the value; of the value
	quoted     bool
}

// arguments joins tags, equals signs and values that stand apart: name = "x".
func arguments(tokens []token) (all []argument, err error) {
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		if t.equals < 0 {
			all = append(all, argument{value: t.text, at: t.place, behind: t.place, quoted: t.quoted})
			continue
		}
		a := argument{tag: t.text[:t.equals], value: t.text[t.equals+1:], at: t.place, behind: t.value, quoted: t.quoted}
		if a.tag == "" { // the tag stands before the = alone
			n := len(all)
			if n == 0 || all[n-1].tag != "" || all[n-1].quoted {
				return nil, refuse(t.place, "there is no option before this =")
			}
			a.tag, a.at = all[n-1].value, all[n-1].at
			all = all[:n-1]
		}
		if !t.filled && i+1 < len(tokens) && tokens[i+1].equals < 0 {
			i++
			a.value, a.behind, a.quoted = tokens[i].text, tokens[i].place, tokens[i].quoted
		}
		all = append(all, a)
	}
	return all, nil
}
