package pki

import (
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/require"
)

// samples are one of each kind of what is parsed.
func samples(f *testing.F) (cert, list, request, p7 []byte) {
	f.Helper()
	c := newCA(f)
	a, r := c.pair()
	leaf := c.leaf(a, "CN=hosta.lab.example", "rsa-1024", 2, full)
	l := c.list(a, nil, leaf)
	q, err := NewRequest(c.template("CN=hosta", full), "", aKey("ecdsa-256", 2))
	require.NoError(f, err)
	p7, err = MarshalPKCS7([]*Certificate{r.leaf, leaf}, []*RevocationList{l})
	require.NoError(f, err)
	return leaf.Raw, l.Raw, q.Raw, p7
}

// What is read can be judged, whatever it says.
func FuzzParseCertificate(f *testing.F) {
	c := newCA(f)
	cert, _, _, _ := samples(f)
	f.Add(cert)
	f.Add(c.root("C=US, CN=old", "dsa-1024", 1, version1).Certificate.Raw)
	f.Add(c.root("C=US, CN=new", "ecdsa-256", 1, pathLen(2)).Certificate.Raw)
	_, r := c.pair()
	f.Fuzz(func(t *testing.T, der []byte) {
		got, err := ParseCertificate(der)
		if err != nil {
			return
		}
		require.Equal(t, der, got.Raw)
		if std, err := x509.ParseCertificate(der); err == nil { // the reader that is stricter
			require.Equal(t, std.SerialNumber, got.Serial)
			require.Equal(t, std.RawSubject, got.RawSubject)
			require.True(t, std.NotBefore.Equal(got.NotBefore) && std.NotAfter.Equal(got.NotAfter))
			require.Equal(t, std.BasicConstraintsValid && std.IsCA, got.Authority != nil && got.Authority.IsCA)
			require.Equal(t, int(std.KeyUsage), int(got.Usage))
			require.Equal(t, std.DNSNames, got.AltNames.DNS)
			require.Equal(t, std.CRLDistributionPoints, got.CRLPoints)
		}
		_ = got.Thumbprint()
		_, _ = AccountOf(got)
		_ = got.CheckSignature(got.Key)
		_, err = r.store.Verify(got, []*Certificate{got}, nil, now, Rule{Keys: []string{RSA, DSA, ECDSA}, Roots: r.rule.Roots})
		_ = err
		self := Store{Roots: []*Certificate{got}, Own: []Own{{got, nil}}}
		_, _, err = self.Select(nil, now, Rule{Roots: []Name{got.Subject}, Keys: []string{RSA, DSA, ECDSA}})
		require.Error(t, err)
	})
}

func FuzzParseRevocationList(f *testing.F) {
	_, list, _, _ := samples(f)
	f.Add(list)
	f.Fuzz(func(t *testing.T, der []byte) {
		l, err := ParseRevocationList(der)
		if err != nil {
			return
		}
		for _, r := range l.Entries {
			require.NotNil(t, l.Find(r.Serial))
			_ = r.Reason.String()
		}
		if std, err := x509.ParseRevocationList(der); err == nil {
			require.Len(t, l.Entries, len(std.RevokedCertificateEntries))
			require.True(t, std.ThisUpdate.Equal(l.ThisUpdate))
		}
		_ = l.CheckSignature(aKey("rsa-1024", 1).Public())
	})
}

func FuzzParseRequest(f *testing.F) {
	_, _, request, _ := samples(f)
	f.Add(request)
	f.Fuzz(func(t *testing.T, der []byte) {
		q, err := ParseRequest(der)
		if err != nil {
			return
		}
		_ = q.CheckSignature()
		if std, err := x509.ParseCertificateRequest(der); err == nil {
			require.Equal(t, std.RawTBSCertificateRequest, q.tbs)
		}
	})
}

