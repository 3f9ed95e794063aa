package stun

import (
	"encoding/binary"
	"net/netip"
)

// Type is the type of an attribute.
type Type uint16

// Types of attributes.
const (
	MappedAddress     Type = 0x0001 // RFC 8489, Section 14.1
	ChangeRequest     Type = 0x0003 // RFC 5780, Section 7.2
	ErrorCode         Type = 0x0009 // RFC 8489, Section 14.8
	UnknownAttributes Type = 0x000a // RFC 8489, Section 14.13
	XORPeerAddress    Type = 0x0012 // RFC 8656, Section 18.3
	Data              Type = 0x0013 // RFC 8656, Section 18.4
	XORMappedAddress  Type = 0x0020 // RFC 8489, Section 14.2
	Padding           Type = 0x0026 // RFC 5780, Section 7.6
	ResponsePort      Type = 0x0027 // RFC 5780, Section 7.5
	Software          Type = 0x8022 // RFC 8489, Section 14.14
	Fingerprint       Type = 0x8028 // RFC 8489, Section 14.7
	ResponseOrigin    Type = 0x802b // RFC 5780, Section 7.3
	OtherAddress      Type = 0x802c // RFC 5780, Section 7.4
)

// Required reports whether a reader has to understand the attribute: RFC 8489, Section 14.
func (t Type) Required() bool { return t < 0x8000 }

// xor reports whether addresses of the type are hidden from boxes that rewrite what looks
// like an address: RFC 8489, Section 14.2.
func (t Type) xor() bool { return t == XORMappedAddress || t == XORPeerAddress }

// The families of addresses: RFC 8489, Section 14.1.
const (
	familyIPv4 = 1
	familyIPv6 = 2
)

// mask is what is put over an address: the cookie and the transaction ID.
func (m Message) mask() [16]byte {
	var mask [16]byte
	binary.BigEndian.PutUint32(mask[:], cookie)
	copy(mask[4:], m.ID[:])
	return mask
}

// AddAddr appends an attribute that holds an address and a port.
func (m *Message) AddAddr(t Type, a netip.AddrPort) {
	addr := a.Addr().Unmap()
	v := []byte{0, familyIPv4}
	if addr.Is6() {
		v[1] = familyIPv6
	}
	v = binary.BigEndian.AppendUint16(v, a.Port())
	v = append(v, addr.AsSlice()...)
	m.hide(t, v)
	m.Add(t, v)
}

// Addr reads an attribute that holds an address and a port. false: there is none, or it is no address.
func (m Message) Addr(t Type) (netip.AddrPort, bool) {
	value, ok := m.Get(t)
	if !ok || len(value) != 8 && len(value) != 20 || value[1] != familyIPv4 && len(value) == 8 || value[1] != familyIPv6 && len(value) == 20 {
		return netip.AddrPort{}, false
	}
	v := append([]byte(nil), value...)
	m.hide(t, v)
	addr, _ := netip.AddrFromSlice(v[4:])
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(v[2:])), true
}

// hide puts the mask over an address, or takes it off, where the type wants it.
func (m Message) hide(t Type, v []byte) {
	if !t.xor() {
		return
	}
	mask := m.mask()
	v[2] ^= mask[0]
	v[3] ^= mask[1]
	for i := range v[4:] {
		v[4+i] ^= mask[i]
	}
}

// The flags of CHANGE-REQUEST: RFC 5780, Section 7.2.
const (
	changeIP   = 4
	changePort = 2
)

// AddChange asks for a response from the server's other address, its other port, or both.
func (m *Message) AddChange(ip, port bool) {
	var flags byte
	if ip {
		flags |= changeIP
	}
	if port {
		flags |= changePort
	}
	m.Add(ChangeRequest, []byte{0, 0, 0, flags})
}

// Change is what CHANGE-REQUEST asks for; without one nothing. ok is false for one that is malformed.
func (m Message) Change() (ip, port, ok bool) {
	v, there := m.Get(ChangeRequest)
	switch {
	case !there:
		return false, false, true
	case len(v) != 4:
		return false, false, false
	}
	return v[3]&changeIP != 0, v[3]&changePort != 0, true
}

// AddResponsePort asks for the response to be sent to another port.
func (m *Message) AddResponsePort(port uint16) {
	m.Add(ResponsePort, []byte{byte(port >> 8), byte(port), 0, 0})
}

// Response is the port of RESPONSE-PORT. there is false without one, ok is false for one that is malformed.
// Besides the four bytes of RFC 5780 it takes two, which RFC 8489, Section 14 pads to the same.
func (m Message) Response() (port uint16, there, ok bool) {
	v, there := m.Get(ResponsePort)
	if !there {
		return 0, false, true
	}
	if len(v) != 4 && len(v) != 2 {
		return 0, true, false
	}
	return binary.BigEndian.Uint16(v), true, true
}

// AddError appends the code of an error response, 300 to 699, and its reason.
func (m *Message) AddError(code int, reason string) {
	m.Add(ErrorCode, append([]byte{0, 0, byte(code / 100 & 7), byte(code % 100)}, reason...))
}

// AddUnknown names the attributes that an error response of code 420 is about.
func (m *Message) AddUnknown(types []Type) {
	var v []byte
	for _, t := range types {
		v = binary.BigEndian.AppendUint16(v, uint16(t))
	}
	m.Add(UnknownAttributes, v)
}
