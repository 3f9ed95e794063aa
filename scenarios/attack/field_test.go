package attack

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/sim"
)

var (
	alice = netip.MustParseAddr("10.0.0.1")
	bob   = netip.MustParseAddr("10.0.0.2")

	alice6 = netip.MustParseAddr("2001:db8::1")
	bob6   = netip.MustParseAddr("2001:db8::2")
)

// frame is a packet from alice to bob, over IPv4 and with Ethernet header.
func frame(t testing.TB, p Packet) []byte {
	t.Helper()
	p.Src, p.Dst = alice, bob
	return made(t, sim.Ethernet, p)
}

// frame6 is the packet over IPv6.
func frame6(t testing.TB, p Packet) []byte {
	t.Helper()
	return made(t, sim.Ethernet, over6(p))
}

// over6 is the packet with IPv6 addresses, and echo requests of ICMPv6.
func over6(p Packet) Packet {
	p.Src, p.Dst = alice6, bob6
	if p.ICMP != nil && p.ICMP.Type == 8 {
		p.ICMP = &ICMP{Type: 128, Rest: p.ICMP.Rest}
	}
	return p
}

func made(t testing.TB, m sim.Medium, p Packet) []byte {
	t.Helper()
	f, err := p.frame(m, [6]byte{2, 0, 0, 0, 0, 2})
	require.NoError(t, err)
	return f
}

var samples = map[string]Packet{
	"tcp":  {TCP: &TCP{SrcPort: 1025, DstPort: 80, Sequence: 1e9, Acknowledgment: 2e9, Flags: []string{"ack", "psh"}, Window: 8192}, Data: []byte("an odd line")},
	"udp":  {UDP: &UDP{SrcPort: 1025, DstPort: 7}, Data: []byte("even line")},
	"icmp": {ICMP: &ICMP{Type: 8, Rest: 0x00010002}, Data: []byte("abcdefg")},
	"ike":  {UDP: &UDP{SrcPort: 500, DstPort: 500}, Data: bytes.Repeat([]byte{7}, 60)},
	"esp":  {ESP: &ESP{SPI: 0x1234, Sequence: 9}, Data: bytes.Repeat([]byte{9}, 80)},
}

// rebuilt is the frame with lengths as they are and checksums that gopacket has worked out.
func rebuilt(t *testing.T, m sim.Medium, f []byte) []byte {
	t.Helper()
	first := layers.LayerTypeEthernet
	switch {
	case m == sim.Ethernet:
	case f[0]>>4 == 4:
		first = layers.LayerTypeIPv4
	default:
		first = layers.LayerTypeIPv6
	}
	p := gopacket.NewPacket(f, first, gopacket.Default)
	var all []gopacket.SerializableLayer
	for _, l := range p.Layers() {
		switch l := l.(type) {
		case *layers.TCP:
			l.SetNetworkLayerForChecksum(p.NetworkLayer())
		case *layers.UDP:
			l.SetNetworkLayerForChecksum(p.NetworkLayer())
		case *layers.ICMPv6:
			l.SetNetworkLayerForChecksum(p.NetworkLayer())
		}
		if icmp, ok := l.(*layers.ICMPv6); ok { // gopacket does not write all bodies that it reads
			all = append(all, icmp, gopacket.Payload(icmp.LayerPayload()))
			break
		}
		if s, ok := l.(gopacket.SerializableLayer); ok {
			all = append(all, s)
		} else {
			all = append(all, gopacket.Payload(l.LayerContents()))
		}
	}
	b := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializeLayers(b, gopacket.SerializeOptions{ComputeChecksums: true}, all...))
	return b.Bytes()[:len(f)] // without padding
}

// After any change but one of a checksum, the frame is what another
// implementation makes of the same fields, in both versions of IP and on lines.
func TestRepairAgreesWithGopacket(t *testing.T) {
	found := map[string]int{}
	for name, p := range samples {
		p.Src, p.Dst = alice, bob
		for _, p := range []Packet{p, over6(p)} {
			for _, m := range []sim.Medium{sim.Ethernet, sim.PointToPoint} {
				for _, field := range sorted(fields) {
					if repairs(t, m, p, field, fmt.Sprintf("%s of %s to %s, %s", field, name, p.Dst, m)) {
						found[field]++
					}
				}
			}
		}
	}
	require.Equal(t, 2*len(samples), found["ip.flow-label"])
	require.Equal(t, 4*len(samples), found["ip.tos"])
	require.Equal(t, 4, found["icmp.code"])
}

