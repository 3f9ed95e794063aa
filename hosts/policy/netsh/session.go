package netsh

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/ipseclab/ipseclab/hosts/policy"
)

// MaxScript is how long a script may be, in bytes, with all that it includes.
const MaxScript = 1 << 20

// maxDepth bounds scripts that include scripts.
const maxDepth = 8

// Script is what Run takes.
type Script struct {
	Name string // what places are told by: a file's name
	Text string
	Stop bool // at the first line that is refused; netsh goes on

	// Open reads a file that the script names, as netsh -f and exec do. nil: there are none.
	Open func(name string) (string, error)

	// After is called when a line has been run, before the next one is. nil: nobody asks.
	After func(Line)
}

// Run does what a script says, line by line. It begins at the root of netsh, as a new
// process does; only what the store keeps of earlier scripts remains.
func (s *Store) Run(script Script) *Result {
	r := &session{store: s, script: script, result: &Result{}, left: MaxScript}
	r.context = contexts()
	r.include(script.Name, script.Text)
	return r.result
}

// session is a script while it is run.
type session struct {
	store   *Store
	script  Script
	result  *Result
	context *context
	pushed  []*context
	filters map[*FilterList]map[policy.Filter]bool // of lists to which filters are added
	out     *Line                                  // of the command that is run
	left    int                                    // bytes that may still be read
	depth   int
	ended   bool
	stopped bool
}

// include runs the text of a file.
func (s *session) include(name, text string) {
	text = decode(text)
	if s.left -= len(text); s.left < 0 {
		s.add(Line{File: name, First: 1, Last: 1, Line: 1, Column: 1, Outcome: Refused,
			Reason: fmt.Sprintf("the script is larger than %d bytes, the most that is read", MaxScript)})
		return
	}
	s.depth++
	for _, l := range logical(text) {
		if s.stopped {
			break
		}
		at := l.at()
		out := Line{File: name, First: l.first, Last: l.last, Line: at.line, Column: at.column, Text: l.text, Outcome: Done}
		if s.ended && l.broken == "" && !isComment(l.text) {
			out.Outcome, out.Reason = Refused, "it stands behind the end of the script, which a command has ended"
		} else {
			s.line(&l, &out)
		}
		if out.Outcome != included {
			s.add(out)
		}
	}
	s.depth--
}

func (s *session) add(l Line) {
	s.result.Lines = append(s.result.Lines, l)
	if s.script.After != nil {
		s.script.After(l)
	}
	s.stopped = s.stopped || s.script.Stop && l.Outcome == Refused
}

// included is the outcome of a line that is in the result already, before those that it included.
const included Outcome = 0

// decode makes UTF-8 of what Windows writes as Unicode, and drops byte order marks.
func decode(text string) string {
	if len(text) >= 2 && text[0] == 0xff && text[1] == 0xfe {
		var units []uint16
		for i := 2; i+1 < len(text); i += 2 {
			units = append(units, uint16(text[i])|uint16(text[i+1])<<8)
		}
		return string(utf16.Decode(units))
	}
	return strings.TrimPrefix(text, "\ufeff")
}

// line runs one line.
func (s *session) line(l *source, out *Line) {
	err := func() error {
		if l.broken != "" {
			return refuse(l.at(), "%s", l.broken)
		}
		if isComment(l.text) {
			out.Outcome = Blank
			return nil
		}
		batch := isBatch(l.text)
		tokens, err := words(l, batch)
		if err != nil {
			return err
		}
		if len(tokens) == 0 {
			out.Outcome = Blank
			return nil
		}
		tokens[0].text = strings.TrimLeft(tokens[0].text, "@")
		if tokens[0].text == "" && len(tokens) > 1 {
			tokens = tokens[1:]
		}
		if batch {
			if v := variable(l); v != nil {
				return v
			}
			return s.netsh(tokens, out)
		}
		return s.command(tokens, out)
	}()
	var r *refusal
	if errors.As(err, &r) {
		out.Outcome, out.Line, out.Column, out.Reason = Refused, r.at.line, r.at.column, r.reason
	}
}

