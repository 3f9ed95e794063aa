package mux

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// pair is one pair of IPsec SAs that was handed over and has not been reported gone.
type pair struct {
	protocol ipsec.Protocol
	in, out  uint32
	serial   uint64    // order of establishment
	expires  time.Time // no later than the data plane drops it
}

// pairs are kept by peer, oldest first. They outlive the main modes that they
// were negotiated under.
type pairs map[netip.Addr][]pair

func (ps pairs) add(now time.Time, remote netip.Addr, serial uint64, e ike.EventSAs) {
	ps.expire(now, remote)
	for i := range e.In {
		ps[remote] = append(ps[remote], pair{
			protocol: e.In[i].Protocol, in: e.In[i].SPI, out: e.Out[i].SPI, serial: serial, expires: now.Add(e.In[i].Lifetime.Duration),
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

// deletedByPeer drops the pairs whose outbound SPI is named and returns those
// SPIs: a peer can delete nothing but its own.
func (ps pairs) deletedByPeer(e ike.EventDeleteSAs) (known []uint32) {
	ps.removeFunc(e.Remote, func(p pair) bool {
		if p.protocol == e.Protocol && slices.Contains(e.SPIs, p.out) {
			known = append(known, p.out)
			return true
		}
		return false
	})
	return known
}

// forget drops the pairs established before the given serial and returns what the data plane has to remove.
func (ps pairs) forget(remote netip.Addr, before uint64) (events []ike.Event) {
	esp := ike.EventDeleteSAs{Remote: remote, Protocol: ipsec.ESP}
	ps.removeFunc(remote, func(p pair) bool {
		if p.serial < before {
			esp.SPIs = append(esp.SPIs, p.out)
			return true
		}
		return false
	})
	if esp.SPIs != nil {
		events = append(events, esp)
	}
	return events
}

func (ps pairs) removeFunc(remote netip.Addr, gone func(pair) bool) {
	if left := slices.DeleteFunc(ps[remote], gone); len(left) > 0 {
		ps[remote] = left
	} else {
		delete(ps, remote)
	}
}
