package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ipseclab/ipseclab/internal/classifier"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// naive answers from the policy as written: it expands nothing and sorts
// nothing, but tries every filter, forwards and mirrored, and keeps the best by
// a weight of its own. Rules of one action, weight and both ends are told apart
// by their place.
func naive(p *Policy, local []netip.Addr, o Options, d ipsec.Direction, f ipsec.Flow) (action, rule string) {
	port := f.DstPort
	if d == ipsec.Outbound {
		port = f.SrcPort
	}
	if f.Proto == ipsec.ProtoUDP && (port == 500 || port == 4500) {
		return "exempt", ExemptISAKMP
	}
	if f.Proto == ipsec.ProtoICMPv6 && !f.Fragment && f.ICMPType >= 133 && f.ICMPType <= 137 && slices.ContainsFunc(local, netip.Addr.Is6) {
		return "exempt", ExemptDiscovery
	}
	if name := naiveExempt(o, d, f); name != "" {
		return "exempt", name
	}
	// bits counts from 1; any address is less than all of a family.
	matches := func(a Address, x netip.Addr) (bits int, ok bool) {
		switch {
		case a.IsAny():
			return 0, true
		case a.IsMe() && o.Specificity.MeCountsAsAny:
			return 0, slices.Contains(local, x)
		case a.IsMe():
			return x.BitLen() + 1, slices.Contains(local, x)
		}
		return a.Prefix().Bits() + 1, a.Prefix().Contains(x)
	}
	best, action := -1, "no match"
	for _, r := range p.Rules {
		for _, g := range r.Filters.Filters {
			images := []Filter{g}
			if g.Mirrored {
				m := g
				m.Source, m.Destination, m.SourcePort, m.DestinationPort = g.Destination, g.Source, g.DestinationPort, g.SourcePort
				images = append(images, m)
			}
			for _, i := range images {
				src, ok1 := matches(i.Source, f.Src)
				dst, ok2 := matches(i.Destination, f.Dst)
				if !ok1 || !ok2 || i.Protocol != 0 && i.Protocol != f.Proto ||
					i.SourcePort != 0 && i.SourcePort != f.SrcPort || i.DestinationPort != 0 && i.DestinationPort != f.DstPort {
					continue
				}
				weight := max(src, dst)*1000 + min(src, dst)
				if o.Specificity.WiderEndFirst {
					weight = min(src, dst)*1000 + max(src, dst)
				}
				for _, more := range []bool{i.Protocol != 0, i.SourcePort != 0 && i.DestinationPort != 0, i.SourcePort != 0 || i.DestinationPort != 0} {
					weight *= 2
					if more {
						weight++
					}
				}
				ties := o.Ties
				if ties == nil {
					ties = []Kind{Block, Permit, Negotiate}
				}
				weight = weight*3 + 2 - slices.Index(ties, r.Action.Kind)
				if weight > best {
					best, action, rule = weight, r.Action.Kind.String(), p.Name+"/"+r.Name
				}
			}
		}
	}
	return action, rule
}

// naiveExempt is the exemption that takes a packet, of those of NoDefaultExempt; empty for none.
func naiveExempt(o Options, d ipsec.Direction, f ipsec.Flow) string {
	four := f.Dst.As16()
	switch transport := f.Proto == 6 || f.Proto == 17; {
	case o.Exempt.KerberosRSVP && transport && (f.SrcPort == 88 || f.DstPort == 88):
		return "exempt: kerberos"
	case o.Exempt.KerberosRSVP && f.Proto == 46:
		return "exempt: rsvp"
	case !o.Exempt.Groups && !(o.Exempt.InboundGroups && d == ipsec.Inbound):
		return ""
	case f.Dst.Is4() && four[12]>>4 == 0xe, f.Dst.Is6() && four[0] == 0xff:
		return "exempt: multicast"
	case f.Dst.String() == "255.255.255.255", slices.Contains(o.Broadcasts, f.Dst):
		return "exempt: broadcast"
	}
	return ""
}

// drawExempt draws a value of NoDefaultExempt, and what cc756041 says besides.
func drawExempt(t *rapid.T) Exemptions {
	e, err := NoDefaultExempt(rapid.IntRange(0, 3).Draw(t, "NoDefaultExempt"))
	require.NoError(t, err)
	e.InboundGroups = rapid.Bool().Draw(t, "inbound groups")
	return e
}

