package suite

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

// Parameters of CCM in ESP, RFC 4309, Sections 4 and 5: three bytes of salt and eight
// of IV make the nonce, and four are left for the length.
const (
	ccmNonce  = 11
	ccmLength = 15 - ccmNonce
)

// ccm is CCM of RFC 3610, as RFC 4309 uses it. It has its own working space: nothing is
// allocated for a packet, and it is for one packet at a time.
type ccm struct {
	Stream
	tag int // bytes
	mac [aes.BlockSize]byte
	aad [aes.BlockSize]byte
}

func newCCM(b cipher.Block, tag int) (cipher.AEAD, error) {
	return &ccm{Stream: Stream{block: b}, tag: tag}, nil
}

func (c *ccm) NonceSize() int { return ccmNonce }
func (c *ccm) Overhead() int  { return c.tag }

// maxCCMData is the longest additional data here: what fits a block behind its length.
// ESP has 8 bytes, and 12 with extended sequence numbers (RFC 4309, Section 5).
const maxCCMData = aes.BlockSize - 2

// Seal is that of cipher.AEAD.
func (c *ccm) Seal(dst, nonce, plain, data []byte) []byte {
	out, tail := grow(dst, len(plain)+c.tag)
	c.authenticate(nonce, plain, data)
	c.crypt(tail[:len(plain)], plain, nonce)
	copy(tail[len(plain):], c.mac[:c.tag])
	return out
}

var errOpen = errors.New("suite: message authentication failed")

// Open is that of cipher.AEAD.
func (c *ccm) Open(dst, nonce, sealed, data []byte) ([]byte, error) {
	n := len(sealed) - c.tag
	if n < 0 {
		return nil, errOpen
	}
	out, plain := grow(dst, n)
	want := [aes.BlockSize]byte{}
	copy(want[:], sealed[n:])
	c.mac = [aes.BlockSize]byte{}
	c.crypt(plain, sealed[:n], nonce)
	pad := c.mac // what hides the tag
	c.authenticate(nonce, plain, data)
	subtle.XORBytes(c.mac[:], c.mac[:], pad[:])
	if subtle.ConstantTimeCompare(c.mac[:c.tag], want[:c.tag]) != 1 {
		clear(plain)
		return nil, errOpen
	}
	return out, nil
}

// crypt encrypts or decrypts with the key stream from block 1 on, and hides or shows
// the tag with block 0: RFC 3610, Section 2.3.
func (c *ccm) crypt(dst, src, nonce []byte) {
	c.counter = [aes.BlockSize]byte{ccmLength - 1}
	copy(c.counter[1:], nonce)
	c.xor(c.mac[:], c.mac[:])
	c.counter[len(c.counter)-1] = 1
	c.xor(dst, src)
}

// authenticate computes the tag, not yet hidden: RFC 3610, Section 2.2.
func (c *ccm) authenticate(nonce, plain, data []byte) {
	if len(data) > maxCCMData {
		panic("suite: CCM with more additional data than ESP has")
	}
	c.mac = [aes.BlockSize]byte{byte((c.tag-2)/2<<3 | ccmLength - 1)}
	if len(data) > 0 {
		c.mac[0] |= 1 << 6
	}
	copy(c.mac[1:], nonce)
	binary.BigEndian.PutUint32(c.mac[1+ccmNonce:], uint32(len(plain)))
	c.block.Encrypt(c.mac[:], c.mac[:])
	if len(data) > 0 {
		c.aad = [aes.BlockSize]byte{0, byte(len(data))}
		copy(c.aad[2:], data)
		c.absorb(c.aad[:])
	}
	c.absorb(plain)
}

// absorb takes bytes into the CBC-MAC, filled up with zeros to a block.
func (c *ccm) absorb(b []byte) {
	for len(b) > 0 {
		n := subtle.XORBytes(c.mac[:], c.mac[:], b)
		c.block.Encrypt(c.mac[:], c.mac[:])
		b = b[n:]
	}
}

// grow is dst with n bytes more, and those bytes.
func grow(dst []byte, n int) (out, tail []byte) {
	if total := len(dst) + n; total <= cap(dst) {
		out = dst[:total]
	} else {
		out = make([]byte, total)
		copy(out, dst)
	}
	return out, out[len(dst):]
}
