package suite

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
)

// MAC computes integrity check values. Sum appends the whole value and ends the message:
// Reset begins the next one.
type MAC interface {
	Reset()
	Write([]byte) (int, error) // never fails
	Sum([]byte) []byte
}

// NonceMAC is a MAC that needs an IV for each message, which no other message under
// its key has.
type NonceMAC interface {
	MAC
	SetIV(iv []byte)
}

// Auth is an integrity algorithm of ESP and AH: a MAC cut to ICVLen bytes. All lengths
// are in bytes.
type Auth struct {
	Name      string
	KeyLen    int // the key proper; with HMAC the length of the digest, RFC 2403, RFC 2404 and RFC 4868
	SaltLen   int // what key management appends to the key, RFC 4543, Section 5.4
	IVLen     int // the IV that each packet carries in front of the ICV; its MAC is a NonceMAC. For AH alone
	ICVLen    int // on the wire
	Numbering Numbering

	new func(key []byte) (MAC, error)
}

var auths = []*Auth{
	{Name: "hmac-md5-96", KeyLen: 16, ICVLen: 12, new: newHMAC(md5.New)},           // RFC 2403
	{Name: "hmac-sha1-96", KeyLen: 20, ICVLen: 12, new: newHMAC(sha1.New)},         // RFC 2404
	{Name: "hmac-sha256-128", KeyLen: 32, ICVLen: 16, new: newHMAC(sha256.New)},    // RFC 4868
	{Name: "hmac-sha384-192", KeyLen: 48, ICVLen: 24, new: newHMAC(sha512.New384)}, // RFC 4868
	{Name: "hmac-sha512-256", KeyLen: 64, ICVLen: 32, new: newHMAC(sha512.New)},    // RFC 4868
	{Name: "aes-xcbc-96", KeyLen: 16, ICVLen: 12, new: newXCBC},                    // RFC 3566

	// RFC 4543, for AH; in ESP it takes the place of the cipher.
	{Name: "aes128-gmac", KeyLen: 16, SaltLen: gmacSalt, IVLen: 8, ICVLen: gmacTag, new: newGMACForAH},
	{Name: "aes192-gmac", KeyLen: 24, SaltLen: gmacSalt, IVLen: 8, ICVLen: gmacTag, new: newGMACForAH},
	{Name: "aes256-gmac", KeyLen: 32, SaltLen: gmacSalt, IVLen: 8, ICVLen: gmacTag, new: newGMACForAH},

	// The first generation, for AH. IKEv1 has no number for the second one.
	{Name: "keyed-md5", KeyLen: 16, ICVLen: 16, Numbering: Unnumbered, new: newKeyedMD5},           // RFC 1828
	{Name: "hmac-md5-replay", KeyLen: 16, ICVLen: 16, Numbering: Counter64, new: newHMAC(md5.New)}, // RFC 2085
}

func newHMAC(h func() hash.Hash) func([]byte) (MAC, error) {
	return func(key []byte) (MAC, error) { return hmac.New(h, key), nil }
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

// ForESP reports whether ESP may use the algorithm; AH may use all.
func (a *Auth) ForESP() bool { return a.IVLen == 0 && a.Numbering == Sequence }

// New makes the MAC, not yet cut, for a key of KeyLen bytes with the salt appended.
func (a *Auth) New(key []byte) (MAC, error) {
	if len(key) != a.KeyLen+a.SaltLen {
		return nil, fmt.Errorf("suite: %s takes a key of %d bytes, not %d", a.Name, a.KeyLen+a.SaltLen, len(key))
	}
	return a.new(key)
}
