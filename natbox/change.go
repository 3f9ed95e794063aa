package natbox

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/internal/trace"
)

// Reboot has the router forget all that it has learnt: neighbours, fragments, and what
// its NAT translates. Its addresses and routes stay. Packets that wait are lost.
func (r *Router) Reboot() {
	for _, i := range r.interfaces {
		for _, n := range i.neighbours {
			if n.timer != nil {
				n.timer.Stop()
			}
		}
		i.neighbours = map[netip.Addr]*neighbour{}
	}
	for len(r.reassembly.pending) > 0 {
		r.endReassembly(r.reassembly.pending[0])
	}
	r.Flush()
}

// Flush has the NAT of the router forget what it translates.
func (r *Router) Flush() {
	if r.nat != nil {
		r.nat.Reboot(r.w.Now())
		r.wake()
	}
}

// Renumbering is another IPv4 address of an interface.
type Renumbering struct {
	Segment string
	Address netip.Prefix // in place of the one that the interface has
	Gateway netip.Addr   // the next hop of the default route from now on; invalid: it stays
	Shared  []netip.Addr // that the NAT of the router shares among what is inside from now on; nil: as before
	Reason  string       // for the trace
}

// SetAddress gives an interface another address. Static routes stay whose next hop is still
// on a network of the router, and go if it is not. Neighbours hear an announcement (RFC
// 5227, Section 2.3).
func (r *Router) SetAddress(c Renumbering) error {
	fail := func(err error) error { return fmt.Errorf("natbox: router %q: %w", r.name, err) }
	at := slices.IndexFunc(r.interfaces, func(i *iface) bool { return i.port.Segment().Name() == c.Segment })
	if at < 0 {
		return fail(fmt.Errorf("it has no interface on %s", c.Segment))
	}
	i := r.interfaces[at]
	n := slices.IndexFunc(i.prefixes, func(p netip.Prefix) bool { return p.Addr().Is4() })
	if n < 0 || !c.Address.Addr().Is4() {
		return fail(fmt.Errorf("only an IPv4 address takes the place of another one"))
	}
	if err := checkPrefix(c.Address, c.Segment); err != nil {
		return fail(err)
	}
	for _, other := range r.interfaces {
		for k, p := range other.prefixes {
			if (other != i || k != n) && p.Overlaps(c.Address) {
				return fail(fmt.Errorf("%s overlaps %s", c.Address, p))
			}
		}
	}
	old := i.prefixes[n]
	i.prefixes[n] = c.Address
	if err := r.reroute(c.Gateway); err != nil {
		i.prefixes[n] = old
		_ = r.reroute(netip.Addr{}) // they were fine before
		return fail(err)
	}
	if r.nat != nil && c.Shared != nil {
		if err := r.nat.SetAddresses(r.w.Now(), c.Shared); err != nil {
			return fail(err)
		}
		r.nat.addrs = r.nat.Addresses()
		r.wake()
	}
	if err := i.port.SetAddrs(i.addrs()); err != nil {
		return fail(err)
	}
	r.w.Record(r.name, trace.AddressChanged{Segment: c.Segment, Added: []string{c.Address.String()}, Removed: []string{old.String()}, Reason: c.Reason})
	if !i.line() {
		i.sendARP(broadcastMAC, arpRequest, c.Address.Addr(), mac{}, c.Address.Addr())
	}
	return nil
}

// reroute makes the table of routes anew, with another gateway if one is given.
func (r *Router) reroute(gateway netip.Addr) error {
	static := slices.Clone(r.static)
	if gateway.IsValid() {
		static = slices.DeleteFunc(static, func(s Route) bool { return s.To.Bits() == 0 && s.Via.Is4() })
		static = append(static, Route{To: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Via: gateway})
	}
	static = slices.DeleteFunc(static, func(s Route) bool {
		return s.Via != gateway && !slices.ContainsFunc(r.interfaces, func(i *iface) bool { _, ok := i.onLink(s.Via); return ok })
	})
	before := r.routes
	r.routes = routeTable{}
	if err := r.addRoutes(static); err != nil {
		r.routes = before
		return err
	}
	if gateway.IsValid() {
		r.static = slices.DeleteFunc(r.static, func(s Route) bool { return s.To.Bits() == 0 && s.Via.Is4() })
		r.static = append(r.static, Route{To: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Via: gateway})
	}
	return nil
}
