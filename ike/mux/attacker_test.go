package mux_test

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// attack is what somebody who sees a datagram, and can send as either host,
// makes of it. The datagram itself goes its way.
func (s *randomRun) attack(d ike.Datagram) {
	r, b := s.r, bytes.Clone(d.Payload)
	s.tally["attacks"]++
	switch r.IntN(11) {
	case 9, 10:
		s.strangersReplay()
		return
	case 0: // altered inside
		s.scribble(b[payload.HeaderLen:])
	case 1: // altered in the header
		s.scribble(b[:payload.HeaderLen-4])
	case 2: // cut short
		b = b[:payload.HeaderLen+r.IntN(len(b)-payload.HeaderLen)]
	case 3: // longer
		b = append(b, s.noise(1+r.IntN(40))...)
	case 4: // with two blocks of its ciphertext exchanged, or of what is in the clear
		blocks := (len(b) - payload.HeaderLen) / 8
		i, j := payload.HeaderLen+8*r.IntN(blocks), payload.HeaderLen+8*r.IntN(blocks)
		one := bytes.Clone(b[i : i+8])
		copy(b[i:i+8], b[j:j+8])
		copy(b[j:j+8], one)
	case 5: // replayed
		d = s.n.sent[r.IntN(len(s.n.sent))]
		b = bytes.Clone(d.Payload)
	case 6: // sent back
		d.Local, d.Remote = d.Remote, d.Local
	case 7: // another message under its cookies
		b = s.forge(b[:payload.HeaderLen])
	case 8:
		b = s.noise(r.IntN(100))
	}
	if len(b) >= payload.HeaderLen && r.IntN(8) > 0 {
		payload.SetLength(b)
	}
	s.n.fly(ike.Datagram{Local: d.Local, Remote: d.Remote, Payload: b}, pick(r, 0, 0, s.n.latency, time.Second, 40*time.Second))
}

// scribble writes over some of b.
func (s *randomRun) scribble(b []byte) { copy(b[s.r.IntN(len(b)):], s.noise(1+s.r.IntN(8))) }

func (s *randomRun) noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(s.r.Uint32())
	}
	return b
}

// forge is a message of the attacker's own, as sound as can be without the keys.
func (s *randomRun) forge(header []byte) []byte {
	r := s.r
	h := payload.Header{
		CookieI: payload.Cookie(header[:8]), CookieR: payload.Cookie(header[8:16]), Version: payload.Version1,
		Exchange:  pick(r, payload.MainMode, payload.MainMode, payload.QuickMode, payload.Informational, payload.Aggressive, payload.Exchange(r.IntN(256))),
		Flags:     pick[payload.Flags](r, 0, 0, payload.Encrypted, payload.Commit, payload.Encrypted|payload.Commit),
		MessageID: pick(r, 0, binary.BigEndian.Uint32(header[20:]), r.Uint32()),
	}
	if r.IntN(8) == 0 {
		h.CookieR = payload.Cookie{}
	}
	spi := header[:16:16]
	var ps []payload.Payload
	for range 1 + r.IntN(4) {
		ps = append(ps, pick[payload.Payload](r,
			offer(s.t, s.a), payload.KeyExchange{Data: s.noise(96)}, payload.Nonce{Data: s.noise(20)},
			payload.Hash{Data: s.noise(20)}, payload.ID{IDType: payload.IDIPv4, Data: s.noise(4)},
			payload.Notify{DOI: 1, Protocol: payload.ProtocolISAKMP, NotifyType: payload.NotifyType(r.IntN(64)), SPI: spi},
			payload.Notify{DOI: 1, Protocol: payload.ProtocolISAKMP, NotifyType: payload.NotifyInitialContact, SPI: spi},
			payload.Delete{DOI: 1, Protocol: payload.ProtocolISAKMP, SPISize: 16, SPIs: [][]byte{spi}},
			payload.Raw{T: payload.Type(r.IntN(256)), Data: s.noise(r.IntN(20))},
		))
	}
	h.Next = payload.First(ps)
	return payload.Append(h.Append(nil), ps...)
}
