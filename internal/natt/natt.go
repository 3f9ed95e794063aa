// Package natt is how IKE, ESP and keep-alives share a UDP port where a NAT is on the
// path: RFC 3948, Section 2, and the older form of draft-ietf-ipsec-udp-encaps-00 and -01.
// It reads and writes the bytes behind a UDP header and knows nothing else of them.
package natt

// Port is UDP port 4500, to which IKE floats when it has found a NAT: RFC 3947, Section 4.
const Port = 4500

// Form is what tells IKE and ESP apart on a port.
type Form uint8

// The forms. The zero value is IKE alone, as on port 500 without NAT traversal.
const (
	Plain  Form = iota // IKE alone
	NonESP             // port 4500: four zero octets, where ESP has its SPI, go ahead of IKE (RFC 3948, Section 2.2)
	NonIKE             // port 500 with the drafts 00 and 01: eight zero octets, where IKE has the initiator's cookie, go ahead of ESP
)

// Kind is what a UDP payload is.
type Kind uint8

// The kinds.
const (
	Nothing   Kind = iota // too short to be anything
	IKE                   // an ISAKMP message
	ESP                   // an ESP packet from its SPI on
	KeepAlive             // one octet 0xff, to be dropped: RFC 3948, Section 2.3
)

// Markers, and the payload of a keep-alive.
var (
	nonESP    = [4]byte{}
	nonIKE    = [8]byte{}
	keepAlive = [1]byte{0xff}
)

// Overhead is how many octets a form puts ahead of an ESP packet, the UDP header included.
func (f Form) Overhead() int {
	if f == NonIKE {
		return 8 + len(nonIKE)
	}
	return 8
}

// Read tells what a UDP payload is, and returns it without its marker.
func Read(f Form, payload []byte) (Kind, []byte) {
	if f != Plain && len(payload) == 1 && payload[0] == keepAlive[0] {
		return KeepAlive, nil
	}
	switch f {
	case NonESP:
		switch {
		case len(payload) < len(nonESP):
			return Nothing, nil
		case [4]byte(payload) == nonESP:
			return IKE, payload[len(nonESP):]
		}
		return ESP, payload
	case NonIKE:
		if len(payload) >= len(nonIKE) && [8]byte(payload) == nonIKE {
			return ESP, payload[len(nonIKE):]
		}
	}
	if len(payload) == 0 {
		return Nothing, nil
	}
	return IKE, payload
}

// AppendIKE appends an ISAKMP message as it goes behind the UDP header.
func (f Form) AppendIKE(dst, message []byte) []byte {
	if f == NonESP {
		dst = append(dst, nonESP[:]...)
	}
	return append(dst, message...)
}

// KeepAlivePayload is the payload of a keep-alive.
func KeepAlivePayload() []byte { return []byte{keepAlive[0]} }
