package natbox

import (
	"fmt"
	"net/netip"
	"slices"
)

// routeTable finds routes by the longest prefix. RFC 1812, Section 5.2.4.3.
type routeTable struct {
	byPrefix map[netip.Prefix]route
	lengths  []int // in use, longest first
}

// route is where packets go: to a neighbour behind an interface.
type route struct {
	out *iface
	via netip.Addr // invalid: the destination itself is the neighbour
}

// next is the neighbour that a packet to dst is handed to.
func (r route) next(dst netip.Addr) netip.Addr {
	if r.via.IsValid() {
		return r.via
	}
	return dst
}

func (t *routeTable) add(to netip.Prefix, r route) {
	if t.byPrefix == nil {
		t.byPrefix = map[netip.Prefix]route{}
	}
	t.byPrefix[to] = r
	if !slices.Contains(t.lengths, to.Bits()) {
		t.lengths = append(t.lengths, to.Bits())
		slices.SortFunc(t.lengths, func(a, b int) int { return b - a })
	}
}

func (t *routeTable) lookup(dst netip.Addr) (route, bool) {
	for _, bits := range t.lengths {
		if r, ok := t.byPrefix[netip.PrefixFrom(dst, bits).Masked()]; ok {
			return r, true
		}
	}
	return route{}, false
}

// addRoutes fills the table: first the connected prefixes, then the static routes.
func (r *Router) addRoutes(static []Route) error {
	for _, i := range r.interfaces {
		for _, p := range i.prefixes {
			if !p.Addr().IsLinkLocalUnicast() { // these are on every link, and on none to forward to
				r.routes.add(p.Masked(), route{out: i})
			}
		}
	}
	for n, s := range static {
		switch {
		case !s.To.IsValid() || !s.Via.IsValid() || s.To.Addr().Is4() != s.Via.Is4():
			return fmt.Errorf("route %d: to %s via %s: a prefix and an address of the same family are needed", n+1, s.To, s.Via)
		case s.To != s.To.Masked():
			return fmt.Errorf("route to %s: bits beyond the prefix are set: write %s", s.To, s.To.Masked())
		case r.own(s.Via):
			return fmt.Errorf("route to %s: %s is the router itself", s.To, s.Via)
		case r.broadcast(s.Via):
			return fmt.Errorf("route to %s: %s is not the address of a host", s.To, s.Via)
		}
		if old, ok := r.routes.byPrefix[s.To]; ok {
			if !old.via.IsValid() {
				return fmt.Errorf("route to %s via %s: the router is connected to that prefix", s.To, s.Via)
			}
			return fmt.Errorf("route to %s via %s: there is one via %s already", s.To, s.Via, old.via)
		}
		out := slices.IndexFunc(r.interfaces, func(i *iface) bool { _, ok := i.onLink(s.Via); return ok })
		if out < 0 {
			return fmt.Errorf("route to %s: next hop %s is on none of the router's prefixes", s.To, s.Via)
		}
		r.routes.add(s.To, route{out: r.interfaces[out], via: s.Via})
	}
	return nil
}
