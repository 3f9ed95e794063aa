package scenarios

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/natt"
	"github.com/ipseclab/ipseclab/internal/recent"
	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// oracle is the wire oracle: it looks at every frame that leaves a host and asks
// the policy that the host has at that moment whether the packet may be in the
// clear. It reads the policy as the administrator wrote it and evaluates it in
// the most naive way, on purpose apart from the compiled SPD that it checks:
// every filter, both ways if mirrored, tried one by one. Which policy a host has
// it knows from the lab that assigned it, not from the host.
//
// A frame that calls itself ESP or AH, or ESP in UDP, is believed only if its SPI is one that key
// management has given this host for this destination, or, as a fragment, if the
// first one of its datagram was. What else the host's policy cannot be asked about,
// because it cannot be read, is a violation: any EtherType but IPv4, IPv6 and ARP,
// and a fragment whose first one was never seen when a filter with ports might want
// it protected.
type oracle struct {
	lab        *lab
	decoder    packetDecoder
	terms      map[string]*terms    // what drivers work by, by host
	spis       map[outboundSPI]bool // of all outbound SAs that there were
	fragments  recent.Map[datagramKey, ruling]
	frames     int // judged
	softened   int // in the clear where a rule wanted them protected, after silence on the wire
	silences   *silences
	given      map[answer]*policy.Policy // by policy servers, when they answered last
	agreements agreements
	bypassed   int // of IPv6, from hosts whose policies are set not to concern it
	exempt     int // let pass by the setting no-default-exempt of their hosts
	unknown    int // from addresses that policies do not know yet, by the setting re-expand of their hosts

	violations []violation
}

type violation struct {
	node string
	trace.Violation
}

// ruling is what the policy demands of a packet.
type ruling struct {
	sealed bool // it is under an SA, and nothing is asked
	leak   bool // it may not leave in the clear
	exempt bool // NoDefaultExempt lets it pass before all filters
	free   bool // no filter selects it
	soft   bool // but for want of an answer to IKE it may
	rule   string
	why    string
}

// outboundSPI names an SA by its sender and what the wire shows of it.
type outboundSPI struct {
	node, dst string
	protocol  string
	spi       uint32
}

func newOracle(l *lab) *oracle {
	o := &oracle{
		lab: l, terms: map[string]*terms{}, spis: map[outboundSPI]bool{}, silences: newSilences(l),
		fragments: recent.New[datagramKey, ruling](recentDatagrams), agreements: agreements{}, given: map[answer]*policy.Policy{},
	}
	l.log.Observe(o.agreements.event)
	l.log.Observe(func(e trace.Event) {
		switch sa := e.Body.(type) {
		case trace.SAAdded:
			if sa.Direction == ipsec.Outbound.String() {
				o.spis[outboundSPI{e.Node, sa.Dst, sa.Protocol, sa.SPI}] = true
			}
		case trace.SAMoved:
			if to, err := netip.ParseAddrPort(sa.To); err == nil && sa.Direction == ipsec.Outbound.String() {
				o.spis[outboundSPI{e.Node, to.Addr().String(), sa.Protocol, sa.SPI}] = true
			}
		}
		o.event(e)
	})
	return o
}

// frame judges one frame, when its sender puts it on the wire.
func (o *oracle) frame(f sim.Frame) {
	host := o.lab.hosts[f.Node]
	if host == nil {
		return
	}
	if o.decoder.resolves(f) {
		return // addresses are resolved in the clear under any policy
	}
	p, ok := o.decoder.decode(f)
	if ok && o.sealed(f.Node, p) {
		return
	}
	if p.encapsulated() && p.flow.SrcPort != natt.Port && p.flow.SrcPort != isakmpPort {
		p.udp = natt.Nothing // an application's datagram that happens to go to a port of IKE
	}
	duties := o.terms[f.Node].at(f.At)
	if ok && p.protected() && !slices.ContainsFunc(duties, duty.demanding) {
		return
	}
	o.frames++
	packet, r := p.flow.String(), ruling{}
	if !ok {
		packet = fmt.Sprintf("%d bytes", len(f.Data))
	}
	for _, d := range duties {
		if r = o.demand(d, host, f, p, ok); !r.leak {
			return
		}
	}
	v := trace.Violation{Frame: f.Number, Segment: f.Segment, Packet: packet, Rule: r.rule, Why: r.why}
	o.violations = append(o.violations, violation{f.Node, v})
	o.lab.world.Record(f.Node, v)
}

