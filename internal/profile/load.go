package profile

import (
	"embed"
	"fmt"
	"sync"

	"github.com/ipseclab/ipseclab/internal/sourced"
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

// parse reads a data file.
func parse(group string, content []byte) ([]*Profile, error) {
	entries, err := sourced.Parse(content, "profiles", keys)
	if err != nil {
		return nil, fmt.Errorf("profile: %s: %w", group, err)
	}
	var all []*Profile
	for i := range entries {
		e := &entries[i]
		p := &e.Of
		p.Name, p.Title, p.Group, p.Values = e.Name, e.Title, group, e.Values
		if _, ok := p.Value("ipsec"); !ok {
			return nil, fmt.Errorf("profile: %s: %s: it does not say whether it knows IPsec", group, p.Name)
		}
		all = append(all, p)
	}
	return all, nil
}