func FuzzParseBundle(f *testing.F) {
	cert, list, request, p7 := samples(f)
	for _, der := range [][]byte{cert, list, request, p7} {
		f.Add(der)
		b, err := ParseBundle(der)
		require.NoError(f, err)
		b.Keys = []PrivateKey{aKey("ecdsa-256", 1)}
		text, err := b.PEM()
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		b, err := ParseBundle(file)
		if err != nil {
			return
		}
		text, err := b.PEM()
		require.NoError(t, err)
		if len(text) == 0 {
			return
		}
		again, err := ParseBundle(text)
		require.NoError(t, err)
		require.Len(t, again.Certificates, len(b.Certificates))
	})
}

func FuzzParsePKCS7(f *testing.F) {
	_, _, _, p7 := samples(f)
	f.Add(p7)
	f.Fuzz(func(t *testing.T, der []byte) {
		certificates, lists, err := ParsePKCS7(der)
		if err != nil {
			return
		}
		again, err := MarshalPKCS7(certificates, lists)
		require.NoError(t, err)
		back, _, err := ParsePKCS7(again)
		require.NoError(t, err)
		require.Len(t, back, len(certificates))
	})
}

func FuzzParsePKCS12(f *testing.F) {
	c := newCA(f)
	a, _ := c.pair()
	der, err := MarshalPKCS12(stream(1), Own{a.Certificate, a.Key}, nil, "")
	require.NoError(f, err)
	f.Add(der, "")
	der, err = MarshalPKCS12(stream(1), Own{c.leaf(a, "CN=x", "ecdsa-256", 2), aKey("ecdsa-256", 2)}, []*Certificate{a.Certificate}, "x")
	require.NoError(f, err)
	f.Add(der, "x")
	f.Fuzz(func(t *testing.T, der []byte, password string) {
		own, _, err := ParsePKCS12(der, password)
		require.Equal(t, err == nil, own.Certificate != nil && own.Key != nil)
	})
}

func FuzzParsePrivateKey(f *testing.F) {
	for _, kind := range []string{"rsa-1024", "dsa-1024", "ecdsa-256", "ecdsa-521"} {
		der, err := MarshalPrivateKey(aKey(kind, 1))
		require.NoError(f, err)
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		k, err := ParsePrivateKey(der)
		if err != nil {
			return
		}
		hash := make([]byte, 20)
		s, err := k.Sign(hash)
		if err == nil && k.Algorithm() != DSA { // whose p and q need not be primes
			require.NoError(t, k.Public().Verify(hash, s))
		}
		again, err := MarshalPrivateKey(k)
		require.NoError(t, err)
		_, err = ParsePrivateKey(again)
		require.NoError(t, err)
	})
}

// A key of a peer's and what it is asked to verify and to encrypt.
func FuzzPublicKey(f *testing.F) {
	for _, kind := range []string{"rsa-1024", "dsa-1024", "dsa-2048", "ecdsa-256", "ecdsa-521"} {
		der, err := MarshalPublicKey(aKey(kind, 1).Public())
		require.NoError(f, err)
		s, err := aKey(kind, 1).Sign(make([]byte, 20))
		require.NoError(f, err)
		f.Add(der, make([]byte, 20), s)
	}
	f.Fuzz(func(t *testing.T, der, hash, signature []byte) {
		k, err := ParsePublicKey(der)
		if err != nil {
			return
		}
		_ = k.Verify(hash, signature)
		for a := SignatureAlgorithm(0); a <= SHA512WithECDSA; a++ {
			_ = a.verify(k, hash, signature)
		}
		if c, err := k.Encrypt(stream(1), hash); err == nil {
			require.Len(t, c, k.Size())
		}
		again, err := MarshalPublicKey(k)
		require.NoError(t, err)
		back, err := ParsePublicKey(again)
		require.NoError(t, err)
		require.True(t, SameKey(k, back))
	})
}

func FuzzDecrypt(f *testing.F) {
	k := aKey("rsa-1024", 1)
	c, err := k.Public().Encrypt(stream(1), []byte("nonce"))
	require.NoError(f, err)
	f.Add(c)
	f.Fuzz(func(t *testing.T, c []byte) { _, _ = k.Decrypt(c) })
}
