package hosts

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/natt"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/natbox/firewall"
)

// unicastResponse is how long the answers to a multicast or broadcast may come from
// anywhere (KB884913).
const unicastResponse = 3 * time.Second

// filters reports whether the firewall looks at a packet at all.
func (w *wall) filters(p datagram) bool {
	switch {
	case w.config.Kind != WindowsFirewall && p.family == ip6:
		return false // ICF knows IPv4 alone
	case w.starting:
		return w.config.Kind == WindowsFirewall // with its boot-time policy, also where it is off
	case w.config.Off:
		return false
	}
	// ESP, in UDP as well, and AH are the driver's: what was inside comes back. Without neighbour discovery
	// and the membership of its groups nobody has an IPv6 address to be reached at.
	return !p.protected() && !w.wrapped(p) && !(p.proto == ipsec.ProtoICMPv6 && p.first && len(p.payload()) > 0 && neighbours(p.payload()[0]))
}

// wrapped reports ESP in UDP that has arrived, and the first fragment of it. Most of it
// has been opened before anybody asks the firewall.
func (w *wall) wrapped(in datagram) bool {
	h := header.UDP(in.payload())
	if in.proto != ipsec.ProtoUDP || !in.first || len(h) < header.UDPMinimumSize {
		return false
	}
	if w.host.keying == nil {
		return false // the host is being made
	}
	form := w.host.keying.form(netip.AddrPortFrom(in.dst, h.DestinationPort()))
	kind, _ := natt.Read(form, h[header.UDPMinimumSize:])
	return kind == natt.ESP
}

// neighbours tells the types of ICMPv6 of RFC 4861 and RFC 3810.
func neighbours(t byte) bool { return t >= 130 && t <= 137 || t == 143 }

// sends takes note of what the host sends. false: it may not, an ICMP error that is not allowed.
func (w *wall) sends(out datagram) bool {
	if !w.filters(out) {
		return true
	}
	if s, ok := outboundSetting(out); ok && !w.allowed(s) {
		w.drop("firewall outbound", out, fmt.Sprintf("%s: the ICMP settings do not allow it", settingNames[s]))
		return false
	}
	now := w.host.world.Now()
	if out.proto == ipsec.ProtoUDP && out.first && len(out.payload()) >= header.UDPMinimumSize && w.group(out) {
		if !w.config.NoUnicastResponse && w.config.Kind == WindowsFirewall && out.family == ip4 {
			w.answers[header.UDP(out.payload()).SourcePort()] = now + unicastResponse
		}
	}
	w.engine.Judge(now, firewall.Crossing{Packet: out.bytes, To: network})
	return true
}

// lets judges a packet that IPsec has let in: in the clear, or under an SA of a peer that
// proved an identity. Of fragments it is asked about the first.
func (w *wall) lets(in datagram, peerID string) bool {
	if !w.filters(in) || w.group(in) && (w.config.Kind == UnicastICF || w.own(in)) {
		return true
	}
	if !w.starting && w.bypasses(peerID) {
		w.counters.Passed++
		w.counters.Bypassed++
		return true
	}
	now := w.host.world.Now()
	if w.answersGroup(now, in) {
		w.counters.Passed++
		return true
	}
	if v := w.engine.Judge(now, firewall.Crossing{Packet: in.bytes, From: network}); v.Why != "" {
		w.drop("firewall inbound", in, v.Why)
		return false
	}
	w.counters.Passed++
	return true
}

// bypasses reports whether a peer's protected packets pass whatever the rest says.
func (w *wall) bypasses(peerID string) bool {
	if peerID == "" || len(w.config.Bypass) == 0 {
		return false
	}
	names := []string{peerID}
	c := w.host.config.Certificates
	if account, ok := c.mapped.Get(peerID); ok {
		known, _ := c.Accounts.memberships(account)
		names = append(names, known...)
	}
	return slices.ContainsFunc(w.config.Bypass, func(b string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, b) })
	})
}

// answersGroup reports a datagram to a port from which a multicast or broadcast went a moment ago.
func (w *wall) answersGroup(now time.Duration, in datagram) bool {
	if in.proto != ipsec.ProtoUDP || !in.first || len(in.payload()) < header.UDPMinimumSize || w.group(in) {
		return false
	}
	until, ok := w.answers[header.UDP(in.payload()).DestinationPort()]
	return ok && now < until
}

// group reports a packet to a multicast or broadcast address.
func (w *wall) group(p datagram) bool {
	return p.dst.IsMulticast() || slices.Contains(w.host.broadcasts, p.dst) || p.dst == broadcastAll
}

// own reports a broadcast of the host itself, which its applications hear as well.
func (w *wall) own(in datagram) bool {
	return !w.host.driver.received && slices.Contains(w.host.Addrs(), in.src)
}

// allowed reports whether an ICMP message may go out.
func (w *wall) allowed(s ICMPSetting) bool {
	return !w.starting && !w.config.NoExceptions && slices.Contains(w.config.ICMP, s)
}

// outboundSetting is the setting about an ICMP error that the host sends.
func outboundSetting(out datagram) (ICMPSetting, bool) {
	if !out.first || len(out.payload()) == 0 {
		return 0, false
	}
	switch t := out.payload()[0]; {
	case out.proto == ipsec.ProtoICMP:
		switch s := ICMPSetting(t); s {
		case OutboundUnreachable, OutboundSourceQuench, OutboundTimeExceeded, OutboundParameterProblem:
			return s, true
		}
	case out.proto == ipsec.ProtoICMPv6 && t >= 1 && t <= 4: // RFC 4443, Section 2.1
		return [...]ICMPSetting{1: OutboundUnreachable, OutboundPacketTooBig, OutboundTimeExceeded, OutboundParameterProblem}[t], true
	}
	return 0, false
}

var settingNames = map[ICMPSetting]string{
	OutboundPacketTooBig: "packet too big", OutboundUnreachable: "destination unreachable", OutboundSourceQuench: "source quench",
	InboundRedirect: "redirect", InboundEcho: "echo request", InboundRouterRequest: "router request",
	OutboundTimeExceeded: "time exceeded", OutboundParameterProblem: "parameter problem",
	InboundTimestampRequest: "timestamp request", InboundMaskRequest: "mask request",
}

// maxWallTraced bounds the memory for which drops the trace has already.
const maxWallTraced = 4096

// drop counts a packet that ends here, and records the first of its flow and reason.
func (w *wall) drop(where string, p datagram, why string) {
	w.counters.Dropped++
	what := fmt.Sprintf("%d bytes", len(p.bytes))
	if f, err := esp.FlowOf(p.bytes); err == nil {
		what = f.String()
	}
	k := [2]string{what, why}
	if w.traced[k] || len(w.traced) >= maxWallTraced {
		return
	}
	w.traced[k] = true
	w.host.record(trace.PacketDropped{Where: where, Packet: what, Reason: why})
}
