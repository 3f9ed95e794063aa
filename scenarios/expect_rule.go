package scenarios

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// rule judges which rules decided, from the verdicts that the drivers recorded.
func (j *judgement) rule(want *spec.RuleExpect) {
	s := j.step
	from, to := s.ends()
	r := s.request()
	if want.From != "" && !j.inside("rule.from", "rule", want.From, from.name) {
		j.equal("rule.from", "rule at "+from.name, want.From, s.lab.verdict(s.begin, s.end, from.name, ipsec.Outbound, r))
	}
	if want.To != "" && !j.inside("rule.to", "rule", want.To, to.name) {
		got := noDecision
		if s.lab.wire.arrived(s.begin, s.end, r, to) {
			got = s.lab.verdict(s.begin, s.end, to.name, ipsec.Inbound, r)
		}
		j.equal("rule.to", "rule at "+to.name, want.To, got)
	}
}

// noDecision is what a driver has decided that was not asked.
const noDecision = "no decision"

// request is the traffic of a step on its way to the far end.
type request struct {
	proto    uint8
	from     []netip.Addr // the sender may use any of its addresses
	fromPort uint16       // 0: an ephemeral one
	to       []netip.Addr // behind NAT boxes it has several
	port     uint16
}

func (s *stepRun) request() request {
	from, to := s.ends()
	proto, port := s.protocol()
	r := request{proto: proto, from: from.addrs, to: []netip.Addr{to.addr}, port: port}
	if len(s.lab.tables) > 0 {
		r.from = append(slices.Clone(from.addrs), from.hiding...)
		r.to = append(append(r.to, to.addrs...), to.hiding...)
	}
	switch {
	case s.spec.Connect != nil:
		r.fromPort = uint16(s.spec.Connect.FromPort)
	case s.spec.UDP != nil:
		r.fromPort = uint16(s.spec.UDP.FromPort)
	}
	return r
}

// is reports whether the packet of a verdict is one of the request's.
func (r request) is(packet string) bool {
	rest, ok := strings.CutPrefix(packet, ipsec.ProtoName(r.proto)+" ")
	src, dst, arrow := strings.Cut(rest, " > ")
	if !ok || !arrow {
		return false
	}
	if !ipsec.HasPorts(r.proto) {
		a, err := netip.ParseAddr(src)
		b, err2 := netip.ParseAddr(dst)
		return err == nil && err2 == nil && slices.Contains(r.from, a) && slices.Contains(r.to, b)
	}
	a, err := netip.ParseAddrPort(src)
	b, err2 := netip.ParseAddrPort(dst)
	return err == nil && err2 == nil && slices.Contains(r.from, a.Addr()) && (r.fromPort == 0 || r.fromPort == a.Port()) &&
		slices.Contains(r.to, b.Addr()) && b.Port() == r.port
}

// verdict is the name of the rule in the last decision of a node's driver about
// a request. A driver records a decision about a flow once, so that it may be
// older than the step, but not than the policy that the step began with.
func (l *lab) verdict(begin, end window, node string, d ipsec.Direction, r request) string {
	events := l.log.Events()[:end.events]
	for i, e := range slices.Backward(events) {
		if e.Node != node {
			continue
		}
		switch v := e.Body.(type) {
		case trace.PolicyAssigned, trace.DriverMode:
			if i < begin.events {
				return noDecision
			}
		case trace.Verdict:
			if v.Direction == d.String() && r.is(v.Packet) {
				return cmp.Or(v.Rule, v.Action)
			}
		}
	}
	return noDecision
}

// arrived reports whether a packet that may be the request's, so not one of IKE,
// reached the far end.
func (o *observer) arrived(begin, end window, r request, to party) bool {
	return slices.ContainsFunc(o.seen[begin.frames:end.frames], func(s sighting) bool {
		there := slices.Contains(r.to, s.dst) || s.protected() && to.has(s.dst) // perhaps the end of a tunnel
		return there && !s.lost && !s.keying() && slices.Contains(r.from, s.src) && to.segments[s.segment]
	})
}
