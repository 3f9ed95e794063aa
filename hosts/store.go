package hosts

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ipseclab/ipseclab/hosts/policy"
)

// Location is a place of a host's policy store: what netsh ipsec static set store
// chooses, and the copy of a policy that came from elsewhere.
type Location uint8

// The locations of a store.
const (
	Local      Location = iota + 1 // of the computer, as the snap-in edits it
	Persistent                     // active from the start of the driver on, in addition to all others
	Cache                          // the last policy that a source gave
	Remote                         // the source itself; the store has no such place
)

// String is the word that netsh uses; netsh has none for the cache.
func (l Location) String() string {
	switch l {
	case Local:
		return "local"
	case Persistent:
		return "persistent"
	case Cache:
		return "cache"
	case Remote:
		return "source"
	}
	return fmt.Sprintf("location(%d)", uint8(l))
}

// Store is a host's store of policies, as the registry of Windows is: it outlives
// the policy agent and the power. Each location has policies by name, of which at
// most one is assigned (C079). It is readable by whoever may read it, the preshared
// keys in the policies too (C104).
//
// A change is not seen before the agent reads the store: when it starts, at the
// polling interval of the policy in force, and when it is told to. See Host.StorePolicy
// and Host.AssignPolicy.
type Store struct {
	places [Cache + 1]place
	edits  int
}

type place struct {
	policies map[string]*policy.Policy
	assigned string // empty: none
}

// put stores a policy under its name, in place of another one of that name.
func (s *Store) put(l Location, p *policy.Policy) {
	at := &s.places[l]
	if at.policies == nil {
		at.policies = map[string]*policy.Policy{}
	}
	stored := *p
	at.policies[p.Name] = &stored
	s.edits++
}

// remove deletes a policy.
func (s *Store) remove(l Location, name string) {
	delete(s.places[l].policies, name)
	s.edits++
}

// assign makes the policy of a name the one of its location; the one before is no
// longer assigned. An empty name unassigns.
func (s *Store) assign(l Location, name string) error {
	at := &s.places[l]
	if name != "" && at.policies[name] == nil {
		return fmt.Errorf("hosts: the %s store has no policy called %q", l, name)
	}
	at.assigned = name
	s.edits++
	return nil
}

// drop empties a location.
func (s *Store) drop(l Location) {
	s.places[l] = place{}
	s.edits++
}

// Assigned is the policy of a location that is assigned; nil when none is.
func (s *Store) Assigned(l Location) *policy.Policy {
	return s.places[l].policies[s.places[l].assigned]
}

// Policy is the stored policy of a name; nil when there is none.
func (s *Store) Policy(l Location, name string) *policy.Policy { return s.places[l].policies[name] }

// Names are those of a location's policies, sorted.
func (s *Store) Names(l Location) []string {
	return slices.Sorted(maps.Keys(s.places[l].policies))
}
