package esp

import (
	"crypto/subtle"
	"encoding/binary"

	"github.com/ipseclab/ipseclab/esp/replay"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// protoNoNext is the next header of a dummy packet, RFC 4303, Section 2.6.
const protoNoNext = 59

// equal compares in constant time.
func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// protectedSize is the length of the IPv4 datagram that d becomes under an SA.
func (s *sa) protectedSize(d datagram) int {
	return d.headerLen + s.transform.size(len(d.payload()))
}

// innerMTU is the length of the largest datagram, with a header as long as d's,
// that still fits the path MTU when protected; false when not even an empty one does.
func (s *sa) innerMTU(d datagram, pathMTU int) (int, bool) {
	room := s.transform.room(pathMTU - d.headerLen)
	return d.headerLen + room, room >= 0
}

// seal writes into out, of protectedSize, the datagram d protected in transport
// mode: its own header, options included, then ESP (RFC 4303, Section 3.1.1).
// It uses up a sequence number.
func (s *sa) seal(out []byte, d datagram) {
	s.sequence++
	copy(out, d.b[:d.headerLen])
	payload := d.payload()
	esp := out[d.headerLen:]
	copy(esp[s.transform.head():], payload)
	s.transform.seal(esp, s.SPI, s.sequence, len(payload), d.proto())
	finish(out, d.headerLen, ipsec.ProtoESP)
}

// defect is why a protected packet is not accepted; the values are the reasons
// that a Decision and the trace show.
type defect string

const (
	shortESP     defect = "ESP packet is too short or not aligned for its SA"
	replayedSeq  defect = "replayed: the sequence number was received before"
	staleSeq     defect = "replayed: the sequence number lies left of the anti-replay window"
	zeroSeq      defect = "replayed: sequence number 0 is never sent"
	badICV       defect = "not authentic: the integrity check failed"
	badPadding   defect = "padding is not 1, 2, 3 …"
	dummyPacket  defect = "dummy packet (next header 59)"
	badSPI       defect = "no SA has this SPI"
	expiredSA    defect = "the lifetime of its SA has ended"
	espFragment  defect = "a fragment reached ESP: it opens whole datagrams only"
	notESP       defect = "not an ESP datagram"
	otherTraffic defect = "the packet inside is not of the traffic that its SA is for"
)

// authentic reports whether a packet with the defect, or with none, passed the
// integrity check: then it counts towards the SA's lifetime.
func (d defect) authentic() bool { return d == "" || d == badPadding || d == dummyPacket }

// open writes into out, which has room for d, the datagram that was inside, and
// returns it. The order is that of RFC 4303, Section 3.4: the window is looked at
// before any cryptography (3.4.3), then the integrity is checked, then the window
// moves; decryption and padding (3.4.4.1) can no longer change that.
func (s *sa) open(out []byte, d datagram) ([]byte, defect) {
	esp := d.payload()
	if !s.transform.fits(esp) {
		return nil, shortESP
	}
	seq := uint64(binary.BigEndian.Uint32(esp[4:]))
	switch s.window.Check(seq) {
	case replay.Seen:
		return nil, replayedSeq
	case replay.Stale:
		return nil, staleSeq
	case replay.Zero:
		return nil, zeroSeq
	}
	plain := s.transform.open(out[d.headerLen:], esp)
	if plain == nil {
		return nil, badICV
	}
	s.window.Update(seq)
	payload, next, ok := unpad(plain)
	if !ok {
		return nil, badPadding
	}
	if next == protoNoNext {
		return nil, dummyPacket
	}
	copy(out, d.b[:d.headerLen])
	out = out[:d.headerLen+len(payload)]
	finish(out, d.headerLen, next)
	return out, ""
}
