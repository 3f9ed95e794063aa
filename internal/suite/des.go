package suite

import (
	"crypto/cipher"
	"crypto/des"
	"encoding/binary"
	"errors"
)

// ErrWeakKey is wrapped by the errors about keys that a cipher must not be used
// with although their length is right. Key management that meets it takes other
// keying material.
var ErrWeakKey = errors.New("weak key")

// keyError is an error about a key; it wraps ErrWeakKey.
type keyError string

func (e keyError) Error() string { return "suite: " + string(e) }
func (keyError) Unwrap() error   { return ErrWeakKey }

// weakDES are the weak and semi-weak keys of DES (FIPS 74), with the parity bits
// cleared: under the first four, encryption is its own inverse; each following
// pair undoes each other. RFC 2409, Appendix A lists the same, but for two weak
// ones that it misprints as 1f1f1f1fe0e0e0e0 and e0e0e0e01f1f1f1f, which are
// ordinary keys.
var weakDES = func() map[uint64]bool {
	set := map[uint64]bool{}
	for _, k := range []uint64{
		0x0101010101010101, 0x1f1f1f1f0e0e0e0e, 0xe0e0e0e0f1f1f1f1, 0xfefefefefefefefe,
		0x01fe01fe01fe01fe, 0xfe01fe01fe01fe01,
		0x1fe01fe00ef10ef1, 0xe01fe01ff10ef10e,
		0x01e001e001f101f1, 0xe001e001f101f101,
		0x1ffe1ffe0efe0efe, 0xfe1ffe1ffe0efe0e,
		0x011f011f010e010e, 0x1f011f010e010e01,
		0xe0fee0fef1fef1fe, 0xfee0fee0fef1fef1,
	} {
		set[k&^parity] = true
	}
	return set
}()

// parity are the bits of a DES key that are no part of it, the lowest of each byte (FIPS 46-3).
const parity uint64 = 0x0101010101010101

// desPart is the n-th DES key in a key, without its parity bits.
func desPart(key []byte, n int) uint64 { return binary.BigEndian.Uint64(key[8*n:]) &^ parity }

// newDES rejects weak and semi-weak keys, as RFC 2405, Section 4 and RFC 2451, Section 2.3 ask.
func newDES(key []byte) (cipher.Block, error) {
	if weakDES[desPart(key, 0)] {
		return nil, keyError("des-cbc: the key is one of the weak or semi-weak keys of DES")
	}
	return des.NewCipher(key)
}

// newTripleDES rejects the keys whose first two or last two parts are equal,
// which make 3DES the same as DES: "Implementers MUST reject keys that exhibit
// this property." RFC 2451, Section 2.3.
func newTripleDES(key []byte) (cipher.Block, error) {
	if desPart(key, 0) == desPart(key, 1) || desPart(key, 1) == desPart(key, 2) {
		return nil, keyError("3des-cbc: two neighbouring parts of the key are equal, which makes it single DES")
	}
	return des.NewTripleDESCipher(key)
}
