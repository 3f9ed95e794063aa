package pki

import (
	"bytes"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"
)

// quick fails a test that takes long: a hang is what these tests look for. The
// limit is far above what is measured, since machines are slow at times.
func quick(t *testing.T, f func()) {
	t.Helper()
	start := time.Now()
	f()
	require.Less(t, time.Since(start), 10*time.Second)
}

// Authorities that all vouch for each other: there are more paths than anybody could try.
func TestCircles(t *testing.T) {
	c := newCA(t)
	const n = 9
	var all []*Authority
	for i := range n {
		all = append(all, c.root(fmt.Sprintf("CN=Loop %d", i), "ecdsa-256", byte(i)))
	}
	var sent []*Certificate
	for i := range n {
		for j := range n {
			if i != j {
				sent = append(sent, c.leaf(all[i], fmt.Sprintf("CN=Loop %d", j), "ecdsa-256", byte(j), pathLen(-1), usage(CertSign)))
			}
		}
	}
	leaf := c.leaf(all[0], "CN=hosta", "rsa-1024", 2)
	_, r := c.pair()
	quick(t, func() {
		_, err := r.store.Verify(leaf, sent, nil, now, r.rule)
		require.ErrorIs(t, err, &Error{Kind: TooMuchWork})
	})
	// Two that vouch for each other are a circle, and no root.
	_, err := r.store.Verify(leaf, []*Certificate{sent[0], sent[n-1]}, nil, now, r.rule)
	require.ErrorIs(t, err, &Error{Kind: ChainBroken})
}

// Thousands of certificates, of one name and of many.
func TestManyCertificates(t *testing.T) {
	c := newCA(t)
	r := c.three()
	imposter := c.root("CN=Lab Issuing, O=Lab", "rsa-1024", 9).Certificate
	p := Peer{Certificates: [][]byte{r.leaf.Raw}}
	var sent []*Certificate
	for i := range 5000 {
		der := append([]byte{}, imposter.Raw...)
		der[len(der)-1] = byte(i) // another signature makes another certificate
		der[len(der)-2] = byte(i >> 8)
		p.Certificates = append(p.Certificates, der)
		if i < 300 {
			one, err := ParseCertificate(der)
			sent = append(sent, must(t, one, err))
		}
	}
	quick(t, func() {
		_, err := r.store.VerifyPeer(p, now, r.rule)
		require.Error(t, err)
	})
	// The true one is found among false ones, but not behind a hundred of them.
	_, err := r.store.Verify(r.leaf, append(sent[:99:99], r.mid.Certificate), nil, now, r.rule)
	require.NoError(t, err)
	_, err = r.store.Verify(r.leaf, append(sent[:100:100], r.mid.Certificate), nil, now, r.rule)
	require.ErrorIs(t, err, &Error{Kind: WrongKey})
}

// A peer whose certificate is revoked sends others of its issuer's name, so that there is no
// work left for the signature of the list: the list is not passed over then.
func TestRevokedBehindManyCertificates(t *testing.T) {
	c := newCA(t)
	r := c.three()
	r.store.Intermediates = []*Certificate{r.mid.Certificate}
	r.store.Lists = []*RevocationList{c.list(r.mid, nil, r.leaf)}
	r.rule.CRLCheck = CRLIfRevoked
	var sent []*Certificate
	for i := range 98 {
		sent = append(sent, c.root("CN=Lab Issuing, O=Lab", "ecdsa-256", byte(100+i)).Certificate)
	}
	for n := range len(sent) + 1 {
		_, err := r.store.Verify(r.leaf, sent[:n], nil, now, r.rule)
		if n < 98 {
			require.ErrorIs(t, err, &Error{Kind: Revoked}, n)
		} else {
			require.ErrorIs(t, err, &Error{Kind: TooMuchWork}, n)
		}
	}
	// Lists of the peer's that do not verify cost nobody but itself.
	var lists []*RevocationList
	for i := range 100 {
		forged := c.list(c.root("CN=Lab Issuing, O=Lab", "ecdsa-256", byte(100+i)), func(l *ListTemplate) { l.ThisUpdate = now.Add(-time.Hour) })
		lists = append(lists, forged)
	}
	_, err := r.store.Verify(r.leaf, nil, lists, now, r.rule)
	require.Error(t, err)
}

