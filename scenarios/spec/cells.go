package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Bounds of a file with many cells, so that a slip of the pen cannot make the
// lab read or run for a day.
const (
	maxCells      = 4096
	maxCombined   = 65_536    // combinations of values, of which the matrix leaves the cells
	maxCellName   = 120       // characters; it is the name of a folder
	maxCellValues = 2_000_000 // of all cells together
	maxFaulty     = 16        // cells with mistakes that are looked for
)

// Setting is the value that a parameter has in a cell.
type Setting struct {
	Parameter string // its name
	Value     string // its label
}

// cell is one combination of the values of a file's parameters.
type cell struct {
	name     string    // labels joined by _; empty: nothing varies, and the file is one scenario
	settings []Setting // of the parameters that vary
	values   map[string]value
}

// matrix is a file's entry of that name, read.
type matrix struct {
	vary             []parameter
	include, exclude []condition
}

// cells reads parameters and matrix of a file and multiplies them out. There is
// at least one cell, unless a mistake was found.
func (d *decoder) cells(root ast.Node) []cell {
	var parameters, rules *pair
	if m, ok := d.follow(root, "$").(*ast.MappingNode); ok {
		for _, e := range m.Values {
			p := pair{e.Key.GetToken().Value, start(e.Key), e.Value}
			switch {
			case p.key == "parameters" && parameters == nil:
				parameters = &p
			case p.key == "matrix" && rules == nil:
				rules = &p
			}
		}
	}
	var all []parameter
	fixed := map[string]value{}
	if parameters != nil {
		d.src.keys["$.parameters"], d.src.values["$.parameters"] = parameters.at, parameters.at
		all = d.parameters(parameters.value)
		if len(all) == 0 && len(d.errs) == 0 {
			d.fail(parameters.at, "$.parameters", "parameters: there are none")
		}
	}
	var m matrix
	if rules == nil {
		m.vary = slices.DeleteFunc(slices.Clone(all), func(p parameter) bool { return len(p.values) < 2 })
	} else {
		d.src.keys["$.matrix"], d.src.values["$.matrix"] = rules.at, rules.at
		m = d.matrix(*rules, all)
	}
	if len(d.errs) > 0 {
		return nil
	}
	d.axes = m.vary
	product := 1
	for _, p := range all {
		fixed[p.name] = p.values[0]
	}
	for _, p := range m.vary {
		if product *= len(p.values); product > maxCombined { // before anything is made of them
			d.fail(p.at, child("$.parameters", p.name), "the parameters make more than %d combinations, the most that a file may have", maxCombined)
			return nil
		}
	}
	made := m.multiply(fixed, product)
	if len(made) > maxCells {
		d.fail(parameters.at, "$.parameters", "the parameters make more than %d cells, the most that a file may have: have the matrix leave some out", maxCells)
		return nil
	}
	for _, c := range made {
		if len(c.name) > maxCellName {
			d.fail(parameters.at, "$.parameters", "the name of cell %s… is longer than %d characters: give shorter labels", c.name[:40], maxCellName)
			return nil
		}
	}
	if len(made) == 0 {
		d.fail(rules.at, "$.matrix", "matrix: no cell is left")
	}
	return made
}

// multiply makes the cells in the order of their values, the last parameter
// changing first.
func (m matrix) multiply(fixed map[string]value, product int) (made []cell) {
	values := maps.Clone(fixed)
	holds := func(cond condition) bool { return cond.holds(values) }
	for i := range product {
		for _, p := range slices.Backward(m.vary) {
			values[p.name] = p.values[i%len(p.values)]
			i /= len(p.values)
		}
		if m.include != nil && !slices.ContainsFunc(m.include, holds) || slices.ContainsFunc(m.exclude, holds) {
			continue
		}
		if len(made) > maxCells {
			break // there are too many, and somebody says so
		}
		c := cell{values: maps.Clone(values)}
		var labels []string
		for _, p := range m.vary {
			label := values[p.name].label
			c.settings, labels = append(c.settings, Setting{p.name, label}), append(labels, label)
		}
		c.name = strings.Join(labels, "_")
		made = append(made, c)
	}
	return made
}

