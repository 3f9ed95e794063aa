package esp

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// blockMode is a CBC object that can start again with a new IV, so that one
// object serves all packets of an SA. The standard library's are such.
type blockMode interface {
	cipher.BlockMode
	SetIV([]byte)
}

// transform is the cryptography of one SA, with all working space: nothing is
// allocated for a packet. It serves one direction.
type transform struct {
	layout

	// CBC with HMAC.
	block cipher.Block // makes IVs
	cbc   blockMode
	mac   hash.Hash
	sum   [64]byte

	// AEAD.
	aead    cipher.AEAD
	saltLen int
	nonce   [16]byte // salt, then the packet's IV
}

func newTransform(p ipsec.SAParams) (*transform, error) {
	l, c, a, err := layoutOf(p.Transform)
	if err != nil {
		return nil, err
	}
	t := &transform{layout: l}
	if len(p.CipherKey) != c.KeyLen+c.SaltLen {
		return nil, fmt.Errorf("%s takes %d bytes of key and %d of salt, not %d together", c.Name, c.KeyLen, c.SaltLen, len(p.CipherKey))
	}
	key, salt := p.CipherKey[:c.KeyLen], p.CipherKey[c.KeyLen:]

	if c.AEAD() {
		if p.AuthKey != nil {
			return nil, fmt.Errorf("%s authenticates by itself and takes no key for it", c.Name)
		}
		t.saltLen = c.SaltLen
		copy(t.nonce[:], salt)
		t.aead, err = c.NewAEAD(key)
		return t, err
	}

	if t.mac, err = a.New(p.AuthKey); err != nil {
		return nil, err
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
	end := t.head() + t.ciphered(payload)
	binary.BigEndian.PutUint32(p, spi)
	binary.BigEndian.PutUint32(p[4:], uint32(seq))
	pad(p[t.head():end], payload, next)
	t.makeIV(p[espHeader:t.head()], seq)
	t.encrypt(p, end)
}

// pad writes padding, pad length and next header behind the payload. The
// padding is 1, 2, 3 … (RFC 4303, Section 2.4).
func pad(plain []byte, payload int, next uint8) {
	n := len(plain) - espTrailer - payload
	for i := range n {
		plain[payload+i] = byte(i + 1)
	}
	plain[payload+n], plain[payload+n+1] = byte(n), next
}

// unpad is the inverse of pad. It reports false for padding that no conforming
// sender writes: longer than the packet, or other than 1, 2, 3 … (RFC 4303,
// Section 2.4: the receiver SHOULD inspect it).
func unpad(plain []byte) (payload []byte, next uint8, ok bool) {
	body := plain[:len(plain)-espTrailer]
	n := int(plain[len(body)])
	if n > len(body) {
		return nil, 0, false
	}
	payload, padding := body[:len(body)-n], body[len(body)-n:]
	for i, b := range padding {
		if b != byte(i+1) {
			return nil, 0, false
		}
	}
	return payload, plain[len(body)+1], true
}

// makeIV derives the packet's IV from its number; the package comment says why.
func (t *transform) makeIV(iv []byte, seq uint64) {
	clear(iv)
	binary.BigEndian.PutUint64(iv[len(iv)-8:], seq)
	if t.block != nil {
		t.block.Encrypt(iv, iv)
	}
}

// encrypt protects p[head:end] in place under the IV in p, and writes the ICV
// behind it.
func (t *transform) encrypt(p []byte, end int) {
	h := t.head()
	if t.aead != nil {
		t.aead.Seal(p[h:h], t.nonceFor(p), p[h:end], p[:espHeader])
		return
	}
	t.cbc.SetIV(p[espHeader:h])
	t.cbc.CryptBlocks(p[h:end], p[h:end])
	copy(p[end:], t.icv(p[:end]))
}

// fits reports whether a packet has the lengths that this transform produces.
func (t *transform) fits(p []byte) bool {
	n := len(p) - t.head() - t.icvLen
	return n >= espTrailer && n%t.align == 0
}

// open verifies a packet that fits and decrypts it into dst, which has room for
// its encrypted part and does not overlap it. The plaintext still has its
// padding; it is nil when the ICV is wrong.
func (t *transform) open(dst, p []byte) []byte {
	h, end := t.head(), len(p)-t.icvLen
	if t.aead != nil {
		plain, err := t.aead.Open(dst[:0], t.nonceFor(p), p[h:], p[:espHeader])
		if err != nil {
			return nil
		}
		return plain
	}
	if !equal(t.icv(p[:end]), p[end:]) {
		return nil
	}
	t.cbc.SetIV(p[espHeader:h])
	t.cbc.CryptBlocks(dst[:end-h], p[h:end])
	return dst[:end-h]
}

func (t *transform) nonceFor(p []byte) []byte {
	copy(t.nonce[t.saltLen:], p[espHeader:t.head()])
	return t.nonce[:t.saltLen+t.ivLen]
}

func (t *transform) icv(b []byte) []byte {
	t.mac.Reset()
	t.mac.Write(b)
	return t.mac.Sum(t.sum[:0])[:t.icvLen]
}
