package sourced

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// file is a data file: the entries, and the bases that they are made of.
type file map[string]map[string]entry

// entry has what is said of a base or an entry itself. What it does not say it has
// from With, and then from Like: bases, or other entries of the file.
type entry struct {
	Title  string           `yaml:"title"`
	Like   string           `yaml:"like"`
	With   string           `yaml:"with"`
	Values map[string]datum `yaml:"values"`
}

type datum struct {
	Value  any    `yaml:"value"`
	Source string `yaml:"source"`
	Status Status `yaml:"status"`
}

const bases = "bases"

// Parse reads a data file, which has its entries below section, in their order.
func Parse[T any](content []byte, section string, keys []Key[T]) ([]Entry[T], error) {
	var f file
	var order map[string]yaml.MapSlice
	d := yaml.NewDecoder(bytes.NewReader(content), yaml.Strict())
	if err := d.Decode(&f); err != nil {
		return nil, err
	}
	if err := d.Decode(&f); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one document")
	}
	if err := yaml.Unmarshal(content, &order); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if name != bases && name != section {
			return nil, fmt.Errorf("unknown field %q: want %s and %s", name, bases, section)
		}
	}
	var all []Entry[T]
	for _, item := range order[section] {
		name, ok := item.Key.(string)
		if !ok {
			return nil, fmt.Errorf("%v is no name", item.Key)
		}
		e, err := read(f, section, name, keys)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, e)
	}
	return all, nil
}

// read makes one entry of what it says itself and what it has from others.
func read[T any](f file, section, name string, keys []Key[T]) (out Entry[T], err error) {
	e := f[section][name]
	if e.Title == "" {
		return out, errors.New("it has no title")
	}
	values, err := f.values(section, e, 0)
	if err != nil {
		return out, err
	}
	out.Name, out.Title = name, e.Title
	for _, k := range keys {
		d, ok := values[k.Name]
		if !ok {
			continue
		}
		delete(values, k.Name)
		switch {
		case d.Source == "":
			return out, fmt.Errorf("%s has no source", k.Name)
		case !slices.Contains([]Status{Fact, Unconfirmed, Choice}, d.Status):
			return out, fmt.Errorf("%s: status %q is none of fact, unconfirmed and choice", k.Name, d.Status)
		case k.read == nil:
			if s, ok := d.Value.(string); !ok || s == "" {
				return out, fmt.Errorf("%s: want a text, got %v", k.Name, d.Value)
			}
		default:
			if err := k.read(&out.Of, d.Value); err != nil {
				return out, fmt.Errorf("%s: %w", k.Name, err)
			}
		}
		out.Values = append(out.Values, Value{Key: k.Name, Text: text(d.Value), Source: d.Source, Status: d.Status, Informational: !k.Acts})
	}
	if len(values) > 0 {
		return out, fmt.Errorf("nothing is called %s", strings.Join(slices.Sorted(maps.Keys(values)), ", "))
	}
	return out, nil
}

// maxDepth is more than a chain of entries has that are like others.
const maxDepth = 10

func (f file) values(section string, e entry, depth int) (map[string]datum, error) {
	all := map[string]datum{}
	if depth > maxDepth {
		return nil, errors.New("it is like itself")
	}
	for _, name := range []string{e.Like, e.With} {
		if name == "" {
			continue
		}
		from, ok := f[bases][name]
		if !ok {
			if from, ok = f[section][name]; !ok {
				return nil, fmt.Errorf("it is like %q, which there is not", name)
			}
		}
		some, err := f.values(section, from, depth+1)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, some)
	}
	maps.Copy(all, e.Values)
	return all, nil
}

// text is a value for people.
func text(v any) string {
	switch v := v.(type) {
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case []any:
		if len(v) == 0 {
			return "none"
		}
		var all []string
		for _, i := range v {
			all = append(all, fmt.Sprint(i))
		}
		return strings.Join(all, ", ")
	}
	return fmt.Sprint(v)
}
