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
)

// Parse reads a scenario file and checks it. The error, when there is one, is
// an Errors with all mistakes of the file. name is what messages call the file;
// its last element without the extension is the scenario's name.
func Parse(name string, src []byte) (*Scenario, error) {
	text, s, err := readable(name, src)
	if err != nil {
		return nil, Errors{err}
	}
	s.src = newSource(name, text)
	root, err := parseYAML(s.src, text)
	if err != nil {
		return nil, Errors{err}
	}
	d := decoder{src: s.src, failed: map[string]bool{}, flawed: map[string]bool{}}
	d.decode(root, s)
	c := checker{s: s, failed: d.failed, flawed: d.flawed, errs: d.errs}
	c.scenario()
	if err := c.result(); err != nil {
		return nil, err
	}
	return s, nil
}

// ParseFile reads and checks the scenario file of that name.
func ParseFile(name string) (*Scenario, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseFrom(name, f)
}

// ParseFS is ParseFile in a file system.
func ParseFS(fsys fs.FS, name string) (*Scenario, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseFrom(name, f)
}

// parseFrom reads no more of a file than is needed to see that it is too large.
func parseFrom(name string, f io.Reader) (*Scenario, error) {
	src, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("spec: reading %s: %w", name, err)
	}
	return Parse(name, src)
}

// readable refuses what cannot be a scenario before any parsing.
func readable(name string, src []byte) (text string, s *Scenario, err *Error) {
	whole := func(message string) *Error { return &Error{File: name, Path: "$", Message: message} }
	if len(src) > MaxFileSize {
		return "", nil, whole("the file is larger than 1 MiB, the most that a scenario may have")
	}
	text = strings.TrimPrefix(string(src), "\ufeff") // a byte order mark
	base := path.Base(filepath.ToSlash(name))
	s = &Scenario{Name: strings.TrimSuffix(base, path.Ext(base))}
	if !validFileName.MatchString(s.Name) {
		return "", nil, whole(fmt.Sprintf("a scenario is called after its file, and %q is no name: use a-z, 0-9, _ and -, at most 64", shorten(s.Name)))
	}
	if strings.TrimSpace(text) == "" {
		return "", nil, whole("the file is empty: a scenario needs at least title, network, nodes and steps")
	}
	if i := strings.IndexFunc(text, notText); i >= 0 {
		line := 1 + strings.Count(text[:i], "\n")
		column := 1 + utf8.RuneCountInString(text[strings.LastIndexByte(text[:i], '\n')+1:i])
		return "", nil, newSource(name, text).error(position{line, column}, "$", "this is not text: a scenario is YAML in UTF-8")
	}
	return text, s, nil
}

func notText(r rune) bool {
	return r == utf8.RuneError || r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f
}

// parseYAML makes the tree of the file's only document.
func parseYAML(src *source, text string) (root ast.Node, mistake *Error) {
	defer func() { // the bounds above are ours; a bug of the reader must not take the lab down
		if r := recover(); r != nil {
			root, mistake = nil, src.error(position{1, 1}, "$", "the YAML reader cannot make sense of this file")
		}
	}()
	tokens := lexer.Tokenize(text)
	if mistake := bounded(src, tokens); mistake != nil {
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
			return nil, src.error(start(d.Body), "$", "a second document begins here: a file holds one scenario")
		default:
			doc = d
		}
	}
	if doc == nil {
		return nil, &Error{File: src.file, Path: "$", Message: "the file holds nothing but comments: a scenario needs at least title, network, nodes and steps"}
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
	case strings.HasPrefix(message, "mapping value is not allowed in this context"):
		message += ": look at the indentation, and quote text that holds a colon"
	}
	return src.error(p, "$", message)
}

// bounded refuses what would exhaust the YAML reader: very many tokens, and
// nesting that no scenario has.
func bounded(src *source, tokens token.Tokens) *Error {
	var block []int // columns that are open on the way to the token
	flow := 0
	for i, t := range tokens {
		p := position{t.Position.Line, t.Position.Column}
		if i == maxTokens {
			return src.error(p, "$", fmt.Sprintf("the file goes on behind %d YAML tokens, the most that a scenario may have", maxTokens))
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
			return src.error(p, "$", fmt.Sprintf("this is nested deeper than %d levels: no scenario is", maxDepth))
		}
	}
	return nil
}
