package esp

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/esp/replay"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// sa is one entry of the security association database, RFC 4301, Section 4.4.2.
type sa struct {
	ipsec.SAParams
	layout        *layout     // of esp or ah
	heads         int         // bytes that the SA and those inside put in front of the content
	encapsulation int         // bytes that encapsulation in UDP puts in front of those
	esp           *transform  // with ESP
	ah            *authHeader // with AH
	tunnel        *tunnels    // in tunnel mode
	added         time.Time
	used          time.Time // of the outermost SA: when it was added, or carried its last packet
	order         uint64    // of adding
	pair          *sa       // the opposite direction; nil while it is not there
	paired        bool      // it has been there

	// A bundle is AH around ESP. Its SAs come together, end together and never
	// serve alone. nil: there is none on that side.
	outer, inner *sa

	// Of an outbound SA.
	sequence uint64 // last sent
	soft     limit
	softened bool // EventSoft was given; of the outermost SA

	why string // of the outermost SA: what it and those inside do

	// Of an inbound SA.
	window    *replay.Window
	heardFrom netip.AddrPort // with encapsulation: where the newest packet came from; at first the peer's end

	hard                 limit
	softTimer, hardTimer *timer
	idleTimer            *timer // of an inbound, outermost SA; nil: there is none
	packets, bytes       uint64
	due                  int // bytes of the packet in hand, until Pipeline.settle counts them
	gone                 bool
}

// head is the outermost SA of its bundle; that of an SA alone is itself. The
// others follow by inner.
func (s *sa) head() *sa {
	if s.outer != nil {
		return s.outer
	}
	return s
}

// ended reports whether any SA of a bundle has reached its hard limit.
func (s *sa) ended(now time.Time) bool {
	for l := s.head(); l != nil; l = l.inner {
		if l.hard.reached(now, l.bytes, l.sequence) {
			return true
		}
	}
	return false
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
	dst       netip.AddrPort // outbound only: computers behind one NAT differ by the port of their encapsulation, 0 for none
}

func identityOf(p ipsec.SAParams) identity {
	id := identity{direction: p.Direction, protocol: p.Protocol, spi: p.SPI}
	if p.Direction == ipsec.Outbound {
		id.dst = netip.AddrPortFrom(p.Dst, p.UDP.Dst)
	}
	return id
}

// route is the pair of addresses between which outbound SAs are chosen. For
// tunnel mode it has no local address: a policy entry names the far end alone,
// and the packets have addresses of their own.
type route struct{ local, peer netip.Addr }

func routeOf(p ipsec.SAParams) route {
	if p.Mode == ipsec.Tunnel {
		return route{peer: p.Dst}
	}
	return route{p.Src, p.Dst}
}

// sad is the security association database.
type sad struct {
	list   []*sa // in the order of adding
	byID   map[identity]*sa
	byEnds map[route][]*sa // outbound, outermost ones, in the order of adding
	order  uint64
	timers timers

	wrapped wrappedPeers
	ends    map[netip.AddrPort]int   // how many there are, by far end
	byPeer  map[netip.AddrPort][]*sa // those of byEnds, by far end
}

func newSAD() sad {
	return sad{byID: map[identity]*sa{}, byEnds: map[route][]*sa{}, wrapped: wrappedPeers{}, ends: map[netip.AddrPort]int{}, byPeer: map[netip.AddrPort][]*sa{}}
}

// AH covers the addresses that a NAT changes, and nothing defines it in UDP: RFC 3948, Section 1.
var errAHInUDP = errors.New("unsupported: AH does not pass a NAT, and there is no encapsulation of it in UDP (RFC 3948, Section 1)")

var errAHCipherKey = errors.New("AH encrypts nothing and takes no key for it")

