package policy

import (
	"fmt"
	"strconv"
	"strings"
)

// maxMethod bounds what is parsed, and so what an error quotes.
const maxMethod = 128

// MethodError is a mistake in a security method.
type MethodError struct {
	What   string // "security method" or "main-mode method"
	Text   string // the method, cut when too long
	Column int    // of the mistake, in bytes from 1
	Reason string
}

func (e *MethodError) Error() string {
	return fmt.Sprintf("policy: %s %q, column %d: %s", e.What, e.Text, e.Column, e.Reason)
}

// cursor walks a method from left to right and makes its errors.
type cursor struct {
	what, text string
	at         int
}

func newCursor(what, text string) (*cursor, error) {
	c := &cursor{what: what, text: text}
	switch {
	case text == "":
		return nil, c.errorf("it is empty")
	case len(text) > maxMethod:
		return nil, &MethodError{What: what, Text: text[:maxMethod] + "…", Column: maxMethod + 1, Reason: fmt.Sprintf("longer than %d bytes", maxMethod)}
	}
	return c, nil
}

func (c *cursor) errorf(format string, args ...any) error {
	return &MethodError{What: c.what, Text: c.text, Column: c.at + 1, Reason: fmt.Sprintf(format, args...)}
}

func (c *cursor) done() bool { return c.at == len(c.text) }

// word takes everything up to the next of the delimiters, or the end.
func (c *cursor) word(delimiters string) string {
	rest := c.text[c.at:]
	if i := strings.IndexAny(rest, delimiters); i >= 0 {
		rest = rest[:i]
	}
	c.at += len(rest)
	return rest
}

// take consumes b if it is next.
func (c *cursor) take(b byte) bool {
	if c.done() || c.text[c.at] != b {
		return false
	}
	c.at++
	return true
}

// name takes the word up to a delimiter and looks it up.
func (c *cursor) name(what, delimiters string, known []algorithm) (string, error) {
	start := c.at
	word := c.word(delimiters)
	var supported []string
	more := ""
	reason := "unknown " + what + " " + strconv.Quote(word)
	for _, a := range known {
		switch {
		case a.more:
			more = ", and the same of AES192 and AES256"
		case a.suite != "":
			supported = append(supported, a.netsh)
		}
		if strings.EqualFold(word, a.netsh) {
			if a.suite != "" {
				return a.suite, nil
			}
			reason = "unsupported: " + what + " " + a.netsh + ": " + a.why
		}
	}
	c.at = start
	return "", c.errorf("%s; supported: %s", reason, strings.Join(supported, ", ")+more)
}
