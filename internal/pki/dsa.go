package pki

import (
	"errors"
	"fmt"
	"io"
	"math/big"
)

// dsaDomain are the parameters that keys share, with q of n octets.
type dsaDomain struct {
	p, q, g *big.Int
	n       int
}

// dsaDomains are fixed, because a search for them would show nothing: RFC 6979,
// Appendix A.2.1 (1024 bits, q of 160) and A.2.2 (2048 bits, q of 256).
var dsaDomains = map[int]*dsaDomain{
	1024: hexDomain(
		"86F5CA03DCFEB225063FF830A0C769B9DD9D6153AD91D7CE27F787C43278B447"+
			"E6533B86B18BED6E8A48B784A14C252C5BE0DBF60B86D6385BD2F12FB763ED88"+
			"73ABFD3F5BA2E0A8C0A59082EAC056935E529DAF7C610467899C77ADEDFC846C"+
			"881870B7B19B2B58F9BE0521A17002E3BDD6B86685EE90B3D9A1B02B782B1779",
		"996F967F6C8E388D9E28D01E205FBA957A5698B1",
		"07B0F92546150B62514BB771E2A0C0CE387F03BDA6C56B505209FF25FD3C133D"+
			"89BBCD97E904E09114D9A7DEFDEADFC9078EA544D2E401AEECC40BB9FBBF78FD"+
			"87995A10A1C27CB7789B594BA7EFB5C4326A9FE59A070E136DB77175464ADCA4"+
			"17BE5DCE2F40D10A46A3A3943F26AB7FD9C0398FF8C76EE0A56826A8A88F1DBD"),
	2048: hexDomain(
		"9DB6FB5951B66BB6FE1E140F1D2CE5502374161FD6538DF1648218642F0B5C48"+
			"C8F7A41AADFA187324B87674FA1822B00F1ECF8136943D7C55757264E5A1A44F"+
			"FE012E9936E00C1D3E9310B01C7D179805D3058B2A9F4BB6F9716BFE6117C6B5"+
			"B3CC4D9BE341104AD4A80AD6C94E005F4B993E14F091EB51743BF33050C38DE2"+
			"35567E1B34C3D6A5C0CEAA1A0F368213C3D19843D0B4B09DCB9FC72D39C8DE41"+
			"F1BF14D4BB4563CA28371621CAD3324B6A2D392145BEBFAC748805236F5CA2FE"+
			"92B871CD8F9C36D3292B5509CA8CAA77A2ADFC7BFD77DDA6F71125A7456FEA15"+
			"3E433256A2261C6A06ED3693797E7995FAD5AABBCFBE3EDA2741E375404AE25B",
		"F2C3119374CE76C9356990B465374A17F23F9ED35089BD969F61C6DDE9998C1F",
		"5C7FF6B06F8F143FE8288433493E4769C4D988ACE5BE25A0E24809670716C613"+
			"D7B0CEE6932F8FAA7C44D2CB24523DA53FBE4F6EC3595892D1AA58C4328A06C4"+
			"6A15662E7EAA703A1DECF8BBB2D05DBE2EB956C142A338661D10461C0D135472"+
			"085057F3494309FFA73C611F78B32ADBB5740C361C9F35BE90997DB2014E2EF5"+
			"AA61782F52ABEB8BD6432C4DD097BC5423B285DAFB60DC364E8161F4A2A35ACA"+
			"3A10B1C4D203CC76A470A33AFDCBDD92959859ABD8B56E1725252D78EAC66E71"+
			"BA9AE3F1DD2487199874393CD4D832186800654760E1E34C09E4D155179F9EC0"+
			"DC4473F996BDCE6EED1CABED8B6F116F7AD9CF505DF0F998E34AB27514B0FFE7"),
}

func hexDomain(p, q, g string) *dsaDomain {
	n := func(s string) *big.Int {
		v, ok := new(big.Int).SetString(s, 16)
		if !ok {
			panic("pki: a domain parameter is not hexadecimal")
		}
		return v
	}
	return &dsaDomain{n(p), n(q), n(g), len(q) / 2}
}

// newDSADomain takes parameters of a peer. Whether p and q are primes is not
// looked at: whoever signed the certificate vouches for them. Their sizes are bounded.
func newDSADomain(p, q, g *big.Int) (*dsaDomain, error) {
	if n := p.BitLen(); p.Sign() <= 0 || p.Bit(0) == 0 || n < 512 || n > 3072 {
		return nil, fmt.Errorf("pki: the DSA prime p is no odd number of 512 to 3072 bits")
	}
	if n := q.BitLen(); q.Sign() <= 0 || q.Bit(0) == 0 || n < 160 || n > 256 || n%8 != 0 {
		return nil, fmt.Errorf("pki: the DSA prime q is no odd number of 160 to 256 bits")
	}
	if g.Cmp(big.NewInt(1)) <= 0 || g.Cmp(p) >= 0 {
		return nil, errors.New("pki: the DSA generator is not between 1 and p")
	}
	return &dsaDomain{p, q, g, q.BitLen() / 8}, nil
}

