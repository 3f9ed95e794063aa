package ike

import (
	"slices"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// UDPEncapsulation is what a quick mode makes of ESP in UDP. The zero value is no NAT traversal.
type UDPEncapsulation struct {
	Dialect NATDialect // whose numbers are in force; 0: none
	// Wanted is that there is a NAT: ESP in UDP is offered and accepted alone. Else plain ESP and AH
	// are. RFC 3947, Section 5.1 has a SHOULD for the former and a SHOULD NOT for ESP in UDP without
	// a NAT, and another for an offer with both.
	Wanted bool
	// Either has a responder take the other form too.
	Either bool
}

// form is how a mode stands in the Encapsulation Mode attribute.
type form uint8

const (
	plain      form = iota
	inUDPDraft      // 61443 and 61444, draft-ietf-ipsec-nat-t-ike-00 to -03, Section 5.1 (of -00 and -01: 4.1)
	inUDPRFC        // 3 and 4, RFC 3947, Section 5.1
)

// forms are the values for a tunnel; those for transport mode follow them.
var forms = [...]uint16{plain: payload.EncapsulationTunnel, inUDPDraft: payload.EncapsulationUDPTunnelDraft, inUDPRFC: payload.EncapsulationUDPTunnel}

// encapsulation is the value of the attribute.
func (f form) encapsulation(m ipsec.Mode) uint16 {
	if m == ipsec.Transport {
		return forms[f] + 1
	}
	return forms[f]
}

// readEncapsulation is its inverse.
func readEncapsulation(value uint16) (m ipsec.Mode, f form, ok bool) {
	for f, tunnel := range forms {
		switch value {
		case tunnel:
			return ipsec.Tunnel, form(f), true
		case tunnel + 1:
			return ipsec.Transport, form(f), true
		}
	}
	return 0, 0, false
}

func (f form) String() string { return [...]string{"", " in UDP (draft)", " in UDP"}[f] }

// udp is the form of ESP in UDP in force.
func (u UDPEncapsulation) udp() form {
	if u.Dialect.Draft() {
		return inUDPDraft
	}
	return inUDPRFC
}

// offers is the form of what is offered.
func (u UDPEncapsulation) offers() form {
	if u.Wanted {
		return u.udp()
	}
	return plain
}

// formFault says what is wrong with the form of an alternative; "": nothing.
func (u UDPEncapsulation) formFault(f form, ts []ipsec.Transform) string {
	switch {
	case u.Wanted && usesAH(ts):
		return behindNAT
	case f != plain && usesAH(ts):
		return "AH in UDP, which does not exist"
	case f != plain && u.Dialect == 0:
		return "ESP in UDP, and NAT traversal was not agreed on"
	case f != plain && f != u.udp():
		return "ESP in UDP by the number of another dialect than " + u.Dialect.String()
	case u.Either || f == u.offers():
	case u.Wanted:
		return "no encapsulation in UDP, and there is a NAT"
	default:
		return "ESP in UDP, and there is no NAT"
	}
	return ""
}

// behindNAT is why AH is of no use there: it covers the addresses that a NAT changes, and
// encapsulation in UDP is for ESP (RFC 3948, Section 1; RFC 3715, Section 2.1, case a).
const behindNAT = "AH covers the addresses, which a NAT changes"

func usesAH(ts []ipsec.Transform) bool {
	return slices.ContainsFunc(ts, func(t ipsec.Transform) bool { return t.Protocol == ipsec.AH })
}

// OffersUDPTransport reports whether an offer has ESP in UDP in transport mode.
func OffersUDPTransport(offer *payload.SA) bool {
	for _, p := range offer.Proposals {
		for _, t := range p.Transforms {
			for _, a := range t.Attributes {
				v, ok := a.Uint()
				if m, f, known := readEncapsulation(uint16(v)); ok && v <= 0xffff && a.Type == payload.AttrEncapsulation && known && m == ipsec.Transport && f != plain {
					return true
				}
			}
		}
	}
	return false
}
