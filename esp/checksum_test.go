package esp

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// outside is where Alice seems to be, behind her NAT.
var (
	outside  = netip.MustParseAddr("192.0.2.77")
	outside6 = netip.MustParseAddr("2001:db8:77::77")
)

// summed is a datagram as gopacket makes it, with its checksums.
func summed(t testing.TB, src, dst netip.Addr, proto uint8, payload []byte) []byte {
	t.Helper()
	var network gopacket.NetworkLayer
	var all []gopacket.SerializableLayer
	if src.Is4() {
		h := &layers.IPv4{Version: 4, TTL: 63, Protocol: layers.IPProtocol(proto), SrcIP: src.AsSlice(), DstIP: dst.AsSlice()}
		network, all = h, append(all, h)
	} else {
		h := &layers.IPv6{Version: 6, HopLimit: 63, NextHeader: layers.IPProtocol(proto), SrcIP: src.AsSlice(), DstIP: dst.AsSlice()}
		network, all = h, append(all, h)
	}
	switch proto {
	case ipsec.ProtoTCP:
		h := &layers.TCP{SrcPort: 1000, DstPort: 80, Seq: 7, ACK: true, Window: 9}
		require.NoError(t, h.SetNetworkLayerForChecksum(network))
		all = append(all, h)
	case ipsec.ProtoUDP:
		h := &layers.UDP{SrcPort: 1000, DstPort: 53}
		require.NoError(t, h.SetNetworkLayerForChecksum(network))
		all = append(all, h)
	case ipsec.ProtoICMPv6:
		h := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(128, 0)}
		require.NoError(t, h.SetNetworkLayerForChecksum(network))
		all = append(all, h)
	case ipsec.ProtoICMP:
		all = append(all, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: 5, Seq: 6})
	}
	all = append(all, gopacket.Payload(payload))
	b := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...))
	return b.Bytes()
}

// throughNAT has a datagram be sealed by Alice, get the source address outside on its way, and be opened by Bob.
func throughNAT(t testing.TB, c Config, e ends, from netip.Addr, clear []byte, originals bool) Decision {
	t.Helper()
	out, in := bundled([]ipsec.Transform{{Protocol: ipsec.ESP, Cipher: "null", Auth: "hmac-sha1-96"}}, ipsec.Transport, e.a, e.b, 0x5000, 0x6000)
	wrap(natt4500, out, in)
	in[0].Src, in[0].Selector.Src, in[0].UDP.Src = from, ipsec.Host(from), 61000
	if originals {
		in[0].OriginalSrc, in[0].OriginalDst = e.a, e.b
	}
	a, b := tunnelled(t, c, out, in)
	d := a.Outbound(start, clear, 0)
	require.Equal(t, Protected, d.Outcome, d.Why)
	p := moved(d.Packet, from, 61000)
	o := b.InboundProtected(start, p)
	require.Equal(t, Opened, o.Outcome, o.Why)
	require.Equal(t, o, func() Decision {
		_, b := tunnelled(t, c, out, in)
		return b.InboundInPlace(start, p)
	}())
	return o
}

// moved is a datagram of UDP with another source.
func moved(p []byte, from netip.Addr, port uint16) []byte {
	p = bytes.Clone(p)
	if from.Is4() {
		copy(p[12:], from.AsSlice())
		p[10], p[11] = 0, 0
		binary.BigEndian.PutUint16(p[10:], checksum(p[:20]))
		binary.BigEndian.PutUint16(p[20:], port)
		return p
	}
	copy(p[8:], from.AsSlice())
	binary.BigEndian.PutUint16(p[40:], port)
	return p
}

