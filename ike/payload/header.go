package payload

import (
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/crypto/cryptobyte"
)

// HeaderLen is the length of an ISAKMP header in bytes, RFC 2408, Section 3.1.
const HeaderLen = 28

// Version1 is major version 1, minor version 0, RFC 2408, Section 3.1.
const Version1 = 0x10

// Cookie is one side's half of the name of an ISAKMP SA, RFC 2408, Section 2.5.3.
type Cookie = [8]byte

// Exchange is an exchange type, RFC 2408, Section 3.1; RFC 2409, Appendix A.
type Exchange uint8

// Exchange types.
const (
	Base          Exchange = 1  // RFC 2408, Section 3.1
	MainMode      Exchange = 2  // RFC 2408, Section 3.1: identity protection; RFC 2409, Section 5
	AuthOnly      Exchange = 3  // RFC 2408, Section 3.1
	Aggressive    Exchange = 4  // RFC 2408, Section 3.1
	Informational Exchange = 5  // RFC 2408, Section 3.1
	Transaction   Exchange = 6  // draft-dukes-ike-mode-cfg-02, Section 3.1
	QuickMode     Exchange = 32 // RFC 2409, Appendix A
	NewGroup      Exchange = 33 // RFC 2409, Appendix A
)

var exchangeNames = map[Exchange]string{
	Base: "base", MainMode: "main mode", AuthOnly: "authentication only", Aggressive: "aggressive mode", Informational: "informational",
	Transaction: "transaction", QuickMode: "quick mode", NewGroup: "new group mode",
}

func (x Exchange) String() string {
	if n, ok := exchangeNames[x]; ok {
		return n
	}
	return fmt.Sprintf("exchange %d", uint8(x))
}

// Flags are the flags of a header, RFC 2408, Section 3.1.
type Flags uint8

// Flags, RFC 2408, Section 3.1.
const (
	Encrypted          Flags = 0x01 // all that follows the header
	Commit             Flags = 0x02
	AuthenticationOnly Flags = 0x04
)

func (f Flags) String() string {
	var names []string
	for _, n := range []struct {
		bit  Flags
		name string
	}{{Encrypted, "encryption"}, {Commit, "commit"}, {AuthenticationOnly, "authentication only"}} {
		if f&n.bit != 0 {
			names = append(names, n.name)
			f &^= n.bit
		}
	}
	if f != 0 {
		names = append(names, fmt.Sprintf("%#x", uint8(f)))
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, "+")
}

// Header is the header of every ISAKMP message, RFC 2408, Section 3.1.
type Header struct {
	CookieI, CookieR Cookie
	Next             Type  // of the first payload
	Version          uint8 // major in the upper half, minor in the lower
	Exchange         Exchange
	Flags            Flags
	MessageID        uint32 // 0 throughout phase 1
	Length           uint32 // of the whole message in bytes
}

// Major is the major version.
func (h Header) Major() uint8 { return h.Version >> 4 }

// ParseHeader reads the header of the message b, which must be as long as the
// header says (RFC 2408, Section 5.1).
func ParseHeader(b []byte) (Header, error) {
	var h Header
	s := cryptobyte.String(b)
	if !s.CopyBytes(h.CookieI[:]) || !s.CopyBytes(h.CookieR[:]) || !s.ReadUint8((*uint8)(&h.Next)) ||
		!s.ReadUint8(&h.Version) || !s.ReadUint8((*uint8)(&h.Exchange)) || !s.ReadUint8((*uint8)(&h.Flags)) ||
		!s.ReadUint32(&h.MessageID) || !s.ReadUint32(&h.Length) {
		return Header{}, errorf(NotifyPayloadMalformed, "%d bytes are too few for an ISAKMP header", len(b))
	}
	if uint64(h.Length) != uint64(len(b)) {
		return Header{}, errorf(NotifyUnequalPayloadLengths, "header counts %d bytes, message has %d", h.Length, len(b))
	}
	return h, nil
}

// Append writes the header. See SetLength for a length that is not known yet.
func (h Header) Append(dst []byte) []byte {
	dst = append(dst, h.CookieI[:]...)
	dst = append(dst, h.CookieR[:]...)
	dst = append(dst, byte(h.Next), h.Version, byte(h.Exchange), byte(h.Flags))
	dst = binary.BigEndian.AppendUint32(dst, h.MessageID)
	return binary.BigEndian.AppendUint32(dst, h.Length)
}

// SetFlags writes the flags of the finished message msg into its header.
func SetFlags(msg []byte, f Flags) { msg[19] = byte(f) }

// SetLength writes the length of the finished message msg into its header.
func SetLength(msg []byte) { binary.BigEndian.PutUint32(msg[24:HeaderLen], uint32(len(msg))) }
