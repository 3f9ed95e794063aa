package natbox

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/ip4defrag"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ipseclab/ipseclab/sim"
)

// reassembled puts the payload of fragments together in the plainest way, and
// with gopacket's defragmenter, which takes every header for 20 bytes (and so sees
// headers without options) and refuses a last fragment of less than 8 bytes.
func reassembled(t require.TestingT, packets []gopacket.Packet) []byte {
	d := ip4defrag.NewIPv4Defragmenter()
	var plain, whole []byte
	tiny := false
	for _, p := range packets {
		ip := *ipv4Of(p)
		require.Equal(t, int(ip.FragOffset)*8, len(plain), "fragments in order, without holes")
		plain = append(plain, ip.Payload...)
		if tiny = tiny || len(ip.Payload) < 8; tiny {
			continue
		}
		require.Nil(t, whole, "a fragment after the last")
		ip.Length, ip.IHL, ip.Options = uint16(20+len(ip.Payload)), 5, nil
		out, err := d.DefragIPv4WithTimestamp(&ip, time.Unix(0, 0))
		require.NoError(t, err)
		if out != nil {
			whole = out.Payload
		}
	}
	if !tiny {
		require.Equal(t, plain, whole)
	}
	return plain
}

// chain is two routers in a row, so that fragments are cut again:
//
//	a 10.0.1.2 --left-- r1 --middle-- r2 --right-- b 10.0.3.2
func chain(t testing.TB, leftMTU, middleMTU, rightMTU int) (l *lab, a, b *station) {
	l = newLab(t)
	left, middle, right := l.segment("left", leftMTU), l.segment("middle", middleMTU), l.segment("right", rightMTU)
	prefix, addr := netip.MustParsePrefix, netip.MustParseAddr
	l.router(RouterConfig{
		Name:       "r1",
		Interfaces: []Interface{{left, []netip.Prefix{prefix("10.0.1.1/24")}}, {middle, []netip.Prefix{prefix("10.0.2.1/24")}}},
		Routes:     []Route{{prefix("10.0.3.0/24"), addr("10.0.2.2")}},
	})
	l.router(RouterConfig{
		Name:       "r2",
		Interfaces: []Interface{{middle, []netip.Prefix{prefix("10.0.2.2/24")}}, {right, []netip.Prefix{prefix("10.0.3.1/24")}}},
		Routes:     []Route{{prefix("0.0.0.0/0"), addr("10.0.2.1")}},
	})
	return l, l.station("a", "left", "r1", "10.0.1.2"), l.station("b", "right", "r2", "10.0.3.2")
}

// Whatever the sizes, the options and the two MTUs: b can put together what a sent.
func TestFragmentsReassemble(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.IntRange(0, 20000).Draw(rt, "size")
		middle, right := rapid.IntRange(68, 3000).Draw(rt, "middle MTU"), rapid.IntRange(68, 3000).Draw(rt, "right MTU")
		options := rapid.SampledFrom([][]layers.IPv4Option{
			nil,
			{{OptionType: 148, OptionLength: 4, OptionData: []byte{0, 0}}}, // router alert, copied
			{{OptionType: 7, OptionLength: 7, OptionData: []byte{4, 0, 0, 0, 0}}, {OptionType: 0}},
			{{OptionType: 1}, {OptionType: 136, OptionLength: 4, OptionData: []byte{1, 2}}, {OptionType: 7, OptionLength: 11, OptionData: make([]byte, 9)}},
		}).Draw(rt, "options")
		l, a, b := chain(t, 65535, middle, right)
		a.sendEcho("10.0.3.2", 1, nil) // so that both routers know the way
		l.run()
		require.Len(rt, b.take(), 1)
		ip := a.ipv4("10.0.3.2", 253)
		ip.Options = options
		sent := gopacket.NewPacket(a.sendIP(ip, gopacket.Payload(pattern(size))), layers.LayerTypeEthernet, gopacket.Default)
		l.run()
		got := b.take()
		require.NotEmpty(rt, got)
		whole := ipv4Of(got[0]).Payload
		if len(got) > 1 {
			whole = reassembled(rt, got)
		}
		require.Equal(rt, pattern(size), append([]byte{}, whole...))
		for i, p := range got {
			f := ipv4Of(p)
			require.Equal(rt, []any{uint16(0x1234), uint8(62), layers.IPProtocol(253)}, []any{f.Id, f.TTL, f.Protocol})
			require.Zero(rt, f.Flags&layers.IPv4DontFragment)
			require.Equal(rt, i < len(got)-1, f.Flags&layers.IPv4MoreFragments != 0)
			// RFC 791, 3.2: options in the first fragment, the copied ones in all.
			var want []layers.IPv4Option
			for _, o := range ipv4Of(sent).Options {
				if i == 0 || o.OptionType&0x80 != 0 {
					want = append(want, o)
				}
			}
			require.Equal(rt, meaningful(want), meaningful(f.Options))
		}
	})
}

