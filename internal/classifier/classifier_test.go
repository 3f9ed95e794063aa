package classifier

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// drawAddr draws an address near others: a few bits of it vary, anywhere.
func drawAddr(t *rapid.T, v6 bool) netip.Addr {
	if v6 {
		b := [16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8}
		b[rapid.IntRange(4, 15).Draw(t, "byte")] |= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		return netip.AddrFrom16(b)
	}
	b := [4]byte{10}
	b[rapid.IntRange(0, 3).Draw(t, "byte")] |= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
	return netip.AddrFrom4(b)
}

func drawPrefix(t *rapid.T, v6 bool) netip.Prefix {
	switch rapid.IntRange(0, 9).Draw(t, "form") {
	case 0, 1:
		return netip.Prefix{}
	case 2:
		return netip.PrefixFrom(drawAddr(t, v6), 200) // none: matches nothing
	case 3, 4, 5:
		return ipsec.Host(drawAddr(t, v6))
	}
	a := drawAddr(t, v6)
	bits := rapid.OneOf(rapid.IntRange(0, a.BitLen()), rapid.SampledFrom([]int{7, 16, 31, 32, 33, 48, 63, 64, 65, 95, 96, 112, 127}))
	return netip.PrefixFrom(a, min(bits.Draw(t, "bits"), a.BitLen())) // bits behind the length may be set
}

var (
	protos = rapid.SampledFrom([]uint8{0, 1, 6, 17, 50, 58})
	ports  = rapid.SampledFrom([]uint16{0, 0, 80, 500})
	types  = rapid.SampledFrom([]ipsec.ICMPTypes{{}, {}, {}, {First: 133, Last: 137}, {First: 8, Last: 8}})
)

func drawSelector(t *rapid.T) ipsec.Selector {
	v6 := rapid.Bool().Draw(t, "v6")
	mixed := rapid.IntRange(0, 19).Draw(t, "mixed families") == 0
	return ipsec.Selector{
		Src: drawPrefix(t, v6), Dst: drawPrefix(t, v6 != mixed), Proto: protos.Draw(t, "proto"),
		SrcPort: ports.Draw(t, "sport"), DstPort: ports.Draw(t, "dport"), ICMP: types.Draw(t, "types"),
	}
}

// drawFlow draws a packet, most often one that a selector of the list holds.
func drawFlow(t *rapid.T, all []ipsec.Selector) ipsec.Flow {
	s := drawSelector(t)
	if len(all) > 0 && rapid.IntRange(0, 4).Draw(t, "near") > 0 {
		s = rapid.SampledFrom(all).Draw(t, "selector")
	}
	v6 := s.Src.Addr().Is6() || s.Dst.Addr().Is6()
	end := func(p netip.Prefix) netip.Addr {
		if !p.IsValid() || rapid.IntRange(0, 9).Draw(t, "elsewhere") == 0 {
			return drawAddr(t, v6)
		}
		return p.Addr()
	}
	f := ipsec.Flow{Src: end(s.Src), Dst: end(s.Dst), Proto: s.Proto, SrcPort: s.SrcPort, DstPort: s.DstPort, ICMPType: s.ICMP.First}
	if f.Proto == 0 && rapid.Bool().Draw(t, "a protocol") {
		f.Proto = protos.Draw(t, "proto")
	}
	if f.SrcPort == 0 {
		f.SrcPort = ports.Draw(t, "sport")
	}
	if f.DstPort == 0 {
		f.DstPort = ports.Draw(t, "dport")
	}
	switch rapid.IntRange(0, 19).Draw(t, "oddity") {
	case 0:
		f.Src = netip.Addr{}
	case 1:
		f.Dst = drawAddr(t, !f.Dst.Is6())
	case 2:
		f.Src = f.Src.WithZone("eth0") // of IPv6 alone
	case 3:
		f.Src, f.Dst = netip.AddrFrom16(f.Src.As16()), netip.AddrFrom16(f.Dst.As16())
	case 4, 5:
		f.Fragment = true
	}
	return f
}

// The index answers as a walk of the list does, whatever is in it and in whatever order.
func TestEqualsWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Custom(drawSelector), rapid.SampledFrom([]int{0, 5, 20, 50}).Draw(t, "least"), 80).Draw(t, "selectors")
		at := func(i int) *ipsec.Selector { return &all[i] }
		x, addresses := New(len(all), at), Addresses(len(all), at)
		for range 10 {
			f := drawFlow(t, all)
			inner := drawSelector(t)
			if len(all) > 0 && rapid.Bool().Draw(t, "inner of the list") {
				inner = rapid.SampledFrom(all).Draw(t, "inner")
				inner.Proto = max(inner.Proto, protos.Draw(t, "narrower"))
			}
			first, holding, between := -1, -1, []int(nil)
			for i := len(all) - 1; i >= 0; i-- {
				bare := ipsec.Selector{Src: all[i].Src, Dst: all[i].Dst}
				if all[i].Matches(&f) {
					first = i
				}
				if Holds(&all[i], &inner) {
					holding = i
				}
				if bare.Matches(&f) {
					between = append([]int{i}, between...)
				}
			}
			require.Equal(t, first, x.First(&f), "%s in %v", f, all)
			require.Equal(t, holding, x.Holding(&inner), "%s in %v", inner, all)
			limit := rapid.IntRange(0, len(all)).Draw(t, "limit")
			want := []int(nil)
			for _, i := range between {
				if i < limit {
					want = append(want, i)
				}
			}
			require.Equal(t, want, addresses.All(&f, limit), "%s in %v", f, all)
			if len(between) == 0 {
				between = []int{-1}
			}
			require.Equal(t, between[0], addresses.First(&f))
		}
	})
}

// A search allocates nothing.
func TestAllocations(t *testing.T) {
	all := []ipsec.Selector{{Proto: 6}, {Src: netip.MustParsePrefix("10.0.0.0/8")}, {Dst: netip.MustParsePrefix("2001:db8::/32")}}
	x := New(len(all), func(i int) *ipsec.Selector { return &all[i] })
	f := ipsec.Flow{Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"), Proto: 17}
	require.Zero(t, testing.AllocsPerRun(100, func() { x.First(&f) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { x.Holding(&all[1]) }))
}
