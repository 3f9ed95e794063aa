package policy

import (
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// ExemptISAKMP is the rule name of the ISAKMP exemption in an SPD.
const ExemptISAKMP = "exempt: isakmp"

// isakmpPorts are the ports of IKE, before and after a NAT is found (TechNet cc756041; RFC 3947, Section 4).
var isakmpPorts = []uint16{500, 4500}

// ExemptDiscovery is the rule name of the exemption of IPv6 neighbour discovery in an SPD.
const ExemptDiscovery = "exempt: neighbour discovery"

// discovery selects neighbour discovery: router and neighbour solicitations and
// advertisements, and redirects (RFC 4861, Section 4).
var discovery = ipsec.Selector{Proto: ipsec.ProtoICMPv6, ICMP: ipsec.ICMPTypes{First: 133, Last: 137}}

// ExemptIPv6 is the rule name of the exemption of all IPv6 in an SPD, see Options.BypassIPv6.
const ExemptIPv6 = "exempt: ipv6"

// allIPv6 selects every IPv6 packet.
var allIPv6 = ipsec.Selector{Src: netip.PrefixFrom(netip.IPv6Unspecified(), 0), Dst: netip.PrefixFrom(netip.IPv6Unspecified(), 0)}

// exempt puts the exemptions of a host in front; see the package comment.
func (c *Compiled) exempt(local []netip.Addr, o Options) {
	if o.BypassIPv6 {
		c.bypass(ExemptIPv6, allIPv6)
	}
	for _, port := range isakmpPorts {
		c.bypass(ExemptISAKMP, ipsec.Selector{Proto: ipsec.ProtoUDP, SrcPort: port})
	}
	if slices.ContainsFunc(local, netip.Addr.Is6) {
		c.bypass(ExemptDiscovery, discovery)
	}
}

// bypass lets packets of an outbound selector and their answers pass.
func (c *Compiled) bypass(rule string, out ipsec.Selector) {
	e := ipsec.Policy{ID: len(c.Outbound) + 1, Rule: rule, Direction: ipsec.Outbound, Selector: out, Action: ipsec.Bypass}
	c.Outbound = append(c.Outbound, e)
	e.Direction, e.Selector = ipsec.Inbound, out.Reverse()
	c.Inbound = append(c.Inbound, e)
	for _, d := range []ipsec.Direction{ipsec.Outbound, ipsec.Inbound} {
		c.plumbed[d] = append(c.plumbed[d], nil)
	}
}
