package mux

import (
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
	at netip.AddrPort
	id string // the identity that it has proved
}

func (e *entry) computer() computer { return computer{e.sa.Remote(), e.sa.PeerID()} }

// pair is one pair of IPsec SAs that was handed over and has not been reported
// gone. Those of one bundle have the same serial.
type pair struct {
	protocol ipsec.Protocol
	with     computer
	in, out  uint32
	serial   uint64    // order of establishment
	expires  time.Time // no later than the data plane drops it
}

// pairs are kept by peer, oldest first. They outlive the main modes that they
// were negotiated under.
type pairs map[netip.Addr][]pair

func (ps pairs) add(now time.Time, with computer, serial uint64, e ike.EventSAs) {
	remote := with.at.Addr()
	ps.expire(now, remote)
	for i := range e.In {
		ps[remote] = append(ps[remote], pair{
			protocol: e.In[i].Protocol, with: with, in: e.In[i].SPI, out: e.Out[i].SPI, serial: serial, expires: now.Add(e.In[i].Lifetime.Duration),
		})
	}
}

func (ps pairs) any(now time.Time, remote netip.Addr) bool {
	ps.expire(now, remote)
	return len(ps[remote]) > 0
}

func (ps pairs) expire(now time.Time, remote netip.Addr) {
	ps.removeFunc(remote, func(p pair) bool { return !now.Before(p.expires) })
}

func (ps pairs) removeInbound(remote netip.Addr, proto ipsec.Protocol, spis []uint32) {
	ps.removeFunc(remote, func(p pair) bool { return p.protocol == proto && slices.Contains(spis, p.in) })
}

// owner is the identity of the computer that has the pair with an inbound SPI.
func (ps pairs) owner(remote netip.Addr, proto ipsec.Protocol, spi uint32) (id string, ok bool) {
	for _, p := range ps[remote] {
		if p.protocol == proto && p.in == spi {
			return p.with.id, true
		}
	}
	return "", false
}

// deletedByPeer drops the pairs whose outbound SPI is named and returns what the
// data plane has to remove: a peer can delete nothing but its own, which are those of
// its address and identity. What was
// negotiated as one bundle goes together, since half of it protects nothing that
// policy asks for; the Delete of the other half then finds nothing.
func (ps pairs) deletedByPeer(e ike.EventDeleteSAs, id string) []ike.Event {
	named := map[uint64]bool{}
	for _, p := range ps[e.Remote] {
		if p.protocol == e.Protocol && p.with.id == id && slices.Contains(e.SPIs, p.out) {
			named[p.serial] = true
		}
	}
	return ps.deleteFunc(e.Remote, func(p pair) bool { return named[p.serial] })
}

// forget drops the pairs of a computer established before the given serial and returns what the data plane has to remove.
func (ps pairs) forget(of computer, before uint64) []ike.Event {
	return ps.deleteFunc(of.at.Addr(), func(p pair) bool { return p.with == of && p.serial < before })
}

// forgetFirst drops the oldest pair, or bundle, of an address and returns what the data plane has to remove.
func (ps pairs) forgetFirst(remote netip.Addr) []ike.Event {
	first := ps[remote][0].serial
	return ps.deleteFunc(remote, func(p pair) bool { return p.serial == first })
}

// deleteFunc drops pairs and says so to the data plane, by protocol.
func (ps pairs) deleteFunc(remote netip.Addr, gone func(pair) bool) (events []ike.Event) {
	for _, proto := range []ipsec.Protocol{ipsec.ESP, ipsec.AH} {
		e := ike.EventDeleteSAs{Remote: remote, Protocol: proto}
		for _, p := range ps[remote] {
			if p.protocol == proto && gone(p) {
				e.SPIs = append(e.SPIs, p.out)
			}
		}
		if e.SPIs != nil {
			events = append(events, e)
		}
	}
	ps.removeFunc(remote, gone)
	return events
}

func (ps pairs) removeFunc(remote netip.Addr, gone func(pair) bool) {
	if left := slices.DeleteFunc(ps[remote], gone); len(left) > 0 {
		ps[remote] = left
	} else {
		delete(ps, remote)
	}
}
