package spec

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// decoder fills a Scenario, or a Document's struct, from a YAML tree and goes on after a mistake, which
// the YAML module's own decoder does not. Types nest to a fixed depth, so its
// recursion is bounded; values counts its work, which aliases multiply.
type decoder struct {
	src      *source
	kind     kind
	errs     Errors
	failed   map[string]bool // paths of values that could not be had
	flawed   map[string]bool // paths of mappings with a key that means nothing
	anchors  map[string][]*ast.AnchorNode
	values   int
	number   bool // the next string may be written as a number
	cell     map[string]value
	axes     []parameter // those that vary from cell to cell
	lenient  bool        // what parameters stand for is unknown
	verbatim bool        // there are no parameters: what looks like one is text
	scripts  scripts
}

func newDecoder(src *source, k kind, root ast.Node) *decoder {
	d := &decoder{src: src, kind: k, anchors: map[string][]*ast.AnchorNode{}, failed: map[string]bool{}, flawed: map[string]bool{}}
	ast.Walk(d, root)
	return d
}

// begin makes the decoder ready for a cell. Mistakes in parameters and matrix remain.
func (d *decoder) begin(c cell) {
	d.cell, d.values = c.values, 0
	if !d.lenient {
		d.errs, d.failed, d.flawed = nil, map[string]bool{}, map[string]bool{}
	}
}

func (d *decoder) decode(root ast.Node, s *Scenario) {
	d.src.values["$"] = start(root)
	f := file{Scenario: *s}
	d.value(root, reflect.ValueOf(&f).Elem(), "$", "")
	*s = f.Scenario
}

// Visit collects anchors, in the order of the file.
func (d *decoder) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AnchorNode); ok && a.Name != nil {
		name := a.Name.GetToken().Value
		d.anchors[name] = append(d.anchors[name], a)
	}
	return d
}

// fail reports a mistake in the value at a path.
func (d *decoder) fail(p position, path, format string, args ...any) {
	d.failed[path] = true
	if len(d.errs) < maxErrors {
		d.errs = append(d.errs, d.src.error(p, path, fmt.Sprintf(format, args...)))
	}
}

// value puts a node into v. name is what messages call it.
func (d *decoder) value(n ast.Node, v reflect.Value, path, name string) {
	n = d.follow(n, path)
	if n == nil {
		return
	}
	if d.values++; d.values > maxValues {
		if d.values == maxValues+1 {
			d.fail(start(n), "$", "the file holds more than %d values once its aliases are followed", maxValues)
		}
		d.failed[path] = true
		return
	}
	if _, ok := d.src.values[path]; !ok || scalar(n) {
		d.src.values[path] = start(n)
	}
	if !d.verbatim {
		if n = d.resolve(n, path, name); n == nil {
			return
		}
	}
	switch n.(type) {
	case *ast.NullNode:
		d.fail(start(n), path, "%s is empty: give it a value or leave it out", or(name, "the "+d.kind.noun))
		return
	case *ast.TagNode:
		d.fail(start(n), path, "%s: YAML tags are unsupported: leave %s out", name, shorten(n.GetToken().Value))
		return
	}
	if v.Kind() == reflect.Pointer {
		p := reflect.New(v.Type().Elem())
		d.value(n, p.Elem(), path, name)
		if !d.failed[path] {
			v.Set(p)
		}
		return
	}
	if w, ok := v.Addr().Interface().(*When); ok {
		d.when(n, w, path, name)
		return
	}
	if _, ok := v.Addr().Interface().(encoding.TextUnmarshaler); !ok {
		switch v.Kind() {
		case reflect.Struct:
			d.fields(n, v, path, name)
			return
		case reflect.Map:
			d.entries(n, v, path, name)
			return
		case reflect.Slice:
			d.items(n, v, path, name)
			return
		}
	}
	if err := d.scalar(n, v); err != nil {
		d.fail(start(n), path, "%s: %s", name, err)
	}
}

// follow goes through aliases and anchors to the node that holds the value.
func (d *decoder) follow(n ast.Node, path string) ast.Node {
	for range maxDepth {
		switch a := n.(type) {
		case *ast.AnchorNode:
			n = a.Value
		case *ast.AliasNode:
			name := a.Value.GetToken().Value
			anchor := d.anchor(name, a.Start.Position.Offset)
			if anchor == nil {
				d.fail(start(n), path, "alias *%s stands for nothing: there is no &%s before it", shorten(name), shorten(name))
				return nil
			}
			n = anchor.Value
		case nil:
			d.fail(d.src.at(path), path, "there is an anchor without a value here")
			return nil
		default:
			return n
		}
	}
	d.fail(d.src.at(path), path, "aliases lead in a circle here")
	return nil
}

// anchor is the last one of that name before the offset.
func (d *decoder) anchor(name string, offset int) (found *ast.AnchorNode) {
	for _, a := range d.anchors[name] {
		if a.Start.Position.Offset < offset {
			found = a
		}
	}
	return found
}

