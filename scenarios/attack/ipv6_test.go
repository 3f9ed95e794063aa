package attack

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipv6"
	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/sim"
)

// between puts extension headers of 8 bytes between the fixed header of an IPv6
// frame and what followed it.
func between(f []byte, kinds ...uint8) []byte {
	const header = 14 + ipv6.HeaderLen
	next, body := f[20], f[header:]
	out := bytes.Clone(f[:header])
	field := 20
	for _, kind := range kinds {
		out[field], field = kind, len(out)
		options := []byte{0, 0, 1, 4, 0, 0, 0, 0} // PadN, RFC 8200, Section 4.2
		if kind == ipv6.Fragment {
			options = make([]byte, 8) // of a whole datagram, RFC 6946
		}
		out = append(out, options...)
	}
	out[field] = next
	out = append(out, body...)
	binary.BigEndian.PutUint16(out[18:], uint16(len(out)-header))
	return out
}

// behindAH is alice's packet over IPv6 behind AH with an ICV of 12 bytes.
func behindAH(t testing.TB, p Packet) []byte {
	return behindAHOf(t, frame6(t, p))
}

func behindAHOf(t testing.TB, plain []byte) []byte {
	ah := []byte{plain[20], 4, 0, 0, 0, 0, 0x12, 0x34, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	return frame6(t, Packet{Protocol: 51, Data: append(ah, plain[54:]...)})
}

// null6 is alice's packet over IPv6 in ESP without encryption, with an ICV of 12 bytes.
func null6(t testing.TB, p Packet) []byte {
	plain := frame6(t, p)
	b := plain[54:]
	for i := range (4 - (len(b)+2)%4) % 4 {
		b = append(b, byte(i+1))
	}
	pad := len(b) - (len(plain) - 54)
	return frame6(t, Packet{ESP: &ESP{SPI: 0x1234, Sequence: 1}, Data: append(append(b, byte(pad), plain[20]), bytes.Repeat([]byte{0xaa}, 12)...)})
}

// extended are frames of IPv6 with extension headers and under IPsec.
func extended(t testing.TB) (all [][]byte) {
	for _, p := range samples {
		all = append(all, between(frame6(t, p), ipv6.HopByHop, ipv6.Fragment, ipv6.DestinationOptions), behindAH(t, p), null6(t, p))
	}
	return all
}

// The fields of IPv6 are where RFC 8200, Section 3 has them, and those of upper
// layers behind extension headers, AH, and ESP without encryption.
func TestFieldsOfIPv6(t *testing.T) {
	udp := frame6(t, samples["udp"])
	far := between(frame6(t, samples["udp"]), ipv6.HopByHop, ipv6.DestinationOptions)
	farESP := between(frame6(t, samples["esp"]), ipv6.HopByHop, ipv6.Fragment)
	ah := between(behindAH(t, samples["udp"]), ipv6.DestinationOptions)
	options := frame6(t, Packet{Protocol: ipv6.DestinationOptions, Data: append([]byte{17, 0, 1, 4, 0, 0, 0, 0}, udp[54:]...)})
	within := behindAHOf(t, options) // RFC 4302, Section 3.1.1
	for _, tc := range []struct {
		field string
		frame []byte
		at, n int // bits, from the start of the frame
	}{
		{"ip.tos", udp, 14*8 + 4, 8}, {"ip.flow-label", udp, 14*8 + 12, 20}, {"ip.protocol", udp, 20 * 8, 8}, {"ip.ttl", udp, 21 * 8, 8},
		{"ip.src", udp, 22 * 8, 128}, {"ip.dst", udp, 38 * 8, 128}, {"udp.source-port", udp, 54 * 8, 16}, {"payload", udp, 62 * 8, 72},
		{"ip.protocol", far, 62 * 8, 8}, {"udp.checksum", far, 76 * 8, 16}, {"payload", far, 78 * 8, 72},
		{"icmp.type", frame6(t, samples["icmp"]), 54 * 8, 8},
		{"esp.spi", farESP, 70 * 8, 32}, {"esp.sequence", farESP, 74 * 8, 32}, {"esp.payload", farESP, 78 * 8, 80 * 8}, {"icv", farESP, 146 * 8, 96},
		{"ah.spi", ah, 66 * 8, 32}, {"ah.sequence", ah, 70 * 8, 32}, {"icv", ah, 74 * 8, 96}, {"payload", ah, 94 * 8, 72}, {"payload", within, 94 * 8, 72},
		{"payload", null6(t, samples["icmp"]), 70 * 8, 56}, {"tcp.sequence", null6(t, samples["tcp"]), 66 * 8, 32},
	} {
		v, ok := read(sim.Ethernet, tc.frame)
		require.True(t, ok)
		p, ok := fields[tc.field](v, tc.frame)
		require.True(t, ok, tc.field)
		require.Equal(t, place{tc.at, tc.n}, p, tc.field)
		onLine, ok := read(sim.PointToPoint, tc.frame[14:])
		require.True(t, ok)
		p, ok = fields[tc.field](onLine, tc.frame[14:])
		require.True(t, ok)
		require.Equal(t, place{tc.at - 14*8, tc.n}, p, "%s on a line", tc.field)
	}
	for _, field := range []string{"ip.id", "ip.dont-fragment", "ip.checksum", "ip.options"} {
		require.EqualError(t, (&Tampering{Changes: []Change{{Field: field}}}).alter(sim.Ethernet, udp), "the frame has no "+field+" that can be read")
	}
	require.EqualError(t, (&Tampering{Changes: []Change{{Field: "ip.flow-label"}}}).alter(sim.Ethernet, frame(t, samples["udp"])), "the frame has no ip.flow-label that can be read")
	for _, f := range [][]byte{udp, frame(t, samples["udp"])} {
		c := Change{Field: "ip.src", Value: alice.AsSlice()}
		if f[14]>>4 == 4 {
			c.Value = alice6.AsSlice()
		}
		require.EqualError(t, (&Tampering{Changes: []Change{c}}).alter(sim.Ethernet, f), "ip.src is an address of the other version of IP")
	}
	alter := &Tampering{Changes: []Change{{Field: "ip.tos", Value: []byte{0xa5}}, {Field: "ip.flow-label", Value: []byte{0x0b, 0xcd, 0xef}}}}
	require.NoError(t, alter.alter(sim.Ethernet, udp))
	require.Equal(t, []byte{0x6a, 0x5b, 0xcd, 0xef}, udp[14:18], "and the version as it was")
}

// What has been set is what gopacket reads.
func TestSetFieldsOfIPv6(t *testing.T) {
	before := frame6(t, samples["udp"])
	set := func(f []byte, field string, value ...byte) *layers.IPv6 {
		f = bytes.Clone(f)
		require.NoError(t, (&Tampering{Changes: []Change{{Field: field, Value: value}}}).alter(sim.Ethernet, f))
		return gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.Default).NetworkLayer().(*layers.IPv6)
	}
	require.Equal(t, uint8(0x5a), set(before, "ip.tos", 0x5a).TrafficClass, "it begins within a byte")
	require.Equal(t, uint8(6), set(before, "ip.tos", 0x5a).Version)
	require.Equal(t, uint32(0xabcde), set(before, "ip.flow-label", 0x0a, 0xbc, 0xde).FlowLabel)
	require.Equal(t, uint8(3), set(before, "ip.ttl", 3).HopLimit)
	require.Equal(t, "2001:db8::9", set(before, "ip.dst", netip.MustParseAddr("2001:db8::9").AsSlice()...).DstIP.String())
	require.Equal(t, layers.IPProtocolTCP, set(before, "ip.protocol", 6).NextHeader)
	options := between(before, ipv6.DestinationOptions)
	require.Equal(t, layers.IPProtocolIPv6Destination, set(options, "ip.protocol", 6).NextHeader, "what is set is behind the options")
	require.Equal(t, "udp [2001:db8::1]:1025 > [2001:db8::2]:7", describe(sim.Ethernet, options))
	for n := range before {
		_, ok := read(sim.Ethernet, before[:n])
		require.False(t, ok, "the first %d bytes", n)
	}
}