// drawAddress draws one end from few values, so that filters meet.
func drawAddress(t *rapid.T, label string) Address {
	return address(rapid.SampledFrom([]string{
		"me", "any", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.1", "10.0.0.0/24", "10.0.0.0/30", "10.0.0.0/16", "10.0.0.0/31", "224.0.0.0/4", "255.255.255.255",
		"0.0.0.0/0", "2001:db8::1", "2001:db8::2", "2001:db8:1::1", "2001:db8::/64", "2001:db8::/32", "ff02::/16", "::/0",
	}).Draw(t, label))
}

func drawPort(t *rapid.T, label string) uint16 {
	return rapid.SampledFrom([]uint16{0, 80, 500, 1433}).Draw(t, label)
}

func drawPolicy(t *rapid.T) *Policy {
	return drawPolicyOf(t, rapid.IntRange(0, 5), rapid.IntRange(1, 4))
}

// drawPolicyOf draws a policy with so many rules, and filters in each.
func drawPolicyOf(t *rapid.T, rules, filters *rapid.Generator[int]) *Policy {
	p := &Policy{Name: "p"}
	for i := range rules.Draw(t, "rules") {
		r := rule(fmt.Sprint("r", i), rapid.SampledFrom([]Kind{Permit, Block, Negotiate}).Draw(t, "kind"))
		seen := map[Filter]bool{}
		for range filters.Draw(t, "filters") {
			f := Filter{
				Source: drawAddress(t, "source"), Destination: drawAddress(t, "destination"),
				Protocol: rapid.SampledFrom([]uint8{0, 1, 6, 17, 58}).Draw(t, "protocol"), Mirrored: rapid.Bool().Draw(t, "mirrored"),
			}
			if f.Source.is4() && f.Destination.is6() || f.Source.is6() && f.Destination.is4() {
				f.Destination = Any()
			}
			switch {
			case f.Protocol == ipsec.ProtoICMP && (f.Source.is6() || f.Destination.is6()):
				f.Protocol = ipsec.ProtoICMPv6
			case f.Protocol == ipsec.ProtoICMPv6 && (f.Source.is4() || f.Destination.is4()):
				f.Protocol = ipsec.ProtoICMP
			}
			if ipsec.HasPorts(f.Protocol) {
				f.SourcePort, f.DestinationPort = drawPort(t, "source port"), drawPort(t, "destination port")
			}
			if !seen[f] {
				seen[f] = true
				r.Filters.Filters = append(r.Filters.Filters, f)
			}
		}
		p.Rules = append(p.Rules, r)
	}
	return p
}

// world is what packets of one family are drawn from.
type world struct {
	far, groups []netip.Addr
	icmp        uint8
}

var worlds = map[bool]world{
	false: {
		[]netip.Addr{addr("10.0.0.2"), addr("10.0.0.3"), addr("10.0.0.77"), addr("10.0.9.9"), addr("192.0.2.1")},
		[]netip.Addr{addr("224.0.0.5"), addr("255.255.255.255"), addr("10.0.0.255")}, ipsec.ProtoICMP,
	},
	true: {
		[]netip.Addr{addr("2001:db8::2"), addr("2001:db8::77"), addr("2001:db8:9::9"), addr("fe80::1"), addr("2001:db9::1")},
		[]netip.Addr{addr("ff02::1"), addr("ff05::2")}, ipsec.ProtoICMPv6,
	},
}

// drawFlow draws a packet that the host sends to, or receives from, another address.
func drawFlow(t *rapid.T, local []netip.Addr, d ipsec.Direction) ipsec.Flow {
	mine := rapid.SampledFrom(local).Draw(t, "local")
	w := worlds[mine.Is6()]
	far := rapid.SampledFrom(w.far).Draw(t, "far")
	f := ipsec.Flow{Src: mine, Dst: far, Proto: rapid.SampledFrom([]uint8{w.icmp, 6, 17, 46, 50}).Draw(t, "protocol")}
	if rapid.IntRange(0, 4).Draw(t, "group") == 0 {
		f.Dst = rapid.SampledFrom(w.groups).Draw(t, "group address")
		if d == ipsec.Inbound {
			f.Src = far
		}
	} else if d == ipsec.Inbound {
		f = f.Reverse()
	}
	f.Fragment = rapid.IntRange(0, 7).Draw(t, "fragment") == 0
	switch {
	case f.Fragment:
	case ipsec.HasPorts(f.Proto):
		ports := rapid.SampledFrom([]uint16{80, 88, 500, 1433, 4500, 2000})
		f.SrcPort, f.DstPort = ports.Draw(t, "source port"), ports.Draw(t, "destination port")
	case f.Proto == w.icmp:
		f.ICMPType = rapid.SampledFrom([]uint8{8, 128, 132, 133, 137, 138}).Draw(t, "ICMP type")
	}
	return f
}

