package spec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a scenario file. The YAML reader recurses into its input and copies
// the entries of a mapping once per entry, so that its work grows with the
// square of the tokens; within these bounds that is a second or two.
const (
	MaxFileSize = 1 << 20 // bytes
	maxTokens   = 50_000
	maxDepth    = 64
	maxValues   = 100_000 // after aliases have been followed
)

const nameForm = "a-z, 0-9 and -"

var (
	validName     = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)
	validFileName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
	validCellName = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,118}[a-z0-9])?$`)
)

// Parse reads a file that holds one scenario and checks it. The error, when
// there is one, is an Errors with all mistakes of the file. name is what messages
// call the file; its last element without the extension is the scenario's name.
func Parse(name string, src []byte) (*Scenario, error) { return only(ParseAll(name, src)) }

// ParseFile reads and checks the scenario file of that name.
func ParseFile(name string) (*Scenario, error) { return only(ParseAllFile(name)) }

// ParseFS is ParseFile in a file system.
func ParseFS(fsys fs.FS, name string) (*Scenario, error) { return only(ParseAllFS(fsys, name)) }

func only(all []*Scenario, err error) (*Scenario, error) {
	if err != nil {
		return nil, err
	}
	if s := all[0]; len(all) > 1 {
		const path = "$.parameters"
		return nil, Errors{s.src.error(s.src.at(path), path, fmt.Sprintf("the file holds %d scenarios, one for each cell, and one was wanted", len(all)))}
	}
	return all[0], nil
}

// ParseAll is Parse for a file with parameters: one scenario for each cell, in
// the order of the values, the last parameter changing first. A scenario of a
// file in which nothing varies has the file's name; that of a cell is called
// file/cell. The mistakes of all cells are reported, each once. A policy's script
// is found only by the functions that read files.
func ParseAll(name string, src []byte) ([]*Scenario, error) { return parseAll(name, src, nil) }

func parseAll(name string, src []byte, in folder) ([]*Scenario, error) {
	text, base, err := readable(name, src)
	if err != nil {
		return nil, Errors{err}
	}
	source := newSource(name, text)
	root, err := parseYAML(source, scenarioKind, text)
	if err != nil {
		return nil, Errors{err}
	}
	d := newDecoder(source, scenarioKind, root)
	d.scripts = scripts{in: in, read: map[string]script{}}
	cells := d.cells(root)
	if cells == nil { // a mistake in parameters or matrix: what else is wrong is said too
		d.lenient = true
		cells = []cell{{}}
	}
	var all []*Scenario
	found := gathered{in: map[Error][]string{}}
	for i, cell := range cells {
		s := &Scenario{Name: base, Cell: cell.settings, src: source}
		if cell.name != "" {
			s.Name += "/" + cell.name
		}
		d.begin(cell)
		d.decode(root, s)
		d.attach(s)
		s.withoutNAT()
		c := checker{s: s, failed: d.failed, flawed: d.flawed, errs: d.errs}
		c.scenario()
		if c.errs != nil {
			if found.add(c.errs, cell.name); found.faulty == maxFaulty {
				return nil, found.errors(i + 1)
			}
		}
		all = append(all, s)
		if i == 0 && len(cells)*d.values > maxCellValues {
			const path = "$.parameters"
			found.add(Errors{source.error(source.at(path), path,
				fmt.Sprintf("the %d cells of the file hold more than %d values together: split it", len(cells), maxCellValues))}, cell.name)
			return nil, found.errors(1)
		}
	}
	if found.faulty > 0 {
		return nil, found.errors(len(cells))
	}
	if unused := unusedEntries(all); unused != nil {
		return nil, unused
	}
	return all, nil
}

// ParseAllFile is ParseAll for the file of that name.
func ParseAllFile(name string) ([]*Scenario, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseFrom(name, f, folderOf(name))
}

// ParseAllFS is ParseAllFile in a file system.
func ParseAllFS(fsys fs.FS, name string) ([]*Scenario, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseFrom(name, f, folderIn(fsys, name))
}

// parseFrom reads no more of a file than is needed to see that it is too large.
func parseFrom(name string, f io.Reader, in folder) ([]*Scenario, error) {
	src, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("spec: reading %s: %w", name, err)
	}
	return parseAll(name, src, in)
}

// readable refuses what cannot be a scenario before any parsing.
func readable(name string, src []byte) (text, base string, err *Error) {
	if text, err = plainText(name, scenarioKind, src); err != nil {
		return "", "", err
	}
	base = path.Base(filepath.ToSlash(name))
	base = strings.TrimSuffix(base, path.Ext(base))
	if !validFileName.MatchString(base) {
		return "", "", &Error{File: name, Path: "$", Message: fmt.Sprintf(
			"a scenario is called after its file, and %q is no name: use a-z, 0-9, _ and -, at most 64", shorten(base))}
	}
	return text, base, nil
}

// plainText refuses what is too large, empty or not text.
func plainText(name string, k kind, src []byte) (string, *Error) {
	whole := func(message string) *Error { return &Error{File: name, Path: "$", Message: message} }
	if len(src) > MaxFileSize {
		return "", whole(fmt.Sprintf("the file is larger than 1 MiB, the most that a %s may have", k.noun))
	}
	text := strings.TrimPrefix(string(src), "\ufeff") // a byte order mark
	if strings.TrimSpace(text) == "" {
		return "", whole("the file is empty: " + k.needs)
	}
	if i := strings.IndexFunc(text, notText); i >= 0 {
		return "", newSource(name, text).error(positionIn(text, i), "$", "this is not text: want UTF-8")
	}
	return text, nil
}

func notText(r rune) bool {
	return r == utf8.RuneError || r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f
}

// parseYAML makes the tree of the file's only document.
func parseYAML(src *source, k kind, text string) (root ast.Node, mistake *Error) {
	defer func() { // the bounds above are ours; a bug of the reader must not take the lab down
		if r := recover(); r != nil {
			root, mistake = nil, src.error(position{1, 1}, "$", "the YAML reader cannot make sense of this file")
		}
	}()
	tokens := lexer.Tokenize(text)
	if mistake := bounded(src, k, tokens); mistake != nil {
		return nil, mistake
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) // duplicates are reported with everything else
	if err != nil {
		return nil, syntaxError(src, err)
	}
	var doc *ast.DocumentNode
	for _, d := range file.Docs {
		switch {
		case empty(d):
		case doc != nil:
			return nil, src.error(start(d.Body), "$", "a second document begins here: a file holds one "+k.noun)
		default:
			doc = d
		}
	}
	if doc == nil {
		return nil, &Error{File: src.file, Path: "$", Message: "the file holds nothing but comments: " + k.needs}
	}
	return doc.Body, nil
}

func empty(d *ast.DocumentNode) bool {
	switch d.Body.(type) {
	case nil, *ast.CommentGroupNode, *ast.DirectiveNode:
		return true
	}
	return false
}

func syntaxError(src *source, err error) *Error {
	p, message := position{1, 1}, "the YAML reader cannot make sense of this file"
	var at yaml.Error
	if errors.As(err, &at) {
		message = at.GetMessage()
		if t := at.GetToken(); t != nil && t.Position != nil {
			p = position{t.Position.Line, t.Position.Column}
		}
	}
	switch {
	case strings.Contains(message, "'\t'") || strings.Contains(message, `'\t'`):
		message = "a tab indents this line: YAML wants spaces"
	case strings.HasPrefix(message, `invalid header option: "=`): // a bare > begins a folded block of text
		message = `">= …" needs quotes: a bare > means something else in YAML`
	case p.line <= len(src.lines) && strings.Contains(src.lines[p.line-1], "${") && strings.HasPrefix(message, "',' or "):
		message = `"${…}" needs quotes here: braces mean something else within { } and [ ]`
	case strings.HasPrefix(message, "mapping value is not allowed in this context"):
		message += ": look at the indentation, and quote text that holds a colon"
	}
	return src.error(p, "$", message)
}

// bounded refuses what would exhaust the YAML reader: very many tokens, and
// nesting that no scenario has.
func bounded(src *source, k kind, tokens token.Tokens) *Error {
	var block []int // columns that are open on the way to the token
	flow := 0
	for i, t := range tokens {
		p := position{t.Position.Line, t.Position.Column}
		if i == maxTokens {
			return src.error(p, "$", fmt.Sprintf("the file goes on behind %d YAML tokens, the most that a %s may have", maxTokens, k.noun))
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow = max(flow-1, 0)
		}
		if flow == 0 {
			for len(block) > 0 && block[len(block)-1] >= p.column {
				block = block[:len(block)-1]
			}
			block = append(block, p.column)
		}
		if len(block)+flow > maxDepth {
			return src.error(p, "$", fmt.Sprintf("this is nested deeper than %d levels: no %s is", maxDepth, k.noun))
		}
	}
	return nil
}
