package esp

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// RFC 4301, Section 5.2, step 4: what was inside must be of the SA's traffic.
func TestSelectorOfTheSA(t *testing.T) {
	web := ipsec.Selector{Src: ipsec.Host(alice), Dst: ipsec.Host(bob), Proto: ipsec.ProtoTCP, DstPort: 80}
	for _, c := range []struct {
		name  string
		proto uint8
		data  []byte
		ok    bool
	}{
		{"the traffic", ipsec.ProtoTCP, udp(3000, 80, 20), true},
		{"another port", ipsec.ProtoTCP, udp(3000, 81, 20), false},
		{"the port of the other side", ipsec.ProtoTCP, udp(80, 3000, 20), false},
		{"another protocol", ipsec.ProtoUDP, udp(3000, 80, 20), false},
		{"no ports", ipsec.ProtoICMP, []byte{8, 0, 0, 80, 0, 80}, false},
	} {
		for _, trust := range []bool{false, true} {
			b := newNode(t, Config{TrustSPI: trust})
			out, in := params(tripleDES, alice, bob, 0x1000, 1)
			in.Selector = web
			require.NoError(t, b.Add(start, in))
			a := newNode(t, Config{})
			require.NoError(t, a.Add(start, out))
			a.SetPolicy([]ipsec.Policy{negotiate(1, ipsec.Outbound, ipsec.Selector{})}, nil)

			b.trace = nil
			packet := ip(alice, bob, c.proto, c.data)
			d := carry(t, a, b, start, packet)
			f, err := FlowOf(packet)
			require.NoError(t, err)
			v := traced[trace.Verdict](b)
			require.Len(t, v, 1)
			require.Equal(t, f.String(), v[0].Packet)
			require.Equal(t, "sa", v[0].Action)
			if c.ok || trust {
				require.Equal(t, Opened, d.Outcome, c.name)
				require.Equal(t, packet, d.Packet, c.name)
				continue
			}
			require.Equal(t, Dropped, d.Outcome, c.name)
			require.Nil(t, d.Packet, c.name)
			require.Equal(t, "the packet inside is not of the traffic that its SA is for", d.Why)
			require.EqualValues(t, 1, b.Counters().WrongSA)
			require.EqualValues(t, 1, b.SAs()[0].Packets, "it was authentic and counts")
		}
	}
}

// Transport mode takes the addresses from the outside header, so that a packet
// from somebody else's address is not the SA's traffic either.
func TestOuterAddresses(t *testing.T) {
	a, b := secured(t, Config{}, tripleDES, ipsec.Lifetime{})
	d := a.Outbound(start, toBob(1, 2), 0)
	from := bytes.Clone(d.Packet)
	copy(from[12:16], carol.AsSlice())
	require.Equal(t, "the packet inside is not of the traffic that its SA is for", b.InboundProtected(start, from).Why)

	d = a.Outbound(start, toBob(1, 2), 0)
	to := bytes.Clone(d.Packet)
	copy(to[16:20], carol.AsSlice())
	require.Equal(t, "no SA has this SPI", b.InboundProtected(start, to).Why, "not addressed to the SA's end")
}

// What never gets as far as cryptography.
func TestNotOpened(t *testing.T) {
	a, b := secured(t, Config{}, tripleDES, ipsec.Lifetime{})
	d := a.Outbound(start, toBob(1, 2), 0)
	wrongSPI := bytes.Clone(d.Packet)
	wrongSPI[23] ^= 1
	for _, c := range []struct {
		name, why string
		packet    []byte
	}{
		{"first fragment", "a fragment reached IPsec: it opens whole datagrams only", flagged(d.Packet, moreFragments)},
		{"last fragment", "a fragment reached IPsec: it opens whole datagrams only", flagged(d.Packet, 3)},
		{"another protocol", "neither an ESP nor an AH datagram", ip(alice, bob, ipsec.ProtoTCP, udp(1, 2, 20))},
		{"AH without sequence number", "AH is not as long as its SA makes it", ip(alice, bob, 51, make([]byte, 11))},
		{"AH of an unknown SPI", "no SA has this SPI", ip(alice, bob, 51, make([]byte, 24))},
		{"no SPI", "ESP packet is too short or not aligned for its SA", ip(alice, bob, 50, make([]byte, 7))},
		{"only SPI and number", "ESP packet is too short or not aligned for its SA", ip(alice, bob, 50, d.Packet[20:28])},
		{"not aligned", "ESP packet is too short or not aligned for its SA", ip(alice, bob, 50, d.Packet[20:len(d.Packet)-1])},
		{"unknown SPI", "no SA has this SPI", wrongSPI},
		{"empty", "packet is empty", nil},
		{"cut short", "packet is shorter than an IPv4 header", []byte{0x45}},
		{"version 5", "packet is neither IPv4 nor IPv6", append([]byte{0x50}, make([]byte, 60)...)},
	} {
		b.trace = nil
		b.recorder.reset()
		for range 2 {
			r := b.InboundProtected(start, c.packet)
			require.Equal(t, Dropped, r.Outcome, c.name)
			require.Equal(t, c.why, r.Why, c.name)
			require.Equal(t, "sa", r.Action)
		}
		drops := traced[trace.PacketDropped](b)
		require.Len(t, drops, 1, "%s: recorded at the first", c.name)
		require.Equal(t, "ipsec inbound", drops[0].Where)
		require.Equal(t, c.why, drops[0].Reason)
	}
	require.Equal(t, Opened, b.InboundProtected(start, d.Packet).Outcome, "and none of it harmed the SA")
	require.EqualValues(t, 4, b.Counters().BadSPI)
	require.EqualValues(t, 20, b.Counters().NotDecrypted)
}

