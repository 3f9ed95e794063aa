package stun

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
)

// Port is that of STUN over UDP and TCP: RFC 8489, Section 18.6, and RFC 5780, Section 9.2.
const Port = 3478

// headerLen and cookie: RFC 8489, Section 5.
const (
	headerLen = 20
	cookie    = 0x2112a442
)

// MaxLen is how long a message may be, so that it fits a UDP datagram of IPv4.
const MaxLen = 65507

// Class is what a message is: RFC 8489, Section 5.
type Class uint8

// The classes.
const (
	Request Class = iota
	Indication
	Success
	Failure // an error response
)

// Method is what a message is about.
type Method uint16

// Methods.
const (
	Binding Method = 0x001 // RFC 8489, Section 18.2
	Send    Method = 0x006 // RFC 8656, Section 17: its indication asks to pass data on
)

// TransactionID joins a response to its request.
type TransactionID [12]byte

// Message is a STUN message. Its attributes stand in the order of the wire.
type Message struct {
	Method     Method
	Class      Class
	ID         TransactionID
	Attributes []Attribute
}

// Attribute is one attribute; its value is without the padding to four bytes.
type Attribute struct {
	Type  Type
	Value []byte
}

// errShort and its neighbours are all that can be wrong with the form of a message.
var (
	errShort       = errors.New("stun: the message is cut short")
	errNotSTUN     = errors.New("stun: no STUN message")
	errLength      = errors.New("stun: the length does not fit the message")
	errFingerprint = errors.New("stun: the fingerprint is wrong")
)

// Parse reads a datagram that is one message and nothing else. Values of attributes are
// parts of b.
func Parse(b []byte) (Message, error) {
	n, err := Len(b)
	switch {
	case err != nil:
		return Message{}, err
	case n != len(b):
		return Message{}, errLength
	}
	typ := binary.BigEndian.Uint16(b)
	m := Message{
		// RFC 8489, Section 5, figure 3: the class is in bits 4 and 8, between those of the method.
		Method: Method(typ&0x000f | typ&0x00e0>>1 | typ&0x3e00>>2),
		Class:  Class(typ>>4&1 | typ>>7&2),
		ID:     TransactionID(b[8:headerLen]),
	}
	for at := headerLen; at < n; {
		if n-at < 4 {
			return Message{}, errLength
		}
		a := Attribute{Type: Type(binary.BigEndian.Uint16(b[at:]))}
		size := int(binary.BigEndian.Uint16(b[at+2:]))
		if size > n-at-4 {
			return Message{}, errLength
		}
		a.Value = b[at+4 : at+4+size : at+4+size]
		end := at + 4 + padded(size)
		if end > n {
			return Message{}, errLength
		}
		// RFC 8489, Section 14.7: the fingerprint is the last attribute, and over what stands before it.
		if a.Type == Fingerprint && (end != n || !bytes.Equal(a.Value, fingerprint(b[:at]))) {
			return Message{}, errFingerprint
		}
		m.Attributes = append(m.Attributes, a)
		at = end
	}
	return m, nil
}

// Len is the length of the message that begins with these bytes, 20 at least, as the header
// says: it is what frames messages of a TCP connection (RFC 8489, Section 6.2.2).
func Len(b []byte) (int, error) {
	switch {
	case len(b) < headerLen:
		return 0, errShort
	case b[0]&0xc0 != 0 || binary.BigEndian.Uint32(b[4:]) != cookie:
		return 0, errNotSTUN
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n%4 != 0 {
		return 0, errLength
	}
	return headerLen + n, nil
}

// HeaderLen is how many bytes Len needs.
const HeaderLen = headerLen

// Append writes the message behind dst.
func (m Message) Append(dst []byte) []byte {
	start := len(dst)
	method, class := uint16(m.Method), uint16(m.Class)
	typ := method&0x000f | method&0x0070<<1 | method&0x0f80<<2 | class&1<<4 | class&2<<7
	dst = binary.BigEndian.AppendUint16(dst, typ)
	dst = append(dst, 0, 0) // the length, see below
	dst = binary.BigEndian.AppendUint32(dst, cookie)
	dst = append(dst, m.ID[:]...)
	for _, a := range m.Attributes {
		dst = binary.BigEndian.AppendUint16(dst, uint16(a.Type))
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(a.Value)))
		dst = append(dst, a.Value...)
		dst = append(dst, make([]byte, padded(len(a.Value))-len(a.Value))...)
	}
	binary.BigEndian.PutUint16(dst[start+2:], uint16(len(dst)-start-headerLen))
	return dst
}

// padded is a length with the padding behind it: RFC 8489, Section 14.
func padded(n int) int { return (n + 3) &^ 3 }

// Reply is a response of the class to the message, without attributes.
func (m Message) Reply(c Class) Message { return Message{Method: m.Method, Class: c, ID: m.ID} }

// Get is the value of an attribute; of several of one type only the first counts (RFC 8489, Section 14).
func (m Message) Get(t Type) (value []byte, ok bool) {
	i := slices.IndexFunc(m.Attributes, func(a Attribute) bool { return a.Type == t })
	if i < 0 {
		return nil, false
	}
	return m.Attributes[i].Value, true
}

// Add appends an attribute.
func (m *Message) Add(t Type, value []byte) {
	m.Attributes = append(m.Attributes, Attribute{t, value})
}

// Unknown are the types of attributes, each once, that whoever reads the message has to
// understand and that are not among those known to it. A request with some is refused with
// error 420, and a response ignored: RFC 8489, Section 6.3.
func (m Message) Unknown(known ...Type) (unknown []Type) {
	for _, a := range m.Attributes {
		if a.Type.Required() && !slices.Contains(known, a.Type) && !slices.Contains(unknown, a.Type) {
			unknown = append(unknown, a.Type)
		}
	}
	return unknown
}
