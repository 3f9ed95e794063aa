package esp

import (
	"encoding/binary"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// authHeader is the cryptography of one AH SA, with all working space: nothing
// is allocated for a packet.
type authHeader struct {
	layout
	integrity integrity
	padded    int    // ICV and padding, RFC 4302, Section 2.6
	front     []byte // what stands in front of AH, as the ICV sees it; grown to the longest so far
}

// zeroICV stands for the ICV while it is computed (RFC 4302, Section 3.3.3), and
// is what padding consists of.
var zeroICV [64]byte

func newAuthHeader(p ipsec.SAParams) (*authHeader, error) {
	l, _, a, err := layoutOf(p.Transform, p.Dst)
	if err != nil {
		return nil, err
	}
	h := &authHeader{layout: l, padded: l.head - ahHeader}
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
	binary.BigEndian.PutUint64(ah[4:], uint64(spi)<<32|seq&0xffffffff)
	copy(ah[ahHeader:a.head], zeroICV[:])
	copy(ah[ahHeader:], a.icv(d, zeroICV[a.integrity.len:a.padded], true))
}

// payloadLen is the length of the AH as its header has it: in units of four
// bytes, less two (RFC 4302, Section 2.2).
func (a *authHeader) payloadLen() byte { return byte(a.head/4 - 2) }

// fits reports whether a payload begins with an AH of this SA's length.
func (a *authHeader) fits(payload []byte) bool {
	return len(payload) >= a.head && payload[1] == a.payloadLen()
}

// authentic verifies an arriving datagram whose payload fits and that AH can cover.
func (a *authHeader) authentic(d *datagram) bool {
	ah := d.payload()
	end := ahHeader + a.integrity.len
	return equal(a.icv(d, ah[end:a.head], false), ah[ahHeader:end])
}

// icv is over the whole datagram, with what may change on the way taken as zero
// (RFC 4302, Section 3.3.3): of the header see immutable; the padding of the ICV,
// which is for its sender to choose, counts.
func (a *authHeader) icv(d *datagram, padding []byte, leaving bool) []byte {
	a.front = append(a.front[:0], d.b[:d.headerLen]...)
	if d.v6() {
		immutableIPv6(a.front, leaving)
	} else {
		immutableIPv4(a.front, leaving)
	}
	payload := d.payload()
	return a.integrity.over(a.front, payload[:ahHeader], zeroICV[:a.integrity.len], padding, payload[a.head:])
}
