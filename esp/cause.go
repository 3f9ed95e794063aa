package esp

import "net/netip"

// Cause is a kind of packet that arrived and was discarded, as the driver of Windows
// logs them apart.
type Cause uint8

// The causes, and the statuses of MS-ERREF, Section 2.3 (0xC036…), that they stand for.
const (
	BadSPI    Cause = iota + 1 // …0001: no SA has its SPI
	ClearText                  // …0007: in the clear, although policy demands protection
	BadHash                    // …0006: the integrity check failed
	Replay                     // …0004: a replay
	BadSyntax                  // …0005: malformed
	WrongSA                    // …0003: under an SA that is not for it, or a part of a bundle alone
	ExpiredSA                  // …0002: under an SA whose lifetime has ended

)

// causeOf is the cause of a defect; 0: none that anybody logs.
func causeOf(d defect) Cause {
	switch d {
	case badSPI:
		return BadSPI
	case badICV:
		return BadHash
	case replayedSeq, staleSeq, zeroSeq:
		return Replay
	case sameTalk, otherTraffic, missingAH, missingESP, foreignBundle:
		return WrongSA
	case expiredSA:
		return ExpiredSA
	case dummyPacket: // "without indicating an error", RFC 4303, Section 2.6
		return 0
	}
	return BadSyntax
}

func (c Config) discarded(cause Cause, from netip.Addr) {
	if c.Discarded != nil {
		c.Discarded(cause, from)
	}
}

// sourceOf is the source address of a packet of which nothing else is to be believed;
// invalid when there is none.
func sourceOf(packet []byte) netip.Addr {
	switch {
	case packet[0]>>4 == 4 && len(packet) >= 20:
		return netip.AddrFrom4([4]byte(packet[12:16]))
	case packet[0]>>4 == 6 && len(packet) >= 40:
		return netip.AddrFrom16([16]byte(packet[8:24]))
	}
	return netip.Addr{}
}
