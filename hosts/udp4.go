package hosts

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// udp4 is a datagram of UDP over IPv4 with its checksums.
func udp4(src, dst netip.AddrPort, payload []byte) []byte {
	b := make([]byte, header.IPv4MinimumSize+header.UDPMinimumSize+len(payload))
	ip := header.IPv4(b)
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(len(b)), TTL: 128, Protocol: uint8(header.UDPProtocolNumber),
		SrcAddr: addressOf(src.Addr()), DstAddr: addressOf(dst.Addr()),
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	udp := header.UDP(b[header.IPv4MinimumSize:])
	udp.Encode(&header.UDPFields{SrcPort: src.Port(), DstPort: dst.Port(), Length: uint16(len(udp))})
	copy(udp[header.UDPMinimumSize:], payload)
	sum := header.PseudoHeaderChecksum(header.UDPProtocolNumber, ip.SourceAddress(), ip.DestinationAddress(), uint16(len(udp)))
	udp.SetChecksum(^checksum.Checksum(udp, sum))
	return b
}

// udpSum reports whether the checksum of UDP is right, or left out (RFC 768).
func udpSum(ip header.IPv4, udp header.UDP) bool {
	if udp.Checksum() == 0 {
		return true
	}
	sum := header.PseudoHeaderChecksum(header.UDPProtocolNumber, ip.SourceAddress(), ip.DestinationAddress(), udp.Length())
	return checksum.Checksum(udp, sum) == 0xffff
}
