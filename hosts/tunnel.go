package hosts

import (
	"fmt"
	"net/netip"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// What leaves through a tunnel goes to its far end, by another route than the datagram
// inside, perhaps over another interface; and what comes out of one may be for an
// address that the host has on another interface. A host does not forward: a tunnel
// serves its own addresses and no network behind it.

// outer is the way to the far end of the tunnel whose datagram is judged.
type outer struct {
	far   netip.Addr
	route *stack.Route // nil: there is none
}

// farMTU is esp.Config.PathMTU. The route is kept for sending, until release.
func (d *driver) farMTU(far netip.Addr) int {
	if d.outer.far != far {
		d.release()
		d.outer = outer{far, d.host.route(netip.Addr{}, far)}
	}
	if d.outer.route == nil {
		return 0
	}
	return d.paths.mtu(d.host.world.Time(), far, d.nicOf(d.outer.route).port.MTU())
}

// release gives back the route that farMTU found.
func (d *driver) release() {
	if d.outer.route != nil {
		d.outer.route.Release()
	}
	d.outer = outer{}
}

// route asks the stack; an invalid source leaves the choice to it. nil: there is none.
func (h *Host) route(src, dst netip.Addr) *stack.Route {
	var from tcpip.Address
	if src.IsValid() {
		from = addressOf(src)
	}
	r, err := h.stack.FindRoute(0, from, addressOf(dst), familyOf(dst), false)
	if err != nil {
		return nil
	}
	return r
}

// nicOf is the interface of a route.
func (d *driver) nicOf(r *stack.Route) *nic { return d.host.nics[r.NICID()-1] }

// sealedRoute is the route of a datagram that was protected: that of the clear one, or
// to the far end of its tunnel, for whose path MTU the data plane has asked. false: there
// is none, and the datagram is dropped.
func (d *driver) sealedRoute(sealed []byte, r *stack.Route) (*stack.Route, bool) {
	switch o := d.outer; {
	case !o.far.IsValid():
		return r, true
	case o.route == nil:
		d.dropped("ipsec outbound", sealed, fmt.Sprintf("no route to %s, the end of its tunnel", o.far))
		return nil, false
	default:
		return o.route, true
	}
}

// nearEnd is the address from which the host reaches the far end of a tunnel.
func (h *Host) nearEnd(far netip.Addr) (netip.Addr, bool) {
	r := h.route(netip.Addr{}, far)
	if r == nil {
		return netip.Addr{}, false
	}
	defer r.Release()
	return addrOf(r.LocalAddress()), true
}

// arrives is the interface that takes what came out of an SA of interface n: n
// itself, or for a tunnel the one that has the address. nil: it is for another computer.
func (d *driver) arrives(n *nic, dst netip.Addr) *nic {
	if n.has(dst) || dst.IsMulticast() || dst == broadcastAll || slices.Contains(d.host.agent.options.Broadcasts, dst) {
		return n
	}
	for _, other := range d.host.nics {
		if other.has(dst) {
			return other
		}
	}
	return nil
}

// inboundRule names the rule for what arrives by a tunnel, which is another one than
// that which sends; without one it is the rule of the SA.
func (a *agent) inboundRule(sa ipsec.SAParams) string {
	for _, e := range a.compiled.Inbound {
		if sa.PolicyID != 0 && e.ID == sa.PolicyID {
			return e.Rule
		}
	}
	return sa.Rule
}

var broadcastAll = netip.AddrFrom4([4]byte{255, 255, 255, 255})
