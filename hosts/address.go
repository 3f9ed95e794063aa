package hosts

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipv6"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// SetAddresses gives the interface on a segment these addresses, in place of those
// that it has; none leaves it without. SAs and main modes of an address that is gone
// end, and no peer is told, since nothing can be sent from there. Then the policy is
// expanded again. reason is for the trace. Families that the host did not have at its
// start are unsupported.
func (h *Host) SetAddresses(segment string, prefixes []netip.Prefix, reason string) error {
	fail := func(err error) error { return fmt.Errorf("hosts: %s: addresses on %s: %w", h.name, segment, err) }
	if h.off {
		return fail(ErrOff)
	}
	i := slices.IndexFunc(h.nics, func(n *nic) bool { return n.port.Segment().Name() == segment })
	switch {
	case i < 0:
		return fail(errors.New("no interface is there"))
	case h.nics[i].dhcp != nil:
		return fail(errors.New("the interface has its address by DHCP"))
	}
	n := h.nics[i]
	if err := h.mayHave(n, prefixes); err != nil {
		return fail(err)
	}
	c := slices.Clone(h.config.Interfaces)
	c[i].Prefixes, c[i].Unnumbered = slices.Clone(prefixes), true
	h.config.Interfaces = c
	if err := h.renumber(n, prefixes, reason); err != nil {
		return fail(err)
	}
	h.agent.expandSoon(reason)
	return nil
}

// mayHave says why an interface cannot have these addresses.
func (h *Host) mayHave(n *nic, prefixes []netip.Prefix) error {
	four := 0
	for i, p := range prefixes {
		if !slices.Contains(h.families, familyOf(p.Addr())) {
			return fmt.Errorf("unsupported: %s is of a family that the host did not have at its start", p.Addr())
		}
		if p.Addr().Is4() {
			if four++; four > 1 {
				return fmt.Errorf("unsupported: %s is a second IPv4 address on the interface", p.Addr())
			}
		}
		if slices.ContainsFunc(prefixes[:i], func(q netip.Prefix) bool { return q.Addr() == p.Addr() }) {
			return fmt.Errorf("%s is there twice", p.Addr())
		}
		for _, o := range h.nics {
			if o != n && o.has(p.Addr()) {
				return fmt.Errorf("%s is the address of the interface on %s already", p.Addr(), o.port.Segment().Name())
			}
		}
	}
	return nil
}

// renumber carries out a change of the addresses of an interface. The caller has the
// policy expanded again.
func (h *Host) renumber(n *nic, prefixes []netip.Prefix, reason string) error {
	event := trace.AddressChanged{Segment: n.port.Segment().Name(), Reason: reason}
	var gone, fresh []netip.Prefix
	for _, p := range n.prefixes {
		if !slices.Contains(prefixes, p) {
			gone = append(gone, p)
			event.Removed = append(event.Removed, p.String())
		}
	}
	for _, p := range prefixes {
		if !slices.Contains(n.prefixes, p) {
			fresh = append(fresh, p)
			event.Added = append(event.Added, p.String())
		}
	}
	if len(gone)+len(fresh) == 0 {
		return nil
	}
	h.record(event)
	for _, p := range gone {
		h.keying.lose(p.Addr(), reason)
		if err := h.stack.RemoveAddress(n.id, addressOf(p.Addr())); err != nil {
			return fmt.Errorf("removing %s: %s", p, err)
		}
		if onLink := subnetOf(p); !onNetwork(prefixes, p) {
			h.stack.RemoveRoutes(func(r tcpip.Route) bool { return r.NIC == n.id && r.Destination == onLink && r.Gateway.Len() == 0 })
		}
	}
	routed := n.prefixes // to whose networks there are routes
	n.prefixes = slices.Clone(prefixes)
	if err := n.port.SetAddrs(n.held()); err != nil {
		return err
	}
	for _, p := range fresh {
		if err := h.addAddress(n, p, !onNetwork(routed, p)); err != nil {
			return err
		}
		routed = append(routed[:len(routed):len(routed)], p)
		if err := h.keying.hear(p.Addr()); err != nil {
			return err
		}
		n.announce(p.Addr())
	}
	h.noteAddresses()
	return nil
}

// noteAddresses derives from the addresses what driver and agent need of them.
func (h *Host) noteAddresses() {
	h.broadcasts = policy.Broadcasts(h.Prefixes()...)
	h.agent.options.Broadcasts = h.broadcasts
	h.driver.wall.moved()
	h.agent.options.RemoteAccess = nil
	for i, c := range h.config.Interfaces {
		if c.RemoteAccess {
			h.agent.options.RemoteAccess = append(h.agent.options.RemoteAccess, h.nics[i].addrs()...)
		}
	}
}