// newSA checks parameters and makes an SA of them that is in no database and no
// bundle yet.
func newSA(p ipsec.SAParams, c Config, t *tunnels, now time.Time) (*sa, error) {
	switch {
	case p.Direction != ipsec.Outbound && p.Direction != ipsec.Inbound:
		return nil, fmt.Errorf("there is no %v", p.Direction)
	case p.Protocol != p.Transform.Protocol:
		return nil, fmt.Errorf("the SA is of %v and its transform of %v", p.Protocol, p.Transform.Protocol)
	case p.Mode != ipsec.Transport && p.Mode != ipsec.Tunnel:
		return nil, fmt.Errorf("there is no %v", p.Mode)
	case p.SPI < minSPI:
		return nil, fmt.Errorf("SPI %d is reserved (RFC 4303, Section 2.1)", p.SPI)
	case !p.Src.IsValid() || !p.Dst.IsValid() || p.Src.Is4() != p.Dst.Is4():
		return nil, fmt.Errorf("%v > %v are not two addresses of one family", p.Src, p.Dst)
	case !c.unicast(p.Dst) || !c.unicast(p.Src):
		return nil, errors.New("SAs are for unicast addresses only")
	case p.Lifetime.Duration < 0:
		return nil, fmt.Errorf("lifetime %v is negative", p.Lifetime.Duration)
	case p.Inner != 0 && p.Protocol != ipsec.AH:
		return nil, errors.New("unsupported: only AH can be outside in a bundle")
	case p.UDP.On() && p.Protocol != ipsec.ESP:
		return nil, errAHInUDP
	case p.UDP.On() && p.UDP.Src == 0:
		return nil, errors.New("its encapsulation in UDP has no source port")
	}
	p.CipherKey, p.AuthKey = slices.Clone(p.CipherKey), slices.Clone(p.AuthKey)
	s := &sa{SAParams: p, added: now, used: now}
	var err error
	if p.Protocol == ipsec.AH {
		if s.ah, err = newAuthHeader(p); err != nil {
			return nil, err
		}
		s.layout = &s.ah.layout
	} else {
		if s.esp, err = newTransform(p); err != nil {
			return nil, err
		}
		s.layout = &s.esp.layout
	}
	s.heads, s.encapsulation = s.layout.head, encapsulation(p.UDP)
	if p.Mode == ipsec.Tunnel {
		s.tunnel = t
	}
	s.sequence = max(c.FirstSequence, 1) - 1
	s.soft, s.hard = limits(p, s.layout.last(), s.sequence, c.Rekey, now)
	if p.Direction == ipsec.Inbound {
		s.soft = limit{} // the outbound half speaks for the pair
		s.hard.sequence = 0
		if s.window, err = replay.New(c.Window); err != nil {
			return nil, err
		}
		s.heardFrom = s.peer()
	}
	return s, nil
}

// bundle joins the SAs of one Add that belong together and says what each does.
// An error is about the SA that comes with it.
func bundle(fresh []*sa) (*sa, error) {
	for _, s := range fresh {
		if s.Inner == 0 {
			continue
		}
		i := slices.IndexFunc(fresh, func(o *sa) bool {
			return o.Protocol == ipsec.ESP && o.SPI == s.Inner && o.Direction == s.Direction && o.Src == s.Src && o.Dst == s.Dst
		})
		switch {
		case i < 0:
			return s, fmt.Errorf("the ESP SA 0x%08x inside it is not added with it", s.Inner)
		case fresh[i].UDP.On():
			return s, errAHInUDP
		case fresh[i].outer != nil:
			return s, fmt.Errorf("the ESP SA 0x%08x is inside another AH SA", s.Inner)
		case fresh[i].Mode != s.Mode || fresh[i].Selector != s.Selector || fresh[i].PolicyID != s.PolicyID:
			return s, fmt.Errorf("mode, selector and policy are not those of the ESP SA 0x%08x inside", s.Inner)
		}
		s.inner, fresh[i].outer = fresh[i], s
		s.heads += s.inner.heads
	}
	for _, s := range fresh {
		if s.outer == nil && s.esp != nil && s.layout.icvLen == 0 && s.layout.kind == suite.Sequence {
			// RFC 4303, Section 1: without integrity underneath or on top, encryption alone is insecure.
			// ESP of RFC 1827 knew nothing else.
			return s, fmt.Errorf("unsupported: %s without integrity outside AH", s.Transform.Cipher)
		}
		s.why = fmt.Sprintf("%v, SPI 0x%08x", s.Transform, s.SPI)
		if s.inner != nil {
			s.why += fmt.Sprintf(" around %v, SPI 0x%08x", s.inner.Transform, s.inner.SPI)
		}
	}
	return nil, nil
}

func (d *sad) add(s *sa) {
	d.order++
	s.order = d.order
	d.list = append(d.list, s)
	d.index(s)
	if other := d.opposite(s); other != nil {
		s.pair, other.pair = other, s
		s.paired, other.paired = true, true
	}
	s.softTimer = d.timers.set(s, s.soft.time, softTimer)
	s.hardTimer = d.timers.set(s, s.hard.time, hardTimer)
}

