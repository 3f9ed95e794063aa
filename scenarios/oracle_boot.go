package scenarios

import (
	"net/netip"

	"github.com/google/gopacket/layers"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// starting rules on a packet that no filter selects, of a driver that starts (TechNet
// cc783039).
func (t *terms) starting(d duty, s *sender, p decoded) ruling {
	switch d.mode {
	case spec.BootBlock:
		return t.blocked(p.flow)
	case spec.BootStateful:
		return t.unasked(d, s, p)
	}
	return ruling{}
}

// blocked rules on a packet in block mode.
func (t *terms) blocked(f ipsec.Flow) ruling {
	const server, client = 67, 68
	if f.Proto == ipsec.ProtoUDP && f.SrcPort == client && f.DstPort == server || t.exempted(f, false) {
		return ruling{}
	}
	return ruling{leak: true, rule: "boot: block", why: "its policy agent has not started, and neither a boot exemption nor DHCP is it"}
}

// exempted reports whether a packet of a direction is a boot exemption.
func (t *terms) exempted(f ipsec.Flow, inbound bool) bool {
	for _, e := range t.node.Settings().BootExempt() {
		if e.Inbound == inbound && e.Protocol == f.Proto && (e.SrcPort == 0 || e.SrcPort == f.SrcPort) && (e.DstPort == 0 || e.DstPort == f.DstPort) {
			return true
		}
	}
	return false
}

// exchange is what a host has with a peer, as stateful filtering tells them apart.
type exchange struct {
	peer       netip.Addr
	protocol   uint8
	mine, port uint16
}

// unasked rules on a packet in stateful mode, in which all that a host sends passes. It
// gives the host away if it is by its nature an answer, and the host has not sent
// anything to that end before: then something has come in that nobody had asked for.
func (t *terms) unasked(d duty, s *sender, p decoded) ruling {
	f := p.flow
	x := exchange{f.Dst, f.Proto, f.SrcPort, f.DstPort}
	const syn, ack = 0x02, 0x10
	answer := f.Proto == ipsec.ProtoTCP && p.tcpFlags&(syn|ack) == syn|ack ||
		f.Proto == ipsec.ProtoICMP && f.ICMPType == layers.ICMPv4TypeEchoReply ||
		f.Proto == ipsec.ProtoICMPv6 && f.ICMPType == layers.ICMPv6TypeEchoReply
	if answer && !p.fragment && d.fresh && !t.asks[x] && !t.exempted(f.Reverse(), true) && d.judge(s, f.Reverse()).free {
		return ruling{leak: true, rule: "boot: stateful", why: "it answers what its driver should have dropped: the host had sent nothing there since it started"}
	}
	if t.asks == nil {
		t.asks = map[exchange]bool{}
	}
	t.asks[x] = true
	return ruling{}
}