// A chain that only goes on.
func TestLongChain(t *testing.T) {
	c := newCA(t)
	a, r := c.pair()
	for i := range 30 {
		a = c.below(a, fmt.Sprintf("CN=Level %d", i), "ecdsa-256", byte(i))
		r.sent = append(r.sent, a.Certificate)
		leaf := c.leaf(a, "CN=hosta", "rsa-1024", 2)
		_, err := r.store.Verify(leaf, r.sent, nil, now, r.rule)
		if i+3 <= maxPath {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, &Error{Kind: TooMuchWork})
		}
	}
}

// Keys that would take long are not worked with, and say so.
func TestHostileKeys(t *testing.T) {
	c := newCA(t)
	a, r := c.pair()
	huge := &rsaPublic{new(big.Int).SetBit(big.NewInt(1), 1<<18, 1), big.NewInt(65537)}
	exponent := &rsaPublic{aKey("rsa-1024", 2).Public().(*rsaPublic).n, new(big.Int).SetBit(big.NewInt(1), 1000, 1)}
	for _, key := range []PublicKey{huge, exponent} {
		leaf, err := issue(c.rand, c.template("CN=hosta"), key, a.Certificate.Subject, a.Key)
		require.NoError(t, err)
		require.Nil(t, leaf.Key)
		_, err = r.store.Verify(leaf, nil, nil, now, r.rule)
		require.ErrorIs(t, err, &Error{Kind: Unsupported})
		quick(t, func() { // as an issuer
			mid, err := issue(c.rand, c.template("CN=Mid").authority(), key, a.Certificate.Subject, a.Key)
			require.NoError(t, err)
			bad := c.leaf(&Authority{mid, aKey("rsa-1024", 5)}, "CN=hosta", "rsa-1024", 2)
			_, err = r.store.Verify(bad, []*Certificate{mid}, nil, now, r.rule)
			require.ErrorIs(t, err, &Error{Kind: Unsupported})
		})
	}
	// DSA with q = 15: no prime, and s need not have an inverse.
	d := &dsaDomain{new(big.Int).SetBit(big.NewInt(1), 1023, 1), big.NewInt(15), big.NewInt(2), 1}
	require.Error(t, (&dsaPublic{d, big.NewInt(4)}).Verify([]byte{1}, []byte{3, 5}))
}

// The form of a signature is checked to the last octet: Bleichenbacher's forgery of 2006 hides in its padding.
func TestForgedSignature(t *testing.T) {
	k := newKey(t, 1, "rsa-1024").(*rsaPrivate)
	data := []byte("tbs")
	good, err := SHA1WithRSA.sign(k, data)
	require.NoError(t, err)
	require.NoError(t, SHA1WithRSA.verify(k.Public(), data, good))
	info := signatureSchemes[SHA1WithRSA].signed(data)
	block, err := paddingType1(info, 128)
	require.NoError(t, err)
	raw := func(block []byte) []byte {
		m := new(big.Int).SetBytes(block)
		return m.Exp(m, k.key.D, k.key.N).FillBytes(make([]byte, 128))
	}
	require.Equal(t, good, raw(block))
	short := append([]byte{0, 1, 255, 255, 255, 255, 255, 255, 255, 255, 0}, info...)
	short = append(short, make([]byte, 128-len(short))...) // the hash is not at the end
	require.ErrorIs(t, SHA1WithRSA.verify(k.Public(), data, raw(short)), ErrSignature)
	block[1] = 2
	require.ErrorIs(t, SHA1WithRSA.verify(k.Public(), data, raw(block)), ErrSignature)
	// RFC 8017, Section 5.2.2: a representative of the modulus or more is out of range.
	for seed := byte(1); ; seed++ {
		k := newKey(t, seed, "rsa-1024").(*rsaPrivate)
		good, err := SHA1WithRSA.sign(k, data)
		require.NoError(t, err)
		more := new(big.Int).Add(new(big.Int).SetBytes(good), k.key.N)
		if more.BitLen() > 1024 {
			continue // does not fit
		}
		require.ErrorIs(t, SHA1WithRSA.verify(k.Public(), data, more.Bytes()), ErrSignature)
		break
	}
}