// repairs checks one field of one packet, if it has it and what follows is read as before afterwards.
func repairs(t *testing.T, medium sim.Medium, p Packet, field, what string) bool {
	f := made(t, medium, p)
	v, ok := read(medium, f)
	require.True(t, ok)
	_, has := fields[field](v, f)
	if !has || field == "ip.protocol" || field == "udp.length" || field == "icmp.type" && v.v6 || strings.HasSuffix(field, "checksum") {
		return false
	}
	before := bytes.Clone(f)
	m := Tampering{Changes: []Change{{Field: field, Flip: 0}}}
	require.NoError(t, m.alter(medium, f))
	require.NotEqual(t, before, f)
	require.Equal(t, rebuilt(t, medium, f), f, what)

	f = bytes.Clone(before)
	m.Repair = RepairNone
	require.NoError(t, m.alter(medium, f))
	require.Equal(t, 1, differing(before, f), "%s: one bit", what)
	m.Repair = RepairIP
	ip := bytes.Clone(before)
	require.NoError(t, m.alter(medium, ip))
	require.Equal(t, rebuilt(t, medium, ip)[:v.upper], ip[:v.upper])
	require.Equal(t, f[v.upper:], ip[v.upper:], "nothing but the IP header is repaired")
	return true
}

// differing counts the bits in which two frames differ.
func differing(a, b []byte) (n int) {
	for i := range a {
		n += bits.OnesCount8(a[i] ^ b[i])
	}
	return n
}

