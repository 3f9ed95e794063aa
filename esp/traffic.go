package esp

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Traffic is when a packet last came from a peer and went to it under a pair of SAs
// that still lives. A new SA counts as used: the peer has just agreed to it. Zero
// times: there is no SA of that direction. RFC 3706, Section 5.5 wants to know. With encapsulation in
// UDP the port tells the peer from others behind its address; without, it says nothing.
func (p *Pipeline) Traffic(peer netip.AddrPort) (in, out time.Time) {
	is := func(a netip.Addr, port uint16) bool { return a == peer.Addr() && (port == 0 || port == peer.Port()) }
	for _, s := range p.sad.list {
		switch {
		case s.Direction == ipsec.Inbound && is(s.Src, s.UDP.Src) && s.used.After(in):
			in = s.used
		case s.Direction == ipsec.Outbound && is(s.Dst, s.UDP.Dst) && s.used.After(out):
			out = s.used
		}
	}
	return in, out
}

// Sent is when a packet last went from one end to another under an SA with encapsulation in
// UDP that still lives; the zero time: none has.
func (p *Pipeline) Sent(local, remote netip.AddrPort) (at time.Time) {
	for _, s := range p.sad.byPeer[remote] {
		if s.Src == local.Addr() && s.UDP.Src == local.Port() && s.packets > 0 && s.used.After(at) {
			at = s.used
		}
	}
	return at
}

// Encapsulates reports whether an outbound SA with an SPI, or with 0 any, sends from one end to another in UDP.
func (p *Pipeline) Encapsulates(local, remote netip.AddrPort, spi uint32) bool {
	return slices.ContainsFunc(p.sad.byPeer[remote], func(s *sa) bool {
		return s.encapsulation > 0 && s.Src == local.Addr() && s.UDP.Src == local.Port() && (spi == 0 || s.SPI == spi)
	})
}
