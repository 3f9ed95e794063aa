package images

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pault.ag/go/debian/dependency"
)

// finish notes who provides what, once all lists are in.
func (x *index) finish() {
	for _, name := range slices.Sorted(maps.Keys(x.packages)) {
		for _, virtual := range x.packages[name].provides {
			x.provided[virtual] = append(x.provided[virtual], name)
		}
	}
}

// resolve finds the packages of an image: those wanted and what they depend on.
func (x *index) resolve(p Profile) (Section, error) {
	chosen := map[string]candidate{}
	var queue []string
	for _, name := range p.Packages {
		if _, ok := x.packages[name]; !ok {
			return Section{}, fmt.Errorf("images: %s: suite %s has no package %s", p.Name, x.suite, name)
		}
		chosen[name] = x.packages[name]
		queue = append(queue, name)
	}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		for _, relation := range chosen[name].depends {
			needed, err := x.choose(p, relation, chosen)
			if err != nil {
				return Section{}, fmt.Errorf("images: %s: package %s: %w", p.Name, name, err)
			}
			if _, ok := chosen[needed]; needed == "" || ok {
				continue
			}
			chosen[needed] = x.packages[needed]
			queue = append(queue, needed)
		}
	}
	s := Section{Image: p.Name, Suite: p.Suite}
	for _, name := range slices.Sorted(maps.Keys(chosen)) {
		s.Pins = append(s.Pins, chosen[name].Pin)
	}
	return s, nil
}

// choose finds the package that a dependency is met by: one that is there
// already, else the first alternative that the suite has. Empty: the image does
// without it.
func (x *index) choose(p Profile, relation dependency.Relation, chosen map[string]candidate) (string, error) {
	for _, alternative := range relation.Possibilities {
		for _, name := range x.candidates(alternative) {
			if _, ok := chosen[name]; ok {
				return name, nil
			}
		}
	}
	for _, alternative := range relation.Possibilities {
		if p.leavesOut(alternative.Name) {
			return "", nil
		}
		for _, name := range x.candidates(alternative) {
			if p.leavesOut(name) {
				return "", nil
			}
			return name, nil
		}
	}
	var names []string
	for _, alternative := range relation.Possibilities {
		names = append(names, alternative.String())
	}
	return "", fmt.Errorf("it depends on %s, which suite %s does not have", strings.Join(names, " | "), x.suite)
}

// candidates are the packages that meet one alternative of a dependency.
func (x *index) candidates(alternative dependency.Possibility) []string {
	if c, ok := x.packages[alternative.Name]; ok {
		if alternative.Version != nil && !alternative.Version.SatisfiedBy(c.version) {
			return nil
		}
		return []string{alternative.Name}
	}
	if alternative.Version != nil { // a virtual package has no version, as far as images are concerned
		return nil
	}
	return x.provided[alternative.Name]
}
