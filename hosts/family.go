package hosts

import (
	"net/netip"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
)

// family is IPv4 or IPv6, as netstack numbers them. A host has the families of
// its addresses: what it does not speak costs no memory.
type family = tcpip.NetworkProtocolNumber

const (
	ip4 family = header.IPv4ProtocolNumber
	ip6 family = header.IPv6ProtocolNumber
)

func familyOf(a netip.Addr) family {
	if a.Is4() {
		return ip4
	}
	return ip6
}

// familyOfPacket goes by the version, which is in the same place in both. RFC 8200, Section 3.
func familyOfPacket(packet []byte) family {
	if len(packet) > 0 && packet[0]>>4 == 6 {
		return ip6
	}
	return ip4
}

// unspecified is the address that stands for none of a family.
func unspecified(f family) netip.Addr {
	if f == ip4 {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// familiesOf are the families that interfaces have addresses of, IPv4 first.
func familiesOf(interfaces []Interface) (all []family) {
	for _, f := range []family{ip4, ip6} {
		if slices.ContainsFunc(interfaces, func(i Interface) bool { return i.has(f) }) {
			all = append(all, f)
		}
	}
	return all
}

func (i Interface) has(f family) bool {
	if i.Unnumbered && f == ip4 { // it gets an address by DHCP, say
		return true
	}
	return slices.ContainsFunc(i.Prefixes, func(p netip.Prefix) bool { return familyOf(p.Addr()) == f })
}

// protocols are what a netstack needs for the families. IPv6 is set up without
// duplicate address detection, router solicitation and multicast listener
// discovery: addresses are given, and no switch here asks.
func protocols(families []family) (network []stack.NetworkProtocolFactory, transport []stack.TransportProtocolFactory) {
	if slices.Contains(families, ip4) {
		network = append(network, ipv4.NewProtocol, arp.NewProtocol)
		transport = append(transport, icmp.NewProtocol4)
	}
	if slices.Contains(families, ip6) {
		network = append(network, ipv6.NewProtocol)
		transport = append(transport, icmp.NewProtocol6)
	}
	return network, transport
}
