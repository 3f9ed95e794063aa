package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// parameter is an entry of a file's parameters: what ${name} and ${name.field}
// stand for, which is another of its values in another cell.
type parameter struct {
	name   string
	at     position
	values []value
}

// value is one value of a parameter: a plain one, or a mapping of plain ones.
type value struct {
	label  string
	at     position
	plain  ast.Node // nil: a mapping
	keys   []string // of fields, in the order of the file
	fields map[string]ast.Node
}

// validLabel is what may stand in the name of a cell, and so of a folder. A
// label has no _, which joins the labels of a cell.
var validLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)

// parameters reads the entry of that name of a file.
func (d *decoder) parameters(n ast.Node) (all []parameter) {
	const path = "$.parameters"
	if n = d.follow(n, path); n == nil {
		return nil
	}
	entries, ok := d.pairs(n, path, "parameters", "a mapping of names")
	if !ok {
		return nil
	}
	for _, e := range entries {
		if !validName.MatchString(e.key) {
			d.fail(e.at, child(path, e.key), "%q is no name: use %s, at most 63", shorten(e.key), nameForm)
			continue
		}
		all = append(all, d.parameter(e, child(path, e.key)))
	}
	return all
}

func (d *decoder) parameter(e pair, path string) parameter {
	p := parameter{name: e.key, at: e.at}
	n := d.follow(e.value, path)
	if n == nil {
		return p
	}
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		d.fail(start(n), path, "%s: want a list of values, got %s", e.key, describe(n))
		return p
	}
	if len(list.Values) == 0 {
		d.fail(start(n), path, "%s: the list is empty: a parameter has at least one value", e.key)
	}
	taken := map[string]bool{}
	for i, n := range list.Values {
		at := item(path, i)
		v, ok := d.parameterValue(n, at, fmt.Sprintf("%s[%d]", e.key, i))
		if !ok {
			continue
		}
		switch {
		case taken[v.label]:
			d.fail(v.at, at, "%s: two values are called %s: give one of them another label", e.key, v.label)
		case len(p.values) > 0:
			d.sameFields(p.values[0], v, at)
		}
		taken[v.label] = true
		p.values = append(p.values, v)
	}
	return p
}

// sameFields reports what one value of a parameter has and another has not, so
// that a reference is good in every cell or in none.
func (d *decoder) sameFields(first, v value, path string) {
	if (first.plain == nil) != (v.plain == nil) {
		d.fail(v.at, path, "the values of a parameter are all plain, or all mappings")
		return
	}
	for _, key := range first.keys {
		if v.fields[key] == nil {
			d.fail(v.at, path, "%s has no %s, which the first value has", v.label, key)
		}
	}
	for _, key := range v.keys {
		if first.fields[key] == nil {
			d.fail(v.at, child(path, key), "%s has %s, which the first value has not", v.label, shorten(key))
		}
	}
}

func (d *decoder) parameterValue(n ast.Node, path, name string) (v value, ok bool) {
	if n = d.follow(n, path); n == nil {
		return v, false
	}
	v.at = start(n)
	if _, ok := n.(*ast.MappingNode); !ok {
		if !d.plain(n, path, name) {
			return v, false
		}
		v.plain, v.label = n, strings.ToLower(textOf(n))
		if !validLabel.MatchString(v.label) {
			d.fail(v.at, path, "%s: %q cannot be a part of a cell's name: write {label: …, value: …} with a label of a-z, 0-9, - and .",
				name, shorten(textOf(n)))
			return v, false
		}
		return v, true
	}
	entries, _ := d.pairs(n, path, name, "a mapping")
	v.fields = map[string]ast.Node{}
	for _, e := range entries {
		at := child(path, e.key)
		field := d.follow(e.value, at)
		switch {
		case field == nil || !d.plain(field, at, e.key):
		case !validName.MatchString(e.key):
			d.fail(e.at, at, "%q is no name: use %s, at most 63", shorten(e.key), nameForm)
		case e.key == "label":
			if v.label = textOf(field); !validLabel.MatchString(v.label) {
				d.fail(start(field), at, "label: %q cannot be a part of a cell's name: use a-z, 0-9, - and ., at most 63, a letter or digit at both ends", shorten(v.label))
			}
		default:
			v.keys, v.fields[e.key] = append(v.keys, e.key), field
		}
	}
	if v.label == "" && !d.failed[child(path, "label")] {
		d.fail(v.at, path, "%s: there is no label: a value of several fields needs one, for the cell's name", name)
	}
	return v, v.label != ""
}

