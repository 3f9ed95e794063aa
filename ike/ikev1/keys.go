package ikev1

import (
	"crypto/cipher"
	"errors"
	"fmt"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// keys are the secrets of a phase 1, RFC 2409, Section 5 and Appendix B.
type keys struct {
	hash   *suite.Hash
	cipher *suite.Cipher

	skeyid, d, a, e []byte
	cipherKey       []byte // the ISAKMP cipher key
	block           cipher.Block
}

// newKeys derives the keys of a phase 1 from SKEYID, which depends on the method of authentication.
func newKeys(p ike.MainModeProposal, skeyid, gxy []byte, c ike.Cookies) (*keys, error) {
	k := &keys{hash: suite.HashNamed(p.Hash), cipher: suite.CipherNamed(p.Cipher), skeyid: skeyid}
	if k.hash == nil || k.cipher == nil {
		return nil, fmt.Errorf("ikev1: no algorithms for %v", p)
	}
	prf, i, r := k.hash.PRF, c.Initiator[:], c.Responder[:]
	k.d = prf(k.skeyid, gxy, i, r, []byte{0})
	k.a = prf(k.skeyid, k.d, gxy, i, r, []byte{1})
	k.e = prf(k.skeyid, k.a, gxy, i, r, []byte{2})
	return k, k.deriveCipher()
}

// deriveCipher makes the ISAKMP cipher key of SKEYID_e, RFC 2409, Appendix B: as
// much of it as the key is long, or of what it is stretched to. For DES, it is
// the first eight bytes that are not one of the weak or semi-weak keys.
func (k *keys) deriveCipher() (err error) {
	n, material := k.cipher.KeyLen, k.e
	if len(material) < n {
		// "K1 = prf(SKEYID_e, 0), K2 = prf(SKEYID_e, K1) …"
		material = expand(n, func(last []byte) []byte {
			if last == nil {
				last = []byte{0}
			}
			return k.hash.PRF(k.e, last)
		})
	}
	for ; len(material) >= n; material = material[n:] {
		k.cipherKey = material[:n]
		if k.block, err = k.cipher.NewBlock(k.cipherKey); k.cipher.Name != "des-cbc" || !errors.Is(err, suite.ErrWeakKey) {
			break
		}
	}
	return err
}

// expand concatenates the values of next, each made from the one before, up to n bytes.
func expand(n int, next func(last []byte) []byte) []byte {
	var out, last []byte
	for len(out) < n {
		last = next(last)
		out = append(out, last...)
	}
	return out[:n:n]
}

// authHash is HASH_I; with the arguments of the two sides exchanged it is HASH_R.
// sai is the initiator's SA body in both. RFC 2409, Section 5.
func (k *keys) authHash(ownKE, otherKE []byte, own, other [8]byte, sai, id []byte) []byte {
	return k.hash.PRF(k.skeyid, ownKE, otherKE, own[:], other[:], sai, id)
}

// iv is the hash of the parts cut to the cipher's block, RFC 2409, Appendix B.
func (k *keys) iv(parts ...[]byte) []byte { return k.hash.Sum(parts...)[:k.block.BlockSize()] }

// seal encrypts a chain of payloads padded with zeros (RFC 2409, Appendix B).
// The last block of the result is the next IV.
func (k *keys) seal(iv, chain []byte) (ciphertext, next []byte) {
	bs := k.block.BlockSize()
	out := make([]byte, (len(chain)+bs-1)/bs*bs)
	copy(out, chain)
	cipher.NewCBCEncrypter(k.block, iv).CryptBlocks(out, out)
	return out, out[len(out)-bs:]
}

var errBlocks = errors.New("length is not a multiple of the cipher's block")

// open decrypts; nothing tells yet whether the result is genuine.
func (k *keys) open(iv, ciphertext []byte) (plain, next []byte, err error) {
	bs := k.block.BlockSize()
	if len(ciphertext) == 0 || len(ciphertext)%bs != 0 {
		return nil, nil, errBlocks
	}
	plain = make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(k.block, iv).CryptBlocks(plain, ciphertext)
	return plain, ciphertext[len(ciphertext)-bs:], nil
}

// keymat is the keying material of one SA: gxy is the quick mode's own shared
// secret or nil, spi is the one chosen by the receiver. RFC 2409, Section 5.5.
func (k *keys) keymat(n int, gxy []byte, p ipsec.Protocol, spi uint32, ni, nr []byte) []byte {
	tail := [][]byte{gxy, {byte(p)}, {byte(spi >> 24), byte(spi >> 16), byte(spi >> 8), byte(spi)}, ni, nr}
	return expand(n, func(last []byte) []byte {
		return k.hash.PRF(k.d, append([][]byte{last}, tail...)...)
	})
}

// saKeys is a transform's share of KEYMAT: the cipher's key and salt, then the
// integrity key, with AES-GMAC and its salt (the order in general use; salt and nonce
// from RFC 4106, Section 8.1, RFC 3686, Section 5.1, RFC 4309, Section 7.1 and RFC 4543, Section 5.4).
// One that the transform has no use for is nil.
func (k *keys) saKeys(t ipsec.Transform, gxy []byte, spi uint32, ni, nr []byte) (cipherKey, authKey []byte) {
	var n, total int
	if c := suite.CipherNamed(t.Cipher); c != nil {
		n = c.KeyLen + c.SaltLen
	}
	total = n
	if a := suite.AuthNamed(t.Auth); a != nil {
		total += a.KeyLen + a.SaltLen
	}
	m := k.keymat(total, gxy, t.Protocol, spi, ni, nr)
	if n > 0 {
		cipherKey = m[:n:n]
	}
	if total > n {
		authKey = m[n:]
	}
	return cipherKey, authKey
}
