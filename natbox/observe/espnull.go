package observe

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// The heuristics of RFC 5879 tell ESP without encryption from ESP: where nothing is
// encrypted the padding counts its own bytes, and what stands before it is a packet of
// the protocol that the trailer names.

// DefaultCheckBits is how many bits of a flow must be as they are without encryption:
// RFC 5879, Section 8 finds "something around 32-64 bits" enough for a device on the path.
const DefaultCheckBits = 64

// espState is what is known of a flow of ESP. RFC 5879, Section 4.
type espState uint8

const (
	espNew       espState = iota // nothing yet
	espUnsure                    // what came looks like ESP without encryption, and too little came
	espNull                      // no encryption
	espEncrypted                 // encryption, or an algorithm that the heuristics do not know
)

// espFlow is an IPsec flow: the packets with one pair of addresses and one SPI, and in UDP
// one pair of ports (RFC 5879, Sections 4 and 7).
type espFlow struct {
	state espState
	ivLen int
	icv   int // length in bytes
	bits  int // that were as they should be
	last  fields
	seen  uint64 // packets until it was decided

	// Of a flow that is found not to be encrypted: packets that make no sense.
	since          time.Duration
	judged, faulty int
}

// algorithm is a length of the integrity check value, and of the initialization vector.
type algorithm struct{ icv, iv int }

// algorithms in the order in which they are tried, RFC 5879, Section 8.2: from the shortest
// check value to the longest, since clear text looks like padding more often than a check value
// does. ENCR_NULL_AUTH_AES_GMAC alone has an initialization vector: RFC 4543.
var algorithms = []algorithm{
	{12, 0}, // HMAC-MD5-96, HMAC-SHA1-96, AES-XCBC-96
	{16, 0}, // HMAC-SHA2-256-128
	{16, 8}, // ENCR_NULL_AUTH_AES_GMAC
	{24, 0}, // HMAC-SHA2-384-192
	{32, 0}, // HMAC-SHA2-512-256
}

// trailer is the padding length and the next header: RFC 4303, Section 2.
const trailer = 2

// payload takes the trailer and the check value off an ESP packet; false if they cannot
// be where the algorithm has them, or the padding does not count its bytes from 1 on
// (RFC 4303, Section 2.4).
func (a algorithm) payload(esp []byte) (next uint8, pad int, body []byte, ok bool) {
	end := len(esp) - a.icv
	start := espHeader + a.iv
	if len(esp)%4 != 0 || end < start+4 { // all is right-aligned within 4 bytes: RFC 5879, Section 8.2
		return 0, 0, nil, false
	}
	next, pad = esp[end-1], int(esp[end-trailer])
	if end-trailer-pad < start {
		return 0, 0, nil, false
	}
	for i, b := range esp[end-trailer-pad : end-trailer] {
		if int(b) != i+1 {
			return 0, 0, nil, false
		}
	}
	return next, pad, esp[start : end-trailer-pad], true
}

// learn looks at the next packet of a flow that is not decided: RFC 5879, Appendix A.2.
func (f *espFlow) learn(src, dst netip.Addr, esp []byte, limit int) {
	f.seen++
	if f.state == espUnsure {
		if bits, now, ok := (algorithm{f.icv, f.ivLen}).check(src, dst, esp, &f.last); ok {
			f.bits, f.last = f.bits+bits, now
			f.decide(limit)
			return
		}
		f.state, f.bits, f.last = espNew, 0, fields{} // the first guess was wrong
	}
	for _, a := range algorithms {
		bits, now, ok := a.check(src, dst, esp, &fields{})
		if !ok {
			continue
		}
		if f.state == espNew || bits > limit {
			f.state, f.icv, f.ivLen, f.bits, f.last = espUnsure, a.icv, a.iv, bits, now
		}
		if f.decide(limit); f.state == espNull {
			return
		}
	}
	if f.state == espNew {
		f.state = espEncrypted
	}
}

func (f *espFlow) decide(limit int) {
	if f.bits > limit {
		f.state, f.last = espNull, fields{}
	}
}

// check verifies padding and payload of a packet, and says how many bits were as they should be.
func (a algorithm) check(src, dst netip.Addr, esp []byte, last *fields) (bits int, now fields, ok bool) {
	next, pad, body, ok := a.payload(esp)
	if !ok {
		return 0, fields{}, false
	}
	bits, now, ok = checkProtocol(next, src, dst, body, last)
	if ok && !now.known {
		// An unknown next header at the same place again and again: RFC 5879, Section 8.2.
		// What speaks for it is the padding, and that the header stays the same.
		now.next = next
		if bits = 8 * (pad + 1); last.next == next {
			bits += 8
		}
	}
	return bits, now, ok
}

// Sample limits of RFC 5879, Section 6, when a decision is taken back: half of the packets
// within a second make no sense. That a few must have come is a choice of the lab.
const (
	garbageTime = time.Second
	garbageMin  = 4
)

// open is what is inside a packet of a flow without encryption; false for garbage, of
// which too much has the flow looked at anew.
func (f *espFlow) open(now time.Duration, src, dst netip.Addr, esp []byte) (next uint8, body []byte, ok bool) {
	if now-f.since >= garbageTime {
		f.since, f.judged, f.faulty = now, 0, 0
	}
	f.judged++
	next, _, body, ok = (algorithm{f.icv, f.ivLen}).payload(esp)
	if ok {
		_, _, ok = checkProtocol(next, src, dst, body, &fields{})
	}
	if ok {
		return next, body, true
	}
	if f.faulty++; f.judged >= garbageMin && 2*f.faulty >= f.judged {
		*f = espFlow{}
	}
	return 0, nil, false
}

// espKey names an IPsec flow.
type espKey struct {
	src, dst         netip.Addr
	srcPort, dstPort uint16 // in UDP
	spi              uint32
}

func spiOf(esp []byte) uint32 { return binary.BigEndian.Uint32(esp) }
