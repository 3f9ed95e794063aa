package policy

import (
	"fmt"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Keep gives the entries of c that are in an earlier expansion of the same policy the
// IDs that they have there, and all others new ones, so that SAs go on which were
// negotiated for an entry that stays, and none serves an entry that it was not
// negotiated for. Call it before c is used.
func (c *Compiled) Keep(earlier *Compiled) {
	type place struct {
		rule      string
		direction ipsec.Direction
		selector  ipsec.Selector
	}
	keep(c, earlier, func(e ipsec.Policy) place { return place{e.Rule, e.Direction, e.Selector} })
}

// KeepEqual is Keep for another policy: the entries of a rule of the same name whose
// action or methods are others get new IDs, too.
func (c *Compiled) KeepEqual(earlier *Compiled) {
	keep(c, earlier, func(e ipsec.Policy) string {
		e.ID = 0
		return fmt.Sprintf("%+v", e)
	})
}

func keep[K comparable](c, earlier *Compiled, of func(ipsec.Policy) K) {
	old, next := map[K]int{}, 0
	for _, spd := range [][]ipsec.Policy{earlier.Outbound, earlier.Inbound} {
		for _, e := range spd {
			old[of(e)] = e.ID
			next = max(next, e.ID)
		}
	}
	renumbered := map[int]int{} // both entries of a conversation share an ID
	for _, spd := range [][]ipsec.Policy{c.Outbound, c.Inbound} {
		for i := range spd {
			e := &spd[i]
			id, known := renumbered[e.ID]
			if !known {
				if id, known = old[of(*e)]; !known {
					next++
					id = next
				}
				renumbered[e.ID] = id
			}
			e.ID = id
		}
	}
}

// Has reports whether an entry of the SPD has the ID.
func (c *Compiled) Has(id int) bool {
	for _, spd := range [][]ipsec.Policy{c.Outbound, c.Inbound} {
		for _, e := range spd {
			if e.ID == id {
				return true
			}
		}
	}
	return false
}
