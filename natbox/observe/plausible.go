package observe

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// fields are what one packet of a flow says for the next: Last_Packet_Data of RFC 5879, Appendix A.2.
type fields struct {
	known    bool // the protocol is one that is checked
	next     uint8
	src, dst uint16 // ports; identifier of an echo in src
	seq, ack uint32
	from, to netip.Addr // of the packet in a tunnel
}

// checkProtocol checks what stands in ESP if nothing is encrypted: RFC 5879, Section 8.3. ok is
// false where something is not as it must be; bits counts what is as it is usually. A protocol that
// is not known is neither.
//
// Checksums count when they are right, and mean nothing when they are wrong: a NAT on
// the way may have changed the addresses that they cover.
func checkProtocol(next uint8, src, dst netip.Addr, body []byte, last *fields) (bits int, now fields, ok bool) {
	switch next {
	case ipsec.ProtoTCP:
		bits, now, ok = checkTCP(src, dst, body, last)
	case ipsec.ProtoUDP:
		bits, now, ok = checkUDP(src, dst, body, last)
	case ipsec.ProtoICMP, ipsec.ProtoICMPv6:
		bits, now, ok = checkICMP(next, src, dst, body, last)
	case protoIPv4, protoIPv6:
		bits, now, ok = checkTunnel(next, body, last)
	default:
		return 0, fields{}, true
	}
	now.known, now.next = true, next
	return bits, now, ok
}

// checkTCP is RFC 5879, Section 8.3.1 and "Verify TCP" of Appendix A.2.
func checkTCP(src, dst netip.Addr, b []byte, last *fields) (bits int, now fields, ok bool) {
	const ackFlag, urgFlag = 1 << 4, 1 << 5
	if len(b) < tcpHeader {
		return 0, now, false
	}
	header, flags := int(b[12]>>4)*4, b[13]
	if header < tcpHeader || header > len(b) {
		return 0, now, false
	}
	now = fields{
		src: binary.BigEndian.Uint16(b), dst: binary.BigEndian.Uint16(b[2:]),
		seq: binary.BigEndian.Uint32(b[4:]), ack: binary.BigEndian.Uint32(b[8:]),
	}
	if flags&ackFlag == 0 && now.ack == 0 {
		bits += 32
	}
	if flags&urgFlag == 0 && binary.BigEndian.Uint16(b[18:]) == 0 {
		bits += 16
	}
	if header == tcpHeader {
		bits += 4
	} else {
		n, ok := tcpOptions(b[tcpHeader:header])
		if !ok {
			return 0, now, false
		}
		bits += n
	}
	if sumsUp(src, dst, ipsec.ProtoTCP, b) {
		bits += 16
	}
	if last.next == ipsec.ProtoTCP {
		if now.src == last.src && now.dst == last.dst {
			bits += 32
		}
		if now.ack == last.ack {
			bits += 32
		}
		if now.seq == last.seq {
			bits += 32
		}
	}
	return bits, now, true
}

// tcpOptions checks the format of options, RFC 9293, Section 3.1: bits of those whose length is
// known, and of the padding.
func tcpOptions(b []byte) (bits int, ok bool) {
	for i := 0; i < len(b); {
		switch b[i] {
		case 0:
			for _, p := range b[i:] {
				if p != 0 {
					return 0, false
				}
			}
			return bits + 8*(len(b)-i), true
		case 1:
			bits += 8
			i++
			continue
		}
		if i+1 >= len(b) || b[i+1] < 2 || i+int(b[i+1]) > len(b) {
			return 0, false
		}
		n := int(b[i+1])
		if want := optionLength(b[i]); want > 0 {
			if n != want {
				return 0, false
			}
			bits += 16
		}
		i += n
	}
	return bits, true
}

// optionLength is the length of a TCP option that has always the same; 0 of others: maximum
// segment size (RFC 9293), window scale and timestamps (RFC 7323), SACK permitted (RFC 2018).
func optionLength(kind byte) int {
	switch kind {
	case 2:
		return 4
	case 3:
		return 3
	case 4:
		return 2
	case 8:
		return 10
	}
	return 0
}

