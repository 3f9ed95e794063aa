package natbox

import (
	"bytes"
	"context"
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/sim"
)

// BenchmarkForward is what a packet of 1,000 bytes costs from the segment that it comes from to the
// one that it leaves to, events of the world included.
func BenchmarkForward(b *testing.B) {
	w, err := sim.New(sim.Config{Name: "bench", Seed: 1})
	require.NoError(b, err)
	var segments []*sim.Segment
	for _, name := range []string{"a", "b"} {
		s, err := w.NewSegment(name, sim.SegmentConfig{MTU: 1500})
		require.NoError(b, err)
		segments = append(segments, s)
	}
	prefix := netip.MustParsePrefix
	_, err = NewRouter(w, RouterConfig{Name: "r", Interfaces: []Interface{
		{Segment: segments[0], Prefixes: []netip.Prefix{prefix("10.0.1.1/24")}}, {Segment: segments[1], Prefixes: []netip.Prefix{prefix("10.0.2.1/24")}},
	}})
	require.NoError(b, err)
	got := 0
	sink, err := segments[1].Attach(sim.PortConfig{Node: "sink", Addrs: []netip.Addr{netip.MustParseAddr("10.0.2.2")}, Receive: func(frame []byte) {
		if frame[12] == 8 && frame[13] == 0 {
			got++
		}
	}})
	require.NoError(b, err)
	source, err := segments[0].Attach(sim.PortConfig{Node: "source", Receive: func([]byte) {}})
	require.NoError(b, err)

	// The router learns where the sink is from a request of its own.
	mac := sink.MAC()
	router := sim.MACFor("r", "b")
	arp := gopacket.NewSerializeBuffer()
	require.NoError(b, gopacket.SerializeLayers(arp, gopacket.SerializeOptions{FixLengths: true},
		&layers.Ethernet{SrcMAC: mac[:], DstMAC: router[:], EthernetType: layers.EthernetTypeARP},
		&layers.ARP{AddrType: 1, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: layers.ARPRequest,
			SourceHwAddress: mac[:], SourceProtAddress: []byte{10, 0, 2, 2}, DstHwAddress: make([]byte, 6), DstProtAddress: []byte{10, 0, 2, 1}}))
	sink.Send(arp.Bytes(), "")
	require.NoError(b, w.Run(context.Background(), 0, nil))

	to := sim.MACFor("r", "a")
	from := source.MAC()
	buffer := gopacket.NewSerializeBuffer()
	require.NoError(b, gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: from[:], DstMAC: to[:], EthernetType: layers.EthernetTypeIPv4},
		&layers.IPv4{Version: 4, TTL: 64, Protocol: 253, SrcIP: []byte{10, 0, 1, 2}, DstIP: []byte{10, 0, 2, 2}}, gopacket.Payload(make([]byte, 1000))))
	b.ResetTimer()
	for range b.N {
		source.Send(bytes.Clone(buffer.Bytes()), "")
		require.NoError(b, w.Run(context.Background(), 0, nil))
	}
	require.Equal(b, b.N, got)
}
