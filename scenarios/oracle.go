package scenarios

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// oracle is the wire oracle: it looks at every frame that leaves a host and asks
// the policy that the host has at that moment whether the packet may be in the
// clear. It reads the policy as the administrator wrote it and evaluates it in
// the most naive way, on purpose apart from the compiled SPD that it checks:
// every filter, both ways if mirrored, tried one by one.
type oracle struct {
	lab        *lab
	decoder    packetDecoder
	fragments  recent[ruling]
	frames     int // judged
	violations []violation
}

type violation struct {
	node string
	trace.Violation
}

// ruling is what the policy demands of a packet.
type ruling struct {
	protect bool
	rule    string
	why     string
}

func newOracle(l *lab) *oracle { return &oracle{lab: l} }

// frame judges one frame, when its sender puts it on the wire.
func (o *oracle) frame(f sim.Frame) {
	host := o.lab.hosts[f.Node]
	if host == nil {
		return
	}
	p, ok := o.decoder.decode(f.Data)
	if ok && (p.flow.Proto == ipsec.ProtoESP || p.flow.Proto == ipsec.ProtoAH) || !o.decoder.ipv4() {
		return
	}
	o.frames++
	packet, r := p.flow.String(), ruling{}
	if ok {
		r = o.rule(host, p)
	} else if host.Policy() != nil { // what cannot be read cannot be cleared of suspicion
		packet, r = fmt.Sprintf("%d bytes", len(f.Data)), ruling{protect: true, rule: host.Policy().Name, why: "it cannot be read as an IPv4 packet"}
	}
	if !r.protect {
		return
	}
	v := trace.Violation{Frame: f.Number, Segment: f.Segment, Packet: packet, Rule: r.rule, Why: r.why}
	o.violations = append(o.violations, violation{f.Node, v})
	o.lab.world.Record(f.Node, v)
}

// rule finds what the policy demands. A non-first fragment hides its ports: the
// ruling on the first fragment of its datagram holds.
func (o *oracle) rule(host *hosts.Host, packet decoded) ruling {
	if packet.flow.Fragment {
		if r, ok := o.fragments.get(packet.key()); ok {
			return r
		}
	}
	r := judge(host.Policy(), host.Addrs(), host.PolicyOptions().Ties, packet.flow)
	if packet.fragment && !packet.flow.Fragment {
		o.fragments.put(packet.key(), r)
	}
	return r
}

// judge is the naive evaluation of a policy for a packet that leaves the host.
func judge(p *policy.Policy, local []netip.Addr, ties []policy.Kind, f ipsec.Flow) ruling {
	if p == nil {
		return ruling{}
	}
	// ISAKMP is exempt under the default of Windows Server 2003 (C064).
	if f.Proto == ipsec.ProtoUDP && (f.SrcPort == 500 || f.SrcPort == 4500) {
		return ruling{}
	}
	var best *candidate
	for _, rule := range p.Rules {
		for _, filter := range rule.Filters.Filters {
			ways := []policy.Filter{filter}
			if filter.Mirrored {
				back := filter
				back.Source, back.Destination = filter.Destination, filter.Source
				back.SourcePort, back.DestinationPort = filter.DestinationPort, filter.SourcePort
				ways = append(ways, back)
			}
			for _, w := range ways {
				c, ok := match(w, local, f)
				if !ok {
					continue
				}
				c.kind, c.rule, c.filter = rule.Action.Kind, p.Name+"/"+rule.Name, filter.String()
				if best == nil || c.beats(best, ties) {
					best = &c
				}
			}
		}
	}
	if best == nil || best.kind != policy.Negotiate {
		return ruling{}
	}
	return ruling{
		protect: true, rule: best.rule,
		why: fmt.Sprintf("the most specific filter that matches is %q, and its action is negotiate", best.filter),
	}
}

// candidate is a filter that matches, with what decides its place in the search:
// the documented order of package policy, restated.
type candidate struct {
	narrow, wide int // prefix lengths of its two ends, the longer first
	protocol     int // 1 when it names one
	ports        int // how many it names
	kind         policy.Kind
	rule, filter string
}

// beats reports whether c is searched before b. Of equals the earlier found stays.
func (c *candidate) beats(b *candidate, ties []policy.Kind) bool {
	for _, d := range []int{
		c.narrow - b.narrow, c.wide - b.wide, c.protocol - b.protocol, c.ports - b.ports, slices.Index(ties, b.kind) - slices.Index(ties, c.kind),
	} {
		if d != 0 {
			return d > 0
		}
	}
	return false
}

func match(w policy.Filter, local []netip.Addr, f ipsec.Flow) (candidate, bool) {
	src, ok1 := covers(w.Source, local, f.Src)
	dst, ok2 := covers(w.Destination, local, f.Dst)
	if !ok1 || !ok2 ||
		w.Protocol != ipsec.ProtoAny && w.Protocol != f.Proto ||
		w.SourcePort != 0 && w.SourcePort != f.SrcPort ||
		w.DestinationPort != 0 && w.DestinationPort != f.DstPort {
		return candidate{}, false
	}
	c := candidate{narrow: max(src, dst), wide: min(src, dst)}
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

// covers reports whether the address of a filter takes in a, and with how long a prefix.
func covers(w policy.Address, local []netip.Addr, a netip.Addr) (bits int, ok bool) {
	switch {
	case w.IsAny():
		return 0, true
	case w.IsMe():
		return 32, slices.Contains(local, a)
	}
	return w.Prefix().Bits(), w.Prefix().Contains(a)
}

// check is the oracle's verdict over the run.
func (o *oracle) check() result.Check {
	c := result.Check{
		Name: "wire oracle: nothing in the clear that policy wants protected", Outcome: result.Passed,
		Want: "no violation", Got: fmt.Sprintf("%d clear frames of hosts judged, no violation", o.frames),
	}
	if n := len(o.violations); n > 0 {
		v := o.violations[0]
		c.Outcome = result.Failed
		c.Got = fmt.Sprintf("%d of %d clear frames of hosts", n, o.frames)
		c.Reason = fmt.Sprintf("frame %d on %s left %s in the clear (%s) although rule %s demands protection: %s",
			v.Frame, v.Segment, v.node, v.Packet, v.Rule, v.Why)
	}
	return c
}
