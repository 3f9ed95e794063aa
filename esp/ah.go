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
	header    [maxHeader]byte // the IPv4 header as the ICV sees it
}

// zeroICV stands for the ICV while it is computed (RFC 4302, Section 3.3.3.1.2.1).
var zeroICV [64]byte

func newAuthHeader(p ipsec.SAParams) (*authHeader, error) {
	l, _, a, err := layoutOf(p.Transform)
	if err != nil {
		return nil, err
	}
	h := &authHeader{layout: l}
	if len(p.CipherKey) != 0 {
		return nil, errAHCipherKey
	}
	h.integrity, err = newIntegrity(a, p.AuthKey)
	return h, err
}

// seal completes a datagram whose header is final and whose content stands
// behind the place of the AH already. The destination is the one that the
// datagram will have when it arrives.
func (a *authHeader) seal(d datagram, spi uint32, seq uint64, next uint8, destination [4]byte) {
	ah := d.payload()
	ah[0], ah[1], ah[2], ah[3] = next, byte(a.head/4-2), 0, 0
	binary.BigEndian.PutUint64(ah[4:], uint64(spi)<<32|seq&0xffffffff)
	copy(ah[ahHeader:a.head], a.icv(d, destination))
}

// fits reports whether a payload begins with an AH of this SA's length.
func (a *authHeader) fits(payload []byte) bool {
	return len(payload) >= a.head && 4*(int(payload[1])+2) == a.head
}

// authentic verifies an arriving datagram whose payload fits. Options are valid.
func (a *authHeader) authentic(d datagram) bool {
	return equal(a.icv(d, [4]byte(d.b[16:20])), d.payload()[ahHeader:a.head])
}

// icv is over the whole datagram, with what may change on the way taken as zero
// (RFC 4302, Section 3.3.3.1.1.1 and Appendix A1): TOS, flags and fragment
// offset, TTL, header checksum and some options. The destination changes under
// source routing, but predictably.
func (a *authHeader) icv(d datagram, destination [4]byte) []byte {
	h := a.header[:d.headerLen]
	copy(h, d.b)
	h[1] = 0
	clear(h[6:9])
	clear(h[10:12])
	copy(h[16:], destination[:])
	zeroMutable(h[minHeader:])
	payload := d.payload()
	return a.integrity.over(h, payload[:ahHeader], zeroICV[:a.integrity.len], payload[a.head:])
}
