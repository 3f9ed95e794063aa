package pki

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRequests(t *testing.T) {
	o, c := newOpenSSL(t), newCA(t)
	a, r := c.pair()
	for _, kind := range kinds {
		q, err := NewRequest(c.template("CN=hosta, O=Lab", full), "", aKey(kind, 2))
		require.NoError(t, err)
		require.NoError(t, q.CheckSignature())
		require.Equal(t, []string{"hosta$@lab.example"}, q.Asked.AltNames.UPN)
		text := o.run("req", "-verify", "-noout", "-text", "-inform", "DER", "-in", o.write("q.der", q.Raw))
		require.Contains(t, text, "DNS:hosta.lab.example")
		require.Contains(t, text, "verify OK")

		cert, err := a.IssueRequest(c.rand, q, Template{NotBefore: from, NotAfter: to})
		require.NoError(t, err)
		require.True(t, SameKey(cert.Key, q.Key))
		require.Equal(t, q.Asked.AltNames, cert.AltNames)
		require.Nil(t, cert.Authority, "only the authority says who becomes one")
		rule := r.rule
		rule.Keys = []string{RSA, DSA, ECDSA}
		_, err = r.store.Verify(cert, nil, nil, now, rule)
		require.NoError(t, err)

		q.Key = aKey(kind, 3).Public()
		_, err = a.IssueRequest(c.rand, q, Template{NotBefore: from, NotAfter: to})
		require.ErrorIs(t, err, ErrSignature)
	}
	// A request of OpenSSL's, with an attribute that we do not know.
	conf := "[req]\nprompt=no\ndistinguished_name=d\nreq_extensions=e\nattributes=a\n[d]\nC=US\nST=WA\nCN=hosta\n[a]\nchallengePassword=secret1234\n" +
		"[e]\nsubjectAltName=DNS:hosta.lab.example,IP:10.0.0.1\nkeyUsage=digitalSignature\nbasicConstraints=CA:true\n"
	o.write("req.cnf", []byte(conf))
	o.run("req", "-new", "-newkey", "rsa:1024", "-nodes", "-keyout", "k.pem", "-sha1", "-config", "req.cnf", "-out", "q.pem")
	b, err := ParseBundle(o.read("q.pem"))
	require.NoError(t, err)
	q := b.Requests[0]
	require.NoError(t, q.CheckSignature())
	require.Equal(t, "C=US, S=WA, CN=hosta", q.Subject.Windows())
	require.Equal(t, DigitalSignature, q.Asked.Usage)
	cert, err := a.IssueRequest(c.rand, q, Template{NotBefore: from, NotAfter: to, Hash: "sha256"})
	require.NoError(t, err)
	require.Equal(t, q.Asked.AltNames, cert.AltNames)
	require.Nil(t, cert.Authority)
}

func TestPKCS12(t *testing.T) {
	o, c := newOpenSSL(t), newCA(t)
	a, _ := c.pair()
	for _, kind := range []string{"rsa-1024", "ecdsa-256"} {
		own := Own{c.leaf(a, "CN=hosta", kind, 2, full), aKey(kind, 2)}
		der, err := MarshalPKCS12(stream(5), own, []*Certificate{a.Certificate}, "pass")
		require.NoError(t, err)
		again, err := MarshalPKCS12(stream(5), own, []*Certificate{a.Certificate}, "pass")
		require.NoError(t, err)
		require.Equal(t, der, again)
		other, err := MarshalPKCS12(stream(6), own, []*Certificate{a.Certificate}, "pass")
		require.NoError(t, err)
		require.NotEqual(t, der, other)

		back, others, err := ParsePKCS12(der, "pass")
		require.NoError(t, err)
		require.Equal(t, own.Certificate, back.Certificate)
		require.True(t, SameKey(own.Key.Public(), back.Key.Public()))
		require.Equal(t, []*Certificate{a.Certificate}, others)
		hash := bytes.Repeat([]byte{1}, 20)
		s, err := back.Key.Sign(hash)
		require.NoError(t, err)
		require.NoError(t, own.Certificate.Key.Verify(hash, s))
		_, _, err = ParsePKCS12(der, "wrong")
		require.ErrorContains(t, err, "password incorrect")

		text := o.run("pkcs12", "-in", o.write("ours.p12", der), "-passin", "pass:pass", "-nodes")
		b, err := ParseBundle([]byte(text))
		require.NoError(t, err)
		require.Len(t, b.Certificates, 2)
		require.True(t, SameKey(own.Key.Public(), b.Keys[0].Public()))

		// OpenSSL's, with AES and with 3DES.
		o.pem("k.pem", Bundle{Keys: []PrivateKey{own.Key}})
		o.pem("c.pem", Bundle{Certificates: []*Certificate{a.Certificate, own.Certificate}})
		for _, how := range [][]string{nil, {"-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"}} {
			o.run(append([]string{"pkcs12", "-export", "-inkey", "k.pem", "-in", "c.pem", "-passout", "pass:pass", "-out", "theirs.p12"}, how...)...)
			back, others, err := ParsePKCS12(o.read("theirs.p12"), "pass")
			require.NoError(t, err)
			require.Equal(t, own.Certificate, back.Certificate)
			require.Equal(t, []*Certificate{a.Certificate}, others)
		}
	}
	o.run("pkcs12", "-export", "-inkey", "k.pem", "-in", "c.pem", "-passout", "pass:pass", "-iter", "200001", "-nomac", "-out", "slow.p12")
	_, _, err := ParsePKCS12(o.read("slow.p12"), "pass")
	require.EqualError(t, err, "pki: read PKCS #12: it hashes the password more than 200000 times")
	_, err = MarshalPKCS12(stream(5), Own{c.leaf(a, "CN=x", "dsa-1024", 2), aKey("dsa-1024", 2)}, nil, "")
	require.EqualError(t, err, "pki: write PKCS #12: a DSA key is not supported")
	_, err = MarshalPKCS12(stream(5), Own{a.Certificate, nil}, nil, "")
	require.EqualError(t, err, "pki: write PKCS #12: there is no private key")
	_, err = MarshalPKCS12(zeros{}, Own{a.Certificate, a.Key}, nil, "")
	require.NoError(t, err)
	_, err = MarshalPKCS12(bytes.NewReader(nil), Own{a.Certificate, a.Key}, nil, "")
	require.ErrorContains(t, err, "EOF")
}
