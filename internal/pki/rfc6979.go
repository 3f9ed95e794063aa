package pki

import (
	"crypto"
	"crypto/hmac"
	_ "crypto/md5"  // for crypto.MD5
	_ "crypto/sha1" // for crypto.SHA1
	_ "crypto/sha256"
	_ "crypto/sha512"
	"hash"
	"math/big"
)

// hashOfLength is the hash function whose values have this many octets: what is
// signed is a hash, and IKE does not say of which function. SHA-256 stands for
// lengths that have none; the nonce is secret and repeats either way.
func hashOfLength(n int) crypto.Hash {
	for _, h := range []crypto.Hash{crypto.MD5, crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		if h.Size() == n {
			return h
		}
	}
	return crypto.SHA256
}

// nonces are the numbers k of RFC 6979, Section 3.2, for one hash and one key x of order q.
type nonces struct {
	hash func() hash.Hash
	q    *big.Int
	k, v []byte
}

func newNonces(digest []byte, q, x *big.Int) *nonces {
	h := hashOfLength(len(digest))
	n := &nonces{hash: h.New, q: q, k: make([]byte, h.Size()), v: make([]byte, h.Size())}
	for i := range n.v {
		n.v[i] = 1
	}
	size := (q.BitLen() + 7) / 8
	seed := x.FillBytes(make([]byte, size))
	seed = append(seed, new(big.Int).Mod(hashToInt(digest, q), q).FillBytes(make([]byte, size))...)
	n.update(append([]byte{0}, seed...))
	n.update(append([]byte{1}, seed...))
	return n
}

// next is step h; the caller asks again when a signature needs another number.
func (n *nonces) next() *big.Int {
	for {
		var t []byte
		for len(t) < (n.q.BitLen()+7)/8 {
			n.v = n.mac(n.v)
			t = append(t, n.v...)
		}
		k := bitsToInt(t, n.q)
		n.update([]byte{0})
		if k.Sign() > 0 && k.Cmp(n.q) < 0 {
			return k
		}
	}
}

func (n *nonces) update(seed []byte) {
	n.k = n.mac(n.v, seed)
	n.v = n.mac(n.v)
}

func (n *nonces) mac(parts ...[]byte) []byte {
	m := hmac.New(n.hash, n.k)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

// bitsToInt is bits2int of RFC 6979, Section 2.3.2: the leftmost bits, as many as q has.
func bitsToInt(b []byte, q *big.Int) *big.Int {
	v := new(big.Int).SetBytes(b)
	if excess := 8*len(b) - q.BitLen(); excess > 0 {
		v.Rsh(v, uint(excess))
	}
	return v
}

// hashToInt is the number that DSA signs for a hash: FIPS 186-4, Section 4.6, step z.
func hashToInt(digest []byte, q *big.Int) *big.Int { return bitsToInt(digest, q) }
