package payload

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"
)

// LastFragment is the flag of the last fragment of a message, MS-IKEE, 2.2.3.1.
const LastFragment = 0x01

// Fragment is a Fragment payload, MS-IKEE, 2.2.3.1: the only payload of a message
// that carries a part of another.
type Fragment struct {
	ID     uint16 // of the message that was cut
	Number uint8  // from 1
	Flags  uint8
	Data   []byte
}

// Type is TypeFragment.
func (Fragment) Type() Type { return TypeFragment }

// Last reports whether no fragment of a higher number follows.
func (f Fragment) Last() bool { return f.Flags&LastFragment != 0 }

func (f Fragment) appendBody(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, f.ID)
	return append(append(dst, f.Number, f.Flags), f.Data...)
}

func parseFragment(b []byte) (Fragment, error) {
	s := cryptobyte.String(b)
	var f Fragment
	if !s.ReadUint16(&f.ID) || !s.ReadUint8(&f.Number) || !s.ReadUint8(&f.Flags) {
		return Fragment{}, errorf(NotifyPayloadMalformed, "fragment cut short")
	}
	if f.Number == 0 {
		return Fragment{}, errorf(NotifyPayloadMalformed, "fragment with the number 0")
	}
	f.Data = s
	return f, nil
}