// addresses are those of hosts of one family, and of both.
var addresses = [][]netip.Addr{
	{addr("10.0.0.1")}, {addr("10.0.0.1"), addr("10.0.1.1")}, {addr("2001:db8::1")}, {addr("10.0.0.1"), addr("2001:db8::1"), addr("2001:db8:1::1")},
}

func TestSPDEqualsNaiveSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		local := rapid.SampledFrom(addresses).Draw(t, "addresses")
		o := Options{Exempt: drawExempt(t), Specificity: Specificity{rapid.Bool().Draw(t, "wider end first"), rapid.Bool().Draw(t, "me counts as any")}}
		if local[0].Is4() {
			o.Broadcasts = []netip.Addr{addr("10.0.0.255")}
		}
		c, err := Compile(p, local, o)
		require.NoError(t, err)
		for range 20 {
			d := rapid.SampledFrom([]ipsec.Direction{out, in}).Draw(t, "direction")
			f := drawFlow(t, local, d)
			action, rule := search(c, d, f)
			wantAction, wantRule := naive(p, local, o, d, f)
			require.Equal(t, wantAction, action, "%s %s\n%v", d, f, c.Specific())
			require.Equal(t, wantRule, rule, "%s %s\n%v", d, f, c.Specific())

			// Explain agrees, and everything it names matches the packet.
			x := c.Explain(d, f, Circumstances{})
			require.Equal(t, action, x.Action)
			require.Equal(t, rule, x.Rule)
			matching := 0
			for _, e := range c.entries(d) {
				if e.Selector.Matches(&f) {
					matching++
				}
			}
			for i, m := range x.Matches {
				require.NotEmpty(t, m.Why)
				require.Equal(t, i == 0, m.Decides)
				require.True(t, i == 0 || x.Matches[i-1].Weight >= m.Weight, "weights never grow")
			}
			require.Contains(t, []string{ResultPass, ResultDrop, ResultNegotiate, ResultDemand}, x.Now.Result)
			require.NotEmpty(t, x.Now.Why)
			require.Len(t, x.Matches, matching)
		}
	})
}

// The order is total and the same whatever the order of entry, but for the last tie.
func TestOrderIsTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ties := []Kind{Block, Permit, Negotiate}
		all := expand(drawPolicy(t), rapid.SampledFrom(addresses).Draw(t, "addresses"), &Options{})
		for _, a := range all {
			for _, b := range all {
				ab, by := before(a, b, ties)
				ba, by2 := before(b, a, ties)
				require.Equal(t, by, by2)
				require.Equal(t, a == b, ab == 0)
				require.Equal(t, ab < 0, ba > 0)
				for _, c := range all {
					bc, _ := before(b, c, ties)
					ac, _ := before(a, c, ties)
					require.False(t, ab < 0 && bc < 0 && ac >= 0)
				}
				// a filter inside another is searched first
				if a.selector != b.selector && classifier.Holds(&b.selector, &a.selector) {
					require.Negative(t, ab)
				}
			}
		}
	})
}

// The selector that a driver narrows from a packet is always decided by the entry that the packet met.
func TestQuickModeAgreesWithTheDriver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		local := rapid.SampledFrom(addresses).Draw(t, "addresses")
		c, err := Compile(drawPolicy(t), local, Options{Exempt: drawExempt(t)})
		require.NoError(t, err)
		f := drawFlow(t, local, out)
		for _, e := range c.Outbound {
			if !e.Selector.Matches(&f) {
				continue
			}
			if e.Action == ipsec.Protect {
				s := e.Selector
				s.Src, s.Dst = ipsec.Host(f.Src), ipsec.Host(f.Dst)
				qm, ok := c.QuickMode(s.Dst.Addr(), s)
				require.True(t, ok)
				require.Equal(t, e.ID, qm.PolicyID)
				require.Equal(t, e.Rule, qm.Rule)
				_, ok = c.MainMode(f.Src, f.Dst)
				require.True(t, ok)
			}
			break
		}
	})
}
