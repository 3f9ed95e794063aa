package policy

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Exemptions are the kinds of traffic that pass before all filters, besides those
// that always do. The zero value is the default of Windows Server 2003: none.
type Exemptions struct {
	// KerberosRSVP is TCP and UDP with port 88 at either end, and RSVP.
	KerberosRSVP bool

	// Groups is multicast and broadcast, sent and received.
	Groups bool

	// InboundGroups is multicast and broadcast as they arrive. TechNet cc756041 says
	// in one sentence that Windows Server 2003 still exempts them, and in its table
	// that it exempts ISAKMP alone.
	InboundGroups bool
}

// NoDefaultExempt is what Windows exempts with a value of the registry entry of
// that name, from 0, the default of Windows 2000 and XP, to 3, that of Windows
// Server 2003 (TechNet cc756041; claim C065). The values are no progression: 1 and 2
// each leave what the other takes.
func NoDefaultExempt(value int) (Exemptions, error) {
	switch value {
	case 0:
		return Exemptions{KerberosRSVP: true, Groups: true}, nil
	case 1:
		return Exemptions{Groups: true}, nil
	case 2:
		return Exemptions{KerberosRSVP: true}, nil
	case 3:
		return Exemptions{}, nil
	}
	return Exemptions{}, fmt.Errorf("policy: NoDefaultExempt is 0, 1, 2 or 3, not %d", value)
}

// The names of the exemptions in an SPD, in the order of the search.
const (
	ExemptIPv6      = "exempt: ipv6" // see Options.BypassIPv6
	ExemptISAKMP    = "exempt: isakmp"
	ExemptDiscovery = "exempt: neighbour discovery" // of IPv6
	ExemptKerberos  = "exempt: kerberos"
	ExemptRSVP      = "exempt: rsvp"
	ExemptMulticast = "exempt: multicast"
	ExemptBroadcast = "exempt: broadcast"
)

// allIPv6 selects every IPv6 packet.
var allIPv6 = ipsec.Selector{Src: netip.PrefixFrom(netip.IPv6Unspecified(), 0), Dst: netip.PrefixFrom(netip.IPv6Unspecified(), 0)}

// isakmpPorts are the ports of IKE, before and after a NAT is found (TechNet cc756041; RFC 3947, Section 4).
var isakmpPorts = []uint16{500, 4500}

// discovery selects neighbour discovery: router and neighbour solicitations and
// advertisements, and redirects (RFC 4861, Section 4).
var discovery = ipsec.Selector{Proto: ipsec.ProtoICMPv6, ICMP: ipsec.ICMPTypes{First: 133, Last: 137}}

// kerberosPort is that of the key distribution center (RFC 4120, Section 7.2).
const kerberosPort = 88

// exempt puts the exemptions of a host in front; see the package comment.
func (c *Compiled) exempt(local []netip.Addr, o Options) {
	if o.BypassIPv6 {
		c.bypass(ExemptIPv6, allIPv6)
	}
	for _, port := range isakmpPorts {
		c.bypass(ExemptISAKMP, ipsec.Selector{Proto: ipsec.ProtoUDP, SrcPort: port})
	}
	six := slices.ContainsFunc(local, netip.Addr.Is6)
	if six {
		c.bypass(ExemptDiscovery, discovery)
	}
	if o.Exempt.KerberosRSVP {
		for _, proto := range []uint8{ipsec.ProtoTCP, ipsec.ProtoUDP} {
			// The port may be at either end, so that whoever sends from port 88
			// reaches every port: TechNet cc756041 warns of it.
			c.bypass(ExemptKerberos, ipsec.Selector{Proto: proto, DstPort: kerberosPort})
			c.bypass(ExemptKerberos, ipsec.Selector{Proto: proto, SrcPort: kerberosPort})
		}
		c.bypass(ExemptRSVP, ipsec.Selector{Proto: ipsec.ProtoRSVP})
	}
	c.exemptGroups(six, o)
}

// exemptGroups puts the exemptions of multicast and broadcast in front of the filters.
func (c *Compiled) exemptGroups(six bool, o Options) {
	var ways []ipsec.Direction
	switch {
	case o.Exempt.Groups:
		ways = []ipsec.Direction{ipsec.Outbound, ipsec.Inbound}
	case o.Exempt.InboundGroups:
		ways = []ipsec.Direction{ipsec.Inbound}
	}
	add := func(rule string, to netip.Prefix) {
		id := c.nextID()
		for _, d := range ways {
			c.pass(d, id, rule, ipsec.Selector{Dst: to})
		}
	}
	add(ExemptMulticast, multicast4)
	if six {
		add(ExemptMulticast, multicast6)
	}
	for _, b := range append([]netip.Addr{broadcast}, o.Broadcasts...) {
		add(ExemptBroadcast, ipsec.Host(b))
	}
}

// bypass lets packets of an outbound selector and their answers pass.
func (c *Compiled) bypass(rule string, out ipsec.Selector) {
	id := c.nextID()
	c.pass(ipsec.Outbound, id, rule, out)
	c.pass(ipsec.Inbound, id, rule, out.Reverse())
}

// pass adds an exemption to the SPD of one direction.
func (c *Compiled) pass(d ipsec.Direction, id int, rule string, s ipsec.Selector) {
	spd := &c.Outbound
	if d == ipsec.Inbound {
		spd = &c.Inbound
	}
	*spd = append(*spd, ipsec.Policy{ID: id, Rule: rule, Direction: d, Selector: s, Action: ipsec.Bypass})
	c.plumbed[d] = append(c.plumbed[d], nil)
}

// nextID is the first that no entry of the SPD has, as long as there are only exemptions in it.
func (c *Compiled) nextID() int { return max(len(c.Outbound), len(c.Inbound)) + 1 }
