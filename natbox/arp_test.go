package natbox

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"
)

// arpReplies are the ARP replies that a station got.
func (s *station) arpReplies() []*layers.ARP {
	var replies []*layers.ARP
	for _, p := range s.got {
		if arp, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP); ok && arp.Operation == layers.ARPReply {
			replies = append(replies, arp)
		}
	}
	s.got, s.times = nil, nil
	return replies
}

var (
	anyone = []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	nobody = []byte{0, 0, 0, 0, 0, 0}
)

// RFC 826: a request for the router's address on that segment is answered, no other.
func TestARPAnswers(t *testing.T) {
	p := newPair(t, 1500, Settings{})
	addr := netip.MustParseAddr
	p.a.sendARP(anyone, 1, addr("10.0.1.2"), nobody, addr("10.0.1.1"))
	p.run()
	replies := p.a.arpReplies()
	require.Len(t, replies, 1)
	mac, mine := p.r.Ports()[0].MAC(), p.a.port.MAC()
	require.Equal(t, layers.ARP{
		BaseLayer: replies[0].BaseLayer, AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4,
		Operation:       layers.ARPReply,
		SourceHwAddress: mac[:], SourceProtAddress: []byte{10, 0, 1, 1}, DstHwAddress: mine[:], DstProtAddress: []byte{10, 0, 1, 2},
	}, *replies[0])

	// RFC 5227, 2.1.1: a probe is answered and not noted.
	p.a.sendARP(anyone, 1, netip.IPv4Unspecified(), nobody, addr("10.0.1.1"))
	p.run()
	require.Len(t, p.a.arpReplies(), 1)
	require.NotContains(t, p.r.interfaces[0].neighbours, netip.IPv4Unspecified())

	p.a.sendARP(anyone, 1, addr("10.0.1.2"), nobody, addr("10.0.1.9"))   // of another
	p.a.sendARP(anyone, 1, addr("10.0.1.2"), nobody, addr("10.0.2.1"))   // the router's, on the other side
	p.a.sendARP(anyone, 1, addr("10.0.7.2"), nobody, addr("10.0.1.1"))   // sender of another prefix
	p.a.sendARP(anyone, 1, addr("10.0.1.255"), nobody, addr("10.0.1.1")) // sender with the broadcast address
	p.a.sendARP(anyone, 1, addr("10.0.1.1"), nobody, addr("10.0.1.1"))   // a conflict
	p.a.sendARP(anyone, 3, addr("10.0.1.2"), nobody, addr("10.0.1.1"))   // reverse ARP
	p.run()
	require.Empty(t, p.a.arpReplies())
	require.Equal(t, []Drop{
		{"malformed ARP packet", 1}, {"ARP sender is not on the interface's prefix", 2}, {"another node uses the router's address", 1},
	}, p.r.Counters().Drops)
	require.Equal(t, uint64(2), p.r.Counters().ARPReplies)
}

// A resolved neighbour is used until it has aged, and then asked for again.
func TestARPAge(t *testing.T) {
	p := newPair(t, 1500, Settings{})
	send := func() {
		p.a.sendUDP("10.0.2.2", 1, nil)
		p.run()
		require.Len(t, p.b.take(), 1)
	}
	send()
	send()
	require.Len(t, p.b.asked, 1)
	p.wait(10*time.Minute - time.Second)
	send()
	require.Len(t, p.b.asked, 1)
	p.wait(time.Second)
	send()
	require.Len(t, p.b.asked, 2)
	// a request from the neighbour is news of it
	p.wait(9 * time.Minute)
	p.b.sendARP(anyone, 1, netip.MustParseAddr("10.0.2.2"), nobody, netip.MustParseAddr("10.0.2.1"))
	p.wait(9 * time.Minute)
	send()
	require.Len(t, p.b.asked, 2)
}

// A neighbour with a new address announces it (RFC 826: the table is updated, for others not filled).
func TestARPUpdate(t *testing.T) {
	p := newPair(t, 1500, Settings{})
	p.a.sendUDP("10.0.2.2", 1, nil)
	p.run()
	require.Len(t, p.b.take(), 1)
	p.c.sendARP(anyone, 1, netip.MustParseAddr("10.0.2.2"), nobody, netip.MustParseAddr("10.0.2.2"))
	p.c.sendARP(anyone, 1, netip.MustParseAddr("10.0.2.77"), nobody, netip.MustParseAddr("10.0.2.77"))
	p.run()
	p.a.sendUDP("10.0.2.2", 1, nil)
	p.run()
	require.Empty(t, p.b.take())
	require.Len(t, p.c.take(), 1)
	require.NotContains(t, p.r.interfaces[1].neighbours, netip.MustParseAddr("10.0.2.77"))
}