// scapy finds the checksums right in whatever has been changed: behind extension
// headers, behind AH, in ESP without encryption and in the clear.
func TestRepairOverIPv6AgreesWithScapy(t *testing.T) {
	python := needs.Tool(t, "scapy")
	var lines []string
	for name, p := range samples {
		if p.ESP != nil {
			continue
		}
		plain := frame6(t, p)
		for _, f := range [][]byte{plain, between(plain, ipv6.HopByHop, ipv6.Fragment, ipv6.DestinationOptions), behindAH(t, p), null6(t, p)} {
			for _, field := range []string{"ip.src", "ip.dst", "payload", "ip.tos", "ip.flow-label"} {
				f := bytes.Clone(f)
				require.NoError(t, (&Tampering{Changes: []Change{{Field: field, Flip: 5}}}).alter(sim.Ethernet, f), "%s of %s", field, name)
				v, ok := read(sim.Ethernet, f)
				require.True(t, ok && v.transport != 0)
				// The transport packet alone, between the addresses that the frame has now.
				alone := append(bytes.Clone(f[14:54]), f[v.transport:v.transportEnd]...)
				alone[6] = v.proto
				binary.BigEndian.PutUint16(alone[4:], uint16(v.transportEnd-v.transport))
				lines = append(lines, hex.EncodeToString(alone))
			}
		}
	}
	cmd := exec.Command(python, "-c", `
import sys
from scapy.all import IPv6
for line in sys.stdin:
    raw = bytes.fromhex(line)
    p = IPv6(raw)
    for field in ("chksum", "cksum"):
        if field in p.payload.fields:
            delattr(p.payload, field)
    if bytes(p) != raw:
        sys.exit("%s is %s" % (line, bytes(p).hex()))
print("good")
`)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, "good", strings.TrimSpace(string(out)))
	require.Len(t, lines, (len(samples)-1)*4*5)
}
