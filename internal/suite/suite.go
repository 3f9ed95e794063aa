// Package suite holds the algorithms of IKE and IPsec by name: ciphers,
// integrity algorithms, hashes with the PRF made of them, and Diffie–Hellman
// groups. Sizes and constructors only; packet formats live with their users.
package suite

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
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

	block func(key []byte) (cipher.Block, error) // nil for NULL
}

var ciphers = []*Cipher{
	{Name: "null", Align: 4}, // RFC 2410; the alignment is that of ESP, RFC 4303, Section 2.4
	{Name: "des-cbc", KeyLen: 8, IVLen: 8, Align: 8, block: newDES},                                      // RFC 2405
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

// CBC reports whether this is a block cipher in CBC mode, the only kind that
// IKEv1 encrypts with (RFC 2409, Appendix B).
func (c *Cipher) CBC() bool { return c.block != nil && !c.AEAD() }

// NewBlock makes the block cipher of a CBC algorithm. The key has KeyLen bytes.
// An error that wraps ErrWeakKey says that another key would do.
func (c *Cipher) NewBlock(key []byte) (cipher.Block, error) {
	if !c.CBC() {
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

// Auth is an integrity algorithm of ESP and AH: an HMAC cut to ICVLen bytes.
type Auth struct {
	Name   string
	KeyLen int // bytes; the length of the digest, RFC 2403, RFC 2404 and RFC 4868
	ICVLen int // bytes on the wire
	new    func() hash.Hash
}

var auths = []*Auth{
	{Name: "hmac-md5-96", KeyLen: 16, ICVLen: 12, new: md5.New},           // RFC 2403
	{Name: "hmac-sha1-96", KeyLen: 20, ICVLen: 12, new: sha1.New},         // RFC 2404
	{Name: "hmac-sha256-128", KeyLen: 32, ICVLen: 16, new: sha256.New},    // RFC 4868
	{Name: "hmac-sha384-192", KeyLen: 48, ICVLen: 24, new: sha512.New384}, // RFC 4868
	{Name: "hmac-sha512-256", KeyLen: 64, ICVLen: 32, new: sha512.New},    // RFC 4868
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
	{Name: "md5", Size: md5.Size, New: md5.New},                // RFC 1321
	{Name: "sha1", Size: sha1.Size, New: sha1.New},             // RFC 3174
	{Name: "sha256", Size: sha256.Size, New: sha256.New},       // RFC 6234
	{Name: "sha384", Size: sha512.Size384, New: sha512.New384}, // RFC 6234
	{Name: "sha512", Size: sha512.Size, New: sha512.New},       // RFC 6234
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