// A NAT has changed the source address: by each way of RFC 3948, Section 3.1.2, what comes out is what
// the peer would have sent from the address that it seems to have, or the stack is told.
func TestChecksumsBehindNAT(t *testing.T) {
	for _, e := range []struct {
		ends
		from netip.Addr
	}{{families["IPv4"], outside}, {families["IPv6"], outside6}} {
		for _, proto := range []uint8{ipsec.ProtoTCP, ipsec.ProtoUDP, ipsec.ProtoICMPv6, ipsec.ProtoICMP} {
			if e.a.Is4() == (proto == ipsec.ProtoICMPv6) {
				continue
			}
			for n := range 30 {
				data := bytes.Repeat([]byte{byte(n), 0xff, 0}, n)
				clear, want := summed(t, e.a, e.b, proto, data), summed(t, e.from, e.b, proto, data)
				for _, c := range []struct {
					sums      Checksums
					originals bool
				}{
					{Checksums{}, true}, {Checksums{}, false}, {Checksums{FixUp: FixByRecomputing}, true}, {Checksums{FixUp: FixByIncrement, WithoutOriginals: FixByRecomputing}, false},
				} {
					o := throughNAT(t, Config{Checksums: c.sums}, e.ends, e.from, clear, c.originals)
					require.Equal(t, want, o.Packet, "protocol %d, %d, %+v", proto, n, c)
					require.False(t, o.Verified)
				}
				// To be told is what the method says, and what the lack of NAT-OA makes of an increment.
				hasSum := proto != ipsec.ProtoICMP || e.a.Is6()
				for _, c := range []struct {
					sums      Checksums
					originals bool
				}{{Checksums{FixUp: FixByTelling}, true}, {Checksums{WithoutOriginals: FixByTelling}, false}} {
					o := throughNAT(t, Config{Checksums: c.sums}, e.ends, e.from, clear, c.originals)
					require.Equal(t, hasSum, o.Verified)
					require.Equal(t, clear[headerOf(e.a):], o.Packet[headerOf(e.a):], "nothing is changed")
				}
				o := throughNAT(t, Config{Checksums: Checksums{FixUp: FixByZero}}, e.ends, e.from, clear, true)
				switch {
				case proto != ipsec.ProtoUDP:
					require.Equal(t, hasSum, o.Verified)
				case e.a.Is6():
					require.Equal(t, want, o.Packet, "UDP over IPv6 must have a checksum")
				default:
					zero := bytes.Clone(want)
					zero[26], zero[27] = 0, 0
					require.Equal(t, zero, o.Packet)
				}
			}
		}
	}
}

// A UDP checksum that the sender has left out stays left out, whatever the method.
func TestNoChecksumStaysNone(t *testing.T) {
	for f := FixByIncrement; f <= maxFixUp; f++ {
		clear := ip(alice, bob, ipsec.ProtoUDP, udp(1000, 53, 20))
		o := throughNAT(t, Config{Checksums: Checksums{FixUp: f}}, families["IPv4"], outside, clear, true)
		require.Equal(t, ip(outside, bob, ipsec.ProtoUDP, udp(1000, 53, 20)), o.Packet, f)
		require.False(t, o.Verified)
	}
}

// What has no checksum, or is too short for one, comes out as it is.
func TestNothingToFix(t *testing.T) {
	for name, c := range map[string]struct {
		proto   uint8
		payload []byte
	}{
		"half a TCP header": {ipsec.ProtoTCP, udp(1, 2, 8)}, "five bytes of UDP": {ipsec.ProtoUDP, []byte{0, 1, 0, 2, 0}},
		"GRE": {47, []byte{1, 2, 3, 4}}, "UDP-Lite, unsupported": {136, udp(1, 2, 8)},
	} {
		o := throughNAT(t, Config{}, families["IPv4"], outside, ip(alice, bob, c.proto, c.payload), true)
		require.Equal(t, ip(outside, bob, c.proto, c.payload), o.Packet, name)
	}
	// ESP without integrity shows nothing, so that no stack is told to trust a checksum.
	for f := FixByIncrement; f <= maxFixUp; f++ {
		s, err := newSA(ipsec.SAParams{
			Direction: ipsec.Inbound, Protocol: ipsec.ESP, SPI: 0x5000, Src: outside, Dst: bob, Mode: ipsec.Transport, Transform: desAlone,
			CipherKey: keyFor(24, 1), UDP: natt4500, OriginalSrc: alice, OriginalDst: bob,
		}, Config{}, nil, start)
		require.NoError(t, err)
		require.LessOrEqual(t, Checksums{FixUp: f}.of(s), FixByRecomputing)
	}
}

