package suite

import (
	"crypto/aes"
	"crypto/cipher"
)

// The nonce of AES-GMAC, RFC 4543, Section 3.2: four bytes of salt, eight of IV.
const (
	gmacSalt  = 4
	gmacNonce = 12
	gmacTag   = 16
)

// gmacESP is AES-GMAC in the place of a cipher, RFC 4543, Section 3: what it "encrypts"
// stays as it is, and is authenticated with the IV and the additional data. It has its
// own working space: it is for one packet at a time.
type gmacESP struct {
	gcm   cipher.AEAD
	input []byte // grown to the longest so far
}

func newGMAC(b cipher.Block, tag int) (cipher.AEAD, error) {
	gcm, err := cipher.NewGCMWithTagSize(b, tag)
	return &gmacESP{gcm: gcm}, err
}

func (g *gmacESP) NonceSize() int { return gmacNonce }
func (g *gmacESP) Overhead() int  { return g.gcm.Overhead() }

// covered is the additional data of GCM, RFC 4543, Section 3.3: SPI and sequence
// number, the IV, and the payload.
func (g *gmacESP) covered(nonce, payload, data []byte) []byte {
	g.input = append(append(append(g.input[:0], data...), nonce[gmacSalt:]...), payload...)
	return g.input
}

// Seal is that of cipher.AEAD.
func (g *gmacESP) Seal(dst, nonce, plain, data []byte) []byte {
	out, tail := grow(dst, len(plain)+g.Overhead())
	covered := g.covered(nonce, plain, data)
	copy(tail, plain)
	g.gcm.Seal(tail[len(plain):len(plain)], nonce, nil, covered)
	return out
}

// Open is that of cipher.AEAD.
func (g *gmacESP) Open(dst, nonce, sealed, data []byte) ([]byte, error) {
	n := len(sealed) - g.Overhead()
	if n < 0 {
		return nil, errOpen
	}
	if _, err := g.gcm.Open(nil, nonce, sealed[n:], g.covered(nonce, sealed[:n], data)); err != nil {
		return nil, errOpen
	}
	out, tail := grow(dst, n)
	copy(tail, sealed)
	return out, nil
}

// gmacAH is AES-GMAC as the integrity algorithm of AH, RFC 4543, Section 4: a MAC that
// needs a nonce for each packet.
type gmacAH struct {
	gcm   cipher.AEAD
	nonce [gmacNonce]byte
	input []byte // grown to the longest so far
}

func newGMACForAH(key []byte) (MAC, error) {
	b, err := aes.NewCipher(key[:len(key)-gmacSalt])
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(b)
	g := &gmacAH{gcm: gcm}
	copy(g.nonce[:], key[len(key)-gmacSalt:])
	return g, err
}

func (g *gmacAH) Reset()              { g.input = g.input[:0] }
func (g *gmacAH) SetIV(iv []byte)     { copy(g.nonce[gmacSalt:], iv) }
func (g *gmacAH) Sum(b []byte) []byte { return g.gcm.Seal(b, g.nonce[:], nil, g.input) }

func (g *gmacAH) Write(p []byte) (int, error) {
	g.input = append(g.input, p...)
	return len(p), nil
}
