package netsh

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Store is what the scripts of a host have made. The zero value is that of a host on
// which nothing was ever configured.
type Store struct {
	Local      Container // of the registry, in force unless a domain has a policy
	Persistent Container // applied before that, and in addition to it
	Dynamic    Dynamic   // gone when the policy agent stops
	Config     Config

	persistent bool // where static commands go: set store
	inDomain   bool
	batch      bool
}

// Location is the part of the store that static commands change: set store.
func (s *Store) Location() string {
	switch {
	case s.inDomain:
		return "domain"
	case s.persistent:
		return "persistent"
	}
	return "local"
}

// current is the container that static commands change.
func (s *Store) current() *Container {
	if s.persistent {
		return &s.Persistent
	}
	return &s.Local
}

// Container is a location of the store, with its objects in the order in which they
// were made. Names are compared without regard to case (a lab rule).
type Container struct {
	FilterLists   []*FilterList
	FilterActions []*FilterAction
	Policies      []*Policy
}

// FilterList is a filter list, which rules share.
type FilterList struct {
	Name, Description string
	Filters           []policy.Filter
}

// FilterAction is a filter action, which rules share.
type FilterAction struct {
	Description string
	policy.FilterAction
}

// Policy is a policy with its rules.
type Policy struct {
	Name, Description string
	Assigned          bool // one of a container at most
	MainMode          policy.MainMode
	Polling           time.Duration // 0: policy.DefaultPolling
	Default           DefaultRule
	Rules             []*Rule
}

// DefaultRule is the default response rule, which keeps its settings while it is not active.
type DefaultRule struct {
	Active bool
	policy.DefaultResponse
}

// Rule joins a filter list to a filter action. Both are those of the container: what
// changes them changes the rule.
type Rule struct {
	Name, Description string
	Filters           *FilterList
	Action            *FilterAction
	Auth              []policy.AuthMethod // none: Kerberos
	Tunnel            netip.Addr
	Connections       policy.ConnectionType
	Inactive          bool
}

// DefaultSecurityMethods are those of a filter action that negotiates and names none.
// The list of Windows is unconfirmed; encryption and integrity come first (C221), and
// that is the lab's choice.
func DefaultSecurityMethods() []ipsec.Proposal {
	p, err := policy.ParseSecurityMethod("ESP[3DES,SHA1]")
	if err != nil {
		panic(err) // a slip in this package, which its tests find
	}
	return []ipsec.Proposal{p}
}

func named[T any](all []T, name string, of func(T) string) (found T) {
	for _, x := range all {
		if strings.EqualFold(of(x), name) {
			return x
		}
	}
	return found
}

// FilterList is the filter list of that name; nil when there is none.
func (c *Container) FilterList(name string) *FilterList {
	return named(c.FilterLists, name, func(l *FilterList) string { return l.Name })
}

// FilterAction is the filter action of that name; nil when there is none.
func (c *Container) FilterAction(name string) *FilterAction {
	return named(c.FilterActions, name, func(a *FilterAction) string { return a.Name })
}

// policyNamed is the policy of that name; nil when there is none.
func (c *Container) policyNamed(name string) *Policy {
	return named(c.Policies, name, func(p *Policy) string { return p.Name })
}

func (p *Policy) rule(name string) *Rule {
	return named(p.Rules, name, func(r *Rule) string { return r.Name })
}

// Names are the names of the policies, in order.
func (c *Container) Names() (all []string) {
	for _, p := range c.Policies {
		all = append(all, p.Name)
	}
	return all
}

// Assigned is the policy that is assigned; nil when none is.
func (c *Container) Assigned() *policy.Policy {
	for _, p := range c.Policies {
		if p.Assigned {
			return p.model()
		}
	}
	return nil
}

// Policy is the policy of that name; nil when there is none.
func (c *Container) Policy(name string) *policy.Policy {
	if p := c.policyNamed(name); p != nil {
		return p.model()
	}
	return nil
}

// Policy is the policy of that name, of the local location before the persistent one;
// nil when there is none.
func (s *Store) Policy(name string) *policy.Policy {
	return cmp.Or(s.Local.Policy(name), s.Persistent.Policy(name))
}

// model is the policy as package policy has it, sharing nothing with the store.
func (p *Policy) model() *policy.Policy {
	out := &policy.Policy{Name: p.Name, Description: p.Description, MainMode: p.MainMode, Polling: p.Polling}
	out.MainMode.Proposals = slices.Clone(p.MainMode.Proposals)
	if d := p.Default; d.Active {
		out.DefaultResponse = &policy.DefaultResponse{Methods: clones(d.Methods), PFS: d.PFS, Auth: slices.Clone(d.Auth)}
	}
	for _, r := range p.Rules {
		action := r.Action.FilterAction
		action.Methods = clones(action.Methods)
		out.Rules = append(out.Rules, policy.Rule{
			Name: r.Name, Description: r.Description,
			Filters: policy.FilterList{Name: r.Filters.Name, Filters: slices.Clone(r.Filters.Filters)},
			Action:  action, Auth: slices.Clone(r.Auth), Tunnel: r.Tunnel, Connections: r.Connections, Inactive: r.Inactive,
		})
	}
	return out
}

func clones(all []ipsec.Proposal) []ipsec.Proposal {
	out := slices.Clone(all)
	for i := range out {
		out[i].Transforms = slices.Clone(out[i].Transforms)
	}
	return out
}

// users are the rules that a list or an action is in use by, in words; "" for none.
func (c *Container) users(uses func(*Rule) bool) string {
	var all []string
	for _, p := range c.Policies {
		for _, r := range p.Rules {
			if uses(r) {
				all = append(all, fmt.Sprintf("rule %q of policy %q", r.Name, p.Name))
			}
		}
	}
	return strings.Join(all, ", ")
}

// assign makes p the only policy that is assigned.
func (c *Container) assign(p *Policy) {
	for _, other := range c.Policies {
		other.Assigned = other == p
	}
}
