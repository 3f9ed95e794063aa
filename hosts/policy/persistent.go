package policy

import (
	"fmt"
	"net/netip"
)

// Precedence says how the filters of a persistent policy are searched beside those of
// another one. TechNet (cc739468) says that it adds to or overrides the other policy,
// and not how.
type Precedence uint8

// The precedences of a persistent policy.
const (
	// PersistentSpecific searches the filters of both policies in one order, the most
	// specific first. Of filters that are equally specific, those of the persistent
	// policy go first, whatever their actions.
	PersistentSpecific Precedence = iota
	PersistentFirst               // before all filters of the other policy
	PersistentLast                // after all of them
)

func (p Precedence) String() string {
	switch p {
	case PersistentSpecific:
		return "specific"
	case PersistentFirst:
		return "persistent first"
	case PersistentLast:
		return "persistent last"
	}
	return fmt.Sprintf("precedence(%d)", uint8(p))
}

// place is that of a policy's filters: those of 1 are searched before those of 0.
func (p Precedence) place(persistent bool) int {
	switch p {
	case PersistentFirst:
		return count(persistent)
	case PersistentLast:
		return count(!persistent)
	}
	return 0
}

// CompileBoth is Compile for a host on which a persistent policy is in force in
// addition to another one; either may be nil. Each filter brings the key exchange
// settings of its own policy. The default response rule is the other policy's, or that of
// the persistent one where it is alone.
func CompileBoth(persistent, p *Policy, local []netip.Addr, o Options) (*Compiled, error) {
	if p == nil || persistent == nil {
		alone := p
		if p == nil {
			alone = persistent
		}
		return Compile(alone, local, o)
	}
	c, err := newCompiled(o)
	if err != nil {
		return nil, err
	}
	for _, part := range []*Policy{p, persistent} {
		if err := c.add(part, local, &o); err != nil {
			return nil, err
		}
	}
	for _, s := range c.all {
		s.persistent = s.of != c.policy
		s.place = o.Persistent.place(s.persistent)
	}
	c.finish(local, o)
	return c, nil
}