// matrix reads the entry of that name.
func (d *decoder) matrix(e pair, all []parameter) (m matrix) {
	const path = "$.matrix"
	n := d.follow(e.value, path)
	if n == nil {
		return m
	}
	entries, ok := d.pairs(n, path, "matrix", "a mapping")
	if !ok {
		return m
	}
	names := make([]string, len(all))
	byName := map[string]parameter{}
	for i, p := range all {
		names[i], byName[p.name] = p.name, p
	}
	var include, exclude *pair
	given := false
	for _, e := range entries {
		switch e.key {
		case "vary":
			given = true
			m.vary = d.vary(e, names, byName)
		case "include":
			include = &e
		case "exclude":
			exclude = &e
		default:
			known := []string{"vary", "include", "exclude"}
			d.fail(e.at, child(path, e.key), "unknown key %q: matrix has %s%s", shorten(e.key), strings.Join(known, ", "), Suggest(e.key, known))
		}
	}
	for _, p := range all {
		varies := slices.ContainsFunc(m.vary, func(v parameter) bool { return v.name == p.name })
		switch {
		case !given && len(p.values) > 1:
			m.vary = append(m.vary, p)
		case given && !varies && len(p.values) > 1 && !d.failed[child(path, "vary")]:
			d.fail(p.at, child("$.parameters", p.name), "%s has %d values and does not vary: name it in the matrix, or leave one of them", p.name, len(p.values))
		}
	}
	m.include = d.conditions(include, m.vary)
	m.exclude = d.conditions(exclude, m.vary)
	return m
}

func (d *decoder) vary(e pair, names []string, byName map[string]parameter) (vary []parameter) {
	path := child("$.matrix", "vary")
	list, ok := d.follow(e.value, path).(*ast.SequenceNode)
	if !ok {
		d.fail(start(e.value), path, "vary: want a list of parameters, as in [suite, size]")
		return nil
	}
	for i, n := range list.Values {
		at := item(path, i)
		name := ""
		if n = d.follow(n, at); n != nil && scalar(n) {
			name = textOf(n)
		}
		p, known := byName[name]
		switch {
		case !known:
			d.failed[path] = true
			d.fail(start(list.Values[i]), at, "vary: no parameter is called %q%s", shorten(name), Suggest(name, names))
		case slices.ContainsFunc(vary, func(v parameter) bool { return v.name == name }):
			d.fail(start(n), at, "vary: %s is there twice", name)
		default:
			vary = append(vary, p)
		}
	}
	return vary
}

// conditions reads include or exclude.
func (d *decoder) conditions(e *pair, vary []parameter) (all []condition) {
	if e == nil {
		return nil
	}
	path := child("$.matrix", e.key)
	list, ok := d.follow(e.value, path).(*ast.SequenceNode)
	if !ok {
		d.fail(start(e.value), path, "%s: want a list of conditions, as in [{suite: null-sha1, size: 0}]", e.key)
		return nil
	}
	all = []condition{}
	for i, n := range list.Values {
		at := item(path, i)
		if n = d.follow(n, at); n != nil {
			all = append(all, d.condition(n, at, e.key, vary))
		}
	}
	return all
}

// Each checks all cells of a file and joins their mistakes, each once; one that
// only some cells have names the first of them. It looks no further when many
// cells have been wrong.
func Each(all []*Scenario, check func(*Scenario) error) error {
	found := gathered{in: map[Error][]string{}}
	for i, s := range all {
		err := check(s)
		if err == nil {
			continue
		}
		mistakes := Mistakes(err)
		if mistakes == nil {
			return err
		}
		_, cell, _ := strings.Cut(s.Name, "/")
		if found.add(mistakes, cell); found.faulty == maxFaulty {
			return found.errors(i + 1)
		}
	}
	return found.errors(len(all)).orNil()
}

// gathered are the mistakes of a file's cells, each once.
type gathered struct {
	faulty int // cells with mistakes
	all    []*Error
	in     map[Error][]string // cells
}

func (g *gathered) add(errs Errors, cell string) {
	g.faulty++
	for _, e := range errs {
		k := e.key()
		if g.in[k] == nil {
			g.all = append(g.all, e)
		}
		if in := g.in[k]; len(in) == 0 || in[len(in)-1] != cell {
			g.in[k] = append(in, cell)
		}
	}
}

// key is what two mistakes that are one for the reader share: a step with pairs
// has the same one in several places of the scenario and in one of the file.
func (e *Error) key() Error {
	k := *e
	if k.Line > 0 {
		k.Path = ""
	}
	return k
}

// errors are the mistakes, with the cell where it is not in each of those looked at.
func (g *gathered) errors(looked int) Errors {
	var out Errors
	for _, e := range g.all {
		in := g.in[e.key()]
		switch {
		case len(in) == looked:
		case len(in) == 1:
			e.Message = fmt.Sprintf("%s (in cell %s)", e.Message, in[0])
		default:
			e.Message = fmt.Sprintf("%s (in cell %s and others)", e.Message, in[0])
		}
		out = append(out, e)
	}
	if out = out.sorted(); len(out) > maxErrors {
		out = out[:maxErrors]
	}
	return out
}