func TestDropOfUnknownSPIIsNamed(t *testing.T) {
	n := newNode(t, Config{})
	n.InboundProtected(start, ip(alice, bob, 50, unhex(t, "0000abcd 00000001 0000000000000000")))
	require.Equal(t, []trace.PacketDropped{{
		Where: "ipsec inbound", Packet: "esp 10.0.0.1 > 10.0.0.2 SPI 0x0000abcd", Reason: "no SA has this SPI",
	}}, traced[trace.PacketDropped](n))
	n.InboundProtected(start, ip(alice, bob, 51, unhex(t, "06040000 0000abcd 00000001")))
	require.Equal(t, "ah 10.0.0.1 > 10.0.0.2 SPI 0x0000abcd", traced[trace.PacketDropped](n)[0].Packet)
}

func TestMalformedOutbound(t *testing.T) {
	n := newNode(t, Config{})
	for why, packet := range map[string][]byte{
		"packet is shorter than an IPv4 header":        append([]byte{0x45}, make([]byte, 18)...),
		"packet is neither IPv4 nor IPv6":              make([]byte, 20),
		"IPv4 header length is below 20 bytes":         append([]byte{0x44, 0, 0, 20}, make([]byte, 16)...),
		"IPv4 total length is below the header length": append([]byte{0x46, 0, 0, 20}, make([]byte, 20)...),
		"packet is shorter than its IPv4 total length": append([]byte{0x45, 0, 0, 21}, make([]byte, 16)...),
		"packet ends before its ports":                 ip(alice, bob, ipsec.ProtoTCP, make([]byte, 3)),
		"packet ends before its ICMP type":             ip(alice, bob, ipsec.ProtoICMP, nil),
	} {
		d := n.Outbound(start, packet, 0)
		require.Equal(t, Decision{Outcome: Dropped, Why: why}, d)
		_, err := FlowOf(packet)
		require.EqualError(t, err, "esp: "+why)
	}
}

func TestFlowOf(t *testing.T) {
	for _, c := range []struct {
		name   string
		packet []byte
		want   ipsec.Flow
	}{
		{"UDP", toBob(1000, 2000), ipsec.Flow{Src: alice, Dst: bob, Proto: 17, SrcPort: 1000, DstPort: 2000}},
		{"TCP behind options", ip(alice, bob, 6, udp(1000, 80, 0), 1, 1, 1, 0), ipsec.Flow{Src: alice, Dst: bob, Proto: 6, SrcPort: 1000, DstPort: 80}},
		{"first fragment", flagged(toBob(1000, 2000), moreFragments), ipsec.Flow{Src: alice, Dst: bob, Proto: 17, SrcPort: 1000, DstPort: 2000}},
		{"later fragment", flagged(toBob(1000, 2000), moreFragments|1), ipsec.Flow{Src: alice, Dst: bob, Proto: 17, Fragment: true}},
		{"later fragment of two bytes", flagged(ip(alice, bob, 6, []byte{1, 2}), 185), ipsec.Flow{Src: alice, Dst: bob, Proto: 6, Fragment: true}},
		{"echo request", ip(alice, bob, 1, []byte{8, 0, 0, 0}), ipsec.Flow{Src: alice, Dst: bob, Proto: 1, ICMPType: 8}},
		{"ESP", ip(alice, bob, 50, []byte{1, 2, 3, 4, 5, 6, 7, 8}), ipsec.Flow{Src: alice, Dst: bob, Proto: 50}},
		{"nothing inside", ip(alice, bob, 99, nil), ipsec.Flow{Src: alice, Dst: bob, Proto: 99}},
	} {
		f, err := FlowOf(c.packet)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, f, c.name)
	}
}
