package payload

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// name is the registered name of v, or its number.
func name[K interface{ ~uint8 | ~uint16 }](names map[K]string, v K) string {
	if n, ok := names[v]; ok {
		return n
	}
	return fmt.Sprint(uint16(v))
}

// class is an attribute class: its name, what its values are, and names for them where they are enumerated.
type class struct {
	name   string
	values map[uint16]string
	form   form
}

// form is how the value of an attribute is to be shown.
type form uint8

const (
	number  form = iota
	octets       // a value that has no other form, and a long number, is shown as octets
	text         // UTF-8
	utf16LE      // UTF-16, low byte first
	address      // of either family
	secret       // of which no more is shown than whether there is one
)

func (f form) show(a Attribute) string {
	switch f {
	case secret:
		if len(a.Value) == 0 {
			return strconv.Quote("")
		}
		return "not shown"
	case number:
		if v, ok := a.Uint(); ok {
			return fmt.Sprint(v)
		}
	case text:
		if utf8.Valid(a.Value) {
			return strconv.Quote(string(a.Value))
		}
	case utf16LE:
		if len(a.Value)%2 == 0 {
			units := make([]uint16, len(a.Value)/2)
			for i := range units {
				units[i] = binary.LittleEndian.Uint16(a.Value[2*i:])
			}
			return strconv.Quote(string(utf16.Decode(units)))
		}
	case address:
		if ip, ok := netip.AddrFromSlice(a.Value); ok {
			return ip.String()
		}
	}
	return fmt.Sprintf("%x", a.Value)
}

type classTable map[uint16]class

func (t classTable) named(a Attribute) (attribute, value string) {
	c, known := t[a.Type]
	if attribute = c.name; !known {
		attribute = fmt.Sprintf("attribute %d", a.Type)
	}
	if v, ok := a.Uint(); ok && v <= 0xffff && c.values != nil {
		return attribute, name(c.values, uint16(v))
	}
	return attribute, c.form.show(a)
}

func classes(p ProtocolID) classTable {
	if p == ProtocolISAKMP {
		return phase1Classes
	}
	return phase2Classes
}

// AttributeKnown reports whether a class of attributes is defined for transforms of the protocol.
func AttributeKnown(p ProtocolID, t uint16) bool {
	_, ok := classes(p)[t]
	return ok
}

// AttributeName is the name of an attribute and of its value in the words of
// the RFC, for a transform or a lifetime under the protocol. AuthMethodName
// knows more about an authentication method.
func AttributeName(p ProtocolID, a Attribute) (attribute, value string) { return classes(p).named(a) }
