package natbox

import (
	"bytes"
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/natbox/nat"
	"github.com/ipseclab/ipseclab/sim"
)

// BenchmarkForward is what a packet of 1,000 bytes costs from the segment that it comes from to the
// one that it leaves to, events of the world included: as it is, and translated.
func BenchmarkForward(b *testing.B) {
	b.Run("router", func(b *testing.B) { benchmarkForward(b, false) })
	b.Run("NAT box", func(b *testing.B) { benchmarkForward(b, true) })
}

func benchmarkForward(b *testing.B, translated bool) {
	w, err := sim.New(sim.Config{Name: "bench", Seed: 1})
	require.NoError(b, err)
	var segments []*sim.Segment
	for _, name := range []string{"a", "b"} {
		s, err := w.NewSegment(name, sim.SegmentConfig{MTU: 1500})
		require.NoError(b, err)
		segments = append(segments, s)
	}
	prefix := netip.MustParsePrefix
	c := RouterConfig{Name: "r", Interfaces: []Interface{
		{Segment: segments[0], Prefixes: []netip.Prefix{prefix("10.0.1.1/24")}}, {Segment: segments[1], Prefixes: []netip.Prefix{prefix("10.0.2.1/24")}},
	}}
	if translated {
		table, err := nat.New(nat.Config{Outside: []netip.Addr{netip.MustParseAddr("10.0.2.1")}}, w.Rand("r", "nat"))
		require.NoError(b, err)
		c.NAT = &NAT{Outside: segments[1], Table: table}
	}
	_, err = NewRouter(w, c)
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
		&layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: []byte{10, 0, 1, 2}, DstIP: []byte{10, 0, 2, 2}},
		gopacket.Payload(append([]byte{0x13, 0x88, 0, 53, 3, 0xe8, 0, 0}, make([]byte, 992)...)))) // UDP without a checksum
	b.ResetTimer()
	for range b.N {
		source.Send(bytes.Clone(buffer.Bytes()), "")
		require.NoError(b, w.Run(context.Background(), w.Now()+time.Millisecond, nil))
	}
	require.Equal(b, b.N, got)
}
