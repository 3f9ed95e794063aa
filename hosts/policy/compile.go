package policy

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Compiled is a policy in force on one host. It does not change and may be read
// from several goroutines.
type Compiled struct {
	// Outbound and Inbound are the SPD: exemptions first, then the specific
	// filters in the order of their search. The first entry that matches decides;
	// without one the packet passes (TechNet cc740034). Not to be changed.
	Outbound, Inbound []ipsec.Policy

	// A copy, without offers that the host does not know; nil when none is assigned; with a persistent policy, the other one.
	policy *Policy
	parts  []*Policy // all that are in force: policy, then the persistent one
	pruned []Pruned

	ties []Kind
	all  []*specific // in search order, whether they concern the host or not

	// plumbed are the specific filters behind Outbound and Inbound, one for one; nil for exemptions.
	plumbed map[ipsec.Direction][]*specific
	why     map[*specific]string // of those in neither list: why they do not concern the host

	certificates func([]RootCA) ike.Certificates
	identity     ike.Identity
	aggressive   bool
	authFirst    bool
	modeConfig   *ike.ModeConfig
	newGroups    ike.NewGroups

	index      *index       // nil: the policy is short
	broadcasts []netip.Addr // of the host's subnets
}

// Compile makes the SPD of a host with these addresses. A nil policy is none
// assigned: nothing is filtered. The error joins one *Error for each mistake in
// the policy.
func Compile(p *Policy, local []netip.Addr, o Options) (*Compiled, error) {
	c, err := newCompiled(o)
	if err != nil || p == nil {
		return c, err
	}
	if err := c.add(p, local, &o); err != nil {
		return nil, err
	}
	c.finish(local, o)
	return c, nil
}

func newCompiled(o Options) (*Compiled, error) {
	ties, err := o.ties()
	if err != nil {
		return nil, err
	}
	return &Compiled{
		ties: slices.Clone(ties), plumbed: map[ipsec.Direction][]*specific{}, why: map[*specific]string{},
		certificates: o.Certificates, identity: o.Identity, aggressive: o.AggressiveMode, authFirst: o.AuthFirst,
		modeConfig: o.ModeConfig, newGroups: o.NewGroups,
	}, nil
}

// add expands the filters of a policy.
func (c *Compiled) add(p *Policy, local []netip.Addr, o *Options) error {
	if err := check(p, local, *o); err != nil {
		return err
	}
	p = clone(p)
	c.prune(system{o.System, o.FirstGeneration}, p)
	p.standIn(o.KerberosKey)
	if c.policy == nil {
		c.policy = p
	}
	c.parts = append(c.parts, p)
	for _, s := range expand(p, local, o) {
		s.of, s.seq = p, len(c.all)
		c.all = append(c.all, s)
	}
	return nil
}

// finish puts the filters in order and makes the SPD of them.
func (c *Compiled) finish(local []netip.Addr, o Options) {
	c.broadcasts = slices.Clone(o.Broadcasts)
	c.exempt(local, o)
	for _, s := range c.all {
		s.rank = len(c.ties) - slices.Index(c.ties, s.kind)
	}
	inSearchOrder(c.all)
	c.plumb(local, o.Broadcasts)
	if len(c.all) >= indexed {
		c.index = c.newIndex()
	}
}

// clone copies what Compiled keeps of a policy, so that a later change of the original does not reach it.
func clone(p *Policy) *Policy {
	q := *p
	q.MainMode.Proposals = slices.Clone(p.MainMode.Proposals)
	q.Rules = slices.Clone(p.Rules)
	for i := range q.Rules {
		r := &q.Rules[i]
		r.Filters.Filters = slices.Clone(r.Filters.Filters)
		r.Auth = slices.Clone(r.Auth)
		r.Action.Methods = cloneMethods(r.Action.Methods)
	}
	if d := p.DefaultResponse; d != nil {
		q.DefaultResponse = &DefaultResponse{Methods: cloneMethods(d.Methods), PFS: d.PFS, Auth: slices.Clone(d.Auth)}
	}
	return &q
}

func cloneMethods(methods []ipsec.Proposal) []ipsec.Proposal {
	methods = slices.Clone(methods)
	for m := range methods {
		methods[m].Transforms = slices.Clone(methods[m].Transforms)
	}
	return methods
}

// standIn puts a preshared key in the place of Kerberos, and has the methods of
// rules with a tunnel be for tunnel mode.
func (p *Policy) standIn(kerberosKey string) {
	for i := range p.Rules {
		r := &p.Rules[i]
		if r.Action.Kind == Negotiate {
			r.Auth = usable(r.Auth, kerberosKey)
		}
		if r.Tunnel.IsValid() {
			for m := range r.Action.Methods {
				r.Action.Methods[m].Mode = ipsec.Tunnel
			}
		}
	}
	if d := p.DefaultResponse; d != nil {
		d.Auth = usable(d.Auth, kerberosKey)
	}
}

