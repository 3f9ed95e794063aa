package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

var cutOff = &Rule{
	ID: "cut-off", Severity: Info, Claims: []string{"C027", "C030", "C060", "C151"},
	Title: "Hosts that do not negotiate are cut off by a wide rule",
	Why: "What is negotiated without falling back to clear does not come about with a host that has no IPsec, no policy, or a policy with " +
		"nothing to negotiate about it: its connections run into a timeout. For hosts that are to stay outside that is the purpose; the others are to be known before the rollout.",
	Fix: "Permit the traffic with those that are needed by filters of their own (`action: permit`), make this a boundary host, which accepts and sends " +
		"unsecured (`inpass: true`, `soft: true`), or give the other host a policy that negotiates.",
}

// checkCutOff names, for each policy, the hosts that nothing of it lets through because
// they do not negotiate. What is blocked is meant to be, and counts for nothing.
func checkCutOff(l *linter) {
	starts := l.starts()
	for _, p := range l.policies {
		var lost []string
		rules := map[int]bool{}
		for i := range l.in.Hosts {
			if who, ok := l.lost(p, &l.in.Hosts[i], starts, rules); ok {
				lost = append(lost, who)
			}
		}
		if lost == nil {
			continue
		}
		var names []string
		which := slices.Sorted(maps.Keys(rules))
		for _, r := range which {
			names = append(names, place{p, r}.String())
		}
		cut := "rule " + names[0] + " cuts"
		if len(names) > 1 {
			cut = "rules " + strings.Join(names, " and ") + " cut"
		}
		l.report(cutOff, place{p, which[0]}.ref(WholeRule), "%s off who does not negotiate: %s", cut, strings.Join(lost, ", "))
	}
}

// lost words that a policy cuts a host off, with the reason, and notes the rules that do.
func (l *linter) lost(p *reviewed, o *Host, starts []start, rules map[int]bool) (who string, ok bool) {
	var reason string
	var from []string
	others := 0
	for _, u := range p.units {
		if u.host == nil || u.host == o || u.compiled == nil {
			continue
		}
		others++
		if rule, why := l.cutsOff(u, o, starts); why != "" {
			from, reason, rules[rule] = append(from, u.host.Name), why, true
		}
	}
	if len(from) < others {
		reason += ", from " + strings.Join(from, " and ")
	}
	return fmt.Sprintf("%s (%s)", o.Name, reason), len(from) > 0
}

// cutsOff says why another host has nothing to do with one that has a policy, and which
// rule is the first reason; "" if it is not cut off, or if one-sided says so of the pair.
func (l *linter) cutsOff(u *unit, o *Host, starts []start) (rule int, why string) {
	if o.Router {
		return 0, ""
	}
	for _, c := range conversations(u.host, o) {
		by, verdict := u.unprotected(c)
		if verdict == blocked {
			continue
		}
		reason := ""
		if verdict == demanded {
			reason = idle(o, by, c.sent(), starts)
		}
		if reason == "" {
			return 0, "" // this much passes
		}
		said := by.outbound && by.Selector.Dst.IsSingleIP() && (len(o.Policies) == 0 || narrow(by.Generic))
		if why == "" && !said {
			rule, why = by.Rule, reason
		}
	}
	return rule, why
}

// conversation is one between a host that has a policy and another one.
type conversation struct {
	flow ipsec.Flow // its first packet
	ours bool       // which the host with the policy sends
}

// sent and received are the packets of the host that has the policy.
func (c conversation) sent() ipsec.Flow {
	if c.ours {
		return c.flow
	}
	return c.flow.Reverse()
}

func (c conversation) received() ipsec.Flow { return c.sent().Reverse() }

// conversations are those about what two hosts serve; where neither serves anything, one
// by TCP from either side, on ports that no filter names.
func conversations(mine, other *Host) (all []conversation) {
	add := func(from, to *Host, s Service, ours bool) {
		port := uint16(clientPort)
		if s == (Service{ipsec.ProtoUDP, portDHCPServer}) {
			port = portDHCPClient
		}
		for _, src := range from.Addrs {
			for _, dst := range to.Addrs {
				if src.Is4() == dst.Is4() && src != dst {
					all = append(all, conversation{ipsec.Flow{Src: src, Dst: dst, Proto: s.Protocol, SrcPort: port, DstPort: s.Port}, ours})
				}
			}
		}
	}
	for _, s := range other.Serves {
		add(mine, other, s, true)
	}
	for _, s := range mine.Serves {
		add(other, mine, s, false)
	}
	if all == nil {
		talk := Service{ipsec.ProtoTCP, clientPort}
		add(mine, other, talk, true)
		add(other, mine, talk, false)
	}
	return all
}

// verdict is what becomes of a conversation with a host that does not negotiate.
type verdict uint8

const (
	passes   verdict = iota // in the clear
	blocked                 // by a filter that blocks, whoever it is with
	demanded                // not without protection
)

// demand is a filter that demands protection of a packet.
type demand struct {
	policy.SpecificFilter
	outbound bool // of one that is sent
}

// asks is what is to be negotiated about a packet that is sent, or its answer.
func (d demand) asks(sent ipsec.Flow) ipsec.Selector {
	s := d.Selector
	if !d.outbound {
		s = s.Reverse()
	}
	s.Src, s.Dst = ipsec.Host(sent.Src), ipsec.Host(sent.Dst)
	return s
}

// unprotected judges a conversation with a host that does not negotiate, and names the
// filter that demands protection of it. Tunnels are not judged: they are for gateways.
func (u *unit) unprotected(c conversation) (by demand, v verdict) {
	out, in := c.sent(), c.received()
	sends, hears := u.compiled.Entry(ipsec.Outbound, &out), u.compiled.Entry(ipsec.Inbound, &in)
	is := func(e *ipsec.Policy, a ipsec.Action) bool { return e != nil && e.Action == a }
	if is(sends, ipsec.Discard) || is(hears, ipsec.Discard) {
		return by, blocked
	}
	var ok bool
	soft := is(sends, ipsec.Protect) && sends.FallBack // from its first packet on, if that is sent (C147)
	switch {
	case is(sends, ipsec.Protect) && !soft:
		by.outbound = true
		by.SpecificFilter, ok = u.compiled.Decides(ipsec.Outbound, out)
	case is(hears, ipsec.Protect) && !hears.Passthrough && !(soft && c.ours && hears.FallBack):
		by.SpecificFilter, ok = u.compiled.Decides(ipsec.Inbound, in)
	}
	if !ok || by.Tunnel() {
		return by, passes
	}
	return by, demanded
}

// idle says why a host does not negotiate about what another one sends it by a filter;
// "" if it does, or if that is not known.
func idle(o *Host, by demand, sent ipsec.Flow, starts []start) string {
	switch {
	case o.NoIPsec:
		return "no IPsec"
	case len(o.Policies) == 0:
		return "no policy"
	}
	i := slices.IndexFunc(starts, func(s start) bool { return s.host == o })
	if i < 0 { // its policy comes later, or does not compile
		return ""
	}
	theirs := starts[i]
	_, main := theirs.compiled.MainMode(sent.Dst, sent.Src)
	_, quick := theirs.compiled.QuickMode(sent.Src, by.asks(sent).Reverse())
	answer := sent.Reverse()
	e := theirs.compiled.Entry(ipsec.Outbound, &answer)
	if main && (quick || e != nil && e.Action == ipsec.Protect) {
		return ""
	}
	return fmt.Sprintf("policy %s has nothing to negotiate about it", theirs.Name)
}
