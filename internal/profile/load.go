package profile

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed data/*.yaml
var data embed.FS

// groupNames are the files, in the order in which profiles are listed.
var groupNames = []string{"windows", "silent", "others"}

// All are all profiles, in the order of their files. They are shared, and not to be changed.
var All = sync.OnceValue(func() (all []*Profile) {
	for _, group := range groupNames {
		content, err := data.ReadFile("data/" + group + ".yaml")
		if err == nil {
			var some []*Profile
			some, err = parse(group, content)
			all = append(all, some...)
		}
		if err != nil {
			panic(err) // a slip in a data file of this package, which its tests find
		}
	}
	return all
})

var byName = sync.OnceValue(func() map[string]*Profile {
	m := map[string]*Profile{}
	for _, p := range All() {
		m[p.Name] = p
	}
	return m
})

// Named is the profile of a name.
func Named(name string) (*Profile, bool) {
	p, ok := byName()[name]
	return p, ok
}

// Names are the names of all profiles, in their order.
func Names() (names []string) {
	for _, p := range All() {
		names = append(names, p.Name)
	}
	return names
}

// file is a data file.
type file struct {
	Bases    map[string]entry `yaml:"bases"`
	Profiles map[string]entry `yaml:"profiles"`
}

// entry has what is said of a base or a profile itself. What it does not say it has
// from With, and then from Like: bases, or other profiles of the file.
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

// parse reads a data file.
func parse(group string, content []byte) ([]*Profile, error) {
	var f file
	var order struct {
		Profiles yaml.MapSlice `yaml:"profiles"`
	}
	d := yaml.NewDecoder(bytes.NewReader(content), yaml.Strict())
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("profile: %s: %w", group, err)
	}
	if err := d.Decode(&f); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("profile: %s: there is more than one document", group)
	}
	if err := yaml.Unmarshal(content, &order); err != nil {
		return nil, fmt.Errorf("profile: %s: %w", group, err)
	}
	var all []*Profile
	for _, item := range order.Profiles {
		name, ok := item.Key.(string)
		if !ok {
			return nil, fmt.Errorf("profile: %s: %v is no name", group, item.Key)
		}
		p, err := f.profile(group, name)
		if err != nil {
			return nil, fmt.Errorf("profile: %s: %s: %w", group, name, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// profile makes one profile of what it says itself and what it has from others.
func (f *file) profile(group, name string) (*Profile, error) {
	e := f.Profiles[name]
	if e.Title == "" {
		return nil, errors.New("it has no title")
	}
	values, err := f.values(e, 0)
	if err != nil {
		return nil, err
	}
	p := &Profile{Name: name, Title: e.Title, Group: group}
	for _, k := range keys {
		d, ok := values[k.Name]
		if !ok {
			continue
		}
		delete(values, k.Name)
		switch {
		case d.Source == "":
			return nil, fmt.Errorf("%s has no source", k.Name)
		case !slices.Contains([]Status{Fact, Unconfirmed, Choice}, d.Status):
			return nil, fmt.Errorf("%s: status %q is none of fact, unconfirmed and choice", k.Name, d.Status)
		case k.read == nil:
			if s, ok := d.Value.(string); !ok || s == "" {
				return nil, fmt.Errorf("%s: want a text, got %v", k.Name, d.Value)
			}
		default:
			if err := k.read(p, d.Value); err != nil {
				return nil, fmt.Errorf("%s: %w", k.Name, err)
			}
		}
		p.Values = append(p.Values, Value{Key: k.Name, Text: text(d.Value), Source: d.Source, Status: d.Status, Informational: !k.Acts})
	}
	if len(values) > 0 {
		return nil, fmt.Errorf("nothing is called %s", strings.Join(slices.Sorted(maps.Keys(values)), ", "))
	}
	if _, ok := p.Value("ipsec"); !ok {
		return nil, errors.New("it does not say whether it knows IPsec")
	}
	return p, nil
}

// maxDepth is more than a chain of profiles has that are like others.
const maxDepth = 10

func (f *file) values(e entry, depth int) (map[string]datum, error) {
	all := map[string]datum{}
	if depth > maxDepth {
		return nil, errors.New("it is like itself")
	}
	for _, name := range []string{e.Like, e.With} {
		if name == "" {
			continue
		}
		from, ok := f.Bases[name]
		if !ok {
			if from, ok = f.Profiles[name]; !ok {
				return nil, fmt.Errorf("it is like %q, which there is not", name)
			}
		}
		some, err := f.values(from, depth+1)
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