// demand is what the duty of a driver demands of a frame; ok: it was read, as p.
func (o *oracle) demand(d duty, host *hosts.Host, f sim.Frame, p decoded, ok bool) (r ruling) {
	switch {
	case ok && p.protected() && p.flow.Fragment:
		r = ruling{leak: true, rule: d.name(), why: "it is a fragment, and no first one with an SPI of the host went before it"}
	case ok && p.protected():
		r = ruling{leak: true, rule: d.name(), why: fmt.Sprintf("no SA of the host has the SPI %#08x", p.spi)}
	case ok && (d.demanding() || d.mode != "") && p.flow.Src.Is6() && host.PolicyOptions().BypassIPv6:
		o.bypassed++
	case ok:
		if r = o.rule(d, host, p); r.free {
			r = o.terms[f.Node].starting(d, o.lab.sender(host), p)
		}
		switch {
		case r.exempt:
			o.exempt++
		case r.leak && r.soft && o.silences.allow(f.Node, p.flow.Dst, f.At):
			r.leak = false
			o.softened++
		}
	case d.demanding(): // what cannot be read cannot be cleared of suspicion
		r = ruling{leak: true, rule: d.name(), why: "it cannot be read as an IP packet"}
	}
	return r
}

// sealed reports whether a packet is protected under an SA of its sender, or is a
// fragment of one whose first fragment was.
func (o *oracle) sealed(node string, p decoded) bool {
	if p.flow.Fragment {
		r, ok := o.fragments.Get(p.key())
		return ok && r.sealed
	}
	if !p.protected() || !o.known(node, p) {
		return false
	}
	if p.fragment {
		o.fragments.Put(p.key(), ruling{sealed: true})
	}
	return true
}

// known reports whether the SPI of a protected packet is one of its sender's.
func (o *oracle) known(node string, p decoded) bool {
	protocol := ipsec.ESP
	if p.flow.Proto == ipsec.ProtoAH {
		protocol = ipsec.AH
	}
	return o.spis[outboundSPI{node, p.flow.Dst.String(), protocol.String(), p.spi}]
}

// rule finds what the policy demands. A non-first fragment hides its ports: the
// ruling on the first fragment of its datagram holds.
func (o *oracle) rule(d duty, host *hosts.Host, packet decoded) ruling {
	s := o.lab.sender(host)
	s.under(packet.flow.Src)
	if packet.flow.Fragment {
		if r, ok := o.fragments.Get(packet.key()); ok {
			return r
		}
		return d.judgeFragment(s, packet.flow)
	}
	r := d.judge(s, packet.flow)
	if !r.leak && s.tolerated(d, packet.flow) {
		o.unknown++
	}
	if packet.fragment {
		o.fragments.Put(packet.key(), r)
	}
	return r
}

// judgeFragment judges a fragment of an unknown datagram: it is a leak if any
// ports that a filter names would make it one.
func (d duty) judgeFragment(s *sender, f ipsec.Flow) ruling {
	flows := []ipsec.Flow{f}
	for _, rule := range d.rules() {
		for _, filter := range rule.Filters.Filters {
			there, back := f, f
			there.SrcPort, there.DstPort = filter.SourcePort, filter.DestinationPort
			back.SrcPort, back.DstPort = filter.DestinationPort, filter.SourcePort
			flows = append(flows, there, back)
		}
	}
	for _, f := range flows {
		if r := d.judge(s, f); r.leak {
			return r
		}
	}
	return ruling{free: d.policy == nil && d.persistent == nil}
}

// judge is the naive evaluation of what is in force for a packet that leaves the host.
func (d duty) judge(s *sender, f ipsec.Flow) ruling {
	switch {
	case d.policy == nil && d.persistent == nil:
		return ruling{free: true}
	case isakmp(f):
		return ruling{} // ESP in UDP is judged by its SPI before
	case s.exempt(f):
		return ruling{exempt: true}
	}
	var best *candidate
	for _, rule := range d.rules() {
		if rule.Inactive || !s.connected(rule.Connections, f.Src) || rule.Tunnel.IsValid() && slices.Contains(s.local, rule.Tunnel) {
			continue // not for what leaves by this address
		}
		for _, filter := range rule.Filters.Filters {
			ways := []policy.Filter{filter}
			if filter.Mirrored {
				back := filter
				back.Source, back.Destination = filter.Destination, filter.Source
				back.SourcePort, back.DestinationPort = filter.DestinationPort, filter.SourcePort
				ways = append(ways, back)
			}
			for _, w := range ways {
				c, ok := match(w, s, f)
				if !ok {
					continue
				}
				c.kind, c.soft, c.rule, c.filter = rule.Action.Kind, rule.Action.Soft, rule.of+"/"+rule.Name, filter.String()
				c.rank, c.persistent = d.precedence(s, rule.persistent)
				if rule.Tunnel.IsValid() {
					c.tunnel = 1
				}
				if best == nil || c.beats(best, s.ties) {
					best = &c
				}
			}
		}
	}
	main := d.policy
	if main == nil {
		main = d.persistent
	}
	switch {
	case best == nil && main.DefaultResponse != nil && s.agreed(f):
		return ruling{
			leak: true, rule: main.Name + "/" + policy.DefaultResponseName,
			why: "an SA that its default response rule has agreed on with the peer lives, and no filter decides",
		}
	case best == nil:
		return ruling{free: true}
	case best.kind == policy.Permit:
		return ruling{}
	}
	return ruling{
		leak: true, rule: best.rule, soft: best.soft,
		why: fmt.Sprintf("the most specific filter that matches is %q, and its action is %s", best.filter, best.kind),
	}
}

