package scenarios

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/natbox"
	"github.com/ipseclab/ipseclab/natbox/firewall"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// routerFirewall is the firewall of a router, as a filter of the forwarding device.
type routerFirewall struct {
	*firewall.Firewall
	rules   []firewall.Rule
	initial firewall.Action
}

// Judge implements natbox.Filter.
func (f *routerFirewall) Judge(now time.Duration, c natbox.Crossing) natbox.Judgement {
	v := f.Firewall.Judge(now, firewall.Crossing{Packet: c.Packet, From: c.From, To: c.To})
	return natbox.Judgement{Why: v.Why, Prohibited: v.Prohibited}
}

// addFirewall makes the firewall of a router, and gives its filter.
func (l *lab) addFirewall(path, name string, s *spec.Firewall) (natbox.Filter, error) {
	c := firewall.Config{
		Inside: s.Inside, Rules: rulesOf(l.spec, s.ACL), Default: actions[s.Initial()], Inspect: inspectionsOf(l.spec, s.Inspect),
	}
	if s.Stateful != nil {
		c.State = stateOf(s.Stateful)
	}
	f, err := firewall.New(c)
	if err != nil {
		return nil, l.spec.Errorf(path+".firewall", "%v", err)
	}
	l.firewalls[name] = &routerFirewall{Firewall: f, rules: c.Rules, initial: c.Default}
	return l.firewalls[name], nil
}

// setFirewall carries out the step of that name, and says what is so now.
func (l *lab) setFirewall(s *spec.SetFirewall) (string, error) {
	f := l.firewalls[s.Node]
	if s.ACL != nil {
		f.rules = rulesOf(l.spec, s.ACL)
	}
	if s.Default != "" {
		f.initial = actions[s.Default]
	}
	if err := f.SetRules(f.rules, f.initial); err != nil {
		return "", err
	}
	if s.Inspect != nil {
		f.SetInspect(inspectionsOf(l.spec, s.Inspect))
	}
	now := fmt.Sprintf("%d entries, else %s", len(f.rules), f.initial)
	if s.Forget {
		now += fmt.Sprintf("; %d states forgotten", f.Forget())
	}
	return now, nil
}

var actions = map[string]firewall.Action{
	spec.FirewallDeny: firewall.Deny, spec.FirewallProhibit: firewall.Prohibit, spec.FirewallPermit: firewall.Permit,
}

var trackings = map[string]firewall.Tracking{
	spec.TrackByAddresses: firewall.ByAddresses, spec.TrackByIKE: firewall.ByIKE, spec.TrackByRules: firewall.ByRules,
}

func stateOf(s *spec.Stateful) *firewall.State {
	state := &firewall.State{Max: s.States, MidStream: s.MidStream, IPsec: trackings[s.Tracking()]}
	if t := s.Timeouts; t != nil {
		state.Timeouts = firewall.Timeouts{
			TCPHandshake: t.Handshake.Span(), TCPEstablished: t.TCP.Span(), TCPClosing: t.Closing.Span(),
			UDP: t.UDP.Span(), ICMP: t.ICMP.Span(), IPsec: t.IPsec.Span(), Other: t.Other.Span(),
		}
	}
	return state
}

// rulesOf are the entries of an access list, which Check has read before.
func rulesOf(s *spec.Scenario, acl []spec.ACLRule) (rules []firewall.Rule) {
	for _, a := range acl {
		r := firewall.Rule{
			Name: a.Name, Action: actions[a.Action], From: sideOf(a.From), To: sideOf(a.To),
			Source: prefixesOf(s, a.Source), Destination: prefixesOf(s, a.Destination),
			SourcePorts: portsOf(a.SourcePort), DestinationPorts: portsOf(a.DestinationPort),
			Established: a.Established, Fragments: a.Fragments,
		}
		r.Protocol, _ = spec.FirewallProtocol(a.Protocol)
		if typ, code, err := spec.ParseICMP(a.Protocol, a.ICMP); a.ICMP != "" && err == nil {
			r.ICMP = []firewall.ICMP{{Type: uint8(typ), Code: uint8(max(code, 0)), OneCode: code >= 0}}
		}
		rules = append(rules, r)
	}
	return rules
}

// sideOf is a word of from or to. Segments cannot be called any.
func sideOf(word string) string {
	if word == "any" {
		return ""
	}
	return word
}

func portsOf(text string) []firewall.Ports {
	first, last, err := spec.ParsePorts(text)
	if err != nil || first == 0 && last == 65535 {
		return nil
	}
	return []firewall.Ports{{First: first, Last: last}}
}

func prefixesOf(s *spec.Scenario, word string) []netip.Prefix {
	all, _ := s.FirewallAddresses(word)
	return all
}

func inspectionsOf(s *spec.Scenario, all []spec.Inspection) (out []firewall.Inspect) {
	for _, i := range all {
		out = append(out, firewall.Inspect{Source: prefixesOf(s, i.Source), Destination: prefixesOf(s, i.Destination)})
	}
	return out
}

var firewallKinds = map[string]hosts.FirewallKind{
	spec.FirewallNone: hosts.NoFirewall, spec.FirewallICFUnicast: hosts.UnicastICF, spec.FirewallICF: hosts.ICF, spec.FirewallWindows: hosts.WindowsFirewall,
}

// firewallOf is a host's own firewall.
func firewallOf(s *spec.Scenario, f spec.HostFirewall) hosts.Firewall {
	c := hosts.Firewall{
		Kind: firewallKinds[f.Kind], Off: !f.Enabled(), NoExceptions: f.NoExceptions, Bypass: f.Bypass, NoUnicastResponse: f.NoUnicastResponse,
		ServiceDelay: f.ServiceDelay.Span(), UDPTimeout: f.UDPTimeout.Span(), TCPTimeout: f.TCPTimeout.Span(),
	}
	for _, e := range f.Exceptions {
		open := hosts.Exception{Protocol: ipsec.ProtoTCP, Port: uint16(e.TCP)}
		if e.UDP != 0 {
			open = hosts.Exception{Protocol: ipsec.ProtoUDP, Port: uint16(e.UDP)}
		}
		open.Scope, open.LocalSubnet = s.Scope(e)
		c.Exceptions = append(c.Exceptions, open)
	}
	for _, n := range f.Allowed() {
		c.ICMP = append(c.ICMP, hosts.ICMPSetting(n))
	}
	return c
}

// firewallCounters are those of a node's firewall.
func (l *lab) firewallCounters(name string) hosts.FirewallCounters {
	if f := l.firewalls[name]; f != nil {
		return hosts.FirewallCounters{Counters: f.Counters()}
	}
	if h := l.hosts[name]; h != nil {
		return h.FirewallCounters()
	}
	return hosts.FirewallCounters{}
}

// firewalls are the counters of the firewalls that a step's expectations name.
func (s *stepRun) firewalls() map[string]hosts.FirewallCounters {
	if s.spec.Expect == nil {
		return nil
	}
	now := map[string]hosts.FirewallCounters{}
	for name := range s.spec.Expect.FirewallCounters {
		now[name] = s.lab.firewallCounters(name)
	}
	return now
}
