package hosts

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// A host whose route knows the overhead of IPsec announces a segment size that
// leaves room for it. netstack's routes know no policy, so that the driver
// lowers the MSS option of connection requests instead, in both directions: ours,
// for what the peer sends, and the peer's, for what we send. What is too big all
// the same is answered by ICMP (pathmtu.go).

// fitMSS lowers the MSS option of a TCP segment with SYN, in place, to what fits
// when traffic in the outbound flow's direction is protected.
func (d *driver) fitMSS(in datagram, tcp header.TCP, outbound ipsec.Flow, pathMTU int) {
	offset := int(tcp.DataOffset())
	if offset < header.TCPMinimumSize || offset > len(tcp) {
		return
	}
	inner := d.esp.InnerMTU(outbound, pathMTU)
	if inner == pathMTU {
		return
	}
	ip := header.IPv4MinimumSize
	if in.family == ip6 {
		ip = header.IPv6MinimumSize
	}
	lowerMSS(tcp, tcp[header.TCPMinimumSize:offset], max(inner-ip-header.TCPMinimumSize, 1))
}

// lowerMSS finds the MSS option (RFC 9293, Section 3.7.1) and keeps the checksum right (RFC 1624).
func lowerMSS(tcp header.TCP, options []byte, mss int) {
	for len(options) > 0 {
		switch options[0] {
		case header.TCPOptionEOL:
			return
		case header.TCPOptionNOP:
			options = options[1:]
			continue
		}
		if len(options) < 2 || int(options[1]) < 2 || int(options[1]) > len(options) {
			return
		}
		if options[0] == header.TCPOptionMSS && options[1] == header.TCPOptionMSSLength {
			if old := binary.BigEndian.Uint16(options[2:]); int(old) > mss {
				binary.BigEndian.PutUint16(options[2:], uint16(mss))
				tcp.SetChecksum(^checksum.Combine(checksum.Combine(^tcp.Checksum(), ^old), uint16(mss)))
			}
			return
		}
		options = options[options[1]:]
	}
}

// fitOutbound and fitInbound fit a datagram that is about to be judged, or was just opened.

func (d *driver) fitOutbound(out datagram, pathMTU int) {
	if tcp, f, ok := out.syn(); ok {
		d.fitMSS(out, tcp, f, pathMTU)
	}
}

func (d *driver) fitInbound(in datagram, pathMTU int) {
	if tcp, f, ok := in.syn(); ok {
		d.fitMSS(in, tcp, f.Reverse(), pathMTU)
	}
}

// syn is a TCP segment with SYN and its flow.
func (d datagram) syn() (header.TCP, ipsec.Flow, bool) {
	tcp, ok := d.tcp()
	if !ok || tcp.Flags()&header.TCPFlagSyn == 0 {
		return nil, ipsec.Flow{}, false
	}
	f, err := esp.FlowOf(d.bytes)
	return tcp, f, err == nil
}
