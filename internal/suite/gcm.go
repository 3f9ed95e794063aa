package suite

import (
	"crypto/cipher"
	"crypto/subtle"
)

func newGCM(b cipher.Block, tagLen int) (cipher.AEAD, error) {
	return cipher.NewGCMWithTagSize(b, tagLen)
}

// shortGCM is GCM with a tag that the standard library thinks too short: eight bytes,
// which RFC 4106, Section 6 has. To verify one it makes the whole tag of what came out.
// It has its own working space: it is for one packet at a time.
type shortGCM struct {
	Stream
	gcm    cipher.AEAD
	tag    int
	sealed []byte // grown to the longest so far
}

func newShortGCM(b cipher.Block, tagLen int) (cipher.AEAD, error) {
	gcm, err := cipher.NewGCM(b)
	return &shortGCM{Stream: Stream{block: b}, gcm: gcm, tag: tagLen}, err
}

func (g *shortGCM) NonceSize() int { return g.gcm.NonceSize() }
func (g *shortGCM) Overhead() int  { return g.tag }

// Seal is that of cipher.AEAD.
func (g *shortGCM) Seal(dst, nonce, plain, data []byte) []byte {
	out, tail := grow(dst, len(plain)+g.tag)
	g.sealed = g.gcm.Seal(g.sealed[:0], nonce, plain, data)
	copy(tail, g.sealed)
	return out
}

// Open is that of cipher.AEAD.
func (g *shortGCM) Open(dst, nonce, sealed, data []byte) ([]byte, error) {
	n := len(sealed) - g.tag
	if n < 0 {
		return nil, errOpen
	}
	var want [16]byte
	copy(want[:], sealed[n:])
	out, plain := grow(dst, n)
	// The key stream of the content begins with counter 2 (SP 800-38D, Section 7.1).
	clear(g.counter[copy(g.counter[:], nonce):])
	g.counter[len(g.counter)-1] = 2
	g.xor(plain, sealed[:n])
	g.sealed = g.gcm.Seal(g.sealed[:0], nonce, plain, data)
	if subtle.ConstantTimeCompare(g.sealed[n:n+g.tag], want[:g.tag]) != 1 {
		clear(plain)
		return nil, errOpen
	}
	return out, nil
}
