package ike

import (
	"net/netip"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// IDType is an identification type, RFC 2407, Section 4.6.2.1; see package payload for the values.
type IDType = payload.IDType

// Identity is what a peer calls itself in phase 1. The zero value stands for the local address.
type Identity struct {
	Type IDType
	Data []byte // as on the wire: 4 or 16 octets of an address, the name's octets, DER
}

// AddressIdentity is the identity of a host known by its address.
func AddressIdentity(a netip.Addr) Identity {
	if a.Is4() {
		return Identity{Type: payload.IDIPv4, Data: a.AsSlice()}
	}
	return Identity{Type: payload.IDIPv6, Data: a.AsSlice()}
}

// Payload is the identification payload of phase 1: protocol and port are 0,
// which RFC 2407, Section 4.6.2 allows beside UDP port 500. local stands in for
// the zero value.
func (i Identity) Payload(local netip.Addr) payload.ID {
	if i.Type == 0 {
		i = AddressIdentity(local)
	}
	return payload.ID{IDType: i.Type, Data: i.Data}
}