// isBatch reports a line of a batch file that calls netsh.
func isBatch(text string) bool {
	first, _, _ := strings.Cut(strings.TrimLeft(text, "@ \t"), " ")
	first = strings.ToLower(strings.Trim(first, `"`))
	first = strings.TrimSuffix(path.Base(strings.ReplaceAll(first, `\`, "/")), ".exe")
	return first == "netsh"
}

// variable finds a variable of a batch file, %NAME%, which nobody replaces here.
func variable(l *source) error {
	for i, c := range l.chars {
		if c.r != '%' {
			continue
		}
		for j := i + 1; j < len(l.chars); j++ {
			r := l.chars[j].r
			if r == '%' && j > i+1 {
				return refuse(c.place, "unsupported: a variable of the batch file: write its value instead")
			}
			if !(r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
				break
			}
		}
	}
	return nil
}

// netsh runs a line that begins with netsh: a process of its own, so that a context
// stays only where nothing but the context is named.
func (s *session) netsh(tokens []token, out *Line) error {
	was, pushed := s.context, s.pushed
	s.context, s.pushed = s.context.root(), nil
	rest := tokens[1:]
	for len(rest) > 0 && len(rest[0].text) == 2 && (rest[0].text[0] == '-' || rest[0].text[0] == '/') {
		flag := rest[0]
		if len(rest) < 2 {
			return refuse(flag.place, "%s needs a value", flag.text)
		}
		value := rest[1]
		rest = rest[2:]
		switch strings.ToLower(flag.text[1:]) {
		case "c":
			var words []token
			for _, w := range strings.Fields(value.text) {
				words = append(words, token{place: value.place, text: w, equals: -1})
			}
			rest = append(words, rest...)
		case "f":
			if len(rest) > 0 {
				return refuse(rest[0].place, "netsh -f takes a file and no command")
			}
			err := s.read(value.text, value.place, out)
			s.context, s.pushed, s.ended = was, pushed, false
			return err
		default:
			s.context, s.pushed = was, pushed
			return refuse(flag.place, "unsupported: netsh %s: the scripts of this lab are run on the host that has them", flag.text)
		}
	}
	if len(rest) == 0 {
		out.Command = "netsh"
		return nil // its prompt: what follows is typed there
	}
	entered, err := s.enter(rest, out)
	if !entered {
		s.context, s.pushed = was, pushed
		s.ended = false // exit ends that process alone
	}
	return err
}

// read runs a file that the script names.
func (s *session) read(name string, at place, out *Line) error {
	out.Command = "exec"
	switch {
	case s.script.Open == nil:
		return refuse(at, "unsupported: the file %q: there are no other files here", name)
	case s.depth >= maxDepth:
		return refuse(at, "the scripts include each other more than %d deep", maxDepth)
	}
	text, err := s.script.Open(name)
	if err != nil {
		return refuse(at, "%s", err)
	}
	s.add(*out)
	s.include(name, text)
	out.Outcome = included
	return nil
}

// command runs a line that does not begin with netsh.
func (s *session) command(tokens []token, out *Line) error {
	if first := strings.ToLower(tokens[0].text); !tokens[0].quoted && !s.typed(tokens) {
		if what, ok := batchWords[first]; ok {
			out.Command = first
			if what != "" {
				return refuse(tokens[0].place, "unsupported: %s", what)
			}
			out.Outcome, out.Reason = Noted, "a command of the batch file that has nothing to do with netsh"
			return nil
		}
	}
	if strings.EqualFold(tokens[0].text, "exit") && len(tokens) > 1 { // exit /b of batch files
		s.ended = true
		out.Command = "exit"
		return nil
	}
	_, err := s.enter(tokens, out)
	return err
}

// typed reports whether set begins a command of netsh's prompt rather than one of batch
// files: there it sets a variable.
func (s *session) typed(tokens []token) bool {
	if !strings.EqualFold(tokens[0].text, "set") {
		return false
	}
	return s.context.parent != nil || len(tokens) > 1 && tokens[1].equals < 0
}

// batchWords are commands of batch files: without effect on IPsec, or what cannot be had.
var batchWords = map[string]string{
	"echo": "", "echo.": "", "pause": "", "cls": "", "title": "", "setlocal": "", "endlocal": "", "ver": "", "color": "",
	"set": "variables of batch files: write their values instead",
	"if":  "conditions of batch files", "for": "loops of batch files", "goto": "jumps of batch files", "call": "calls of batch files",
	"net":    "net starts and stops services: restart the policy agent in the scenario",
	"sc":     "sc controls services: restart the policy agent in the scenario",
	"reg":    "reg changes the registry: use set config, or the settings of the host",
	"start":  "start runs other programs",
	"choice": "questions of batch files",
}

// enter follows context words, and runs the command behind them. entered is whether the
// line only changed the context.
func (s *session) enter(tokens []token, out *Line) (entered bool, err error) {
	c := s.context
	for i, t := range tokens {
		if t.equals >= 0 || t.quoted {
			return false, refuse(t.place, "there is no command before this option")
		}
		if t.text == ".." {
			if len(tokens) > i+1 {
				return false, refuse(tokens[i+1].place, "nothing may follow ..")
			}
			if c.parent != nil {
				c = c.parent
			}
			out.Command = ".."
			s.context = c
			return true, nil
		}
		next, several := c, []string(nil)
		word := ""
		for ; next != nil && word == ""; next = next.parent {
			word, several = match(t.text, next.firsts())
			if len(several) > 1 {
				return false, refuse(t.place, "%q could be %s", t.text, strings.Join(several, ", "))
			}
			if word != "" {
				break
			}
			if i > 0 { // what stands behind a context belongs to it, but for what all have
				next = c.root()
				if word, several = match(t.text, (&context{commands: next.commands}).firsts()); len(several) > 1 {
					return false, refuse(t.place, "%q could be %s", t.text, strings.Join(several, ", "))
				}
				break
			}
		}
		if word == "" {
			if at := c.elsewhere(t.text); at != "" {
				return false, refuse(t.place, "there is no command %q in %s: write \"netsh %s %[1]s …\", or pushd %[3]s in a line of its own before it", t.text, contextName(c), at)
			}
			return false, refuse(t.place, "there is no command %q in %s, which has %s", t.text, contextName(c), strings.Join(c.firsts(), ", "))
		}
		below := slices.IndexFunc(next.below, func(b *context) bool { return b.name == word })
		if below < 0 {
			return false, s.verb(next, word, tokens[i:], out)
		}
		if c = next.below[below]; c.parent.parent == nil && c.name != "ipsec" {
			return false, refuse(t.place, "unsupported: context %s: only ipsec is read", c.name)
		}
	}
	s.context = c
	out.Command = c.path()
	return true, nil
}

// pushd keeps the context for popd, and goes to another one if one is named.
func (s *session) pushd(rest []token, out *Line) error {
	was := s.context
	if len(rest) > 0 {
		if entered, err := s.enter(rest, out); err != nil {
			return err
		} else if !entered {
			return refuse(rest[0].place, "pushd takes a context, not a command; that has been run")
		}
	}
	out.Command = "pushd"
	if len(s.pushed) == maxPushed {
		s.context = was
		return refuse(out.place(), "%d contexts have been pushed and none popped, which is the most that is kept", maxPushed)
	}
	s.pushed = append(s.pushed, was)
	return nil
}

// maxPushed bounds the contexts that wait for popd.
const maxPushed = 64

// elsewhere is the path of the first context below that has a command, for one who left its
// name away; empty when none has it.
func (c *context) elsewhere(word string) string {
	for _, b := range c.below {
		if found, _ := match(word, b.firsts()); found != "" {
			return b.path()
		}
		if at := b.elsewhere(word); at != "" {
			return at
		}
	}
	return ""
}

func contextName(c *context) string {
	if c.parent == nil {
		return "netsh"
	}
	return "context " + c.path()
}

// verb runs the command that the tokens begin with, in a context.
func (s *session) verb(c *context, verb string, tokens []token, out *Line) error {
	if verb == "pushd" {
		out.Command = verb
		return s.pushd(tokens[1:], out)
	}
	found := c.command(verb)
	rest := tokens[1:]
	words := []string{verb}
	if seconds := c.seconds(verb); found == nil {
		if len(rest) == 0 || rest[0].equals >= 0 || rest[0].quoted {
			return refuse(tokens[0].place, "%s needs one of %s", verb, strings.Join(seconds, ", "))
		}
		noun, several := match(rest[0].text, seconds)
		switch {
		case len(several) > 1:
			return refuse(rest[0].place, "%q could be %s", rest[0].text, strings.Join(several, ", "))
		case noun == "":
			return refuse(rest[0].place, "there is no %s %s: there are %s", verb, rest[0].text, strings.Join(seconds, ", "))
		}
		words = append(words, noun)
		found, rest = c.command(words...), rest[1:]
	}
	out.Command = strings.TrimSpace(c.path() + " " + strings.Join(words, " "))
	if slices.ContainsFunc(rest, func(t token) bool { return !t.quoted && (t.text == "?" || t.text == "/?") }) {
		out.Outcome, out.Reason = Noted, "it asks for help, and a script that is read in has nobody to print it for"
		return nil
	}
	list, err := arguments(rest)
	if err != nil {
		return err
	}
	a, err := bind(found, tokens[0].place, list)
	if err != nil {
		return err
	}
	if c.name == "static" && s.store.inDomain && !slices.Contains([]string{"store", "batch"}, words[len(words)-1]) && verb != "show" {
		return refuse(tokens[0].place, "unsupported: the store is that of a domain: set store location=local")
	}
	s.out = out
	if err := found.do(s, a); err != nil {
		return err
	}
	if len(a.notes) > 0 && out.Outcome == Done {
		out.Outcome, out.Reason = Noted, strings.Join(a.notes, "; ")
	}
	return nil
}

// global are the commands that every context has.
func global(root *context, add func(*context, string, string, func(*session, *args) error)) {
	add(root, "pushd", "", nil) // see session.pushd
	add(root, "popd", "", func(s *session, a *args) error {
		n := len(s.pushed)
		if n == 0 {
			return refuse(a.at, "popd: no context has been pushed")
		}
		s.context, s.pushed = s.pushed[n-1], s.pushed[:n-1]
		return nil
	})
	for _, word := range []string{"exit", "quit", "bye"} {
		add(root, word, "", func(s *session, _ *args) error {
			s.ended = true
			return nil
		})
	}
	for _, word := range []string{"help", "?", "dump"} {
		add(root, word, "", func(_ *session, a *args) error {
			a.note("it prints something, and a script that is read in has nobody to print it for")
			return nil
		})
	}
	add(root, "exec", "file*", func(s *session, a *args) error {
		g := a.find("file")
		return s.read(g.value, g.behind, s.out)
	})
	for _, word := range []string{"abort", "alias", "commit", "flush", "offline", "online", "unalias"} {
		add(root, word, "a b", func(_ *session, a *args) error {
			return refuse(a.at, "unsupported: %s of netsh", word)
		})
	}
}
