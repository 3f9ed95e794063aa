package discovery

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/internal/stun"
)

// Ports of a server.
const (
	Primary   = stun.Port     // P1 of RFC 5780, Section 6.1
	Alternate = stun.Port + 1 // P2
	Silent    = stun.Port + 2 // TCP segments to it are remembered for Recall and not answered
	WellKnown = 1023          // UDP, as on Primary: some NATs forget soonest what they know of ports from 0 to 1023. This one is nobody's
	IKE       = 500           // UDP: ISAKMP messages that carry a Binding request
)

// The lab's own method and attributes. A reader that does not know them has to refuse.
const (
	recall stun.Method = 0x0f1 // what has reached the server: answered with attributes seen

	delay    stun.Type = 0x7ff1 // milliseconds, 32 bits: the server does so after that time
	protocol stun.Type = 0x7ff2 // of a Send indication: one byte; DATA stands behind the IP header
	reverse  stun.Type = 0x7ff3 // of a Send indication: no value; DATA leaves in two fragments, the last one first
	seen     stun.Type = 0xfff5 // a packet that reached the server, see sighting
	filler   stun.Type = 0xfff6 // makes a message long; not answered with as much, as PADDING is
)

// maxDelay bounds what a server keeps in mind.
const maxDelay = 30 * 24 * time.Hour

func addDelay(m *stun.Message, d time.Duration) {
	m.Add(delay, binary.BigEndian.AppendUint32(nil, uint32(d/time.Millisecond)))
}

// delayOf is how late the answer is wanted. ok is false when that is no time to wait.
func delayOf(m stun.Message) (d time.Duration, ok bool) {
	v, there := m.Get(delay)
	if !there {
		return 0, true
	}
	if len(v) != 4 {
		return 0, false
	}
	d = time.Duration(binary.BigEndian.Uint32(v)) * time.Millisecond
	return d, d <= maxDelay
}

// sighting is a packet that reached a server: how long ago, and its beginning.
type sighting struct {
	age   time.Duration
	bytes []byte
}

// maxSeen bytes of a packet are remembered: the headers of IPv4 and TCP, or of ICMP and what it quotes.
const maxSeen = 60

func (s sighting) append(m *stun.Message) {
	v := binary.BigEndian.AppendUint32(nil, uint32(s.age/time.Millisecond))
	m.Add(seen, append(v, s.bytes...))
}

// sightings are what an answer to Recall says.
func sightings(m stun.Message) (all []sighting) {
	for _, a := range m.Attributes {
		if a.Type == seen && len(a.Value) >= 4 {
			age := time.Duration(binary.BigEndian.Uint32(a.Value)) * time.Millisecond
			all = append(all, sighting{age, a.Value[4:]})
		}
	}
	return all
}

// The carriers of a Binding request beside UDP and TCP.

// ESP: the SPI of the answer is another than that of the request, as of two SAs.
const answerSPI = 0x5a5a5a5a

// espPacket is an ESP packet up to its sequence number (RFC 4303, Section 2), with a message
// where the encrypted data would be.
func espPacket(spi, sequence uint32, message []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, spi)
	b = binary.BigEndian.AppendUint32(b, sequence)
	return append(b, message...)
}

// ahICV is the length of the integrity check value, of HMAC-SHA-1-96; here it is zero.
const ahICV = 12

// ahPacket is an AH packet (RFC 4302, Section 2) around a UDP datagram to nowhere, which
// holds the message.
func ahPacket(spi, sequence uint32, message []byte) []byte {
	b := []byte{protoNone, (12+ahICV)/4 - 2, 0, 0}
	b = binary.BigEndian.AppendUint32(b, spi)
	b = binary.BigEndian.AppendUint32(b, sequence)
	b = append(b, make([]byte, ahICV)...)
	return append(b, message...)
}

// protoNone is what AH says that it carries: nothing that a stack would read on (RFC 8200, Section 4.7).
const protoNone = 59

const (
	espHeader = 8
	ahHeader  = 12 + ahICV
)

// carried is the message in an ESP or AH packet, or in one of another protocol, with its SPI.
func carried(proto uint8, payload []byte) (spi uint32, message []byte, ok bool) {
	switch proto {
	case protoESP:
		if len(payload) < espHeader {
			return 0, nil, false
		}
		return binary.BigEndian.Uint32(payload), payload[espHeader:], true
	case protoAH:
		if len(payload) < ahHeader {
			return 0, nil, false
		}
		return binary.BigEndian.Uint32(payload[4:]), payload[ahHeader:], true
	}
	return 0, payload, true
}

// carry is the opposite of carried.
func carry(proto uint8, spi, sequence uint32, message []byte) []byte {
	switch proto {
	case protoESP:
		return espPacket(spi, sequence, message)
	case protoAH:
		return ahPacket(spi, sequence, message)
	}
	return message
}

// ISAKMP: RFC 2408, Sections 3.1, 3.2 and 3.16.
const (
	isakmpHeader = 28
	payloadVID   = 13
	version1     = 0x10
	identityProt = 2 // the exchange type of main mode
)

// isakmp is a first message of main mode that holds nothing but a Vendor ID payload, and in it the message.
func isakmp(initiator, responder [8]byte, message []byte) []byte {
	b := append(initiator[:], responder[:]...)
	b = append(b, payloadVID, version1, identityProt, 0, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(isakmpHeader+4+len(message)))
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(4+len(message)))
	return append(b, message...)
}

// readISAKMP is the opposite; false for any other ISAKMP message.
func readISAKMP(b []byte) (initiator [8]byte, message []byte, ok bool) {
	if len(b) < isakmpHeader+4 || b[16] != payloadVID || b[18] != identityProt || int(binary.BigEndian.Uint32(b[24:])) != len(b) ||
		int(binary.BigEndian.Uint16(b[isakmpHeader+2:])) != len(b)-isakmpHeader {
		return initiator, nil, false
	}
	return [8]byte(b), b[isakmpHeader+4:], true
}

// addrPort is an endpoint of a protocol without ports.
func addrPort(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, 0) }
