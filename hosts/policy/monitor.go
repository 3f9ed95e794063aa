package policy

import (
	"cmp"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Monitor is a policy in force as the IP Security Monitor shows it (claim C073): the
// generic filters are those that are written, the specific ones what became of them on
// this host.
type Monitor struct {
	Name        string           `json:"name,omitempty"` // empty: none assigned
	Description string           `json:"description,omitempty"`
	Polling     time.Duration    `json:"polling_ns,omitempty"`
	MainMode    *MonitorMainMode `json:"main_mode,omitempty"`
	Rules       []MonitorRule    `json:"rules,omitempty"`

	MainModeGeneric   []MonitorFilter `json:"main_mode_generic_filters,omitempty"`
	MainModeSpecific  []MonitorFilter `json:"main_mode_specific_filters,omitempty"`
	QuickModeGeneric  []MonitorFilter `json:"quick_mode_generic_filters,omitempty"`
	QuickModeSpecific []MonitorFilter `json:"quick_mode_specific_filters,omitempty"` // in search order: outbound, then inbound
}

// MonitorMainMode are the key exchange settings in force.
type MonitorMainMode struct {
	Methods    []string      `json:"methods"` // as netsh writes them, in order of preference
	Lifetime   time.Duration `json:"lifetime_ns"`
	QuickModes int           `json:"quick_modes"` // per main mode; 0: any number
	MasterPFS  bool          `json:"master_pfs"`  // a main mode for each quick mode
}

// MonitorRule is one rule of the policy, or of the persistent policy beside it, whose
// rules stand behind. The default response rule is the last.
type MonitorRule struct {
	Policy       string   `json:"policy"`
	Name         string   `json:"name"`
	Active       bool     `json:"active"`
	FilterList   string   `json:"filter_list"`
	FilterAction string   `json:"filter_action,omitempty"`
	Action       string   `json:"action"`            // permit, block, negotiate
	Methods      []string `json:"methods,omitempty"` // as netsh writes them, in order of preference
	PFS          bool     `json:"pfs,omitempty"`
	InPass       bool     `json:"inpass,omitempty"`
	Soft         bool     `json:"soft,omitempty"`
	Auth         []string `json:"auth,omitempty"` // without secrets
	Tunnel       string   `json:"tunnel,omitempty"`
	Connections  string   `json:"connections"` // all, lan, dialup
}

// MonitorFilter is one filter. What a filter of its kind does not have is left out.
type MonitorFilter struct {
	Rule            string   `json:"rule"` // policy/rule, or the name of an exemption
	Direction       string   `json:"direction,omitempty"`
	Source          string   `json:"source"`
	Destination     string   `json:"destination"`
	Protocol        string   `json:"protocol,omitempty"`
	SourcePort      uint16   `json:"source_port,omitempty"` // 0: any
	DestinationPort uint16   `json:"destination_port,omitempty"`
	ICMPTypes       string   `json:"icmp_types,omitempty"`
	Mirrored        bool     `json:"mirrored,omitempty"`
	Action          string   `json:"action,omitempty"`
	Auth            []string `json:"auth,omitempty"`
	Tunnel          string   `json:"tunnel,omitempty"`
	Weight          uint64   `json:"weight,omitempty"` // the larger one is searched first; a choice of the lab, see specific.weight
	From            string   `json:"from,omitempty"`   // the generic filter, as written
	Unused          string   `json:"unused,omitempty"` // why it concerns no packet of this host
}

// exemptWeight is the weight of default exemptions, which are searched first: larger
// than that of any filter.
const exemptWeight = 4_000_000_000

// weightOf is the weight of what the driver searches; nil is an exemption.
func weightOf(s *specific) uint64 {
	if s == nil {
		return exemptWeight
	}
	return s.weight()
}

// Monitor shows the policy.
func (c *Compiled) Monitor() Monitor {
	p := c.policy
	if p == nil {
		return Monitor{}
	}
	m := Monitor{Name: p.Name, Description: p.Description, Polling: p.PollingInterval(), MainMode: &MonitorMainMode{
		Lifetime: cmp.Or(p.MainMode.Lifetime, DefaultMainModeLifetime), QuickModes: p.MainMode.QuickModes, MasterPFS: p.MainMode.QuickModes == 1,
	}}
	for _, proposal := range p.MainMode.proposals() {
		name, ok := FormatMainModeMethod(proposal)
		if !ok {
			name = proposal.String() // netsh has no word for it
		}
		m.MainMode.Methods = append(m.MainMode.Methods, name)
	}
	for _, part := range c.parts {
		for _, r := range part.Rules {
			v := r.monitor()
			v.Policy = part.Name
			m.Rules = append(m.Rules, v)
		}
	}
	if d := p.DefaultResponse; d != nil {
		m.Rules = append(m.Rules, MonitorRule{
			Policy: p.Name, Name: DefaultResponseName, Active: true, FilterList: "<Dynamic>", Action: Negotiate.String(),
			Methods: methodNames(d.methods()), PFS: d.PFS, Auth: authNames(d.Auth), Connections: AllConnections.String(),
		})
	}
	c.genericFilters(&m)
	c.specificFilters(&m)
	return m
}

func (r Rule) monitor() MonitorRule {
	v := MonitorRule{
		Name: r.Name, Active: !r.Inactive, FilterList: r.Filters.Name, FilterAction: r.Action.Name, Action: r.Action.Kind.String(),
		Connections: r.Connections.String(),
	}
	if r.Action.Kind == Negotiate {
		v.Methods, v.PFS, v.InPass, v.Soft = methodNames(r.Action.Methods), r.Action.PFS, r.Action.InPass, r.Action.Soft
		v.Auth = authNames(r.Auth)
	}
	if r.Tunnel.IsValid() {
		v.Tunnel = r.Tunnel.String()
	}
	return v
}

func methodNames(methods []ipsec.Proposal) (names []string) {
	for _, p := range methods {
		p.Mode = ipsec.Transport // the word is the same for a tunnel
		name, ok := FormatSecurityMethod(p)
		if !ok {
			name = p.String() // netsh has no word for it
		}
		names = append(names, name)
	}
	return names
}

func authNames(auth []AuthMethod) (names []string) {
	for _, a := range auth {
		names = append(names, a.String())
	}
	return names
}

// genericFilters are those of active rules, as written and in the order of the policy.
// Main mode looks at addresses alone, of rules that negotiate.
func (c *Compiled) genericFilters(m *Monitor) {
	for _, part := range c.parts {
		part.genericFilters(m)
	}
}

func (p *Policy) genericFilters(m *Monitor) {
	for _, r := range p.Rules {
		if r.Inactive {
			continue
		}
		name := p.Name + "/" + r.Name
		tunnel := ""
		if r.Tunnel.IsValid() {
			tunnel = r.Tunnel.String()
		}
		for _, f := range r.Filters.Filters {
			m.QuickModeGeneric = append(m.QuickModeGeneric, MonitorFilter{
				Rule: name, Source: f.Source.String(), Destination: f.Destination.String(), Protocol: ipsec.ProtoName(f.Protocol),
				SourcePort: f.SourcePort, DestinationPort: f.DestinationPort, Mirrored: f.Mirrored, Action: r.Action.Kind.String(), Tunnel: tunnel,
			})
			if r.Action.Kind != Negotiate {
				continue
			}
			mm := MonitorFilter{Rule: name, Source: f.Source.String(), Destination: f.Destination.String(), Mirrored: f.Mirrored, Auth: authNames(r.Auth)}
			if r.Tunnel.IsValid() { // the main mode is with its end
				mm.Source, mm.Destination, mm.Mirrored = Me().String(), tunnel, true
			}
			if !slices.ContainsFunc(m.MainModeGeneric, mm.sameEnds) {
				m.MainModeGeneric = append(m.MainModeGeneric, mm)
			}
		}
	}
}

// sameEnds reports whether two main-mode filters are of one rule and between the same addresses.
func (f MonitorFilter) sameEnds(o MonitorFilter) bool {
	return f.Rule == o.Rule && f.Source == o.Source && f.Destination == o.Destination
}

// specificFilters are what the driver searches, and those that concern no packet of
// the host; and the pairs of addresses for which IKE finds a main mode, in the order
// in which it looks for one.
func (c *Compiled) specificFilters(m *Monitor) {
	for _, d := range []ipsec.Direction{ipsec.Outbound, ipsec.Inbound} {
		for i, e := range c.entries(d) {
			s := c.plumbed[d][i]
			f := filterOf(e.Selector, e.Rule)
			f.Direction, f.Action, f.Weight = d.String(), actionExempt, weightOf(s)
			if s != nil {
				f.Action, f.From = s.kind.String(), s.generic.String()
				if s.rule == dynamicRule {
					f.From = s.generic.Description
				}
				if s.tunnel.IsValid() {
					f.Tunnel = s.tunnel.String()
				}
			}
			m.QuickModeSpecific = append(m.QuickModeSpecific, f)
		}
	}
	for _, s := range c.all {
		if why := c.why[s]; why != "" {
			f := filterOf(s.selector, s.name)
			f.Action, f.From, f.Weight, f.Unused = s.kind.String(), s.generic.String(), weightOf(s), why
			m.QuickModeSpecific = append(m.QuickModeSpecific, f)
			continue
		}
		if s.kind != Negotiate {
			continue
		}
		whole := filterOf(s.selector, s.name)
		f := MonitorFilter{Rule: s.name, Source: whole.Source, Destination: whole.Destination, Auth: authNames(s.of.Rules[s.rule].Auth), Weight: weightOf(s)}
		switch {
		case s.ending:
			f.Source, f.Destination = Any().String(), s.tunnel.String()
		case s.tunnel.IsValid():
			f.Source, f.Destination = Me().String(), s.tunnel.String()
		}
		if !slices.ContainsFunc(m.MainModeSpecific, f.sameEnds) {
			m.MainModeSpecific = append(m.MainModeSpecific, f)
		}
	}
}

// filterOf takes a selector apart.
func filterOf(s ipsec.Selector, rule string) MonitorFilter {
	end := func(of ipsec.Selector) string {
		switch p := of.Src; {
		case !p.IsValid():
			return Any().String()
		case p.IsSingleIP():
			return p.Addr().String()
		default:
			return p.String()
		}
	}
	f := MonitorFilter{
		Rule: rule, Source: end(s), Destination: end(s.Reverse()), Protocol: ipsec.ProtoName(s.Proto), SourcePort: s.SrcPort, DestinationPort: s.DstPort,
	}
	if s.ICMP != (ipsec.ICMPTypes{}) {
		f.ICMPTypes = s.ICMP.String()
	}
	return f
}
