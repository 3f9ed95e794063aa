// Package boxes is NAT boxes by name: what is known of how home routers, servers and
// carriers translate addresses, as data with one source for each value.
//
// A box is behaviour alone. Which addresses it has, what it publishes and where it stands
// is for whoever uses it to say: nat.Config without Outside, Inside, Static and Forwards.
package boxes

import (
	"embed"
	"fmt"
	"slices"
	"sync"

	"github.com/ipseclab/ipseclab/internal/sourced"
	"github.com/ipseclab/ipseclab/natbox/nat"
)

// Box is one box. It is shared, and not to be changed.
type Box = sourced.Entry[nat.Config]

// Key is a subject on which boxes have values. Its name is a word of scenario files.
type Key = sourced.Key[nat.Config]

//go:embed data/boxes.yaml
var data embed.FS

// All are all boxes, in the order of their file.
var All = sync.OnceValue(func() []Box {
	content, err := data.ReadFile("data/boxes.yaml")
	if err != nil {
		panic(err) // it is embedded
	}
	all, err := parse(content)
	if err != nil {
		panic(err) // a slip in the data file of this package, which its tests find
	}
	return all
})

func parse(content []byte) ([]Box, error) {
	all, err := sourced.Parse(content, "boxes", keys)
	if err != nil {
		return nil, fmt.Errorf("boxes: %w", err)
	}
	return all, nil
}

// Named is the box of a name.
func Named(name string) (*Box, bool) {
	i := slices.IndexFunc(All(), func(b Box) bool { return b.Name == name })
	if i < 0 {
		return nil, false
	}
	return &All()[i], true
}

// Names are the names of all boxes, in their order.
func Names() (names []string) {
	for _, b := range All() {
		names = append(names, b.Name)
	}
	return names
}

// Keys are all subjects.
func Keys() []Key { return slices.Clone(keys) }

// KeyOf is the subject of a name.
func KeyOf(name string) (Key, bool) {
	i := slices.IndexFunc(keys, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return Key{}, false
	}
	return keys[i], true
}

// Config is a copy of what a box does.
func Config(b *Box) nat.Config {
	c := b.Of
	c.Ports.Reserved, c.IKEPorts = slices.Clone(c.Ports.Reserved), slices.Clone(c.IKEPorts)
	return c
}