// candidate is a filter that matches, with what decides its place in the search:
// the documented order of package policy, restated.
type candidate struct {
	rank         int    // of its policy: the lower is searched first
	tunnel       int    // 1 when its rule has a tunnel: those are searched first
	ends         [2]int // prefix lengths, the one that is compared first in front; -1 is any address
	protocol     int    // 1 when it names one
	ports        int    // how many it names
	persistent   int    // 1 when it is from the persistent policy, and there is another one
	kind         policy.Kind
	soft         bool // its action is with soft: true
	rule, filter string
}

// beats reports whether c is searched before b. Of equals the earlier found stays.
func (c *candidate) beats(b *candidate, ties []policy.Kind) bool {
	for _, d := range []int{
		b.rank - c.rank, c.tunnel - b.tunnel, c.ends[0] - b.ends[0], c.ends[1] - b.ends[1], c.protocol - b.protocol, c.ports - b.ports,
		c.persistent - b.persistent, slices.Index(ties, b.kind) - slices.Index(ties, c.kind),
	} {
		if d != 0 {
			return d > 0
		}
	}
	return false
}

func match(w policy.Filter, s *sender, f ipsec.Flow) (candidate, bool) {
	src, ok1 := covers(w.Source, s, f.Src)
	dst, ok2 := covers(w.Destination, s, f.Dst)
	if !ok1 || !ok2 ||
		w.Protocol != ipsec.ProtoAny && w.Protocol != f.Proto ||
		w.SourcePort != 0 && w.SourcePort != f.SrcPort ||
		w.DestinationPort != 0 && w.DestinationPort != f.DstPort {
		return candidate{}, false
	}
	settings := s.node.Settings()
	if settings.MeAsAny() {
		if w.Source.IsMe() {
			src = -1
		}
		if w.Destination.IsMe() {
			dst = -1
		}
	}
	c := candidate{ends: [2]int{max(src, dst), min(src, dst)}}
	if settings.WiderEndFirst() {
		c.ends = [2]int{min(src, dst), max(src, dst)}
	}
	if w.Protocol != ipsec.ProtoAny {
		c.protocol = 1
	}
	for _, port := range []uint16{w.SourcePort, w.DestinationPort} {
		if port != 0 {
			c.ports++
		}
	}
	return c, true
}

// covers reports whether the address of a filter takes in a, and with how long a
// prefix: that of any address, of either family, is shorter than all of one family.
func covers(w policy.Address, s *sender, a netip.Addr) (bits int, ok bool) {
	switch {
	case w.IsAny():
		return -1, true // of either family: more than all of one
	case w.IsMe():
		return a.BitLen(), slices.Contains(s.local, a)
	case w.Name() != "", w.ServerKind() != 0:
		return a.BitLen(), s.among(w, a)
	}
	return w.Prefix().Bits(), w.Prefix().Contains(a)
}

// check is the oracle's verdict over the run.
func (o *oracle) check() result.Check {
	c := result.Check{
		Name: "wire oracle: nothing in the clear that policy protects or blocks", Outcome: result.Passed,
		Want: "no violation", Got: fmt.Sprintf("%d clear frames of hosts judged, no violation", o.frames),
	}
	if o.softened > 0 {
		c.Got += fmt.Sprintf("; %d of them after silence of peers, where rules allow unsecured communication (soft)", o.softened)
	}
	if o.bypassed > 0 {
		c.Got += fmt.Sprintf("; %d of them are of IPv6, which the hosts' setting ipv6: bypass lets pass", o.bypassed)
	}
	if o.exempt > 0 {
		c.Got += fmt.Sprintf("; %d of them pass before all filters, as the hosts' setting no-default-exempt says", o.exempt)
	}
	if o.unknown > 0 {
		c.Got += fmt.Sprintf("; %d of them from addresses that the hosts' policies did not know, as their settings re-expand and agent-stopped say", o.unknown)
	}
	if n := len(o.violations); n > 0 {
		v := o.violations[0]
		c.Outcome = result.Failed
		c.Got = fmt.Sprintf("%d of %d clear frames of hosts", n, o.frames)
		c.Reason = fmt.Sprintf("frame %d on %s left %s in the clear (%s) although rule %s forbids it: %s",
			v.Frame, v.Segment, v.node, v.Packet, v.Rule, v.Why)
	}
	return c
}