// Packets wait for the answer, in order and in bounds; the oldest gives way.
func TestARPQueue(t *testing.T) {
	p := newPair(t, 1500, Settings{ARPQueue: 8})
	for i := range 11 {
		p.a.sendUDP("10.0.2.2", i, nil)
	}
	p.run()
	var sizes []int
	for _, g := range p.b.take() {
		sizes = append(sizes, len(g.Layer(layers.LayerTypeUDP).LayerPayload()))
	}
	require.Equal(t, []int{3, 4, 5, 6, 7, 8, 9, 10}, sizes)
	require.Equal(t, uint64(3), p.r.Counters().Dropped("too many packets wait for the neighbour"))
	require.Len(t, p.b.asked, 1)
}

// An answer to the second request is as good as one to the first.
func TestARPRetry(t *testing.T) {
	p := newPair(t, 1500, Settings{})
	p.b.mute = true
	p.a.sendUDP("10.0.2.2", 1, nil)
	p.wait(500 * time.Millisecond)
	p.b.mute = false
	p.run()
	require.Len(t, p.b.take(), 1)
	require.Empty(t, p.a.take())
	require.Len(t, p.b.asked, 2)
}

// The table is bounded: a scan of a prefix neither fills memory nor ends forwarding.
func TestNeighbourLimit(t *testing.T) {
	p := newPair(t, 1500, Settings{Neighbours: 4, ICMPRate: -1})
	p.a.sendUDP("10.0.2.2", 1, nil)
	p.a.sendEcho("10.0.1.1", 1, nil) // so that the router knows a
	p.run()
	require.Len(t, p.a.take(), 1)
	require.Len(t, p.b.take(), 1)
	for i := range 20 {
		p.a.sendUDP(fmt.Sprintf("10.0.2.%d", 100+i), 1, nil)
	}
	p.wait(100 * time.Millisecond)
	require.Len(t, p.r.interfaces[1].neighbours, 4)
	require.Len(t, p.a.take(), 16) // host unreachable at once
	require.Equal(t, uint64(16), p.r.Counters().Dropped("too many neighbours are being resolved"))
	p.run()
	require.Len(t, p.a.take(), 4)
	p.a.sendUDP("10.0.2.2", 1, nil)
	p.run()
	require.Len(t, p.b.take(), 1)
	// resolved ones give way in the order of their age
	for i := range 6 {
		p.b.addrs = append(p.b.addrs, netip.MustParseAddr(fmt.Sprintf("10.0.2.%d", 50+i)))
		p.a.sendUDP(fmt.Sprintf("10.0.2.%d", 50+i), 1, nil)
		p.wait(time.Second)
	}
	require.Len(t, p.b.take(), 6)
	require.Len(t, p.r.interfaces[1].neighbours, 4)
	for _, kept := range []string{"10.0.2.52", "10.0.2.53", "10.0.2.54", "10.0.2.55"} {
		require.Contains(t, p.r.interfaces[1].neighbours, netip.MustParseAddr(kept))
	}
}

// ARP from senders that cannot be is not learned.
func TestARPBadSender(t *testing.T) {
	p := newPair(t, 1500, Settings{})
	for _, mac := range [][]byte{anyone, nobody, {1, 0, 0x5e, 0, 0, 1}} {
		mine := p.a.port.MAC()
		p.a.send(serialize(t,
			&layers.Ethernet{SrcMAC: mine[:], DstMAC: anyone, EthernetType: layers.EthernetTypeARP},
			&layers.ARP{
				AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: 1,
				SourceHwAddress: mac, SourceProtAddress: []byte{10, 0, 1, 2}, DstHwAddress: nobody, DstProtAddress: []byte{10, 0, 1, 1},
			}, gopacket.Payload(nil)))
	}
	p.run()
	require.Empty(t, p.a.arpReplies())
	require.Empty(t, p.r.interfaces[0].neighbours)
	require.Equal(t, uint64(3), p.r.Counters().Dropped("malformed ARP packet"))
}
