package esp

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/esp/replay"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// sa is one entry of the security association database, RFC 4301, Section 4.4.2.
type sa struct {
	ipsec.SAParams
	transform *transform
	added     time.Time
	order     uint64 // of adding
	pair      *sa    // the opposite direction; nil while it is not there

	// Of an outbound SA.
	sequence uint64 // last sent
	soft     limit
	softened bool // EventSoft was given
	why      string

	// Of an inbound SA.
	window *replay.Window

	hard                 limit
	softTimer, hardTimer *timer
	packets, bytes       uint64
	gone                 bool
}

// params is a copy for others: keys are not shared with the caller.
func (s *sa) params() ipsec.SAParams {
	p := s.SAParams
	p.CipherKey, p.AuthKey = slices.Clone(p.CipherKey), slices.Clone(p.AuthKey)
	return p
}

// identity names an SA among those of its direction: RFC 4301, Section 4.1. An
// inbound SPI is unique by itself, an outbound one only with its destination.
type identity struct {
	direction ipsec.Direction
	protocol  ipsec.Protocol
	spi       uint32
	dst       netip.Addr // outbound only
}

func identityOf(p ipsec.SAParams) identity {
	id := identity{direction: p.Direction, protocol: p.Protocol, spi: p.SPI}
	if p.Direction == ipsec.Outbound {
		id.dst = p.Dst
	}
	return id
}

// route is the pair of addresses between which outbound SAs are chosen.
type route struct{ local, peer netip.Addr }

// sad is the security association database.
type sad struct {
	list   []*sa // in the order of adding
	byID   map[identity]*sa
	byEnds map[route][]*sa // outbound, in the order of adding
	order  uint64
	timers timers
}

func newSAD() sad {
	return sad{byID: map[identity]*sa{}, byEnds: map[route][]*sa{}}
}

// newSA checks parameters and makes an SA of them that is in no database yet.
func newSA(p ipsec.SAParams, c Config, now time.Time) (*sa, error) {
	switch {
	case p.Direction != ipsec.Outbound && p.Direction != ipsec.Inbound:
		return nil, fmt.Errorf("there is no %v", p.Direction)
	case p.Protocol != ipsec.ESP:
		return nil, fmt.Errorf("unsupported: only ESP is built, not %v", p.Protocol)
	case p.Mode != ipsec.Transport:
		return nil, fmt.Errorf("unsupported: only transport mode is built, not %v", p.Mode)
	case p.SPI < minSPI:
		return nil, fmt.Errorf("SPI %d is reserved (RFC 4303, Section 2.1)", p.SPI)
	case !p.Src.Is4() || !p.Dst.Is4():
		return nil, fmt.Errorf("unsupported: only IPv4 is built, not %v > %v", p.Src, p.Dst)
	case !c.unicast(p.Dst) || !c.unicast(p.Src):
		return nil, errors.New("SAs are for unicast addresses only")
	case p.Lifetime.Duration < 0:
		return nil, fmt.Errorf("lifetime %v is negative", p.Lifetime.Duration)
	}
	p.CipherKey, p.AuthKey = slices.Clone(p.CipherKey), slices.Clone(p.AuthKey)
	t, err := newTransform(p)
	if err != nil {
		return nil, err
	}
	s := &sa{SAParams: p, transform: t, added: now}
	s.soft, s.hard = limits(p, c.Rekey, now)
	if p.Direction == ipsec.Inbound {
		s.soft = limit{} // the outbound half speaks for the pair
		s.hard.sequence = 0
		if s.window, err = replay.New(c.Window); err != nil {
			return nil, err
		}
	}
	s.why = fmt.Sprintf("%v, SPI 0x%08x", p.Transform, p.SPI)
	return s, nil
}

func (d *sad) add(s *sa) {
	d.order++
	s.order = d.order
	d.list = append(d.list, s)
	d.byID[identityOf(s.SAParams)] = s
	if s.Direction == ipsec.Outbound {
		ends := route{s.Src, s.Dst}
		d.byEnds[ends] = append(d.byEnds[ends], s)
	}
	if other := d.opposite(s); other != nil {
		s.pair, other.pair = other, s
	}
	s.softTimer = d.timers.set(s, s.soft.time, false)
	s.hardTimer = d.timers.set(s, s.hard.time, true)
}

// opposite finds the other half of a pair by the SPIs that name each other.
func (d *sad) opposite(s *sa) *sa {
	id := identity{direction: ipsec.Inbound, protocol: s.Protocol, spi: s.PeerSPI}
	if s.Direction == ipsec.Inbound {
		id.direction, id.dst = ipsec.Outbound, s.Src
	}
	other := d.byID[id]
	if other == nil || other.PeerSPI != s.SPI || other.Src != s.Dst || other.Dst != s.Src {
		return nil
	}
	return other
}

func (d *sad) remove(s *sa) {
	s.gone = true
	d.list = slices.DeleteFunc(d.list, func(o *sa) bool { return o == s })
	delete(d.byID, identityOf(s.SAParams))
	if s.Direction == ipsec.Outbound {
		ends := route{s.Src, s.Dst}
		rest := slices.DeleteFunc(d.byEnds[ends], func(o *sa) bool { return o == s })
		if len(rest) == 0 {
			delete(d.byEnds, ends)
		} else {
			d.byEnds[ends] = rest
		}
	}
	if s.pair != nil {
		s.pair.pair, s.pair = nil, nil
	}
	d.timers.stop(s.softTimer)
	d.timers.stop(s.hardTimer)
}

// forPacket is the newest outbound SA between two addresses that an entry may
// use for a flow. The caller sees to its lifetime.
func (d *sad) forPacket(e *ipsec.Policy, local, peer netip.Addr, f ipsec.Flow) *sa {
	list := d.byEnds[route{local, peer}]
	for i := len(list) - 1; i >= 0; i-- {
		if s := list[i]; s.serves(e) && s.Selector.Matches(f) {
			return s
		}
	}
	return nil
}

// serves reports whether an SA protects the traffic of an entry: the entry asked
// for it, or the peer did and it protects in one of the ways that the entry accepts.
func (s *sa) serves(e *ipsec.Policy) bool {
	if s.PolicyID != 0 {
		return s.PolicyID == e.ID
	}
	return slices.ContainsFunc(e.Proposals, func(p ipsec.Proposal) bool {
		return p.Mode == s.Mode && len(p.Transforms) == 1 && p.Transforms[0] == s.Transform
	})
}

// replaced reports whether a newer outbound SA carries the same traffic.
func (d *sad) replaced(s *sa) bool {
	return d.another(s, func(o *sa) bool { return o.order > s.order })
}

// succeeds reports whether an older outbound SA carries the same traffic.
func (d *sad) succeeds(s *sa) bool {
	return d.another(s, func(o *sa) bool { return o.order < s.order })
}

func (d *sad) another(s *sa, when func(*sa) bool) bool {
	return s.Direction == ipsec.Outbound && slices.ContainsFunc(d.byEnds[route{s.Src, s.Dst}], func(o *sa) bool {
		return o.PolicyID == s.PolicyID && o.Selector == s.Selector && when(o)
	})
}

// inbound is the inbound SA that an arriving packet names. RFC 4301, Section 4.1:
// the SPI alone may select it; the packet must still be addressed to its end.
func (d *sad) inbound(proto ipsec.Protocol, spi uint32, dst netip.Addr) *sa {
	s := d.byID[identity{direction: ipsec.Inbound, protocol: proto, spi: spi}]
	if s == nil || s.Dst != dst {
		return nil
	}
	return s
}
