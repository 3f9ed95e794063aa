package ipv6

import "net/netip"

// LinkLocal is the address that an interface gives itself on its link, made of its
// MAC address, with the length of the link's prefix: RFC 4291, Section 2.5.6 and
// Appendix A, and RFC 2464, Sections 4 and 5.
func LinkLocal(m [6]byte) netip.Prefix {
	a := [16]byte{0: 0xfe, 1: 0x80, 8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5]}
	return netip.PrefixFrom(netip.AddrFrom16(a), 64)
}

// SolicitedNode is the group that the nodes with an address listen to, and its
// Ethernet address: RFC 4291, Section 2.7.1 and RFC 2464, Section 7.
func SolicitedNode(a netip.Addr) (group netip.Addr, mac [6]byte) {
	b := a.As16()
	group = netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 11: 0x01, 12: 0xff, 13: b[13], 14: b[14], 15: b[15]})
	return group, [6]byte{0x33, 0x33, 0xff, b[13], b[14], b[15]}
}