// The fields are where RFC 791, 793, 768, 792, 4303, 4302 and 2408 have them.
func TestFieldsAreWhereTheStandardsSay(t *testing.T) {
	ah := frame(t, Packet{Protocol: 51, Data: append([]byte{17, 4, 0, 0, 0, 0, 0x12, 0x34, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
		frame(t, samples["udp"])[34:]...)})
	on := func(port uint16, marker int, p Packet) []byte {
		p.UDP = &UDP{SrcPort: port, DstPort: port}
		p.Data = append(make([]byte, marker), p.Data...)
		return frame(t, p)
	}
	esp := Packet{Data: append([]byte{0, 0, 0x12, 0x34, 0, 0, 0, 1}, bytes.Repeat([]byte{7}, 72)...)}
	ike := Packet{Data: frame(t, samples["ike"])[42:]}
	for _, tc := range []struct {
		field string
		frame []byte
		at, n int // bits, from the start of the frame
	}{
		{"ip.tos", nil, 15 * 8, 8}, {"ip.id", nil, 18 * 8, 16}, {"ip.dont-fragment", nil, 20*8 + 1, 1}, {"ip.ttl", nil, 22 * 8, 8},
		{"ip.protocol", nil, 23 * 8, 8}, {"ip.checksum", nil, 24 * 8, 16}, {"ip.src", nil, 26 * 8, 32}, {"ip.dst", nil, 30 * 8, 32},
		{"udp.source-port", nil, 34 * 8, 16}, {"udp.destination-port", nil, 36 * 8, 16}, {"udp.length", nil, 38 * 8, 16}, {"udp.checksum", nil, 40 * 8, 16},
		{"payload", nil, 42 * 8, 9 * 8},
		{"tcp.sequence", frame(t, samples["tcp"]), 38 * 8, 32}, {"tcp.acknowledgment", frame(t, samples["tcp"]), 42 * 8, 32},
		{"tcp.flags", frame(t, samples["tcp"]), 47 * 8, 8}, {"tcp.window", frame(t, samples["tcp"]), 48 * 8, 16}, {"tcp.checksum", frame(t, samples["tcp"]), 50 * 8, 16},
		{"icmp.type", frame(t, samples["icmp"]), 34 * 8, 8}, {"icmp.code", frame(t, samples["icmp"]), 35 * 8, 8},
		{"esp.spi", frame(t, samples["esp"]), 34 * 8, 32}, {"esp.sequence", frame(t, samples["esp"]), 38 * 8, 32},
		{"esp.payload", frame(t, samples["esp"]), 42 * 8, 80 * 8}, {"icv", frame(t, samples["esp"]), 110 * 8, 96},
		{"ah.next-header", ah, 34 * 8, 8}, {"ah.length", ah, 35 * 8, 8}, {"ah.spi", ah, 38 * 8, 32}, {"ah.sequence", ah, 42 * 8, 32}, {"icv", ah, 46 * 8, 96},
		{"payload", ah, (34 + 24 + 8) * 8, 9 * 8},
		{"ike.cookie-responder", frame(t, samples["ike"]), 50 * 8, 64}, {"ike.exchange", frame(t, samples["ike"]), 60 * 8, 8},
		{"esp.spi", on(4500, 0, esp), 42 * 8, 32}, {"esp.sequence", on(4500, 0, esp), 46 * 8, 32}, {"payload", on(4500, 0, esp), (42 + 8 + 16) * 8, (80 - 8 - 16 - 32) * 8},
		{"udp.source-port", on(4500, 0, esp), 34 * 8, 16}, {"icv", on(4500, 0, esp), (42 + 80 - 12) * 8, 96},
		{"esp.spi", on(500, 8, esp), 50 * 8, 32}, {"ike.exchange", on(4500, 4, ike), 64 * 8, 8},
		{"ike.message-id", frame(t, samples["ike"]), 62 * 8, 32}, {"ike.payload", frame(t, samples["ike"]), 70 * 8, 32 * 8},
	} {
		f := tc.frame
		if f == nil {
			f = frame(t, samples["udp"])
		}
		v, ok := read(sim.Ethernet, f)
		require.True(t, ok)
		p, ok := fields[tc.field](v, f)
		require.True(t, ok, tc.field)
		require.Equal(t, place{tc.at, tc.n}, p, tc.field)
	}
}

// null is alice's UDP in ESP without encryption, padded to 4 bytes, with an ICV of some length.
func null(t testing.TB, icv int) []byte {
	inner := frame(t, samples["udp"])[34:]
	b := bytes.Clone(inner)
	pad := (4 - (len(b)+2)%4) % 4
	for i := range pad {
		b = append(b, byte(i+1))
	}
	b = append(append(b, byte(pad), 17), bytes.Repeat([]byte{0xaa}, icv)...)
	return frame(t, Packet{ESP: &ESP{SPI: 0x1234, Sequence: 1}, Data: b})
}

// ESP without encryption is read, and the checksum inside repaired; ESP with it is not.
func TestThroughESP(t *testing.T) {
	for _, icv := range icvLengths {
		f := null(t, icv)
		v, ok := read(sim.Ethernet, f)
		require.True(t, ok)
		require.False(t, v.hidden)
		require.Equal(t, []int{42, 50, 59}, []int{v.transport, v.data, v.transportEnd}, "ICV of %d bytes", icv)
		require.NoError(t, (&Tampering{Changes: []Change{{Field: "payload", Value: []byte("EVEN")}}}).alter(sim.Ethernet, f))
		require.Equal(t, "EVEN line", string(f[50:59]))
		after, ok := read(sim.Ethernet, f)
		require.True(t, ok)
		require.Equal(t, uint32(0xffff), after.transportSum(f))
	}
	f := null(t, 12)
	f[50] ^= 1 // its checksum does not hold, so that it may be anything
	v, ok := read(sim.Ethernet, f)
	require.True(t, ok)
	require.True(t, v.hidden)

	f = frame(t, samples["esp"])
	v, ok = read(sim.Ethernet, f)
	require.True(t, ok && v.hidden)
	p, ok := fields["payload"](v, f)
	require.True(t, ok)
	require.Equal(t, bytesAt(34+8+16, 80-16-32), p, "neither IV nor ICV")
}

func TestChangesThatCannotBeMade(t *testing.T) {
	for _, tc := range []struct {
		change Change
		want   string
	}{
		{Change{Field: "tcp.flags"}, "the frame has no tcp.flags that can be read"},
		{Change{Field: "ip.ttl", Flip: 8}, "ip.ttl has 8 bits, and none with the number 8"},
		{Change{Field: "payload", Value: []byte("12345"), At: 5}, "payload has 9 bytes: 5 bytes from byte 5 on do not fit"},
		{Change{Field: "colour"}, `attack: no field is called "colour"`},
	} {
		f := frame(t, samples["udp"])
		before := bytes.Clone(f)
		m := Tampering{Changes: []Change{{Field: "ip.ttl", Value: []byte{3}}, tc.change}}
		require.EqualError(t, m.alter(sim.Ethernet, f), tc.want)
		require.Equal(t, before, f, "all changes or none")
	}
	require.Error(t, (&Tampering{Changes: []Change{{Field: "ip.ttl"}}}).alter(sim.Ethernet, []byte{1, 2, 3}))
}

// A UDP packet without checksum has none afterwards, and what comes out as 0 is sent as 0xffff, RFC 768.
func TestRepairOfUDP(t *testing.T) {
	f := frame(t, samples["udp"])
	binary.BigEndian.PutUint16(f[40:], 0)
	require.NoError(t, (&Tampering{Changes: []Change{{Field: "payload"}}}).alter(sim.Ethernet, f))
	require.Zero(t, binary.BigEndian.Uint16(f[40:]))

	f = frame(t, samples["udp"])
	sum := binary.BigEndian.Uint16(f[40:])
	data := binary.BigEndian.AppendUint16(nil, uint16(sumOf(uint32(binary.BigEndian.Uint16(f[42:]))+uint32(sum))))
	require.NoError(t, (&Tampering{Changes: []Change{{Field: "payload", Value: data}}}).alter(sim.Ethernet, f))
	require.Equal(t, uint16(0xffff), binary.BigEndian.Uint16(f[40:]))
}

func sumOf(s uint32) uint32 { return sum(s, nil) }

func FuzzAlter(f *testing.F) {
	for _, p := range samples {
		p.Src, p.Dst = alice, bob
		for _, p := range []Packet{p, over6(p)} {
			f.Add(made(f, sim.Ethernet, p))
			f.Add(made(f, sim.PointToPoint, p))
		}
	}
	f.Add(null(f, 12))
	for _, b := range extended(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, medium := range []sim.Medium{sim.Ethernet, sim.PointToPoint} {
			for _, field := range sorted(fields) {
				for _, c := range []Change{{Field: field}, {Field: field, Value: []byte{1, 2, 3, 4}}, {Field: field, Value: make([]byte, 16)}, {Field: field, Flip: 500_000}} {
					got := bytes.Clone(b)
					m := Tampering{Changes: []Change{c}}
					if m.alter(medium, got) != nil {
						require.Equal(t, b, got)
					}
					require.Len(t, got, len(b))
				}
			}
			o := newOverheard()
			o.note(medium, b)
			describe(medium, b)
		}
	})
}

// Frames cut short anywhere, or with any byte changed, are no reason to panic.
func TestHostileFrames(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var all [][]byte
	for _, p := range samples {
		all = append(all, frame(t, p), frame6(t, p))
	}
	for _, whole := range append(all, extended(t)...) {
		for n := range len(whole) {
			o := newOverheard()
			o.note(sim.Ethernet, whole[:n])
			_ = (&Tampering{Changes: []Change{{Field: "payload"}}}).alter(sim.Ethernet, bytes.Clone(whole[:n]))
		}
		for range 2000 {
			f := bytes.Clone(whole)
			f[rng.IntN(len(f))] = byte(rng.Uint32())
			f[rng.IntN(len(f))] = byte(rng.Uint32())
			o := newOverheard()
			o.note(sim.Ethernet, f)
			for _, field := range sorted(fields) {
				_ = (&Tampering{Changes: []Change{{Field: field}}}).alter(sim.Ethernet, bytes.Clone(f))
			}
		}
	}
}
