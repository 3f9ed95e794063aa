package esp

import (
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// Move has the SAs with encapsulation between a local address and the far end from lead to another far end,
// as the NAT in front of the peer has given it a new address or port: RFC 3947, Section 7.
// Keys, sequence numbers, windows and lifetimes stay what they are. In transport mode the
// selectors go along with the address. of says which SAs are of the peer that has moved, as others
// may be behind the same end by now; nil: all. It returns what was moved, as it is now.
//
// An outbound SA stays where it is, and its pair with it, if there is one with its SPI at the new end, and where the
// policy has something else to say about the new address.
func (p *Pipeline) Move(now time.Time, local netip.Addr, from, to netip.AddrPort, of func(ipsec.SAParams) bool) (moved []ipsec.SAParams) {
	if from == to || !to.IsValid() || to.Port() == 0 || to.Addr().Is4() != local.Is4() {
		return nil
	}
	for _, s := range append([]*sa(nil), p.sad.list...) {
		if s.encapsulation == 0 || s.local() != local || s.peer() != from || of != nil && !of(s.SAParams) {
			continue
		}
		if s.Direction == ipsec.Outbound && p.sad.byID[s.identityAt(to)] != nil || s.Direction == ipsec.Inbound && s.pair != nil && p.sad.byID[s.pair.identityAt(to)] != nil {
			continue
		}
		if !p.allows(s, to.Addr()) {
			continue
		}
		p.sad.unindex(s)
		s.moveTo(to)
		p.sad.index(s)
		moved = append(moved, s.params())
		p.cfg.trace(trace.SAMoved{
			Direction: s.Direction.String(), Protocol: s.Protocol.String(), SPI: s.SPI, From: from.String(), To: to.String(),
		})
	}
	if moved == nil {
		return nil
	}
	p.recorder.reset()
	if p.sad.ends[from] == 0 { // else the next packets tell who talks
		p.talks.move(from, to)
	}
	return moved
}

// allows reports whether an SA may be with its peer at another address, as far as policy goes: in transport mode that is the
// source of what comes out of it, and no peer shall get past what is said of an address by sending from there.
func (p *Pipeline) allows(s *sa, to netip.Addr) bool {
	if s.Mode != ipsec.Transport || s.peer().Addr() == to {
		return true
	}
	f := ipsec.Flow{Src: s.local(), Dst: to, Proto: s.Selector.Proto, SrcPort: s.Selector.SrcPort, DstPort: s.Selector.DstPort}
	if s.Direction == ipsec.Inbound {
		f.SrcPort, f.DstPort = f.DstPort, f.SrcPort
	}
	e := p.out.lookup(&f)
	return e != nil && e.Action == ipsec.Protect && s.serves(e)
}

// local is the end of an SA at this host.
func (s *sa) local() netip.Addr {
	if s.Direction == ipsec.Inbound {
		return s.Dst
	}
	return s.Src
}

// identityAt is the identity of an outbound SA with another far end.
func (s *sa) identityAt(peer netip.AddrPort) identity {
	id := identityOf(s.SAParams)
	id.dst = peer
	return id
}

func (s *sa) moveTo(peer netip.AddrPort) {
	s.heardFrom = peer
	old := s.peer().Addr()
	moved := func(a netip.Prefix) netip.Prefix {
		if s.Mode == ipsec.Transport && a == ipsec.Host(old) {
			return ipsec.Host(peer.Addr())
		}
		return a
	}
	if s.Direction == ipsec.Inbound {
		s.Src, s.UDP.Src = peer.Addr(), peer.Port()
		s.Selector.Src = moved(s.Selector.Src)
		return
	}
	s.Dst, s.UDP.Dst = peer.Addr(), peer.Port()
	s.Selector.Dst = moved(s.Selector.Dst)
}
