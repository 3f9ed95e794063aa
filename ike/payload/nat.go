package payload

import (
	"net/netip"

	"golang.org/x/crypto/cryptobyte"
)

// NATD is a NAT-D payload, RFC 3947, Section 3.2: the hash of an address and a port.
type NATD struct {
	Draft bool // numbered as in draft-ietf-ipsec-nat-t-ike-00 to -03
	Hash  []byte
}

// Type is TypeNATD, or TypeNATDDraft.
func (n NATD) Type() Type {
	if n.Draft {
		return TypeNATDDraft
	}
	return TypeNATD
}

func (n NATD) appendBody(dst []byte) []byte { return append(dst, n.Hash...) }

// NATOA is a NAT-OA payload, RFC 3947, Section 5.2: an address as its owner sees it.
type NATOA struct {
	Draft bool // numbered as in draft-ietf-ipsec-nat-t-ike-00 to -03
	Addr  netip.Addr
}

// Type is TypeNATOA, or TypeNATOADraft.
func (n NATOA) Type() Type {
	if n.Draft {
		return TypeNATOADraft
	}
	return TypeNATOA
}

// IDType is how the payload names the family of its address.
func (n NATOA) IDType() IDType {
	if n.Addr.Is4() {
		return IDIPv4
	}
	return IDIPv6
}

func (n NATOA) appendBody(dst []byte) []byte {
	return append(append(dst, byte(n.IDType()), 0, 0, 0), n.Addr.AsSlice()...)
}

func parseNATOA(b []byte, draft bool) (NATOA, error) {
	s := cryptobyte.String(b)
	var t IDType
	var reserved uint32
	if !s.ReadUint8((*uint8)(&t)) || !s.ReadUint24(&reserved) {
		return NATOA{}, errorf(NotifyPayloadMalformed, "NAT-OA cut short")
	}
	if reserved != 0 {
		return NATOA{}, errorf(NotifyPayloadMalformed, "NAT-OA: reserved field is %#x", reserved)
	}
	a, ok := netip.AddrFromSlice(s)
	n := NATOA{Draft: draft, Addr: a}
	if !ok || n.IDType() != t {
		return NATOA{}, errorf(NotifyPayloadMalformed, "NAT-OA: %v with %d bytes", t, len(s))
	}
	return n, nil
}
