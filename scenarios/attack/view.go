package attack

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/ipsec"
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
	fragment  bool // a part of a datagram but the first
	ah, esp   int
	end       int // of the IP packet

	// The transport header: in the clear, behind AH, or in ESP without encryption.
	proto          uint8
	transport      int
	transportEnd   int
	checksum, data int // its checksum; where its data begin
	hidden         bool
}

// read looks at a frame; false for one that is no IPv4 packet.
func read(f []byte) (v view, ok bool) {
	if len(f) < etherHeader+20 || binary.BigEndian.Uint16(f[12:]) != etherTypeIPv4 {
		return v, false
	}
	v.ip = etherHeader
	b := f[v.ip:]
	v.ipLen, v.end = int(b[0]&15)*4, v.ip+int(binary.BigEndian.Uint16(b[2:]))
	if b[0]>>4 != 4 || v.ipLen < 20 || v.end > len(f) || v.end < v.ip+v.ipLen {
		return v, false
	}
	if v.fragment = binary.BigEndian.Uint16(b[6:])&0x1fff != 0; v.fragment {
		return v, true
	}
	proto, at := b[9], v.ip+v.ipLen
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
	return v, true
}

// inner finds the parts of a transport header between two places.
func (v *view) inner(f []byte, proto uint8, at, end int) (ok bool) {
	header, checksum := 0, 0
	switch {
	case proto == ipsec.ProtoTCP && end-at >= 20: // RFC 9293, Section 3.1
		header, checksum = int(f[at+12]>>4)*4, 16
	case proto == ipsec.ProtoUDP && end-at >= 8: // RFC 768
		header, checksum = 8, 6
	case proto == ipsec.ProtoICMP && end-at >= 8: // RFC 792
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

func (v *view) src(f []byte) netip.Addr { return netip.AddrFrom4([4]byte(f[v.ip+12:])) }
func (v *view) dst(f []byte) netip.Addr { return netip.AddrFrom4([4]byte(f[v.ip+16:])) }

// flow is what a filter sees of the packet.
func (v *view) flow(f []byte) ipsec.Flow {
	flow := ipsec.Flow{Src: v.src(f), Dst: v.dst(f), Proto: f[v.ip+9], Fragment: v.fragment}
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
