package suite

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// Cipher is an encryption algorithm with a fixed key length. All lengths are in bytes.
type Cipher struct {
	Name      string
	KeyLen    int // the key proper
	SaltLen   int // what key management appends to the key: the salt of RFC 4106, Section 8.1, the nonce of RFC 3686, Section 5.1
	IVLen     int // the IV that each packet carries
	Align     int // what the ciphertext is a multiple of, RFC 4303, Section 2.4
	ICVLen    int // the tag of an AEAD cipher; 0 for the others
	Numbering Numbering

	block   func(key []byte) (cipher.Block, error)            // of CBC and CTR
	counter bool                                              // CTR
	aead    func(key []byte, tagLen int) (cipher.AEAD, error) // of AEAD ciphers
}

var ciphers = append([]*Cipher{
	{Name: "null", Align: 4}, // RFC 2410; the alignment is that of ESP, RFC 4303, Section 2.4
	{Name: "des-cbc", KeyLen: 8, IVLen: 8, Align: 8, block: newDES},         // RFC 2405
	{Name: "3des-cbc", KeyLen: 24, IVLen: 8, Align: 8, block: newTripleDES}, // RFC 2451

	// RFC 7634: IKEv1 has no number for it, so that it is for SAs that come from elsewhere.
	{Name: "chacha20-poly1305", KeyLen: 32, SaltLen: 4, IVLen: 8, Align: 4, ICVLen: 16, aead: newChaCha},

	// RFC 1829, with the IV that it calls most common and with a whole one.
	{Name: "des-iv32", KeyLen: 8, IVLen: 4, Align: 8, Numbering: Unnumbered, block: newDES},
	{Name: "des-iv64", KeyLen: 8, IVLen: 8, Align: 8, Numbering: Unnumbered, block: newDES},
}, aesCiphers()...)

// aesCiphers are all modes of AES with all lengths of keys.
func aesCiphers() (all []*Cipher) {
	for _, n := range []int{16, 24, 32} {
		for _, c := range []Cipher{
			{Name: "cbc", IVLen: 16, Align: 16, block: aes.NewCipher},                             // RFC 3602
			{Name: "ctr", SaltLen: 4, IVLen: 8, Align: 4, block: aes.NewCipher, counter: true},    // RFC 3686
			{Name: "gcm8", SaltLen: 4, IVLen: 8, Align: 4, ICVLen: 8, aead: onAES(newShortGCM)},   // RFC 4106
			{Name: "gcm12", SaltLen: 4, IVLen: 8, Align: 4, ICVLen: 12, aead: onAES(newGCM)},      // RFC 4106
			{Name: "gcm16", SaltLen: 4, IVLen: 8, Align: 4, ICVLen: 16, aead: onAES(newGCM)},      // RFC 4106
			{Name: "ccm8", SaltLen: 3, IVLen: 8, Align: 4, ICVLen: 8, aead: onAES(newCCM)},        // RFC 4309
			{Name: "ccm12", SaltLen: 3, IVLen: 8, Align: 4, ICVLen: 12, aead: onAES(newCCM)},      // RFC 4309
			{Name: "ccm16", SaltLen: 3, IVLen: 8, Align: 4, ICVLen: 16, aead: onAES(newCCM)},      // RFC 4309
			{Name: "gmac", SaltLen: 4, IVLen: 8, Align: 4, ICVLen: gmacTag, aead: onAES(newGMAC)}, // RFC 4543: encrypts nothing
		} {
			c.Name, c.KeyLen = fmt.Sprintf("aes%d-%s", 8*n, c.Name), n
			all = append(all, &c)
		}
	}
	return all
}

// onAES makes an AEAD of one over a block cipher.
func onAES(mode func(b cipher.Block, tagLen int) (cipher.AEAD, error)) func([]byte, int) (cipher.AEAD, error) {
	return func(key []byte, tagLen int) (cipher.AEAD, error) {
		b, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		return mode(b, tagLen)
	}
}

func newChaCha(key []byte, _ int) (cipher.AEAD, error) { return chacha20poly1305.New(key) }

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
func (c *Cipher) CBC() bool { return c.block != nil && !c.counter }

// Counter reports whether this is a block cipher in counter mode, which is for ESP
// with integrity alone (RFC 3686, Section 7).
func (c *Cipher) Counter() bool { return c.counter }

// NewBlock makes the block cipher of a CBC algorithm. The key has KeyLen bytes.
// An error that wraps ErrWeakKey says that another key would do.
func (c *Cipher) NewBlock(key []byte) (cipher.Block, error) {
	if !c.CBC() {
		return nil, fmt.Errorf("suite: %s is not a CBC cipher", c.Name)
	}
	return c.newBlock(key)
}

// NewAEAD makes the AEAD of a combined-mode algorithm. The key has KeyLen bytes, without
// the salt. The nonce is salt and IV. One AEAD is for one packet at a time, and the
// additional data is SPI and sequence number.
func (c *Cipher) NewAEAD(key []byte) (cipher.AEAD, error) {
	if !c.AEAD() {
		return nil, fmt.Errorf("suite: %s is not an AEAD cipher", c.Name)
	}
	if err := c.checkKey(key); err != nil {
		return nil, err
	}
	return c.aead(key, c.ICVLen)
}

func (c *Cipher) newBlock(key []byte) (cipher.Block, error) {
	if err := c.checkKey(key); err != nil {
		return nil, err
	}
	return c.block(key)
}

func (c *Cipher) checkKey(key []byte) error {
	if len(key) != c.KeyLen {
		return fmt.Errorf("suite: %s takes a key of %d bytes, not %d", c.Name, c.KeyLen, len(key))
	}
	return nil
}