// index has an SA be found by its ends, the newest last.
func (d *sad) index(s *sa) {
	d.byID[identityOf(s.SAParams)] = s
	d.wrapped.count(s, 1)
	d.ends[s.peer()]++
	if s.Direction == ipsec.Outbound && s.outer == nil {
		insert(d.byEnds, routeOf(s.SAParams), s)
		insert(d.byPeer, s.peer(), s)
	}
}

func insert[K comparable](index map[K][]*sa, k K, s *sa) {
	list := index[k]
	at := len(list)
	for at > 0 && list[at-1].order > s.order {
		at--
	}
	index[k] = slices.Insert(list, at, s)
}

func take[K comparable](index map[K][]*sa, k K, s *sa) {
	rest := slices.DeleteFunc(index[k], func(o *sa) bool { return o == s })
	if len(rest) == 0 {
		delete(index, k)
		return
	}
	index[k] = rest
}

// unindex is the inverse of index.
func (d *sad) unindex(s *sa) {
	delete(d.byID, identityOf(s.SAParams))
	d.wrapped.count(s, -1)
	if d.ends[s.peer()]--; d.ends[s.peer()] == 0 {
		delete(d.ends, s.peer())
	}
	if s.Direction == ipsec.Outbound && s.outer == nil {
		take(d.byEnds, routeOf(s.SAParams), s)
		take(d.byPeer, s.peer(), s)
	}
}

// opposite finds the other half of a pair by the SPIs that name each other.
func (d *sad) opposite(s *sa) *sa {
	id := identity{direction: ipsec.Inbound, protocol: s.Protocol, spi: s.PeerSPI}
	if s.Direction == ipsec.Inbound {
		id.direction, id.dst = ipsec.Outbound, s.peer()
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
	d.unindex(s)
	if s.pair != nil {
		s.pair.pair, s.pair = nil, nil
	}
	d.timers.stop(s.softTimer)
	d.timers.stop(s.hardTimer)
	if s.idleTimer != nil {
		d.timers.stop(s.idleTimer)
	}
}

// forPacket is the newest outbound SA, the outermost of its bundle, that an entry
// may use for a flow. The caller sees to its lifetime.
func (d *sad) forPacket(e *ipsec.Policy, f *ipsec.Flow) *sa {
	ends := route{f.Src, f.Dst}
	if e.Peer.IsValid() {
		ends = route{peer: e.Peer}
	}
	list := d.byEnds[ends]
	for i := len(list) - 1; i >= 0; i-- {
		if s := list[i]; s.serves(e) && s.Selector.Matches(f) {
			return s
		}
	}
	return nil
}

// serves reports whether a bundle protects the traffic of an entry: the entry
// asked for it, or the peer did and it protects in one of the ways that the entry
// accepts.
func (s *sa) serves(e *ipsec.Policy) bool {
	if s.PolicyID != 0 {
		return s.PolicyID == e.ID
	}
	return slices.ContainsFunc(e.Proposals, func(p ipsec.Proposal) bool {
		return p.Mode == s.Mode && s.applies(p.Transforms)
	})
}

// applies reports whether a bundle consists of these transforms, innermost first.
func (s *sa) applies(transforms []ipsec.Transform) bool {
	l := s
	for _, t := range slices.Backward(transforms) {
		if l == nil || l.Transform != t {
			return false
		}
		l = l.inner
	}
	return l == nil
}

// replaced reports whether a newer outbound bundle carries the same traffic.
func (d *sad) replaced(s *sa) bool {
	s = s.head()
	return d.another(s, func(o *sa) bool { return o.order > s.order })
}

// succeeds reports whether an older outbound bundle carries the same traffic.
func (d *sad) succeeds(s *sa) bool {
	s = s.head()
	return d.another(s, func(o *sa) bool { return o.order < s.order })
}

func (d *sad) another(s *sa, when func(*sa) bool) bool {
	return s.Direction == ipsec.Outbound && slices.ContainsFunc(d.byEnds[routeOf(s.SAParams)], func(o *sa) bool {
		return o.PolicyID == s.PolicyID && o.Selector == s.Selector && o.peer() == s.peer() && when(o)
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
