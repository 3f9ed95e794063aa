package attack

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/ipv6"
	"github.com/ipseclab/ipseclab/internal/natt"
	"github.com/ipseclab/ipseclab/sim"
)

// etherTypeIPv4 is of RFC 894.
const etherTypeIPv4 = 0x0800

// view is what an observer reads in a frame: where its headers begin, counted
// from the start of the frame. 0 is a header that it does not have, or hides.
type view struct {
	v6       bool
	ip       int  // where the IP header begins, 0 on a line
	upper    int  // where the upper layer of IP begins, behind extension headers of IPv6
	number   int  // where the number of that layer stands
	routed   bool // the destination is but the next one of a routing header of IPv6
	fragment bool // a part of a datagram but the first
	ah, esp  int
	end      int // of the IP packet

	// The transport header: in the clear, behind AH, or in ESP without encryption.
	proto          uint8
	transport      int
	transportEnd   int
	checksum, data int // its checksum; where its data begin
	hidden         bool

	message      int  // a message of IKE, behind its marker if it has one
	encapsulated bool // ESP in UDP: the transport header is the one in front of it
}

// read looks at a frame; false for one that is no IP packet.
func read(m sim.Medium, f []byte) (v view, ok bool) {
	packet, kind, ok := m.Packet(f)
	v.ip = m.HeaderLen()
	switch {
	case ok && kind == etherTypeIPv4:
		ok = v.read4(packet)
	case ok && kind == ipv6.EtherType:
		ok = v.read6(packet)
	default:
		ok = false
	}
	if !ok || v.fragment {
		return v, ok
	}
	proto, at := f[v.number], v.upper
	if proto == ipsec.ProtoAH && v.end-at >= 12 { // RFC 4302, Section 2
		v.ah = at
		proto, at = f[at], at+(int(f[at+1])+2)*4
	}
	switch {
	case at > v.end:
	case proto == ipsec.ProtoESP && v.end-at >= 8: // RFC 4303, Section 2
		v.esp = at
		v.throughESP(f)
	default:
		v.inner(f, proto, at, v.end)
		v.portOfIKE(f)
	}
	return v, true
}

// portOfIKE tells what is on a port of IKE. No message of IKE begins with eight zeros,
// so that on port 500 too ESP can be told.
func (v *view) portOfIKE(f []byte) {
	if v.proto != ipsec.ProtoUDP || v.transport == 0 || v.ah != 0 {
		return
	}
	form := natt.NonIKE
	switch src, dst := binary.BigEndian.Uint16(f[v.transport:]), binary.BigEndian.Uint16(f[v.transport+2:]); {
	case src == natt.Port || dst == natt.Port:
		form = natt.NonESP
	case src != isakmpPort && dst != isakmpPort:
		return
	}
	switch kind, rest := natt.Read(form, f[v.data:v.transportEnd]); {
	case kind == natt.IKE:
		v.message = v.transportEnd - len(rest)
	case kind == natt.ESP && len(rest) >= 8:
		v.esp, v.encapsulated, v.hidden = v.transportEnd-len(rest), true, true
	}
}

// isakmpPort is UDP port 500, RFC 2408, Section 2.5.1.
const isakmpPort = 500

// read4 reads the header of IPv4, RFC 791, Section 3.1.
func (v *view) read4(b []byte) bool {
	if len(b) < 20 || b[0]>>4 != 4 {
		return false
	}
	size, length := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if size < 20 || length > len(b) || length < size {
		return false
	}
	v.number, v.upper, v.end = v.ip+9, v.ip+size, v.ip+length
	v.fragment = binary.BigEndian.Uint16(b[6:])&0x1fff != 0
	return true
}

// read6 reads the header of IPv6 and its extension headers.
func (v *view) read6(b []byte) bool {
	p, err := ipv6.Parse(b)
	if err != nil {
		return false
	}
	v.v6, v.number, v.upper, v.end = true, v.ip+p.ProtoField(), v.ip+p.At, v.ip+len(p.Bytes)
	v.fragment = p.Offset() > 0
	_, v.routed = p.RouteLeft()
	return true
}

