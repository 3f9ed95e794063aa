package esp

import (
	"encoding/binary"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// FlowOf reads from an IPv4 or IPv6 packet what policy looks at: addresses,
// upper-layer protocol, ports of TCP and UDP and the ICMP type, in IPv6 behind the
// extension headers. A non-first fragment is marked as Fragment and has neither
// ports nor type. Bytes after the length in the header are ignored. The error says
// what makes the packet invalid.
func FlowOf(packet []byte) (ipsec.Flow, error) {
	var d datagram
	if bad := d.parse(packet); bad != "" {
		return ipsec.Flow{}, bad
	}
	var f ipsec.Flow
	if bad := d.flow(&f); bad != "" {
		return ipsec.Flow{}, bad
	}
	return f, nil
}

// flow fills in f, which is zero.
func (d *datagram) flow(f *ipsec.Flow) malformed {
	f.Src, f.Dst, f.Proto = d.src(), d.dst(), d.upper
	if d.offset() > 0 {
		f.Fragment = true
		return ""
	}
	p := d.b[d.upperAt:]
	switch {
	case ipsec.HasPorts(f.Proto):
		if len(p) < 4 {
			return "packet ends before its ports"
		}
		f.SrcPort, f.DstPort = binary.BigEndian.Uint16(p), binary.BigEndian.Uint16(p[2:])
	case f.Proto == ipsec.ProtoICMP, f.Proto == ipsec.ProtoICMPv6:
		if len(p) < 1 {
			return "packet ends before its ICMP type"
		}
		f.ICMPType = p[0]
	}
	return ""
}
