package esp

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// blockMode is a CBC object that can start again with a new IV, so that one
// object serves all packets of an SA. The standard library's are such.
type blockMode interface {
	cipher.BlockMode
	SetIV([]byte)
}

// transform is the cryptography of one ESP SA, with all working space: nothing
// is allocated for a packet. It serves one direction.
type transform struct {
	layout

	// CBC, counter mode or NULL, with an integrity algorithm.
	block     cipher.Block // makes IVs; nil for all but CBC
	cbc       blockMode
	stream    *suite.Stream
	integrity integrity

	// AEAD, whose additional data with extended sequence numbers is this.
	aead cipher.AEAD
	aad  [espHeader + 4]byte // SPI and the whole number, RFC 4106, Section 5

	salt, nonceLen int
	nonce          [16]byte // of AEAD and counter mode: salt, then the packet's IV; of CBC the whole IV
}

func newTransform(p ipsec.SAParams) (*transform, error) {
	l, c, a, err := layoutOf(p.Transform, p.Dst)
	if err != nil {
		return nil, err
	}
	t := &transform{layout: l}
	if len(p.CipherKey) != c.KeyLen+c.SaltLen {
		return nil, fmt.Errorf("%s takes %d bytes of key and %d of salt, not %d together", c.Name, c.KeyLen, c.SaltLen, len(p.CipherKey))
	}
	key, salt := p.CipherKey[:c.KeyLen], p.CipherKey[c.KeyLen:]

	switch {
	case a != nil:
		if t.integrity, err = newIntegrity(a, p.AuthKey); err != nil {
			return nil, err
		}
	case p.AuthKey != nil && c.AEAD():
		return nil, fmt.Errorf("%s authenticates by itself and takes no key for it", c.Name)
	case p.AuthKey != nil:
		return nil, errors.New("there is a key for integrity, and no algorithm")
	}
	t.salt, t.nonceLen = copy(t.nonce[:], salt), c.SaltLen+c.IVLen
	switch {
	case c.AEAD():
		t.aead, err = c.NewAEAD(key)
		return t, err
	case c.Counter():
		t.stream, err = c.NewStream(key)
		return t, err
	case !c.CBC():
		return t, nil // NULL, RFC 2410
	}
	if t.block, err = c.NewBlock(key); err != nil {
		return nil, err
	}
	iv := make([]byte, t.block.BlockSize())
	mode := cipher.NewCBCEncrypter(t.block, iv)
	if p.Direction == ipsec.Inbound {
		mode = cipher.NewCBCDecrypter(t.block, iv)
	}
	var ok bool
	if t.cbc, ok = mode.(blockMode); !ok {
		return nil, errors.New("unsupported: the CBC implementation cannot take a new IV")
	}
	return t, nil
}

// seal completes an ESP packet of size(payload) bytes whose payload stands at
// head already.
func (t *transform) seal(p []byte, spi uint32, seq uint64, payload int, next uint8) {
	end := t.head + t.ciphered(payload)
	binary.BigEndian.PutUint32(p, spi)
	t.put(p, seq)
	pad(p[t.head:end], payload, next)
	t.makeIV(p[t.front:t.head], seq)
	t.encrypt(p, end, seq)
}

// padding is 1, 2, 3 … (RFC 4303, Section 2.4), as long as a pad length can say.
var padding = func() (p [255]byte) {
	for i := range p {
		p[i] = byte(i + 1)
	}
	return p
}()

// pad writes padding, pad length and next header behind the payload.
func pad(plain []byte, payload int, next uint8) {
	n := copy(plain[payload:len(plain)-espTrailer], padding[:])
	plain[len(plain)-2], plain[len(plain)-1] = byte(n), next
}

// unpad is the inverse of pad. It reports false for padding that no conforming
// sender writes: longer than the packet, or other than 1, 2, 3 … (RFC 4303,
// Section 2.4: the receiver SHOULD inspect it). What RFC 1829, Section 2 pads with is for its
// sender to choose.
func (t *transform) unpad(plain []byte) (payload []byte, next uint8, ok bool) {
	body := plain[:len(plain)-espTrailer]
	n := int(plain[len(body)])
	if n > len(body) {
		return nil, 0, false
	}
	payload = body[:len(body)-n]
	return payload, plain[len(body)+1], t.kind == suite.Unnumbered || bytes.Equal(body[len(payload):], padding[:n])
}