// pair is one entry of a mapping.
type pair struct {
	key   string
	at    position
	value ast.Node
}

// pairs are the entries of a mapping node, each key once.
func (d *decoder) pairs(n ast.Node, path, name, want string) (all []pair, ok bool) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		d.fail(start(n), path, "%s: want %s, got %s", or(name, d.kind.noun), want, describe(n))
		return nil, false
	}
	first := map[string]position{}
	for _, e := range m.Values {
		p := start(e.Key)
		switch e.Key.(type) {
		case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		case *ast.MergeKeyNode:
			d.fail(p, child(path, "<<"), "merge keys are unsupported: write the keys out, or alias a whole value")
			d.flawed[path] = true
			continue
		default:
			d.fail(p, child(path, "?"), "a key is a plain word, not %s", describe(e.Key))
			d.flawed[path] = true
			continue
		}
		key := e.Key.GetToken().Value
		if strings.Contains(key, "${") && !d.verbatim {
			d.fail(p, child(path, key), "%s: a parameter cannot stand in a key", shorten(key))
			d.flawed[path] = true
			continue
		}
		if at, twice := first[key]; twice {
			d.fail(p, child(path, key), "key %q is there twice: line %d has it already", shorten(key), at.line)
			continue
		}
		first[key] = p
		d.src.keys[child(path, key)], d.src.values[child(path, key)] = p, p
		all = append(all, pair{key, p, e.Value})
	}
	return all, true
}

func (d *decoder) fields(n ast.Node, v reflect.Value, path, name string) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		if err := d.scalar(n, v); err != nil {
			d.fail(start(n), path, "%s: %s", name, err)
		}
		return
	}
	all, ok := d.pairs(n, path, name, "a mapping")
	if !ok {
		return
	}
	known := fieldsOf(v.Type())
	for _, e := range all {
		if v.Type() == reflect.TypeFor[file]() && (e.key == "parameters" || e.key == "matrix") {
			continue // see cells
		}
		if e.key == "pairs" && v.Type() == reflect.TypeFor[Step]() {
			continue // see each
		}
		if f, ok := known[e.key]; ok {
			d.number = strings.Contains(f.Tag.Get("jsonschema"), "oneof_type=string;integer")
			d.value(e.value, v.FieldByIndex(f.Index), child(path, e.key), e.key)
			d.number = false
			continue
		}
		what := "key"
		if v.Type() == reflect.TypeFor[Step]() {
			what, d.flawed[path] = "key or verb", true
		}
		meant := nearest(e.key, keysOf(v.Type()))
		if meant != "" {
			d.failed[child(path, meant)] = true // it is there, with a mistake
			d.fail(e.at, child(path, e.key), "unknown %s %q; did you mean %q?", what, shorten(e.key), meant)
			continue
		}
		d.flawed[path] = true
		d.fail(e.at, child(path, e.key), "unknown %s %q: %s has %s", what, shorten(e.key), or(name, "a "+d.kind.noun), strings.Join(keysOf(v.Type()), ", "))
	}
}

func (d *decoder) entries(n ast.Node, v reflect.Value, path, name string) {
	all, ok := d.pairs(n, path, name, "a mapping of names")
	if !ok {
		return
	}
	m := reflect.MakeMap(v.Type())
	for _, e := range all {
		value := reflect.New(v.Type().Elem()).Elem()
		d.value(e.value, value, child(path, e.key), e.key)
		m.SetMapIndex(reflect.ValueOf(e.key), value)
	}
	v.Set(m)
}

func (d *decoder) items(n ast.Node, v reflect.Value, path, name string) {
	list, ok := n.(*ast.SequenceNode)
	if text, word := stringOf(n); word && v.Type() == reflect.TypeFor[Dialects]() {
		v.Set(reflect.ValueOf(Dialects{text})) // one word alone
		return
	}
	if !ok {
		d.fail(start(n), path, "%s: want a list, got %s", name, describe(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0)) // an empty list is not none
	cell, lenient := d.cell, d.lenient
	for i, e := range list.Values {
		times, known := d.each(e, v.Type().Elem(), item(path, v.Len()))
		d.lenient = lenient || !known
		for _, d.cell = range times {
			if d.values > maxValues {
				break
			}
			value := reflect.New(v.Type().Elem()).Elem()
			d.value(e, value, item(path, v.Len()), fmt.Sprintf("%s[%d]", name, i))
			v.Set(reflect.Append(v, value))
		}
		d.cell, d.lenient = cell, lenient
	}
}

// start is where a node begins.
func start(n ast.Node) position {
	t := n.GetToken()
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return start(n.Values[0].Key)
		}
	case *ast.AnchorNode:
		t = n.Start
	case *ast.AliasNode:
		t = n.Start
	}
	return positionOf(t)
}

func positionOf(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{1, 1}
	}
	return position{t.Position.Line, t.Position.Column}
}
