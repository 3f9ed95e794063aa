// Package suite holds the algorithms of IKE and IPsec by name: ciphers,
// integrity algorithms, hashes with the PRF made of them, and Diffie–Hellman
// groups. Sizes and constructors only; packet formats live with their users.
package suite

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
)

// Cipher is an encryption algorithm with a fixed key length. All lengths are in bytes.
type Cipher struct {
	Name    string
	KeyLen  int // the key proper
	SaltLen int // what key management appends to the key, RFC 4106, Section 8.1
	IVLen   int // the IV that each packet carries
	Align   int // what the ciphertext is a multiple of, RFC 4303, Section 2.4
	ICVLen  int // the tag of an AEAD cipher; 0 for the others

	block func(key []byte) (cipher.Block, error)
}

var ciphers = []*Cipher{
	{Name: "3des-cbc", KeyLen: 24, IVLen: 8, Align: 8, block: newTripleDES},                              // RFC 2451
	{Name: "aes128-cbc", KeyLen: 16, IVLen: 16, Align: 16, block: aes.NewCipher},                         // RFC 3602
	{Name: "aes192-cbc", KeyLen: 24, IVLen: 16, Align: 16, block: aes.NewCipher},                         // RFC 3602
	{Name: "aes256-cbc", KeyLen: 32, IVLen: 16, Align: 16, block: aes.NewCipher},                         // RFC 3602
	{Name: "aes128-gcm16", KeyLen: 16, SaltLen: 4, IVLen: 8, Align: 4, ICVLen: 16, block: aes.NewCipher}, // RFC 4106
	{Name: "aes192-gcm16", KeyLen: 24, SaltLen: 4, IVLen: 8, Align: 4, ICVLen: 16, block: aes.NewCipher}, // RFC 4106
	{Name: "aes256-gcm16", KeyLen: 32, SaltLen: 4, IVLen: 8, Align: 4, ICVLen: 16, block: aes.NewCipher}, // RFC 4106
}

// CipherNamed finds a cipher; nil when there is none of that name.
func CipherNamed(name string) *Cipher {
	for _, c := range ciphers {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// AEAD reports whether the cipher also authenticates.
func (c *Cipher) AEAD() bool { return c.ICVLen > 0 }

// NewBlock makes the block cipher of a CBC algorithm. The key has KeyLen bytes.
func (c *Cipher) NewBlock(key []byte) (cipher.Block, error) {
	if c.AEAD() {
		return nil, fmt.Errorf("suite: %s is not a CBC cipher", c.Name)
	}
	return c.newBlock(key)
}

// NewAEAD makes the AEAD of a combined-mode algorithm. The key has KeyLen bytes, without the salt.
func (c *Cipher) NewAEAD(key []byte) (cipher.AEAD, error) {
	if !c.AEAD() {
		return nil, fmt.Errorf("suite: %s is not an AEAD cipher", c.Name)
	}
	b, err := c.newBlock(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithTagSize(b, c.ICVLen)
}

func (c *Cipher) newBlock(key []byte) (cipher.Block, error) {
	if len(key) != c.KeyLen {
		return nil, fmt.Errorf("suite: %s takes a key of %d bytes, not %d", c.Name, c.KeyLen, len(key))
	}
	return c.block(key)
}

// newTripleDES rejects the keys whose first two or last two parts are equal,
// which make 3DES the same as DES: "Implementers MUST reject keys that exhibit
// this property." RFC 2451, Section 2.3. The lowest bit of each byte is parity
// and no part of the key.
func newTripleDES(key []byte) (cipher.Block, error) {
	equal := func(a, b []byte) bool {
		for i := range a {
			if (a[i]^b[i])&^1 != 0 {
				return false
			}
		}
		return true
	}
	if equal(key[:8], key[8:16]) || equal(key[8:16], key[16:24]) {
		return nil, errors.New("suite: 3des-cbc: two neighbouring parts of the key are equal, which makes it single DES")
	}
	return des.NewTripleDESCipher(key)
}

// Auth is an integrity algorithm of ESP and AH: an HMAC cut to ICVLen bytes.
type Auth struct {
	Name   string
	KeyLen int // bytes; the length of the digest, RFC 2404 and RFC 4868
	ICVLen int // bytes on the wire
	new    func() hash.Hash
}

var auths = []*Auth{
	{Name: "hmac-sha1-96", KeyLen: 20, ICVLen: 12, new: sha1.New},      // RFC 2404
	{Name: "hmac-sha256-128", KeyLen: 32, ICVLen: 16, new: sha256.New}, // RFC 4868
}

// AuthNamed finds an integrity algorithm; nil when there is none of that name.
func AuthNamed(name string) *Auth {
	for _, a := range auths {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// New makes the untruncated HMAC for a key of KeyLen bytes.
func (a *Auth) New(key []byte) (hash.Hash, error) {
	if len(key) != a.KeyLen {
		return nil, fmt.Errorf("suite: %s takes a key of %d bytes, not %d", a.Name, a.KeyLen, len(key))
	}
	return hmac.New(a.new, key), nil
}

// Hash is a hash function and the PRF that IKEv1 makes of it, RFC 2409, Section 4.
type Hash struct {
	Name string
	Size int // bytes
	New  func() hash.Hash
}

var hashes = []*Hash{
	{Name: "sha1", Size: sha1.Size, New: sha1.New},       // RFC 3174
	{Name: "sha256", Size: sha256.Size, New: sha256.New}, // RFC 6234
}

// HashNamed finds a hash; nil when there is none of that name.
func HashNamed(name string) *Hash {
	for _, h := range hashes {
		if h.Name == name {
			return h
		}
	}
	return nil
}

// Sum hashes the concatenation of the parts.
func (h *Hash) Sum(parts ...[]byte) []byte {
	d := h.New()
	for _, p := range parts {
		d.Write(p)
	}
	return d.Sum(nil)
}

// PRF is HMAC with the key over the concatenation of the parts, the default PRF of RFC 2409, Section 4.
func (h *Hash) PRF(key []byte, parts ...[]byte) []byte {
	m := hmac.New(h.New, key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}