// AddrsOn are the addresses of the interface on a segment.
func (h *Host) AddrsOn(segment string) []netip.Addr {
	for _, n := range h.nics {
		if n.port.Segment().Name() == segment {
			return n.addrs()
		}
	}
	return nil
}

func (n *nic) addrs() (all []netip.Addr) {
	for _, p := range n.prefixes {
		all = append(all, p.Addr())
	}
	return all
}

// onNetwork reports whether one of the addresses is on the network of p.
func onNetwork(prefixes []netip.Prefix, p netip.Prefix) bool {
	return slices.ContainsFunc(prefixes, func(q netip.Prefix) bool { return q.Masked() == p.Masked() })
}

// addAddress gives the stack an address, and a route to its network if there is none.
func (h *Host) addAddress(n *nic, p netip.Prefix, route bool) error {
	err := h.stack.AddProtocolAddress(n.id, tcpip.ProtocolAddress{
		Protocol:          familyOf(p.Addr()),
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: addressOf(p.Addr()), PrefixLen: p.Bits()},
	}, stack.AddressProperties{})
	if err != nil {
		return fmt.Errorf("address %s: %s", p, err)
	}
	if route {
		h.stack.AddRoute(tcpip.Route{Destination: subnetOf(p), NIC: n.id})
	}
	return nil
}

// held are the addresses for which the interface answers questions of the link.
func (n *nic) held() []netip.Addr {
	addrs := n.addrs()
	if n.six {
		addrs = append(addrs, ipv6.LinkLocal(n.port.MAC()).Addr())
	}
	return addrs
}

// Prefixes are the addresses of all interfaces, with the lengths of their networks.
func (h *Host) Prefixes() (all []netip.Prefix) {
	for _, n := range h.nics {
		all = append(all, n.prefixes...)
	}
	return all
}

// mine are the addresses that the host's policy knows as its own. Under 0.0.0.0 a
// computer sends that has no address yet: "this host on this network" (RFC 1122,
// Section 3.2.1.3). Whether Windows takes that for My IP Address is unconfirmed,
// hence Config.MeNeedsAddress.
func (h *Host) mine() []netip.Addr {
	mine := h.Addrs()
	for i, n := range h.nics {
		four := slices.ContainsFunc(n.prefixes, func(p netip.Prefix) bool { return p.Addr().Is4() })
		if h.config.Interfaces[i].Unnumbered && !four && slices.Contains(h.families, ip4) && !h.config.MeNeedsAddress {
			return append(mine, netip.IPv4Unspecified())
		}
	}
	return mine
}

// SetGateway makes via the next hop of the default route of its family; the zero
// address takes away that of IPv4. The policy is expanded again.
func (h *Host) SetGateway(via netip.Addr, reason string) error {
	if h.off {
		return fmt.Errorf("hosts: %s: gateway: %w", h.name, ErrOff)
	}
	all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if via.Is6() {
		all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	was := h.Gateways()
	routes := slices.DeleteFunc(slices.Clone(h.config.Routes), func(r Route) bool { return r.To == all })
	if via.IsValid() {
		routes = append(routes, Route{To: all, Via: via})
		n := h.nicTowards(via)
		if n == nil {
			return fmt.Errorf("hosts: %s: the gateway %s is on no subnet of the host", h.name, via)
		}
		h.removeDefault(all)
		h.stack.AddRoute(tcpip.Route{Destination: subnetOf(all), Gateway: addressOf(via), NIC: n.id})
	} else {
		h.removeDefault(all)
	}
	h.config.Routes = routes
	if !slices.Equal(was, h.Gateways()) {
		h.agent.expandSoon(reason)
	}
	return nil
}

func (h *Host) removeDefault(all netip.Prefix) {
	to := subnetOf(all)
	h.stack.RemoveRoutes(func(r tcpip.Route) bool { return r.Destination == to })
}

// Gateways are the next hops of the host's default routes.
func (h *Host) Gateways() (all []netip.Addr) {
	for _, r := range slices.Concat(h.config.Routes, h.leased) {
		if r.To.Bits() == 0 {
			all = append(all, r.Via)
		}
	}
	return all
}

// needsResolution reports whether neighbours on the interface ask for addresses.
func (n *nic) needsResolution() bool { return n.medium == sim.Ethernet }
