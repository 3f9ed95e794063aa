package firewall

import (
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/natt"
)

// Inspect names traffic, in both directions, that a firewall is to look into: that of
// Source with Destination, where left out everybody's. The white paper has end-to-end IPsec
// go through an ISA Server "if the ISA server does not need to inspect the traffic
// between the two hosts" (claim C022). An application filter that is handed what it
// cannot read lets none of it through. It sees through AH, which hides nothing but what is ESP behind it; of
// ESP it does not know whether it encrypts (RFC 5879, Section 1), and takes it that it does.
type Inspect struct{ Source, Destination []netip.Prefix }

const ikePort = 500

const (
	hiddenByESP = "inspection: it cannot see into ESP"
	hiddenByUDP = "inspection: it cannot see into ESP in UDP"
)

func (i Inspect) is(p *Packet) bool {
	return within(i.Source, p.Src) && within(i.Destination, p.Dst) || within(i.Source, p.Dst) && within(i.Destination, p.Src)
}

// uninspectable is why a packet cannot be looked into; "": it can, or need not.
func (f *Firewall) uninspectable(p *Packet) string {
	for _, i := range f.inspect {
		if i.is(p) {
			return hides(p)
		}
	}
	return ""
}

func hides(p *Packet) string {
	switch p.Proto {
	case protoESP:
		return hiddenByESP
	case protoAH:
		if b := p.Payload; !p.Later && behindAH(b) == protoESP {
			return hiddenByESP
		}
	case protoUDP:
		if p.Later {
			return "" // its first fragment did not pass
		}
		form := natt.Plain
		switch {
		case p.SrcPort == natt.Port || p.DstPort == natt.Port:
			form = natt.NonESP
		case p.SrcPort == ikePort || p.DstPort == ikePort:
			form = natt.NonIKE
		}
		if kind, _ := natt.Read(form, p.Payload[8:]); kind == natt.ESP {
			return hiddenByUDP
		}
	}
	return ""
}

// behindAH is the protocol of what AH protects; 0 where its headers end too soon. RFC 4302, Section 2.
func behindAH(b []byte) uint8 {
	for len(b) >= 12 {
		length := (int(b[1]) + 2) * 4
		if b[0] != protoAH || length > len(b) {
			return b[0]
		}
		b = b[length:]
	}
	return 0
}
