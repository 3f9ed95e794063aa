package hosts

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// announce tells the neighbours on a segment that an IPv4 address is here now: an ARP
// announcement (RFC 5227, Section 2.3). Those that knew another holder forget it.
// IPv6 has none: a neighbour finds out that an old holder is silent (RFC 4861,
// Section 7.3).
func (n *nic) announce(a netip.Addr) {
	if !n.needsResolution() || !a.Is4() {
		return
	}
	frame := make([]byte, header.EthernetMinimumSize+header.ARPSize)
	header.Ethernet(frame).Encode(&header.EthernetFields{
		SrcAddr: n.address, DstAddr: header.EthernetBroadcastAddress, Type: header.ARPProtocolNumber,
	})
	arp := header.ARP(frame[header.EthernetMinimumSize:])
	arp.SetIPv4OverEthernet()
	arp.SetOp(header.ARPRequest)
	copy(arp.HardwareAddressSender(), n.address)
	copy(arp.ProtocolAddressSender(), a.AsSlice())
	copy(arp.ProtocolAddressTarget(), a.AsSlice())
	n.host.driver.put(n, frame, note{})
}

// hearAnnouncement forgets where a neighbour was that announces itself from
// elsewhere: what is in the table is to be updated (RFC 826, "Packet Reception"), and
// netstack heeds only questions for addresses of its own.
func (n *nic) hearAnnouncement(frame []byte) {
	arp := header.ARP(frame[header.EthernetMinimumSize:])
	if !arp.IsValid() || arp.Op() != header.ARPRequest || addr4(arp.ProtocolAddressSender()) != addr4(arp.ProtocolAddressTarget()) {
		return
	}
	a := tcpip.AddrFrom4(addr4(arp.ProtocolAddressSender()).As4())
	known, err := n.host.stack.Neighbors(n.id, ip4)
	if err != nil {
		return
	}
	for _, e := range known {
		if e.Addr == a && e.LinkAddr != "" && e.LinkAddr != tcpip.LinkAddress(arp.HardwareAddressSender()) {
			n.host.stack.RemoveNeighbor(n.id, ip4, a)
		}
	}
}

func addr4(b []byte) netip.Addr { return netip.AddrFrom4([4]byte(b)) }
