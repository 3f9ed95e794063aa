package natbox

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/natbox/nat"
)

// A router that reboots asks for its neighbours again, and a box knows no mappings any more.
func TestReboot(t *testing.T) {
	h := newHome(t, nil)
	h.a.udp("203.0.113.9", 5000, 53, 10, nil)
	h.wait(time.Second)
	require.Len(t, h.table.Mappings(h.w.Now()), 1)
	asked := len(h.b.asked)
	h.a.udp("203.0.113.77", 5000, 53, 10, nil) // waits for nobody
	h.wait(time.Millisecond)
	h.r.Reboot()
	require.Empty(t, h.table.Mappings(h.w.Now()))
	h.wait(time.Minute)
	require.Empty(t, h.a.take(), "what waited is lost, and nobody is told")
	h.b.take()
	h.a.udp("203.0.113.9", 5000, 53, 10, nil)
	h.wait(time.Second)
	require.Greater(t, len(h.b.asked), asked)
	require.Equal(t, []string{"203.0.113.1:5000 > 203.0.113.9:53 ttl 63"}, h.b.flows())
}

// A box with another address outside answers for that and no other, announces it, sends with it, and
// has the gateway that it was given.
func TestSetAddress(t *testing.T) {
	h := newHome(t, nil)
	h.a.udp("198.51.100.7", 5000, 53, 10, nil)
	h.wait(time.Second)
	require.Equal(t, []string{"203.0.113.1:5000 > 198.51.100.7:53 ttl 63"}, h.b.flows())

	neighbour := h.station("n", "internet", "r", "198.51.100.1")
	address := netip.MustParsePrefix("198.51.100.9/24")
	require.NoError(t, h.r.SetAddress(Renumbering{
		Segment: "internet", Address: address, Gateway: netip.MustParseAddr("198.51.100.1"), Shared: []netip.Addr{address.Addr()}, Reason: "test",
	}))
	require.Equal(t, []netip.Addr{address.Addr()}, h.r.Addresses("internet"))
	h.wait(time.Second)
	var changes []trace.AddressChanged
	for _, e := range h.log.Events() {
		if c, ok := e.Body.(trace.AddressChanged); ok {
			changes = append(changes, c)
		}
	}
	require.Equal(t, []trace.AddressChanged{{Segment: "internet", Added: []string{"198.51.100.9/24"}, Removed: []string{"203.0.113.1/24"}, Reason: "test"}}, changes)
	for target, answers := range map[string]bool{"198.51.100.9": true, "203.0.113.1": false} {
		before := h.r.Counters().ARPReplies
		neighbour.ask(target)
		h.wait(time.Second)
		require.Equal(t, answers, h.r.Counters().ARPReplies > before, target)
	}
	h.a.udp("192.0.2.1", 5000, 53, 10, nil)
	h.wait(time.Second)
	require.Equal(t, []string{"198.51.100.9:5000 > 192.0.2.1:53 ttl 63"}, neighbour.flows())
}

// The announcement is an ARP request of the router for its new address: RFC 5227, Section 2.3.
func TestSetAddressAnnounces(t *testing.T) {
	h := newHome(t, nil)
	var announced []netip.Addr
	h.w.Tap(tapARP(&announced))
	require.NoError(t, h.r.SetAddress(Renumbering{Segment: "internet", Address: netip.MustParsePrefix("203.0.113.5/24"), Shared: []netip.Addr{netip.MustParseAddr("203.0.113.5")}}))
	require.Equal(t, []netip.Addr{netip.MustParseAddr("203.0.113.5")}, announced)
}

// What cannot be is refused, and everything stays as it was.
func TestSetAddressMistakes(t *testing.T) {
	h := newHome(t, nil)
	for want, c := range map[string]Renumbering{
		"it has no interface on nowhere":                 {Segment: "nowhere", Address: netip.MustParsePrefix("203.0.113.5/24")},
		"only an IPv4 address takes the place":           {Segment: "internet", Address: netip.MustParsePrefix("2001:db8::1/64")},
		"is the network's own or its broadcast address":  {Segment: "internet", Address: netip.MustParsePrefix("203.0.113.255/24")},
		"192.168.1.7/24 overlaps 192.168.1.1/24":         {Segment: "internet", Address: netip.MustParsePrefix("192.168.1.7/24")},
		"next hop 198.51.100.1 is on none of the router": {Segment: "internet", Address: netip.MustParsePrefix("203.0.113.5/24"), Gateway: netip.MustParseAddr("198.51.100.1")},
	} {
		require.ErrorContains(t, h.r.SetAddress(c), want)
		h.a.udp("198.51.100.7", 5000, 53, 10, nil)
		h.wait(time.Second)
		require.Equal(t, []string{"203.0.113.1:5000 > 198.51.100.7:53 ttl 63"}, h.b.flows())
	}
}

// With ChangeKeeps what is mapped leaves with the old address, and everything else with the new one.
func TestSetAddressKeeps(t *testing.T) {
	h := newHome(t, func(c *nat.Config, _ *RouterConfig) { c.Change = nat.ChangeKeeps })
	h.a.udp("203.0.113.9", 5000, 53, 10, nil)
	h.wait(time.Second)
	h.b.take()
	address := netip.MustParsePrefix("203.0.113.5/24")
	require.NoError(t, h.r.SetAddress(Renumbering{Segment: "internet", Address: address, Shared: []netip.Addr{address.Addr()}}))
	h.a.udp("203.0.113.9", 5000, 53, 10, nil)
	h.a.udp("203.0.113.9", 5001, 53, 10, nil)
	h.a.sendEcho("203.0.113.5", 10, nil)
	h.wait(time.Second)
	require.Equal(t, []string{"203.0.113.1:5000 > 203.0.113.9:53 ttl 63", "203.0.113.5:5001 > 203.0.113.9:53 ttl 63"}, h.b.flows())
	require.Equal(t, layers.IPProtocolICMPv4, ipv4Of(h.a.take()[0]).Protocol, "the box answers at its new address")
}
