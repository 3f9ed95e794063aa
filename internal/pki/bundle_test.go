package pki

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Keys in all forms of PEM that OpenSSL writes.
func TestKeysOfOpenSSL(t *testing.T) {
	o := newOpenSSL(t)
	dsa := o.pem("dsa1.pem", Bundle{Keys: []PrivateKey{aKey("dsa-1024", 1)}})
	o.run("genrsa", "-out", "rsa.pem", "1024")
	o.run("rsa", "-in", "rsa.pem", "-traditional", "-out", "rsa1.pem")
	o.run("dsa", "-in", dsa, "-out", "dsa.pem")
	o.run("ecparam", "-name", "secp384r1", "-genkey", "-out", "ec.pem")
	for _, name := range []string{"rsa.pem", "rsa1.pem", "dsa.pem", "dsa1.pem", "ec.pem"} {
		b, err := ParseBundle(o.read(name))
		require.NoError(t, err, name)
		require.Len(t, b.Keys, 1, name)
		o.run("pkey", "-in", name, "-pubout", "-outform", "DER", "-out", "public.der")
		der, err := MarshalPublicKey(b.Keys[0].Public())
		require.NoError(t, err)
		require.Equal(t, o.read("public.der"), der, name)
		// What we write, OpenSSL finds to be the same key.
		o.run("pkey", "-in", o.pem("back.pem", *b), "-pubout", "-outform", "DER", "-out", "back.der")
		require.Equal(t, der, o.read("back.der"), name)
	}
	o.run("pkey", "-in", "rsa.pem", "-aes128", "-passout", "pass:x", "-out", "enc.pem")
	_, err := ParseBundle(o.read("enc.pem"))
	require.EqualError(t, err, "pki: an encrypted private key in PEM is not supported; decrypt it, or use PKCS #12")
}

func TestBundles(t *testing.T) {
	o, c := newOpenSSL(t), newCA(t)
	a, r := c.pair()
	l := c.list(a, nil)
	q, err := NewRequest(c.template("CN=hosta"), "", aKey("rsa-1024", 2))
	require.NoError(t, err)
	in := Bundle{Certificates: []*Certificate{r.leaf, a.Certificate}, Keys: []PrivateKey{a.Key}, Lists: []*RevocationList{l}, Requests: []*Request{q}}
	text, err := in.PEM()
	require.NoError(t, err)
	out, err := ParseBundle(append([]byte("a comment\n"), text...))
	require.NoError(t, err)
	require.Equal(t, in, *out)

	key, err := MarshalPrivateKey(a.Key)
	require.NoError(t, err)
	p7, err := MarshalPKCS7(in.Certificates, in.Lists)
	require.NoError(t, err)
	for _, tc := range []struct {
		der  []byte
		want Bundle
	}{
		{r.leaf.Raw, Bundle{Certificates: []*Certificate{r.leaf}}},
		{l.Raw, Bundle{Lists: []*RevocationList{l}}},
		{q.Raw, Bundle{Requests: []*Request{q}}},
		{key, Bundle{Keys: []PrivateKey{a.Key}}},
		{p7, Bundle{Certificates: in.Certificates, Lists: in.Lists}},
	} {
		b, err := ParseBundle(tc.der)
		require.NoError(t, err)
		require.Equal(t, tc.want, *b)
	}
	for file, want := range map[string]string{
		"":                        "pki: bad encoding: a file is neither PEM nor the DER of a certificate, a revocation list, PKCS #7, a request or a private key",
		"-----BEGIN CERTIFICATE-": "pki: a file has a line BEGIN, and no whole part of PEM",
		"-----BEGIN X-----\nAA==\n-----END X-----\n": `pki: a part "X" of PEM is not supported`,
	} {
		_, err := ParseBundle([]byte(file))
		require.EqualError(t, err, want)
	}

	// PKCS #7 with OpenSSL, both ways: claim C212.
	require.Equal(t, 2, strings.Count(o.run("pkcs7", "-inform", "DER", "-in", o.write("ours.p7b", p7), "-print_certs"), "BEGIN CERTIFICATE"))
	o.pem("certs.pem", Bundle{Certificates: in.Certificates})
	o.run("crl2pkcs7", "-in", o.pem("list.pem", Bundle{Lists: in.Lists}), "-certfile", "certs.pem", "-out", "theirs.pem")
	o.run("pkcs7", "-in", "theirs.pem", "-outform", "DER", "-out", "theirs.p7b")
	for _, name := range []string{"theirs.pem", "theirs.p7b"} {
		b, err := ParseBundle(o.read(name))
		require.NoError(t, err)
		require.ElementsMatch(t, in.Certificates, b.Certificates)
		require.Equal(t, in.Lists, b.Lists)
	}
	require.Equal(t, p7, o.read("theirs.p7b"), "the same collection has one encoding")
}
