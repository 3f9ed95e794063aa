package mux

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// computer is who is at the other end. An address may stand for several, behind a
// translator of addresses, with ports of their own or all with port 500; what
// one of them says about its SAs is not about those of the others.
type computer struct {
	at netip.AddrPort // without a port, where we know that nobody shares the address
	id string         // the identity that it has proved
}

func (e *entry) computer() computer {
	at := e.sa.Remote()
	if e.sa.Unshared() {
		at = netip.AddrPortFrom(at.Addr(), 0)
	}
	return computer{at, e.sa.PeerID()}
}

// pair is one pair of IPsec SAs that was handed over and has not been reported
// gone. Those of one bundle have the same serial.
type pair struct {
	protocol ipsec.Protocol
	local    netip.AddrPort
	remote   netip.AddrPort
	with     computer
	in, out  uint32
	serial   uint64    // order of establishment
	expires  time.Time // no later than the data plane drops it
	udp      bool      // encapsulated in UDP between local and remote
	shared   bool      // the computer is behind a NAT that we know of, and may share its address
	follows  bool      // it is followed to where it has proved to be
	kept     bool      // this side keeps the mapping of a NAT alive for it
}

// protocols are those of pairs.
var protocols = []ipsec.Protocol{ipsec.ESP, ipsec.AH}

// inbound names a pair by its SPI at this host.
type inbound struct {
	protocol ipsec.Protocol
	spi      uint32
}

// pairs are kept by the peer's address, oldest first. They outlive the main modes that they
// were negotiated under.
type pairs struct {
	of map[netip.Addr][]pair
	at map[inbound]netip.Addr
}

func newPairs() pairs {
	return pairs{of: map[netip.Addr][]pair{}, at: map[inbound]netip.Addr{}}
}

func (ps *pairs) add(now time.Time, e *entry, serial uint64, ev ike.EventSAs) {
	remote := e.source
	ps.expire(now, remote)
	for i := range ev.In {
		in := ev.In[i]
		ps.removeInbound(in.Protocol, in.SPI)
		ps.of[remote] = append(ps.of[remote], pair{
			protocol: in.Protocol, local: e.sa.Local(), remote: e.sa.Remote(), with: e.computer(), in: in.SPI, out: ev.Out[i].SPI, serial: serial, expires: now.Add(in.Lifetime.Duration),
			udp: in.UDP.On(), shared: e.sa.Shared(), follows: e.sa.Follows(), kept: e.sa.KeepsAlive(),
		})
		ps.at[inbound{in.Protocol, in.SPI}] = remote
	}
}

// find is the pair with an SPI of this host.
func (ps *pairs) find(proto ipsec.Protocol, spi uint32) (pair, bool) {
	for _, p := range ps.of[ps.at[inbound{proto, spi}]] {
		if p.protocol == proto && p.in == spi {
			return p, true
		}
	}
	return pair{}, false
}

func (ps *pairs) any(now time.Time, remote netip.Addr) bool {
	ps.expire(now, remote)
	return len(ps.of[remote]) > 0
}

// anyWith reports a pair with a party.
func (ps *pairs) anyWith(now time.Time, k party) bool {
	ps.expire(now, k.remote)
	return ps.count(k.remote, func(p pair) bool { return !k.one() || p.with == k.computer }) > 0
}

func (ps *pairs) count(remote netip.Addr, counts func(pair) bool) (n int) {
	for _, p := range ps.of[remote] {
		if counts(p) {
			n++
		}
	}
	return n
}

func (ps *pairs) expire(now time.Time, remote netip.Addr) {
	ps.removeFunc(remote, func(p pair) bool { return !now.Before(p.expires) })
}

func (ps *pairs) removeInbound(proto ipsec.Protocol, spi uint32) {
	ps.removeFunc(ps.at[inbound{proto, spi}], func(p pair) bool { return p.protocol == proto && p.in == spi })
}

// deletedByPeer drops the pairs whose outbound SPI is named and returns what the
// data plane has to remove: a peer can delete nothing but its own, which are those of
// its address and identity, and of its port where others may share the address. What was
// negotiated as one bundle goes together, since half of it protects nothing that
// policy asks for; the Delete of the other half then finds nothing.
func (ps *pairs) deletedByPeer(ev ike.EventDeleteSAs, e *entry) []ike.Event {
	named := map[uint64]bool{}
	for _, p := range ps.of[ev.Remote] {
		own := p.with.id == e.sa.PeerID() && (!p.shared || p.remote == e.sa.Remote())
		if p.protocol == ev.Protocol && own && slices.Contains(ev.SPIs, p.out) {
			named[p.serial] = true
		}
	}
	return ps.deleteFunc(ev.Remote, func(p pair) bool { return named[p.serial] })
}

// forgetFirst drops the oldest of some pairs of an address, or their bundle, and returns what the data plane has to remove.
func (ps *pairs) forgetFirst(remote netip.Addr, of func(pair) bool) []ike.Event {
	all := ps.of[remote]
	first := all[slices.IndexFunc(all, of)].serial
	return ps.deleteFunc(remote, func(p pair) bool { return p.serial == first })
}

// deleteFunc drops pairs and says so to the data plane, by protocol and port.
func (ps *pairs) deleteFunc(remote netip.Addr, gone func(pair) bool) (events []ike.Event) {
	for _, proto := range protocols {
		var byPort []ike.EventDeleteSAs
		for _, p := range ps.of[remote] {
			if p.protocol != proto || !gone(p) {
				continue
			}
			var port uint16
			if p.udp {
				port = p.remote.Port()
			}
			i := slices.IndexFunc(byPort, func(e ike.EventDeleteSAs) bool { return e.Port == port })
			if i < 0 {
				i = len(byPort)
				byPort = append(byPort, ike.EventDeleteSAs{Remote: remote, Port: port, Protocol: proto})
			}
			byPort[i].SPIs, byPort[i].Own = append(byPort[i].SPIs, p.out), append(byPort[i].Own, p.in)
		}
		for _, e := range byPort {
			events = append(events, e)
		}
	}
	ps.removeFunc(remote, gone)
	return events
}

func (ps *pairs) removeFunc(remote netip.Addr, gone func(pair) bool) {
	left := slices.DeleteFunc(ps.of[remote], func(p pair) bool {
		if !gone(p) {
			return false
		}
		delete(ps.at, inbound{p.protocol, p.in})
		return true
	})
	if len(left) > 0 {
		ps.of[remote] = left
	} else {
		delete(ps.of, remote)
	}
}

// move has the pairs of a computer with a local end go along with it. It returns their SPIs at this host.
func (ps *pairs) move(was computer, local, to netip.AddrPort) (spis []uint32) {
	var moved []pair
	ps.removeFunc(was.at.Addr(), func(p pair) bool {
		moves := p.with == was && p.local == local && p.shared
		if moves {
			moved = append(moved, p)
		}
		return moves
	})
	for _, p := range moved {
		p.with.at, p.remote = to, to
		spis = append(spis, p.in)
		i, _ := slices.BinarySearchFunc(ps.of[to.Addr()], p.serial, func(o pair, serial uint64) int { return cmp.Compare(o.serial, serial) })
		ps.of[to.Addr()] = slices.Insert(ps.of[to.Addr()], i, p)
		ps.at[inbound{p.protocol, p.in}] = to.Addr()
	}
	return spis
}

func (ps *pairs) clear() {
	clear(ps.of)
	clear(ps.at)
}
