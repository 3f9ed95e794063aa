package spec

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// condition holds in the cells in which each parameter, or field of one, has one of the
// values that the term names.
type condition []term

type term struct {
	parameter, field string // field: empty: the parameter itself
	values           []string
}

func (c condition) holds(in map[string]value) bool {
	for _, t := range c {
		if !slices.Contains(t.values, in[t.parameter].word(t.field)) {
			return false
		}
	}
	return true
}

// word is what a condition compares: the label of a value, or one of its fields as text.
func (v value) word(field string) string {
	if field == "" {
		return v.label
	}
	if n := v.fields[field]; n != nil {
		return textOf(n)
	}
	return ""
}

// condition reads a mapping of parameters that vary, or of their fields, to one value or a
// list of values. what is the key that it stands in.
func (d *decoder) condition(n ast.Node, path, what string, vary []parameter) (c condition) {
	entries, ok := d.pairs(n, path, what, "a mapping of parameters to values")
	if ok && len(entries) == 0 {
		d.fail(start(n), path, "%s: the condition is empty: name a parameter and its value", what)
	}
	for _, e := range entries {
		at := child(path, e.key)
		name, field, _ := strings.Cut(e.key, ".")
		k := slices.IndexFunc(vary, func(p parameter) bool { return p.name == name })
		if k < 0 {
			var names []string
			for _, p := range vary {
				names = append(names, p.name)
			}
			d.fail(e.at, at, "%s: no parameter that varies is called %q%s", what, shorten(name), Suggest(name, names))
			continue
		}
		p := vary[k]
		if field != "" && len(p.values) > 0 && p.values[0].fields[field] == nil {
			d.fail(e.at, at, "%s: the values of %s have no %s%s", what, name, shorten(field), Suggest(field, p.values[0].keys))
			continue
		}
		v := d.follow(e.value, at)
		if v == nil {
			continue
		}
		t := term{parameter: name, field: field}
		each := []ast.Node{v}
		if list, ok := v.(*ast.SequenceNode); ok {
			if each = list.Values; len(each) == 0 {
				d.fail(start(v), at, "%s: %s has no values: the condition never holds", what, shorten(e.key))
			}
		}
		for _, v := range each {
			if word, ok := d.oneOf(v, at, what, e.key, p, field); ok {
				t.values = append(t.values, word)
			}
		}
		c = append(c, t)
	}
	return c
}

// oneOf reads a value that a parameter, or a field of it, has in some cell.
func (d *decoder) oneOf(n ast.Node, path, what, key string, p parameter, field string) (word string, ok bool) {
	n = d.follow(n, path)
	if n == nil || !d.plain(n, path, key) {
		return "", false
	}
	if word = textOf(n); field == "" {
		word = strings.ToLower(word)
	}
	var known []string
	for _, v := range p.values {
		known = append(known, v.word(field))
	}
	if !slices.Contains(known, word) {
		d.fail(start(n), path, "%s: %s has no value %q%s", what, shorten(key), shorten(textOf(n)), Suggest(word, known))
		return "", false
	}
	return word, true
}