// checkUDP is RFC 5879, Section 8.3.2 and "Verify UDP" of Appendix A.2.
func checkUDP(src, dst netip.Addr, b []byte, last *fields) (bits int, now fields, ok bool) {
	if len(b) < udpHeader {
		return 0, now, false
	}
	length := int(binary.BigEndian.Uint16(b[4:]))
	if length < udpHeader || length > len(b) { // shorter: the rest pads the traffic flow, RFC 4303, Section 2.7
		return 0, now, false
	}
	now = fields{src: binary.BigEndian.Uint16(b), dst: binary.BigEndian.Uint16(b[2:])}
	if length == len(b) {
		bits += 16
	}
	if b[6]|b[7] != 0 && sumsUp(src, dst, ipsec.ProtoUDP, b[:length]) {
		bits += 16
	}
	if last.next == ipsec.ProtoUDP && now.src == last.src && now.dst == last.dst {
		bits += 32
	}
	return bits, now, true
}

// checkICMP is RFC 5879, Section 8.3.3. An echo has a known type and code, and its identifier
// stays; of other messages the checksum speaks alone. That of ICMP for IPv4 covers no
// address (RFC 792), so that no NAT makes it wrong, contrary to what the section says:
// without that an initialization vector that counts looks like echo replies.
func checkICMP(proto uint8, src, dst netip.Addr, b []byte, last *fields) (bits int, now fields, ok bool) {
	if len(b) < icmpHeader {
		return 0, now, false
	}
	switch {
	case proto == ipsec.ProtoICMP && checksum.Checksum(b, 0) != 0xffff:
		return 0, now, false
	case proto == ipsec.ProtoICMPv6 && b[0] == 0: // reserved: RFC 4443, Section 6
		return 0, now, false
	case proto == ipsec.ProtoICMP, sumsUp(src, dst, proto, b):
		bits += 16
	}
	echo := proto == ipsec.ProtoICMP && (b[0] == 8 || b[0] == 0) || proto == ipsec.ProtoICMPv6 && (b[0] == 128 || b[0] == 129)
	if !echo || b[1] != 0 {
		return bits, now, true
	}
	now.src, now.seq = binary.BigEndian.Uint16(b[4:]), uint32(binary.BigEndian.Uint16(b[6:]))
	bits += 16
	if last.next == proto && last.src == now.src && uint16(now.seq)-uint16(last.seq) <= 1 {
		bits += 32
	}
	return bits, now, true
}

// checkTunnel is RFC 5879, Section 8.3.5: a whole packet of IP stands inside.
func checkTunnel(next uint8, b []byte, last *fields) (bits int, now fields, ok bool) {
	p, ok := parse(b)
	if !ok || (next == protoIPv4) != p.src.Is4() {
		return 0, now, false
	}
	if p.length == len(b) { // else the rest pads the traffic flow
		bits += 16
	}
	if next == protoIPv4 {
		header := int(b[0]&15) * 4
		if checksum.Checksum(b[:header], 0) != 0xffff { // of addresses that no NAT has seen
			return 0, now, false
		}
		if bits += 4 + 16; header == ipv4Header {
			bits += 4
		}
	} else if bits += 4; knownUpper(p.proto) {
		bits += 8
	}
	now.from, now.to = p.src, p.dst
	if now.from == last.from && now.to == last.to {
		bits += 32
	}
	return bits, now, true
}

func knownUpper(proto uint8) bool {
	switch proto {
	case ipsec.ProtoTCP, ipsec.ProtoUDP, ipsec.ProtoICMPv6, ipsec.ProtoESP, ipsec.ProtoAH, protoIPv4, protoIPv6:
		return true
	}
	return false
}

// sumsUp reports whether the checksum of an upper layer is right under these addresses:
// RFC 9293, Section 3.1; RFC 768; RFC 8200, Section 8.1.
func sumsUp(src, dst netip.Addr, proto uint8, b []byte) bool {
	var pseudo [40]byte
	n := copy(pseudo[:], src.AsSlice())
	n += copy(pseudo[n:], dst.AsSlice())
	binary.BigEndian.PutUint32(pseudo[n:], uint32(len(b)))
	pseudo[n+7] = proto
	return checksum.Checksum(b, checksum.Checksum(pseudo[:n+8], 0)) == 0xffff
}
