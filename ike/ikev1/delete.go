package ikev1

import (
	"encoding/binary"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// deletedByPeer takes a protected Delete, RFC 2408, Section 3.15: the SPIs are
// those of the sender's inbound SAs.
func (sa *SA) deletedByPeer(now time.Time, d payload.Delete) {
	switch d.Protocol {
	case payload.ProtocolISAKMP:
		for _, spi := range d.SPIs {
			if string(spi) == string(sa.spi()) && sa.state != lingering {
				sa.Close(now, "deleted", ike.Errorf(ike.CodeSADeleted, 0, "deleted by the peer"), false)
				return
			}
		}
	case payload.ProtocolESP, payload.ProtocolAH:
		e := ike.EventDeleteSAs{Remote: sa.remote.Addr(), Protocol: ipsec.Protocol(d.Protocol)}
		for _, spi := range d.SPIs {
			if len(spi) == 4 {
				e.SPIs = append(e.SPIs, binary.BigEndian.Uint32(spi))
			}
		}
		if e.SPIs != nil {
			sa.emit(e)
		}
	}
}

// SendDelete tells the peer that these inbound SAs of ours are gone.
func (sa *SA) SendDelete(now time.Time, p ipsec.Protocol, inbound []uint32) {
	const atMost = 256 // in one message, so that it fits one packet
	for len(inbound) > 0 {
		n := min(len(inbound), atMost)
		var spis [][]byte
		for _, spi := range inbound[:n] {
			spis = append(spis, binary.BigEndian.AppendUint32(nil, spi))
		}
		sa.sendDelete(now, payload.ProtocolID(p), spis...)
		inbound = inbound[n:]
	}
}

// sendDelete sends a Delete, and awaits an answer from peers that give one. As many
// as maxDeletions are repeated at a time; those beyond are sent once.
func (sa *SA) sendDelete(now time.Time, p payload.ProtocolID, spis ...[]byte) outgoing {
	d := payload.Delete{DOI: payload.DOIIPsec, Protocol: p, SPISize: uint8(len(spis[0])), SPIs: spis}
	if sa.answersDeletes() && len(sa.deletions) < maxDeletions {
		return sa.deleteReliably(now, d)
	}
	return sa.inform(now, d)
}
