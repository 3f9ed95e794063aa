package spec

import (
	"maps"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// A step with pairs happens once for each two of the hosts in its list: the file
// holds it once, the scenario as many times. What it has in common is written
// with ${pair.from} and ${pair.to}, which are references like those to parameters.
const pairName = "pair"

// maxPaired bounds the hosts of a list; 100 of them make 4950 steps.
const maxPaired = 100

// each gives the values that an item of a list is to be read with, once for each
// time: an item that is no step with pairs is read once, with those of the cell.
// ok is false where the pairs are mistaken, and what they stand for is unknown.
func (d *decoder) each(n ast.Node, of reflect.Type, path string) (all []map[string]value, ok bool) {
	once := []map[string]value{d.cell}
	m, ok := d.follow(n, path).(*ast.MappingNode)
	if of != reflect.TypeFor[Step]() || !ok || d.lenient {
		return once, true
	}
	i := slices.IndexFunc(m.Values, func(e *ast.MappingValueNode) bool { return e.Key.GetToken().Value == "pairs" })
	if i < 0 {
		return once, true
	}
	at := child(path, "pairs")
	var hosts []string
	if d.value(m.Values[i].Value, reflect.ValueOf(&hosts).Elem(), at, "pairs"); d.failed[at] {
		return once, false
	}
	p := start(m.Values[i].Value)
	_, taken := d.cell[pairName]
	switch {
	case taken:
		d.fail(p, at, "pairs: a parameter is called %s, and ${%s.from} would be either's: call it something else", pairName, pairName)
	case len(hosts) < 2:
		d.fail(p, at, "pairs: there are no two: give at least two hosts")
	case len(hosts) > maxPaired:
		d.fail(p, at, "pairs: %d hosts are more than %d", len(hosts), maxPaired)
	default:
		return d.pairsOf(hosts, m.Values[i].Value), true
	}
	return once, false
}

// pairsOf are the values for each two of the hosts, the earlier one first.
func (d *decoder) pairsOf(hosts []string, at ast.Node) (all []map[string]value) {
	for i, from := range hosts {
		for _, to := range hosts[i+1:] {
			with := map[string]value{pairName: {
				label: from + "-" + to, keys: []string{"from", "to"},
				fields: map[string]ast.Node{"from": textNode(from, at), "to": textNode(to, at)},
			}}
			maps.Copy(with, d.cell)
			all = append(all, with)
		}
	}
	return all
}
