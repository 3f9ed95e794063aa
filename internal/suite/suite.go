// Package suite holds the algorithms of IKE and IPsec by name: ciphers,
// integrity algorithms, hashes with the PRF made of them, and Diffie–Hellman
// groups. Sizes and constructors only; packet formats live with their users.
package suite

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
)

// Numbering is how the packets of a transform are numbered.
type Numbering uint8

// The numberings. Those of the first generation are claimed of Windows Server 2003 and
// not proven (C007).
const (
	Sequence   Numbering = iota // a sequence number of 32 bits, RFC 4302 and RFC 4303; the upper half of an extended one does not travel
	Unnumbered                  // none: AH of RFC 1826, ESP of RFC 1827
	Counter64                   // the 64 bits of RFC 2085, Section 2.1
)

// Len is the length of the number in the packet, in bytes.
func (n Numbering) Len() int {
	switch n {
	case Unnumbered:
		return 0
	case Counter64:
		return 8
	}
	return 4
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