type dsaPublic struct {
	*dsaDomain
	y *big.Int
}

func newDSAPublic(d *dsaDomain, y *big.Int) (*dsaPublic, error) {
	if y.Cmp(big.NewInt(1)) <= 0 || y.Cmp(d.p) >= 0 {
		return nil, errors.New("pki: the DSA public key is not between 1 and p")
	}
	return &dsaPublic{d, y}, nil
}

func (k *dsaPublic) Algorithm() string                         { return DSA }
func (k *dsaPublic) Bits() int                                 { return k.p.BitLen() }
func (k *dsaPublic) Size() int                                 { return 2 * k.n }
func (k *dsaPublic) Encrypt(io.Reader, []byte) ([]byte, error) { return nil, errNoEncryption }

// Verify is FIPS 186-4, Section 4.7.
func (k *dsaPublic) Verify(hash, signature []byte) error {
	if len(hash) == 0 {
		return errNoHash
	}
	if len(signature) != 2*k.n {
		return fmt.Errorf("%w: it has %d octets, r and s have %d", ErrSignature, len(signature), 2*k.n)
	}
	r := new(big.Int).SetBytes(signature[:k.n])
	s := new(big.Int).SetBytes(signature[k.n:])
	if r.Sign() == 0 || s.Sign() == 0 || r.Cmp(k.q) >= 0 || s.Cmp(k.q) >= 0 {
		return ErrSignature
	}
	w := new(big.Int).ModInverse(s, k.q)
	if w == nil {
		return ErrSignature // q of the peer is no prime
	}
	u1 := new(big.Int).Mul(hashToInt(hash, k.q), w)
	u2 := w.Mul(r, w)
	v := new(big.Int).Exp(k.g, u1.Mod(u1, k.q), k.p)
	v.Mul(v, new(big.Int).Exp(k.y, u2.Mod(u2, k.q), k.p))
	if v.Mod(v.Mod(v, k.p), k.q).Cmp(r) != 0 {
		return ErrSignature
	}
	return nil
}

type dsaPrivate struct {
	public *dsaPublic
	x      *big.Int
}

// NewDSAKey makes a DSA key of 1024 or 2048 bits in the group of RFC 6979,
// Appendix A.2.1 or A.2.2. The same stream gives the same key.
func NewDSAKey(rand io.Reader, bits int) (PrivateKey, error) {
	d := dsaDomains[bits]
	if d == nil {
		return nil, fmt.Errorf("pki: a DSA key of %d bits; 1024 and 2048 are supported", bits)
	}
	x, err := randomScalar(rand, d.q)
	if err != nil {
		return nil, err
	}
	return newDSAPrivate(d, x)
}

func newDSAPrivate(d *dsaDomain, x *big.Int) (PrivateKey, error) {
	if x.Sign() <= 0 || x.Cmp(d.q) >= 0 {
		return nil, errors.New("pki: the DSA private key is not between 0 and q")
	}
	public, err := newDSAPublic(d, new(big.Int).Exp(d.g, x, d.p))
	if err != nil {
		return nil, err
	}
	return &dsaPrivate{public, x}, nil
}

func (k *dsaPrivate) Algorithm() string              { return DSA }
func (k *dsaPrivate) Public() PublicKey              { return k.public }
func (k *dsaPrivate) Decrypt([]byte) ([]byte, error) { return nil, errNoEncryption }

// Sign is FIPS 186-4, Section 4.6, with the nonce of RFC 6979.
func (k *dsaPrivate) Sign(hash []byte) ([]byte, error) {
	if len(hash) == 0 {
		return nil, errNoHash
	}
	d := k.public.dsaDomain
	nonces := newNonces(hash, d.q, k.x)
	for range maxDraws {
		n := nonces.next()
		r := new(big.Int).Exp(d.g, n, d.p)
		r.Mod(r, d.q)
		inverse := n.ModInverse(n, d.q)
		if r.Sign() == 0 || inverse == nil {
			continue
		}
		s := new(big.Int).Mul(k.x, r)
		s.Add(s, hashToInt(hash, d.q)).Mul(s, inverse).Mod(s, d.q)
		if s.Sign() == 0 {
			continue
		}
		return joinInts(r, s, d.n), nil
	}
	return nil, errors.New("pki: DSA found no nonce: the key's parameters are no primes")
}

// randomScalar is a number from 1 to q-1: FIPS 186-4, Appendix B.1.1, which
// takes 64 bits more than q has.
func randomScalar(rand io.Reader, q *big.Int) (*big.Int, error) {
	buf := make([]byte, (q.BitLen()+7)/8+8)
	if err := readRandom(rand, buf); err != nil {
		return nil, err
	}
	x := new(big.Int).SetBytes(buf)
	x.Mod(x, new(big.Int).Sub(q, big.NewInt(1)))
	return x.Add(x, big.NewInt(1)), nil
}

// joinInts is r|s, n octets each.
func joinInts(r, s *big.Int, n int) []byte {
	out := make([]byte, 2*n)
	r.FillBytes(out[:n])
	s.FillBytes(out[n:])
	return out
}