// In tunnel mode the checksums inside are not of addresses that a NAT has seen: RFC 3948, Section
// 3.1.2 has them verified.
func TestTunnelModeLeavesChecksums(t *testing.T) {
	out, in := bundled([]ipsec.Transform{tripleDES}, ipsec.Tunnel, alice, bob, 0x5000, 0x6000)
	wrap(natt4500, out, in)
	in[0].Src, in[0].OriginalSrc, in[0].OriginalDst = outside, alice, bob
	for f := FixByIncrement; f <= maxFixUp; f++ {
		a, b := tunnelled(t, Config{Checksums: Checksums{FixUp: f}}, out, in)
		clear := summed(t, alice, bob, ipsec.ProtoTCP, []byte("hello"))
		clear[36] ^= 1 // wrong
		o := b.InboundProtected(start, moved(a.Outbound(start, clear, 0).Packet, outside, 4500))
		require.Equal(t, Opened, o.Outcome, o.Why)
		require.Equal(t, clear, o.Packet)
		require.False(t, o.Verified)
	}
}

// For good packets the increment is what computing anew makes of them; bad ones stay bad by the
// increment, as far as a checksum can tell, and become good by computing anew.
func TestIncrementEqualsRecomputing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	addr := func(six bool) netip.Addr {
		var b [16]byte
		for i := range b {
			b[i] = []byte{0, 0xff, byte(r.Uint32())}[r.IntN(3)]
		}
		if six {
			return netip.AddrFrom16(b)
		}
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	for range 20_000 {
		six := r.IntN(2) == 1
		proto := []uint8{ipsec.ProtoTCP, ipsec.ProtoUDP}[r.IntN(2)]
		src, dst, newSrc, newDst := addr(six), addr(six), addr(six), addr(six)
		data := make([]byte, r.IntN(40))
		for i := range data {
			data[i] = []byte{0, 0xff, byte(r.Uint32())}[r.IntN(3)]
		}
		packet := summed(t, src, dst, proto, data)
		s := &sa{}
		s.OriginalSrc, s.OriginalDst = src, dst
		fix := func(how ChecksumFixUp, bad bool) []byte {
			b := bytes.Clone(packet)
			if at := len(b) - 1; bad {
				b[at] ^= 0x10
			}
			copy(b[headerOf(src)-2*len(src.AsSlice()):], append(newSrc.AsSlice(), newDst.AsSlice()...))
			d, why := parsed(b)
			require.Empty(t, why)
			require.False(t, s.fixChecksum(d, how))
			return b[headerOf(src):]
		}
		want := summed(t, newSrc, newDst, proto, data)[headerOf(src):]
		at := map[uint8]int{ipsec.ProtoTCP: 16, ipsec.ProtoUDP: 6}[proto]
		if same := src == newSrc && dst == newDst; !same {
			require.Equal(t, want, fix(FixByRecomputing, false))
		}
		require.Equal(t, want, fix(FixByIncrement, false))
		if len(data) > 0 {
			require.Equal(t, want[at:at+2], fix(FixByIncrement, true)[at:at+2], "the sum is that of the good packet, and the packet is bad")
			require.NotEqual(t, want[at:at+2], fix(FixByRecomputing, true)[at:at+2])
		}
	}
}

func TestChecksumsOfConfig(t *testing.T) {
	for _, c := range []Checksums{{FixUp: maxFixUp + 1}, {WithoutOriginals: maxFixUp + 1}} {
		_, err := New(Config{Rand: &counting{}, Checksums: c})
		require.EqualError(t, err, "esp: Config.Checksums has fix-up(4)")
	}
	for f, name := range map[ChecksumFixUp]string{FixByIncrement: "increment", FixByRecomputing: "recompute", FixByZero: "zero", FixByTelling: "verified"} {
		require.Equal(t, name, f.String())
	}
}
