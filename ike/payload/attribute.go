package payload

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"
)

// Attribute is a data attribute, RFC 2408, Section 3.3.
type Attribute struct {
	Type  uint16 // without the format bit
	Basic bool   // sent as type and value (TV): Value has two bytes; else as type, length, value (TLV)
	Value []byte
}

const attributeFormat = 0x8000 // RFC 2408, Section 3.3

// BasicAttribute is an attribute whose value fits in two bytes.
func BasicAttribute(t, v uint16) Attribute {
	return Attribute{Type: t, Basic: true, Value: binary.BigEndian.AppendUint16(nil, v)}
}

// LongAttribute is an attribute with a number of four bytes, sent as TLV, as
// every implementation in the field sends life durations.
func LongAttribute(t uint16, v uint32) Attribute {
	return Attribute{Type: t, Value: binary.BigEndian.AppendUint32(nil, v)}
}

// Uint is the value as a number. false: longer than eight bytes, or empty.
// Variable attributes may come in either form (RFC 2409, Appendix A).
func (a Attribute) Uint() (uint64, bool) {
	if len(a.Value) == 0 || len(a.Value) > 8 {
		return 0, false
	}
	var v uint64
	for _, b := range a.Value {
		v = v<<8 | uint64(b)
	}
	return v, true
}

// ParseAttributes reads data attributes up to the end of b.
func ParseAttributes(b []byte) ([]Attribute, error) {
	var as []Attribute
	for s := cryptobyte.String(b); !s.Empty(); {
		var a Attribute
		ok := s.ReadUint16(&a.Type)
		if a.Type&attributeFormat != 0 {
			a.Type, a.Basic = a.Type&^attributeFormat, true
			ok = ok && s.ReadBytes(&a.Value, 2)
		} else {
			var length uint16
			ok = ok && s.ReadUint16(&length) && s.ReadBytes(&a.Value, int(length))
		}
		if !ok {
			return nil, errorf(NotifyPayloadMalformed, "data attribute cut short")
		}
		as = append(as, a)
	}
	return as, nil
}

// AppendAttributes writes data attributes.
func AppendAttributes(dst []byte, as []Attribute) []byte {
	for _, a := range as {
		if a.Basic {
			dst = binary.BigEndian.AppendUint16(dst, a.Type|attributeFormat)
		} else {
			dst = binary.BigEndian.AppendUint16(dst, a.Type)
			dst = binary.BigEndian.AppendUint16(dst, uint16(len(a.Value)))
		}
		dst = append(dst, a.Value...)
	}
	return dst
}