// inner finds the parts of a transport header between two places.
func (v *view) inner(f []byte, proto uint8, at, end int) (ok bool) {
	// Options for the destination may stand behind AH and in ESP: RFC 4302 and RFC 4303, Section 3.1.1.
	for v.v6 && proto == ipv6.DestinationOptions && end-at >= 8 {
		proto, at = f[at], at+8+8*int(f[at+1])
	}
	header, checksum := 0, 0
	switch {
	case proto == ipsec.ProtoTCP && end-at >= 20: // RFC 9293, Section 3.1
		header, checksum = int(f[at+12]>>4)*4, 16
	case proto == ipsec.ProtoUDP && end-at >= 8: // RFC 768
		header, checksum = 8, 6
	case proto == v.icmp() && end-at >= 8: // RFC 792, and RFC 4443, Section 2.1 with the first word of the body
		header, checksum = 8, 2
	}
	if header == 0 || at+header > end {
		return false
	}
	v.proto, v.transport, v.transportEnd, v.checksum, v.data = proto, at, end, at+checksum, at+header
	return true
}

// icmp is the protocol number of ICMP in this version of IP.
func (v *view) icmp() uint8 {
	if v.v6 {
		return ipsec.ProtoICMPv6
	}
	return ipsec.ProtoICMP
}

// icvLengths are those of the integrity algorithms that ESP without encryption is
// used with, the usual ones first: RFC 2404, RFC 4868.
var icvLengths = []int{12, 16, 24, 32}

// throughESP reads ESP without encryption, if this is it: the trailer that ends
// where an ICV may begin has to be a good one, and the transport checksum right.
// RFC 5879, Section 8.
func (v *view) throughESP(f []byte) {
	at := v.esp + 8
	for _, icv := range icvLengths {
		trailer := v.end - icv - 2 // pad length, next header
		if trailer < at {
			break
		}
		pad := int(f[trailer])
		if trailer-pad < at || !counts(f[trailer-pad:trailer]) {
			continue
		}
		if w := *v; w.inner(f, f[trailer+1], at, trailer-pad) && w.transportSum(f) == 0xffff {
			*v = w
			return
		}
	}
	v.hidden = true
}

// counts reports the padding 1, 2, 3 … of RFC 4303, Section 2.4.
func counts(pad []byte) bool {
	for i, b := range pad {
		if int(b) != i+1 {
			return false
		}
	}
	return true
}

// addresses are where source and destination stand in the IP header.
func (v *view) addresses() (src, dst, size int) {
	if v.v6 {
		return v.ip + 8, v.ip + 24, 16
	}
	return v.ip + 12, v.ip + 16, 4
}

// ends are source and destination of the packet.
func (v *view) ends(f []byte) (src, dst netip.Addr) {
	s, d, n := v.addresses()
	src, _ = netip.AddrFromSlice(f[s : s+n]) // of a good length
	dst, _ = netip.AddrFromSlice(f[d : d+n])
	return src, dst
}

// flow is what a filter sees of the packet.
func (v *view) flow(f []byte) ipsec.Flow {
	flow := ipsec.Flow{Proto: f[v.number], Fragment: v.fragment}
	flow.Src, flow.Dst = v.ends(f)
	if v.transport != 0 && (v.esp == 0 || v.encapsulated) && v.ah == 0 && ipsec.HasPorts(v.proto) {
		flow.SrcPort, flow.DstPort = binary.BigEndian.Uint16(f[v.transport:]), binary.BigEndian.Uint16(f[v.transport+2:])
	}
	return flow
}

// describe is a frame in a few words.
func describe(m sim.Medium, f []byte) string {
	v, ok := read(m, f)
	if !ok {
		return fmt.Sprintf("%d bytes", len(f))
	}
	return v.flow(f).String()
}
