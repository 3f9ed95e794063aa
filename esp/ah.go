package esp

import (
	"encoding/binary"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// authHeader is the cryptography of one AH SA, with all working space: nothing
// is allocated for a packet.
type authHeader struct {
	layout
	integrity integrity
	icvAt     int // behind the IV, which most have not
	high      [4]byte
	ip        []byte // what stands in front of AH, as the ICV sees it; grown to the longest so far
}

// zeroICV stands for the ICV while it is computed (RFC 4302, Section 3.3.3).
var zeroICV [64]byte

func newAuthHeader(p ipsec.SAParams) (*authHeader, error) {
	l, _, a, err := layoutOf(p.Transform, p.Dst)
	if err != nil {
		return nil, err
	}
	h := &authHeader{layout: l, icvAt: l.front + l.iv}
	if len(p.CipherKey) != 0 {
		return nil, errAHCipherKey
	}
	h.integrity, err = newIntegrity(a, p.AuthKey)
	return h, err
}

// seal completes a datagram whose header is final and whose content stands
// behind the place of the AH already.
func (a *authHeader) seal(d *datagram, spi uint32, seq uint64, next uint8) {
	ah := d.payload()
	ah[0], ah[1], ah[2], ah[3] = next, a.payloadLen(), 0, 0
	binary.BigEndian.PutUint32(ah[4:], spi)
	a.put(ah, seq)
	clear(ah[a.front:a.head])
	if a.iv > 0 {
		binary.BigEndian.PutUint64(ah[a.front:], seq)
	}
	copy(ah[a.icvAt:], a.icv(d, seq, true))
}

// payloadLen is the length of the AH as its header has it: in units of four
// bytes, less two (RFC 4302, Section 2.2).
func (a *authHeader) payloadLen() byte { return byte(a.head/4 - 2) }

// fits reports whether a payload begins with an AH of this SA's length.
func (a *authHeader) fits(payload []byte) bool {
	return len(payload) >= a.head && payload[1] == a.payloadLen()
}

// authentic verifies an arriving datagram whose payload fits and that AH can cover.
func (a *authHeader) authentic(d *datagram, seq uint64) bool {
	ah := d.payload()
	return equal(a.icv(d, seq, false), ah[a.icvAt:a.icvAt+a.integrity.len])
}

// icv is over the whole datagram, with what may change on the way taken as zero
// (RFC 4302, Section 3.3.3): of the header see immutable; the padding of the ICV,
// which is for its sender to choose, counts. The upper half of an extended sequence
// number, which does not travel, counts at the end. Of AES-GMAC the ICV field is IV and
// tag (RFC 4543, Section 4), and both are zero here: the IV counts by being in the nonce.
func (a *authHeader) icv(d *datagram, seq uint64, leaving bool) []byte {
	a.ip = append(a.ip[:0], d.b[:d.headerLen]...)
	switch {
	case d.v6():
		immutableIPv6(a.ip, leaving)
	case a.kind != suite.Sequence:
		immutableOldIPv4(a.ip, leaving)
	default:
		immutableIPv4(a.ip, leaving)
	}
	ah := d.payload()
	end := a.icvAt + a.integrity.len
	if a.iv > 0 {
		a.integrity.setIV(ah[a.front:a.icvAt])
	}
	var high []byte
	if a.extended {
		binary.BigEndian.PutUint32(a.high[:], uint32(seq>>32))
		high = a.high[:]
	}
	return a.integrity.over(a.ip, ah[:a.front], zeroICV[:end-a.front], ah[end:a.head], ah[a.head:], high)
}
