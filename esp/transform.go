package esp

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ipseclab/ipseclab/internal/ipsec"
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

	// CBC, or NULL, with HMAC.
	block     cipher.Block // makes IVs; nil for NULL and for AEAD
	cbc       blockMode
	integrity integrity

	// AEAD.
	aead  cipher.AEAD
	nonce [nonceLen]byte // salt, then the packet's IV
}

// The nonce of the AEAD ciphers, RFC 4106, Section 4: four bytes of salt, eight of IV.
const (
	saltLen  = 4
	nonceLen = 12
)

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
	switch {
	case c.AEAD() && (c.SaltLen != saltLen || c.SaltLen+c.IVLen != nonceLen):
		return nil, fmt.Errorf("unsupported: the nonce of %s", c.Name)
	case c.AEAD():
		copy(t.nonce[:], salt)
		t.aead, err = c.NewAEAD(key)
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
	binary.BigEndian.PutUint64(p, uint64(spi)<<32|seq&0xffffffff)
	pad(p[t.head:end], payload, next)
	t.makeIV(p[espHeader:t.head], seq)
	t.encrypt(p, end)
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
// Section 2.4: the receiver SHOULD inspect it).
func unpad(plain []byte) (payload []byte, next uint8, ok bool) {
	body := plain[:len(plain)-espTrailer]
	n := int(plain[len(body)])
	if n > len(body) {
		return nil, 0, false
	}
	payload = body[:len(body)-n]
	return payload, plain[len(body)+1], bytes.Equal(body[len(payload):], padding[:n])
}

// makeIV derives the packet's IV from its number; the package comment says why.
// NULL has none.
func (t *transform) makeIV(iv []byte, seq uint64) {
	switch {
	case t.aead != nil:
		binary.BigEndian.PutUint64(iv, seq)
	case t.block != nil:
		clear(iv)
		binary.BigEndian.PutUint64(iv[len(iv)-8:], seq)
		t.block.Encrypt(iv, iv)
	}
}

// encrypt protects p[head:end] in place under the IV in p, and writes the ICV
// behind it.
func (t *transform) encrypt(p []byte, end int) {
	h := t.head
	if t.aead != nil {
		t.aead.Seal(p[h:h], t.nonceFor(p), p[h:end], p[:espHeader])
		return
	}
	if t.cbc != nil {
		t.cbc.SetIV(p[espHeader:h])
		t.cbc.CryptBlocks(p[h:end], p[h:end])
	}
	copy(p[end:], t.integrity.over(p[:end]))
}

// fits reports whether a packet has the lengths that this transform produces.
func (t *transform) fits(p []byte) bool {
	n := len(p) - t.head - t.icvLen
	return n >= espTrailer && n&(t.align-1) == 0
}

// open verifies a packet that fits and decrypts it into dst, which has room for
// its encrypted part, and is that part or does not overlap it. The plaintext still has its
// padding; it is nil when the ICV is wrong.
func (t *transform) open(dst, p []byte) []byte {
	h, end := t.head, len(p)-t.icvLen
	if t.aead != nil {
		plain, err := t.aead.Open(dst[:0], t.nonceFor(p), p[h:], p[:espHeader])
		if err != nil {
			return nil
		}
		return plain
	}
	if !equal(t.integrity.over(p[:end]), p[end:]) {
		return nil
	}
	plain := dst[:end-h]
	if t.cbc == nil {
		put(plain, p[h:end])
		return plain
	}
	t.cbc.SetIV(p[espHeader:h])
	t.cbc.CryptBlocks(plain, p[h:end])
	return plain
}

func (t *transform) nonceFor(p []byte) []byte {
	*(*[nonceLen - saltLen]byte)(t.nonce[saltLen:]) = [nonceLen - saltLen]byte(p[espHeader:])
	return t.nonce[:]
}
