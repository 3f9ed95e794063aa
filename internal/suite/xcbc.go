package suite

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
)

// xcbc is AES-XCBC-MAC, RFC 3566, Section 4.
type xcbc struct {
	block  cipher.Block // under K1
	k2, k3 [aes.BlockSize]byte
	mac    [aes.BlockSize]byte
	last   [aes.BlockSize]byte // what is not absorbed yet: the last block is treated apart
	n      int                 // bytes of last
}

func newXCBC(key []byte) (MAC, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	derived := func(n byte) (k [aes.BlockSize]byte) {
		for i := range k {
			k[i] = n
		}
		b.Encrypt(k[:], k[:])
		return k
	}
	k1 := derived(1)
	x := &xcbc{k2: derived(2), k3: derived(3)}
	x.block, err = aes.NewCipher(k1[:])
	return x, err
}

func (x *xcbc) Reset() { x.mac, x.n = [aes.BlockSize]byte{}, 0 }

func (x *xcbc) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		if x.n == len(x.last) {
			subtle.XORBytes(x.mac[:], x.mac[:], x.last[:])
			x.block.Encrypt(x.mac[:], x.mac[:])
			x.n = 0
		}
		done := copy(x.last[x.n:], p)
		x.n += done
		p = p[done:]
	}
	return written, nil
}

// Sum ends the message: a whole last block goes with K2, another is filled up and goes with K3.
func (x *xcbc) Sum(b []byte) []byte {
	key := &x.k2
	if x.n < len(x.last) {
		clear(x.last[x.n:])
		x.last[x.n] = 0x80
		key = &x.k3
	}
	subtle.XORBytes(x.mac[:], x.mac[:], x.last[:])
	subtle.XORBytes(x.mac[:], x.mac[:], key[:])
	x.block.Encrypt(x.mac[:], x.mac[:])
	return append(b, x.mac[:]...)
}