// meaningful leaves out padding.
func meaningful(options []layers.IPv4Option) []string {
	var s []string
	for _, o := range options {
		if o.OptionType > 1 {
			s = append(s, o.String())
		}
	}
	return s
}

// The sizes on the wire: as much as fits, in units of 8 (RFC 791, 3.2).
func TestFragmentSizes(t *testing.T) {
	for _, c := range []struct {
		mtu, payload int
		want         []int // payload of each fragment
	}{
		{1500, 1480, []int{1480}},
		{1499, 1480, []int{1472, 8}},
		{1300, 1480, []int{1280, 200}},
		{576, 1480, []int{552, 552, 376}},
		{68, 97, []int{48, 48, 1}},
		{73, 53, []int{53}},
		{73, 54, []int{48, 6}},
		{73, 101, []int{48, 53}}, // the last one need not be a multiple of 8
	} {
		p := newPair(t, c.mtu, Settings{})
		p.a.sendIP(p.a.ipv4("10.0.2.2", 253), gopacket.Payload(pattern(c.payload)))
		p.run()
		var sizes []int
		for _, g := range p.b.take() {
			sizes = append(sizes, len(ipv4Of(g).Payload))
		}
		require.Equal(t, c.want, sizes)
		counters := p.r.Counters()
		require.Equal(t, uint64(1), counters.Forwarded)
		if len(c.want) > 1 {
			require.Equal(t, []uint64{1, uint64(len(c.want))}, []uint64{counters.Fragmented, counters.Fragments})
		}
	}
}

// RFC 1191, 4: DF makes it "fragmentation needed" with the MTU of the next hop, also for a fragment.
func TestFragmentationNeeded(t *testing.T) {
	p := newPair(t, 1300, Settings{})
	for _, offset := range []uint16{0, 185} {
		sent := p.a.sendUDP("10.0.2.2", 1273, func(ip *layers.IPv4) {
			ip.Flags, ip.FragOffset = layers.IPv4DontFragment, offset
		})
		p.run()
		require.Empty(t, p.b.take())
		if offset > 0 { // not the first fragment: silence
			require.Empty(t, p.a.take())
			continue
		}
		icmp := p.a.icmpError(3, 4, "10.0.1.1", sent)
		require.Equal(t, []uint16{0, 1300}, []uint16{icmp.Id, icmp.Seq}) // bytes 6 and 7: the next-hop MTU
	}
	p.a.sendUDP("10.0.2.2", 1272, func(ip *layers.IPv4) { ip.Flags = layers.IPv4DontFragment })
	p.run()
	require.Len(t, p.b.take(), 1)

	// the link may change
	require.NoError(t, p.r.Ports()[1].SetLink(sim.LinkConfig{MTU: 1000}))
	sent := p.a.sendUDP("10.0.2.2", 1200, func(ip *layers.IPv4) { ip.Flags = layers.IPv4DontFragment })
	p.run()
	require.Equal(t, uint16(1000), p.a.icmpError(3, 4, "10.0.1.1", sent).Seq)
}

// A fragment that ends beyond 65535 bytes cannot be cut: the offset has no room.
func TestFragmentBeyondTheEnd(t *testing.T) {
	p := newPair(t, 600, Settings{})
	ip := p.a.ipv4("10.0.2.2", 253)
	ip.FragOffset = 8191
	p.a.sendIP(ip, gopacket.Payload(pattern(1000)))
	p.run()
	require.Empty(t, p.b.take())
	require.Equal(t, []Drop{{"fragment beyond the end of the longest datagram", 1}}, p.r.Counters().Drops)
}

// No link of a world is as narrow as this, so that the function is asked itself.
func TestFragmentTooNarrow(t *testing.T) {
	p := packet(make([]byte, 100))
	p[0] = 0x45
	binary.BigEndian.PutUint16(p[2:], 100)
	require.Nil(t, fragment(p, 27))
	require.Len(t, fragment(p, 28), 10)
}