// usable are the authentication methods as IKE is to use them; none is Kerberos.
func usable(auth []AuthMethod, kerberosKey string) []AuthMethod {
	if len(auth) == 0 {
		auth = []AuthMethod{{Kerberos: true}}
	}
	if kerberosKey == "" {
		return auth
	}
	auth = slices.Clone(auth)
	for i := range auth {
		if auth[i].Kerberos {
			auth[i].PreSharedKey = kerberosKey
		}
	}
	return auth
}

// entries is the SPD of a direction.
func (c *Compiled) entries(d ipsec.Direction) []ipsec.Policy {
	switch d {
	case ipsec.Outbound:
		return c.Outbound
	case ipsec.Inbound:
		return c.Inbound
	}
	return nil
}

// plumb makes an SPD entry of each specific filter in each direction in which it takes part.
func (c *Compiled) plumb(local, broadcasts []netip.Addr) {
	// The two entries of a mirrored filter share an ID: those of one rule that
	// select the same conversation, seen from either side.
	type conversation struct {
		of       *Policy
		rule     int
		outbound ipsec.Selector
	}
	ids := map[conversation]int{}
	next := c.nextID()
	for _, s := range c.all {
		out, in, why := concerns(s.selector, local, broadcasts)
		if out && s.ending {
			out, why = false, "does not concern this host: its tunnel ends here, and is for what arrives"
		}
		add := func(d ipsec.Direction, key ipsec.Selector, entries *[]ipsec.Policy) {
			k := conversation{s.of, s.rule, key}
			if s.tunnel.IsValid() {
				k.of, k.rule = nil, tunnelRules // the two rules of a tunnel, one for each direction, share its SAs
			}
			if ids[k] == 0 {
				ids[k] = next
				next++
			}
			action := s.of.Rules[s.rule].Action
			*entries = append(*entries, ipsec.Policy{
				ID: ids[k], Rule: s.name, Direction: d, Selector: s.selector, Action: s.kind.spd(),
				Proposals: action.Methods, PFS: action.PFS,
				Passthrough: action.InPass, FallBack: action.Soft,
			})
			if s.tunnel.IsValid() && !s.ending {
				(*entries)[len(*entries)-1].Peer = s.tunnel
			}
			c.plumbed[d] = append(c.plumbed[d], s)
		}
		if out {
			add(ipsec.Outbound, s.selector, &c.Outbound)
		}
		if in {
			add(ipsec.Inbound, s.selector.Reverse(), &c.Inbound)
		}
		if !out && !in {
			c.why[s] = why
		}
	}
	c.joinTunnels()
}

// joinTunnels tells the two rules of a tunnel about each other: those that send learn
// where it begins, at the address at which the other has it end, and the other way round.
func (c *Compiled) joinTunnels() {
	ending := map[int][]*specific{}
	for i, s := range c.plumbed[ipsec.Inbound] {
		if s != nil && s.ending {
			id := c.Inbound[i].ID
			ending[id] = append(ending[id], s)
		}
	}
	for i := range c.Outbound {
		e := &c.Outbound[i]
		for _, s := range ending[e.ID] {
			if e.Peer.IsValid() && s.tunnel.Is4() == e.Peer.Is4() && !s.begins.IsValid() {
				e.Local, s.begins = s.tunnel, e.Peer
			}
		}
	}
}

// tunnelRules stands for all rules with tunnels where conversations are told apart.
const tunnelRules = -2

// concerns reports whether packets that a host sends or receives can match; why tells when neither can.
func concerns(s ipsec.Selector, local, broadcasts []netip.Addr) (out, in bool, why string) {
	mine := func(p netip.Prefix) bool {
		return p == netip.Prefix{} || slices.ContainsFunc(local, p.Contains)
	}
	onlyMine := func(p netip.Prefix) bool { return p.IsSingleIP() && slices.Contains(local, p.Addr()) }
	out = mine(s.Src) && !onlyMine(s.Dst)
	in = (mine(s.Dst) || group(s.Dst) || slices.ContainsFunc(broadcasts, s.Dst.Contains)) && !onlyMine(s.Src)
	switch {
	case out || in:
		return out, in, ""
	case onlyMine(s.Src) || onlyMine(s.Dst):
		return false, false, "does not concern this host: packets to itself never pass the IPsec driver"
	}
	return false, false, "does not concern this host: neither end is an address of it"
}

// Specific prints what the driver works on, in search order: the outbound list,
// the inbound list, then the filters that do not concern the host.
func (c *Compiled) Specific() []string {
	var lines []string
	for _, d := range []ipsec.Direction{ipsec.Outbound, ipsec.Inbound} {
		for i, e := range c.entries(d) {
			action := actionExempt
			if s := c.plumbed[d][i]; s != nil {
				action = s.kind.String()
				if s.tunnel.IsValid() {
					action += fmt.Sprintf(" in a tunnel that ends at %s", s.tunnel)
				}
			}
			lines = append(lines, fmt.Sprintf("%s %s: %s, %s", d, e.Selector, action, e.Rule))
		}
	}
	for _, s := range c.all {
		if why := c.why[s]; why != "" {
			lines = append(lines, fmt.Sprintf("none %s: %s, %s (%s)", s.selector, s.kind, s.name, why))
		}
	}
	return lines
}
