package ipv6

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var (
	alice = netip.MustParseAddr("2001:db8::1")
	bob   = netip.MustParseAddr("2001:db8::2")
)

// build is a packet with these extension headers, each with so many units of 8
// bytes behind its first, and a payload of the protocol.
func build(chain []uint8, units []int, proto uint8, payload []byte) []byte {
	b := make([]byte, HeaderLen)
	b[0], b[7] = 0x60, 64
	copy(b[8:], alice.AsSlice())
	copy(b[24:], bob.AsSlice())
	field := 6
	for i, kind := range chain {
		b[field], field = kind, len(b)
		h := make([]byte, 8+8*units[i])
		switch kind {
		case Fragment:
			h = h[:FragmentHeaderLen]
		case Routing:
			h[1], h[2], h[3] = byte(units[i]), 4, 1 // a type with a segment left
		default:
			h[1] = byte(units[i])
			for at := 2; at < len(h); { // PadN, RFC 8200, Section 4.2
				n := min(len(h)-at-2, 255)
				h[at], h[at+1] = 1, byte(n)
				at += 2 + n
			}
		}
		b = append(b, h...)
	}
	b[field] = proto
	b = append(b, payload...)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)-HeaderLen))
	return b
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		chain []uint8
		split int // where the part ends that each fragment repeats
	}{
		{nil, 40},
		{[]uint8{HopByHop}, 48},
		{[]uint8{DestinationOptions}, 40},
		{[]uint8{Routing}, 48},
		{[]uint8{HopByHop, DestinationOptions, Routing, DestinationOptions}, 64},
	} {
		b := build(tt.chain, make([]int, len(tt.chain)), 17, []byte("12345678"))
		p, err := Parse(append(b, "padding"...))
		require.NoError(t, err)
		require.Equal(t, b, p.Bytes)
		require.Equal(t, []any{alice, bob, uint8(64), uint8(17)}, []any{p.Src(), p.Dst(), p.HopLimit(), p.Proto})
		require.Equal(t, "12345678", string(p.Payload()))
		require.Equal(t, tt.split, p.split)
		require.Equal(t, uint8(17), b[p.ProtoField()])
		at, left := p.RouteLeft()
		require.Equal(t, bytes.Contains(tt.chain, []byte{Routing}), left)
		if left {
			require.Equal(t, uint8(4), b[at])
		}
		require.False(t, p.HasFragmentHeader())
		for n := range len(b) {
			_, err := Parse(b[:n])
			require.ErrorIs(t, err, ErrShort, "the first %d bytes", n)
			q, err := ParseStart(b[:n])
			require.Equal(t, n >= p.At, err == nil, "the first %d bytes", n)
			if err == nil {
				require.Equal(t, p.Proto, q.Proto)
			}
		}
	}
	_, err := Parse(build([]uint8{Routing, HopByHop}, []int{0, 0}, 17, nil))
	require.ErrorIs(t, err, ErrOrder)
	old := build(nil, nil, 17, nil)
	old[0] = 0x45
	_, err = Parse(old)
	require.ErrorIs(t, err, ErrVersion)
}

// Fragments of any datagram are read as such by gopacket, keep to the MTU, and make
// the datagram again.
func TestFragments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		chain := rapid.SampledFrom([][]uint8{nil, {HopByHop}, {Routing}, {HopByHop, Routing, DestinationOptions}, {DestinationOptions}}).Draw(t, "chain")
		units := make([]int, len(chain))
		for i := range units {
			units[i] = rapid.IntRange(0, 3).Draw(t, "units")
		}
		payload := rapid.SliceOfN(rapid.Byte(), 1, 4000).Draw(t, "payload")
		mtu := rapid.IntRange(MinMTU, 1500).Draw(t, "mtu")
		const reserve = 14
		whole := build(chain, units, 50, payload)
		p, err := Parse(whole)
		require.NoError(t, err)
		pieces, err := Fragments(p, mtu, 77, reserve)
		require.NoError(t, err)

		var first Packet
		var data []byte
		for i, frame := range pieces {
			b := frame[reserve:]
			require.LessOrEqual(t, len(b), mtu)
			q, err := Parse(b)
			require.NoError(t, err)
			require.Len(t, q.Bytes, len(b))
			require.Equal(t, []any{uint32(77), len(data), i < len(pieces)-1}, []any{q.ID(), q.Offset(), q.More()})
			if i == 0 {
				first = q
				require.Equal(t, uint8(50), q.Proto)
			}
			if i < len(pieces)-1 {
				require.Greater(t, len(b)+fragmentUnit, mtu, "a fragment that could hold more")
			}
			data = append(data, q.FragmentData()...)
			if bytes.Contains(chain, []byte{Routing}) {
				continue // gopacket stops at a type of routing header that it does not know
			}
			seen, ok := gopacket.NewPacket(b, layers.LayerTypeIPv6, gopacket.Default).Layer(layers.LayerTypeIPv6Fragment).(*layers.IPv6Fragment)
			require.True(t, ok)
			require.Equal(t, []any{uint32(77), q.Offset() / 8, q.More()}, []any{seen.Identification, int(seen.FragmentOffset), seen.MoreFragments})
		}
		require.Equal(t, whole, Whole(first, data))
	})
}

func TestFragmentsRefused(t *testing.T) {
	p, err := Parse(build([]uint8{HopByHop}, []int{200}, 17, make([]byte, 1000)))
	require.NoError(t, err)
	_, err = Fragments(p, MinMTU, 1, 0)
	require.ErrorIs(t, err, ErrNoRoom)
	p, err = Parse(build([]uint8{Fragment}, []int{0}, 17, make([]byte, 2000)))
	require.NoError(t, err)
	_, err = Fragments(p, MinMTU, 1, 0)
	require.ErrorIs(t, err, ErrNoRoom, "a packet is not fragmented twice")
}

func TestAddressesOfALink(t *testing.T) {
	m := [6]byte{0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde} // the example of RFC 2464, Section 4
	require.Equal(t, "fe80::3656:78ff:fe9a:bcde/64", LinkLocal(m).String())
	group, mac := SolicitedNode(netip.MustParseAddr("4037::01:800:200e:8c6c")) // the example of RFC 4291, Section 2.7.1
	require.Equal(t, "ff02::1:ff0e:8c6c", group.String())
	require.Equal(t, [6]byte{0x33, 0x33, 0xff, 0x0e, 0x8c, 0x6c}, mac)
}

// FuzzParse: no bytes make it panic, and what it finds lies within them.
func FuzzParse(f *testing.F) {
	f.Add(build([]uint8{HopByHop, Routing, Fragment, DestinationOptions}, []int{0, 1, 0, 2}, 6, []byte("payload")))
	f.Add(build([]uint8{Fragment, HopByHop}, []int{0, 0}, 58, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseStart(b)
		if err != nil {
			return
		}
		_ = b[p.ProtoField()]
		_ = p.Payload()
		if p.HasFragmentHeader() {
			whole := Whole(p, p.FragmentData())
			if q, err := ParseStart(whole); p.Offset() == 0 && (err != nil || q.Proto != p.Proto) {
				t.Fatalf("%d behind a fragment header is %d without it: %v", p.Proto, q.Proto, err)
			}
		}
	})
}
