package esp

import (
	"flag"
	"net/netip"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// More policies: go test ./esp -run PolicySearch -policies 1000000.
var policies = flag.Int("policies", 10_000, "number of random policies that TestPolicySearch searches")

// naiveLookup is RFC 4301, Section 4.4.1, in its words: the first in order.
func naiveLookup(entries []ipsec.Policy, f ipsec.Flow) *ipsec.Policy {
	for i, e := range entries {
		if e.Selector.Matches(&f) {
			return &entries[i]
		}
	}
	return nil
}

// naiveCandidates asks of each entry whether the datagram of a fragment can be one of
// its packets, and whether it must be: by trying what the fragment may hide.
func naiveCandidates(entries []ipsec.Policy, f ipsec.Flow) (all []*ipsec.Policy) {
	hidden := []uint8{f.Proto}
	if f.Proto == ipsec.ProtoAny {
		hidden = []uint8{1, 6, 17, 50, 58, 99}
	}
	for i, e := range entries {
		can, must := false, true
		for _, proto := range hidden {
			// An entry with a port is tried with that port, and with another one.
			try := f
			try.Proto = proto
			try.SrcPort, try.DstPort = e.Selector.SrcPort, e.Selector.DstPort
			if hides := ipsec.HasPorts(proto) || f.Proto == ipsec.ProtoAny; !hides {
				try.SrcPort, try.DstPort = 0, 0
			}
			can = can || e.Selector.Matches(&try)
			try.SrcPort, try.DstPort = 9999, 9999
			must = must && e.Selector.Matches(&try)
		}
		if can {
			all = append(all, &entries[i])
		}
		if can && must {
			return all
		}
	}
	return append(all, nil)
}

// drawEnd draws one end of a selector from few nets, so that selectors meet.
func drawEnd(t *rapid.T, v6 bool) netip.Prefix {
	host := func(net string) netip.Prefix {
		a := netip.MustParsePrefix(net).Addr()
		for range rapid.IntRange(1, 12).Draw(t, "host") {
			a = a.Next()
		}
		return ipsec.Host(a)
	}
	nets := []string{"10.0.0.0/24", "10.0.1.0/24", "192.0.2.0/25"}
	wide := []string{"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/24", "10.0.1.0/24", "10.0.0.8/29", "10.0.0.4/30", "224.0.0.0/4"}
	if v6 {
		nets = []string{"2001:db8::/64", "2001:db8:0:1::/64", "fe80::/64"}
		wide = []string{"::/0", "2001:db8::/32", "2001:db8::/64", "2001:db8::8/125", "2001:db8:0:1::/64", "fe80::/10", "ff00::/8"}
	}
	switch rapid.IntRange(0, 5).Draw(t, "form") {
	case 0:
		return netip.Prefix{}
	case 1, 2:
		return netip.MustParsePrefix(rapid.SampledFrom(wide).Draw(t, "net"))
	}
	return host(rapid.SampledFrom(nets).Draw(t, "net"))
}

var (
	portValues = []uint16{0, 0, 25, 80, 500, 1433}
	protocols  = []uint8{0, 1, 6, 6, 17, 17, 50, 58}
)

func drawEntry(t *rapid.T) ipsec.Policy {
	v6 := rapid.IntRange(0, 2).Draw(t, "family") == 0
	s := ipsec.Selector{Src: drawEnd(t, v6), Dst: drawEnd(t, v6), Proto: rapid.SampledFrom(protocols).Draw(t, "protocol")}
	switch {
	case ipsec.HasPorts(s.Proto):
		s.SrcPort = rapid.SampledFrom(portValues).Draw(t, "source port")
		s.DstPort = rapid.SampledFrom(portValues).Draw(t, "destination port")
	case s.Proto == ipsec.ProtoICMP || s.Proto == ipsec.ProtoICMPv6:
		s.ICMP = rapid.SampledFrom([]ipsec.ICMPTypes{{}, {First: 8, Last: 8}, {First: 133, Last: 137}, {First: 128, Last: 255}}).Draw(t, "types")
	}
	return ipsec.Policy{Selector: s, Action: rapid.SampledFrom([]ipsec.Action{ipsec.Bypass, ipsec.Discard, ipsec.Protect}).Draw(t, "action")}
}

// inside draws an address of a prefix, or now and then any.
func inside(t *rapid.T, p netip.Prefix, v6 bool) netip.Addr {
	if !p.IsValid() || rapid.IntRange(0, 7).Draw(t, "elsewhere") == 0 {
		for p = drawEnd(t, v6); !p.IsValid(); p = drawEnd(t, v6) {
		}
	}
	a := p.Addr()
	for range rapid.IntRange(0, 3).Draw(t, "further") {
		if next := a.Next(); p.Contains(next) {
			a = next
		}
	}
	return a
}

// drawFlowNear draws a packet that an entry of the policy selects, or that it just misses.
func drawFlowNear(t *rapid.T, entries []ipsec.Policy) ipsec.Flow {
	s := drawEntry(t).Selector
	if len(entries) > 0 && rapid.IntRange(0, 9).Draw(t, "near") > 0 {
		s = rapid.SampledFrom(entries).Draw(t, "entry").Selector
	}
	v6 := s.Src.Addr().Is6() || s.Dst.Addr().Is6() || s == ipsec.Selector{} && rapid.Bool().Draw(t, "family")
	f := ipsec.Flow{Src: inside(t, s.Src, v6), Dst: inside(t, s.Dst, v6), Proto: s.Proto, SrcPort: s.SrcPort, DstPort: s.DstPort}
	f.Fragment = rapid.IntRange(0, 2).Draw(t, "fragment") == 0
	if f.Proto == ipsec.ProtoAny && !(f.Fragment && rapid.Bool().Draw(t, "hidden")) {
		f.Proto = rapid.SampledFrom(protocols[1:]).Draw(t, "protocol")
	}
	if f.Fragment || !ipsec.HasPorts(f.Proto) {
		f.SrcPort, f.DstPort = 0, 0
	} else {
		f.SrcPort = max(f.SrcPort, rapid.SampledFrom(portValues).Draw(t, "source port"))
		f.DstPort = max(f.DstPort, rapid.SampledFrom(portValues).Draw(t, "destination port"))
	}
	if f.Proto == ipsec.ProtoICMP || f.Proto == ipsec.ProtoICMPv6 {
		f.ICMPType = rapid.SampledFrom([]uint8{0, 8, 128, 135}).Draw(t, "type")
		if s.ICMP != (ipsec.ICMPTypes{}) && rapid.Bool().Draw(t, "type of the entry") {
			f.ICMPType = s.ICMP.Last
		}
	}
	return f
}

// TestPolicySearch has 10,000 random policies, short and long ones and in any order,
// give the entries that a naive search finds, for packets, for fragments and for SAs.
func TestPolicySearch(t *testing.T) {
	defer func(old string) { require.NoError(t, flag.Set("rapid.checks", old)) }(flag.Lookup("rapid.checks").Value.String())
	require.NoError(t, flag.Set("rapid.checks", strconv.Itoa(*policies)))

	var searched, flows, matched, fragments, six, several int
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{3, walked, walked + 1, 25, 40, 80}).Draw(t, "size")
		entries := rapid.SliceOfN(rapid.Custom(drawEntry), size, size).Draw(t, "entries")
		for i := range entries {
			entries[i].ID = 1 + i/rapid.IntRange(1, 2).Draw(t, "IDs") // shared now and then
		}
		s := newSPD(entries)
		if rapid.Bool().Draw(t, "search it whatever its length") {
			s = searching(entries)
		}
		if s.search != nil {
			searched++
		}
		same := func(want, got *ipsec.Policy, what any) {
			if want == nil || got == nil {
				require.Equal(t, want, got, "%v", what)
				return
			}
			require.Equal(t, *want, *got, "%v", what)
		}
		for range 8 {
			f := drawFlowNear(t, entries)
			want := naiveLookup(entries, f)
			same(want, s.lookup(&f), f)
			flows++
			if want != nil {
				matched++
			}
			if f.Src.Is6() {
				six++
			}
			if !f.Fragment {
				continue
			}
			fragments++
			all, found := naiveCandidates(entries, f), s.candidates(f)
			require.Len(t, found, len(all), "%v", f)
			for i := range all {
				same(all[i], found[i], f)
			}
			if len(all) > 1 {
				several++
			}
		}
		id := rapid.IntRange(0, len(entries)+1).Draw(t, "ID")
		var numbered *ipsec.Policy
		for i := range entries {
			if entries[i].ID == id {
				numbered = &entries[i]
				break
			}
		}
		same(numbered, s.numbered(id), id)
	})
	// What was drawn has to show something.
	require.Greater(t, searched, *policies/4, "policies that are long enough for a search")
	require.Greater(t, matched, flows/2)
	require.Greater(t, six, flows/10)
	require.Greater(t, several, fragments/10, "fragments about which several entries may decide")
	t.Logf("%d policies, %d of them searched by shape; %d flows, %d matched, %d of IPv6, %d fragments, %d of several candidates",
		*policies, searched, flows, matched, six, fragments, several)
}