// Every proper prefix of what is parsed is an error.
func TestPrefixes(t *testing.T) {
	c := newCA(t)
	a, r := c.pair()
	list := c.list(a, nil, r.leaf)
	request, err := NewRequest(c.template("CN=hosta", func(t *Template) { t.AltNames.DNS = []string{"hosta"} }), "", aKey("rsa-1024", 2))
	require.NoError(t, err)
	p7, err := MarshalPKCS7([]*Certificate{r.leaf}, []*RevocationList{list})
	require.NoError(t, err)
	for i := range r.leaf.Raw {
		_, err := ParseCertificate(r.leaf.Raw[:i])
		require.Error(t, err)
	}
	for i := range list.Raw {
		_, err := ParseRevocationList(list.Raw[:i])
		require.Error(t, err)
	}
	for i := range request.Raw {
		_, err := ParseRequest(request.Raw[:i])
		require.Error(t, err)
	}
	for i := range p7 {
		_, _, err := ParsePKCS7(p7[:i])
		require.Error(t, err)
	}
	// RFC 5280, Section 4.1.1.2: the algorithm is the same inside and outside.
	sha1, sha256 := []byte{0x86, 0xf7, 0x0d, 1, 1, 5}, []byte{0x86, 0xf7, 0x0d, 1, 1, 11}
	_, err = ParseCertificate(bytes.Replace(r.leaf.Raw, sha1, sha256, 1))
	require.EqualError(t, err, "pki: bad encoding: a certificate has a signature algorithm inside that differs from the one outside")
	_, err = ParseRevocationList(bytes.Replace(list.Raw, sha1, sha256, 1))
	require.ErrorContains(t, err, "differs from the one outside")
	_, err = ParseCertificate(append(r.leaf.Raw, 0))
	require.EqualError(t, err, "pki: bad encoding: a certificate has not the form SEQUENCE { tbsCertificate, algorithm, signature }")
	_, err = ParseCertificate(make([]byte, maxCertificate+1))
	require.ErrorContains(t, err, "octets; at most")
}

// An extension twice is an error (RFC 5280, Section 4.2), so is one that is not its type.
func TestBadExtensions(t *testing.T) {
	c := newCA(t)
	a, _ := c.pair()
	for _, e := range []Extension{
		{oidSubjectKeyID, false, []byte{4, 1, 1}}, // the second one
		{oidKeyUsage, true, []byte{3, 1, 0}},      // no bit
		{oidKeyUsage, true, []byte{5, 0}},
		{oidBasicConstraints, true, []byte{0x30, 3, 2, 1, 0xFF}}, // a negative length of paths
		{oidExtKeyUsage, false, []byte{0x30, 0}},
		{oidSubjectAltName, false, []byte{0x30, 5, 0x87, 3, 1, 2, 3}}, // three octets of address
		{oidCRLPoints, false, []byte{1}},
		{oidAuthorityKeyID, false, []byte{1}},
	} {
		_, err := issue(c.rand, c.template("CN=x", func(t *Template) { t.Extensions = []Extension{e} }), a.Key.Public(), a.Certificate.Subject, a.Key)
		require.ErrorIs(t, err, &Error{Kind: BadEncoding}, "%v", e)
	}
	var b cryptobyte.Builder
	addExtension(&b, oidKeyUsage, true, (DigitalSignature | DecipherOnly).add)
	der, err := b.Bytes()
	require.NoError(t, err)
	require.Equal(t, []byte{3, 3, 7, 0x80, 0x80}, der[len(der)-5:])
}