// plain reports whether a node may be the value of a parameter.
func (d *decoder) plain(n ast.Node, path, name string) bool {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
	default:
		d.fail(start(n), path, "%s: want a plain value, got %s", name, describe(n))
		return false
	}
	if strings.Contains(textOf(n), "${") {
		d.fail(start(n), path, "%s: parameters do not refer to parameters", name)
		return false
	}
	return true
}

// textOf is a plain value as text.
func textOf(n ast.Node) string {
	if text, ok := stringOf(n); ok {
		return text
	}
	return n.GetToken().Value
}

// resolve puts the cell's values into a plain value that refers to parameters.
// A value that is one reference and nothing else becomes a number or a truth
// value where the parameter is one; all else is text. The place of the reference
// remains. nil: there was a mistake.
func (d *decoder) resolve(n ast.Node, path, name string) ast.Node {
	text, ok := stringOf(n)
	if !ok || !strings.Contains(text, "${") {
		return n
	}
	if d.lenient {
		d.failed[path] = true // of parameters that are themselves mistaken
		return nil
	}
	var b strings.Builder
	for rest := text; rest != ""; {
		i := strings.Index(rest, "${")
		if i < 0 {
			b.WriteString(rest)
			break
		}
		if i > 0 && rest[i-1] == '$' {
			b.WriteString(rest[:i-1] + "${")
			rest = rest[i+2:]
			continue
		}
		end := strings.IndexByte(rest[i:], '}')
		if end < 0 {
			d.fail(start(n), path, "%s: ${ has no }: write $${ for the characters themselves", name)
			return nil
		}
		v, err := d.reference(rest[i+2 : i+end])
		if err != nil {
			d.fail(start(n), path, "%s: %s", name, err)
			return nil
		}
		if i == 0 && len(rest) == len(text) && i+end+1 == len(text) {
			return moved(v, n)
		}
		b.WriteString(rest[:i] + textOf(v))
		rest = rest[i+end+1:]
	}
	return textNode(b.String(), n)
}

// reference is what the words between ${ and } stand for.
func (d *decoder) reference(words string) (ast.Node, error) {
	name, field, dotted := strings.Cut(words, ".")
	v, ok := d.cell[name]
	switch {
	case !ok && name == pairName:
		return nil, fmt.Errorf("${%s}: the step has no pairs: list its hosts", shorten(words))
	case !ok && len(d.cell) == 0:
		return nil, fmt.Errorf("${%s}: the file has no parameters; write $${ for the characters themselves", shorten(words))
	case !ok:
		return nil, fmt.Errorf("no parameter is called %q%s", shorten(name), Suggest(name, sorted(d.cell)))
	case !dotted && v.plain != nil:
		return v.plain, nil
	case !dotted:
		return &ast.StringNode{BaseNode: &ast.BaseNode{}, Value: v.label}, nil
	case v.plain != nil:
		return nil, fmt.Errorf("${%s}: the values of %s are plain and have no %s", shorten(words), name, shorten(field))
	}
	if n := v.fields[field]; n != nil {
		return n, nil
	}
	if field == "label" {
		return &ast.StringNode{BaseNode: &ast.BaseNode{}, Value: v.label}, nil
	}
	return nil, fmt.Errorf("${%s}: %s has no %q%s", shorten(words), name, shorten(field), Suggest(field, append(slices.Clone(v.keys), "label")))
}

// moved is a copy of a plain value in the place of another.
func moved(v, to ast.Node) ast.Node {
	at := func(t *token.Token) *token.Token {
		c := *t
		c.Position = to.GetToken().Position
		return &c
	}
	switch v := v.(type) {
	case *ast.IntegerNode:
		c := *v
		c.Token = at(v.Token)
		return &c
	case *ast.FloatNode:
		c := *v
		c.Token = at(v.Token)
		return &c
	case *ast.BoolNode:
		c := *v
		c.Token = at(v.Token)
		return &c
	}
	return textNode(textOf(v), to)
}

// textNode is a text in the place of a node.
func textNode(text string, to ast.Node) ast.Node {
	t := *to.GetToken()
	t.Value = text
	return &ast.StringNode{BaseNode: &ast.BaseNode{}, Token: &t, Value: text}
}