// makeIV derives the packet's IV from its number; the package comment says why.
// NULL has none.
func (t *transform) makeIV(iv []byte, seq uint64) {
	switch {
	case t.iv == 4:
		binary.BigEndian.PutUint32(iv, uint32(seq)) // RFC 1829, Section 1.2: commonly a counter
	case t.aead != nil || t.stream != nil:
		binary.BigEndian.PutUint64(iv, seq)
	case t.block != nil:
		clear(iv)
		binary.BigEndian.PutUint64(iv[len(iv)-8:], seq)
		t.block.Encrypt(iv, iv)
	}
}

// encrypt protects p[head:end] in place under the IV in p, and writes the ICV
// behind it.
func (t *transform) encrypt(p []byte, end int, seq uint64) {
	h := t.head
	if t.aead != nil {
		t.aead.Seal(p[h:h], t.nonceFor(p), p[h:end], t.additional(p, seq))
		return
	}
	t.crypt(p[h:end], p[h:end], p)
	copy(p[end:], t.icv(p[:end], seq))
}

// crypt encrypts or decrypts src, which is of packet p, without looking at integrity.
func (t *transform) crypt(dst, src, p []byte) {
	switch {
	case t.cbc != nil:
		t.cbc.SetIV(t.wholeIV(p[t.front:t.head]))
		t.cbc.CryptBlocks(dst, src)
	case t.stream != nil:
		t.stream.XOR(dst, src, t.nonceFor(p))
	default:
		put(dst, src)
	}
}

// wholeIV is the IV of CBC. One of 32 bits is followed by its complement: RFC 1829, Section 2.
func (t *transform) wholeIV(iv []byte) []byte {
	if t.iv != 4 {
		return iv
	}
	v := binary.BigEndian.Uint32(iv)
	binary.BigEndian.PutUint64(t.nonce[:], uint64(v)<<32|uint64(^v))
	return t.nonce[:8]
}

// icv is the integrity check value of an encrypted packet: with extended sequence numbers
// over the half that does not travel, too (RFC 4303, Section 2.8).
func (t *transform) icv(p []byte, seq uint64) []byte {
	if !t.extended {
		return t.integrity.over(p)
	}
	binary.BigEndian.PutUint32(t.aad[:], uint32(seq>>32))
	return t.integrity.over(p, t.aad[:4])
}

// additional is what an AEAD covers besides the content: RFC 4106, Section 5.
func (t *transform) additional(p []byte, seq uint64) []byte {
	if !t.extended {
		return p[:espHeader]
	}
	copy(t.aad[:], p[:espNumberAt])
	binary.BigEndian.PutUint64(t.aad[espNumberAt:], seq)
	return t.aad[:]
}

// fits reports whether a packet has the lengths that this transform produces.
func (t *transform) fits(p []byte) bool {
	n := len(p) - t.head - t.icvLen
	return n >= espTrailer && n&(t.align-1) == 0
}

// open verifies a packet that fits and decrypts it into dst, which has room for
// its encrypted part, and is that part or does not overlap it. The plaintext still has its
// padding; it is nil when the ICV is wrong.
func (t *transform) open(dst, p []byte, seq uint64) []byte {
	h, end := t.head, len(p)-t.icvLen
	if t.aead != nil {
		plain, err := t.aead.Open(dst[:0], t.nonceFor(p), p[h:], t.additional(p, seq))
		if err != nil {
			return nil
		}
		return plain
	}
	if !equal(t.icv(p[:end], seq), p[end:]) {
		return nil
	}
	plain := dst[:end-h]
	t.crypt(plain, p[h:end], p)
	return plain
}

// nonceFor is salt and IV, RFC 4106, Section 4; RFC 3686, Section 4; RFC 4309, Section 4.
func (t *transform) nonceFor(p []byte) []byte {
	*(*[8]byte)(t.nonce[t.salt:]) = [8]byte(p[t.front:])
	return t.nonce[:t.nonceLen]
}
