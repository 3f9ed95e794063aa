package esp

import (
	"encoding/binary"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// FlowOf reads from an IPv4 packet what policy looks at: addresses, protocol,
// ports of TCP and UDP and the ICMP type. A non-first fragment is marked as
// Fragment and has neither ports nor type. Bytes after the IPv4 total length are
// ignored. The error says what makes the packet invalid.
func FlowOf(packet []byte) (ipsec.Flow, error) {
	d, bad := parseIPv4(packet)
	if bad != "" {
		return ipsec.Flow{}, bad
	}
	f, bad := d.flow()
	if bad != "" {
		return ipsec.Flow{}, bad
	}
	return f, nil
}

func (d datagram) flow() (ipsec.Flow, malformed) {
	f := ipsec.Flow{Src: d.src(), Dst: d.dst(), Proto: d.proto()}
	if d.offset() > 0 {
		f.Fragment = true
		return f, ""
	}
	p := d.payload()
	switch {
	case ipsec.HasPorts(f.Proto):
		if len(p) < 4 {
			return f, "packet ends before its ports"
		}
		f.SrcPort, f.DstPort = binary.BigEndian.Uint16(p), binary.BigEndian.Uint16(p[2:])
	case f.Proto == ipsec.ProtoICMP:
		if len(p) < 1 {
			return f, "packet ends before its ICMP type"
		}
		f.ICMPType = p[0]
	}
	return f, ""
}
