package attack

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/ipv6"
)

// Ethernet, RFC 894.
const (
	etherHeader   = 14
	etherTypeIPv4 = 0x0800
)

// view is what an observer reads in a frame: where its headers begin, counted
// from the start of the frame. 0 is a header that it does not have, or hides.
type view struct {
	ip, ipLen int
	six       bool  // of IPv6; ipLen is with its extension headers
	upper     uint8 // the protocol behind the IP headers
	upperAt   int   // where its number stands
	fragment  bool  // a part of a datagram but the first
	ah, esp   int
	end       int // of the IP packet

	// The transport header: in the clear, behind AH, or in ESP without encryption.
	proto          uint8
	transport      int
	transportEnd   int
	checksum, data int // its checksum; where its data begin
	hidden         bool
}

// read looks at a frame; false for one that is no IP packet.
func read(f []byte) (v view, ok bool) {
	if len(f) < etherHeader {
		return v, false
	}
	switch binary.BigEndian.Uint16(f[12:]) {
	case etherTypeIPv4:
		ok = v.readIPv4(f)
	case ipv6.EtherType:
		ok = v.readIPv6(f)
	}
	if ok && !v.fragment {
		v.protections(f)
	}
	return v, ok
}

// readIPv6 reads the header and the extension headers of RFC 8200.
func (v *view) readIPv6(f []byte) bool {
	p, err := ipv6.Parse(f[etherHeader:])
	if err != nil {
		return false
	}
	v.six, v.ip, v.ipLen, v.end = true, etherHeader, p.At, etherHeader+len(p.Bytes)
	v.upper, v.upperAt, v.fragment = p.Proto, etherHeader+p.ProtoField(), p.Offset() > 0
	return true
}

// readIPv4 reads the header of RFC 791, Section 3.1.
func (v *view) readIPv4(f []byte) bool {
	if len(f) < etherHeader+20 {
		return false
	}
	v.ip = etherHeader
	b := f[v.ip:]
	v.ipLen, v.end = int(b[0]&15)*4, v.ip+int(binary.BigEndian.Uint16(b[2:]))
	if b[0]>>4 != 4 || v.ipLen < 20 || v.end > len(f) || v.end < v.ip+v.ipLen {
		return false
	}
	v.upper, v.upperAt, v.fragment = b[9], v.ip+9, binary.BigEndian.Uint16(b[6:])&0x1fff != 0
	return true
}

// protections finds AH, ESP and what can be read behind them.
func (v *view) protections(f []byte) {
	proto, at := v.upper, v.ip+v.ipLen
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
	}
}

// inner finds the parts of a transport header between two places.
func (v *view) inner(f []byte, proto uint8, at, end int) (ok bool) {
	header, checksum := 0, 0
	switch {
	case proto == ipsec.ProtoTCP && end-at >= 20: // RFC 9293, Section 3.1
		header, checksum = int(f[at+12]>>4)*4, 16
	case proto == ipsec.ProtoUDP && end-at >= 8: // RFC 768
		header, checksum = 8, 6
	case isICMP(proto) && end-at >= 8: // RFC 792, RFC 4443, Section 2.1
		header, checksum = 8, 2
	}
	if header == 0 || at+header > end {
		return false
	}
	v.proto, v.transport, v.transportEnd, v.checksum, v.data = proto, at, end, at+checksum, at+header
	return true
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

// isICMP reports the ICMP of either family.
func isICMP(proto uint8) bool { return proto == ipsec.ProtoICMP || proto == ipsec.ProtoICMPv6 }

// addresses is where source and destination stand, one behind the other, and how long each is.
func (v *view) addresses() (at, length int) {
	if v.six {
		return v.ip + 8, 16
	}
	return v.ip + 12, 4
}

func (v *view) address(f []byte, n int) netip.Addr {
	at, length := v.addresses()
	a, _ := netip.AddrFromSlice(f[at+n*length : at+(n+1)*length])
	return a
}

func (v *view) src(f []byte) netip.Addr { return v.address(f, 0) }
func (v *view) dst(f []byte) netip.Addr { return v.address(f, 1) }

// flow is what a filter sees of the packet.
func (v *view) flow(f []byte) ipsec.Flow {
	flow := ipsec.Flow{Src: v.src(f), Dst: v.dst(f), Proto: v.upper, Fragment: v.fragment}
	if v.transport != 0 && v.esp == 0 && v.ah == 0 && ipsec.HasPorts(v.proto) {
		flow.SrcPort, flow.DstPort = binary.BigEndian.Uint16(f[v.transport:]), binary.BigEndian.Uint16(f[v.transport+2:])
	}
	return flow
}

// describe is a frame in a few words.
func describe(f []byte) string {
	v, ok := read(f)
	if !ok {
		return fmt.Sprintf("%d bytes", len(f))
	}
	return v.flow(f).String()
}
