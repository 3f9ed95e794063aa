package attack

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"
)

// frame6 is an IPv6 packet that gopacket makes.
func frame6(t testing.TB, proto layers.IPProtocol, above ...gopacket.SerializableLayer) []byte {
	t.Helper()
	ip := &layers.IPv6{Version: 6, TrafficClass: 0xb8, HopLimit: 64, NextHeader: proto, SrcIP: net.ParseIP("2001:db8::1"), DstIP: net.ParseIP("2001:db8::2")}
	for _, l := range above {
		if l, ok := l.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); ok {
			require.NoError(t, l.SetNetworkLayerForChecksum(ip))
		}
	}
	b := gopacket.NewSerializeBuffer()
	eth := &layers.Ethernet{SrcMAC: make([]byte, 6), DstMAC: make([]byte, 6), EthernetType: layers.EthernetTypeIPv6}
	require.NoError(t, gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		append([]gopacket.SerializableLayer{eth, ip}, above...)...))
	return bytes.Clone(b.Bytes())
}

func samples6(t testing.TB) map[string][]byte {
	return map[string][]byte{
		"udp":    frame6(t, layers.IPProtocolUDP, &layers.UDP{SrcPort: 1025, DstPort: 7}, gopacket.Payload("even line")),
		"tcp":    frame6(t, layers.IPProtocolTCP, &layers.TCP{SrcPort: 1025, DstPort: 80, ACK: true}, gopacket.Payload("an odd line")),
		"icmpv6": frame6(t, layers.IPProtocolICMPv6, &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(200, 0)}, gopacket.Payload("\x00\x01\x00\x02abcdefg")),
		"esp":    frame6(t, layers.IPProtocolESP, gopacket.Payload("\x00\x00\x12\x34\x00\x00\x00\x09"+strings.Repeat("x", 80))),
	}
}

// After any change of a readable field, the frame over IPv6 is what gopacket makes
// of the same fields, and without repair one bit differs.
func TestRepairAgreesWithGopacketOverIPv6(t *testing.T) {
	changed := map[string]int{}
	for name, before := range samples6(t) {
		for _, field := range Fields() {
			v, ok := read(before)
			require.True(t, ok)
			_, has := fields[field](v, before)
			if !has || field == "ip.protocol" || field == "udp.length" || strings.HasSuffix(field, "checksum") {
				continue // what follows is read otherwise afterwards
			}
			changed[name]++
			f := bytes.Clone(before)
			m := Tampering{Changes: []Change{{Field: field, Flip: 0}}}
			require.NoError(t, m.alter(f))
			require.Equal(t, rebuilt(t, f), f, "%s of %s", field, name)
			f = bytes.Clone(before)
			m.Repair = RepairNone
			require.NoError(t, m.alter(f))
			require.Equal(t, 1, differing(before, f), "%s of %s: one bit", field, name)
		}
	}
	require.Equal(t, map[string]int{"udp": 7, "tcp": 11, "icmpv6": 7, "esp": 9}, changed)
}

func TestFieldsOfIPv6(t *testing.T) {
	udp := samples6(t)["udp"]
	options := frame6(t, layers.IPProtocolIPv6Destination, gopacket.Payload("\x11\x00\x01\x04\x00\x00\x00\x00"+string(udp[54:])))
	set := func(f []byte, field string, value ...byte) []byte {
		f = bytes.Clone(f)
		m := Tampering{Changes: []Change{{Field: field, Value: value}}}
		require.NoError(t, m.alter(f))
		return f
	}
	ip := func(f []byte) *layers.IPv6 {
		return gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.Default).Layer(layers.LayerTypeIPv6).(*layers.IPv6)
	}
	require.Equal(t, uint8(0x5a), ip(set(udp, "ip.tos", 0x5a)).TrafficClass, "it begins within a byte")
	require.Equal(t, uint8(6), ip(set(udp, "ip.tos", 0x5a)).Version)
	require.Equal(t, uint8(3), ip(set(udp, "ip.ttl", 3)).HopLimit)
	require.Equal(t, "2001:db8::9", ip(set(udp, "ip.src", net.ParseIP("2001:db8::9")...)).SrcIP.String())
	require.Equal(t, layers.IPProtocolTCP, ip(set(udp, "ip.protocol", 6)).NextHeader)
	require.Equal(t, byte(6), set(options, "ip.protocol", 6)[54], "behind the options")

	require.Equal(t, "udp [2001:db8::1]:1025 > [2001:db8::2]:7", describe(options))
	for field, why := range map[string]string{"ip.id": "no ip.id", "ip.checksum": "no ip.checksum", "ip.dont-fragment": "no ip.dont-fragment"} {
		m := Tampering{Changes: []Change{{Field: field, Flip: 0}}}
		require.ErrorContains(t, m.alter(bytes.Clone(udp)), why)
	}
	m := Tampering{Changes: []Change{{Field: "ip.src", Value: []byte{10, 0, 0, 1}}}}
	require.ErrorContains(t, m.alter(bytes.Clone(udp)), "the other family")
	for n := range udp {
		_, ok := read(udp[:n])
		require.False(t, ok, "the first %d bytes", n)
	}
}
