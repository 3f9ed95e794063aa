package pki

import (
	"bytes"
	"crypto/x509"
	"math/big"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// full is a template with everything that a certificate can say.
func full(t *Template) {
	t.Usage = DigitalSignature | KeyEncipherment
	t.ExtUsage = []OID{UsageIPsecIKE, UsageIKEIntermediate}
	t.AltNames = AltNames{DNS: []string{"hosta.lab.example"}, UPN: []string{"hosta$@lab.example"}, Email: []string{"hosta@lab.example"},
		IP: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")}}
	t.CRLPoints = []string{"http://ca.lab.example/lab.crl", "ldap:///CN=Lab"}
	t.Authority = &BasicConstraints{}
}

// crypto/x509 and OpenSSL read what is issued, and read it as we meant it.
func TestIssuedAsOthersRead(t *testing.T) {
	o, c := newOpenSSL(t), newCA(t)
	for _, kind := range kinds {
		for _, h := range []string{"", "md5", "sha1", "sha256", "sha384", "sha512"} {
			algorithm, err := SignatureWith(aKey(kind, 1).Public(), h)
			if err != nil || h != "" && kind != "rsa-1024" {
				continue
			}
			a := c.root("C=US, S=WA, O=Lab, CN=Lab Root, E=ca@lab.example", kind, 1, signedWith(h), pathLen(3))
			leaf := c.leaf(a, "DC=example, DC=lab, CN=hosta", "rsa-1024", 2, signedWith(h), full, serial(0x1234))
			require.Equal(t, algorithm, leaf.Algorithm)

			std, err := x509.ParseCertificate(leaf.Raw)
			require.NoError(t, err)
			require.Equal(t, leaf.RawSubject, std.RawSubject)
			names := o.run("x509", "-noout", "-subject", "-issuer", "-nameopt", "RFC2253", "-in", o.pem("leaf.pem", Bundle{Certificates: []*Certificate{leaf}}))
			require.Equal(t, "subject="+leaf.Subject.String()+"\nissuer="+leaf.Issuer.String()+"\n", names)
			require.True(t, std.NotBefore.Equal(leaf.NotBefore) && std.NotAfter.Equal(leaf.NotAfter))
			require.Equal(t, []string{"hosta.lab.example"}, std.DNSNames)
			require.Equal(t, []string{"hosta@lab.example"}, std.EmailAddresses)
			require.Equal(t, "[10.0.0.1 2001:db8::1]", ips(std))
			require.Equal(t, leaf.CRLPoints, std.CRLDistributionPoints)
			require.Equal(t, x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment, std.KeyUsage)
			require.Equal(t, leaf.SubjectKeyID, std.SubjectKeyId)
			require.Equal(t, a.Certificate.SubjectKeyID, std.AuthorityKeyId)
			require.Equal(t, int64(0x1234), std.SerialNumber.Int64())
			require.Len(t, std.UnknownExtKeyUsage, 2)
			root, err := x509.ParseCertificate(a.Certificate.Raw)
			require.NoError(t, err)
			require.True(t, root.IsCA && root.MaxPathLen == 3)

			text := o.run("x509", "-noout", "-text", "-certopt", "no_sigdump,no_pubkey", "-in", o.pem("leaf.pem", Bundle{Certificates: []*Certificate{leaf}}))
			for _, want := range []string{"Signature Algorithm: " + strings.Replace(algorithm.String(), "dsa-with-sha1", "dsaWithSHA1", 1),
				"Not After : Mar 30 12:00:00 2006 GMT", "Issuer: C = US, ST = WA, O = Lab, CN = Lab Root, emailAddress = ca@lab.example",
				"othername: UPN::hosta$@lab.example", "DNS:hosta.lab.example", "email:hosta@lab.example", "IP Address:10.0.0.1",
				"IP Address:2001:DB8:0:0:0:0:0:1", "URI:http://ca.lab.example/lab.crl", "ipsec Internet Key Exchange", "1.3.6.1.5.5.8.2.2",
				"Digital Signature, Key Encipherment"} {
				if kind[:3] == "dsa" || kind[:3] == "ecd" {
					want = strings.Replace(want, "dsa-with-sha256", "dsa_with_SHA256", 1)
				}
				require.Contains(t, text, want)
			}
		}
	}
}

func ips(c *x509.Certificate) string {
	var out []string
	for _, ip := range c.IPAddresses {
		out = append(out, ip.String())
	}
	return "[" + strings.Join(out, " ") + "]"
}

func TestListAsOthersRead(t *testing.T) {
	o, c := newOpenSSL(t), newCA(t)
	a, r := c.pair()
	l := c.list(a, func(t *ListTemplate) {
		t.Entries = append(t.Entries, Revocation{big.NewInt(99), now, Unspecified}, Revocation{big.NewInt(100), now, CertificateHold})
	}, r.leaf)
	std, err := x509.ParseRevocationList(l.Raw)
	require.NoError(t, err)
	require.Len(t, std.RevokedCertificateEntries, 3)
	require.Equal(t, 1, std.RevokedCertificateEntries[0].ReasonCode)
	require.Equal(t, 6, std.RevokedCertificateEntries[2].ReasonCode)
	require.Equal(t, l.Find(big.NewInt(100)).Reason, CertificateHold)
	require.Nil(t, l.Find(big.NewInt(-100)))
	text := o.run("crl", "-noout", "-text", "-CAfile", o.pem("root.pem", Bundle{Certificates: r.store.Roots}), "-in", o.pem("list.pem", Bundle{Lists: []*RevocationList{l}}))
	for _, want := range []string{"verify OK", "Key Compromise", "Certificate Hold", "Serial Number: 63", "Next Update: Apr  5 12:00:00 2005 GMT"} {
		require.Contains(t, text, want)
	}
	empty := c.list(a, nil)
	require.Empty(t, empty.Entries)
	require.NotContains(t, string(empty.Raw), "\x30\x00", "a list of nothing is left out: RFC 5280, Section 5.1.2.6")
	require.Contains(t, o.run("crl", "-noout", "-text", "-in", o.pem("list.pem", Bundle{Lists: []*RevocationList{empty}})), "No Revoked Certificates")
}

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
	q, err := NewRequest(c.template("CN=hosta"), aKey("rsa-1024", 2))
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

func TestRequests(t *testing.T) {
	o, c := newOpenSSL(t), newCA(t)
	a, r := c.pair()
	for _, kind := range kinds {
		q, err := NewRequest(c.template("CN=hosta, O=Lab", full), aKey(kind, 2))
		require.NoError(t, err)
		require.NoError(t, q.CheckSignature())
		require.Equal(t, []string{"hosta$@lab.example"}, q.Asked.AltNames.UPN)
		text := o.run("req", "-verify", "-noout", "-text", "-inform", "DER", "-in", o.write("q.der", q.Raw))
		require.Contains(t, text, "DNS:hosta.lab.example")
		require.Contains(t, text, "verify OK")

		cert, err := a.IssueRequest(c.rand, q, Template{NotBefore: from, NotAfter: to})
		require.NoError(t, err)
		require.True(t, sameKey(cert.Key, q.Key))
		require.Equal(t, q.Asked.AltNames, cert.AltNames)
		require.Nil(t, cert.Authority, "only the authority says who becomes one")
		rule := r.rule
		rule.AnyKey = true
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
		require.True(t, sameKey(own.Key.Public(), back.Key.Public()))
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
		require.True(t, sameKey(own.Key.Public(), b.Keys[0].Public()))

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

// The same stream gives the same authority, certificates and lists.
func TestSameStreamSameCertificates(t *testing.T) {
	var runs [2][]byte
	for i := range runs {
		in := stream(11)
		key, err := GenerateKey(in, "rsa-1024")
		require.NoError(t, err)
		name := mustName(t, rootName)
		a, err := NewRoot(in, Template{Subject: name, NotBefore: from, NotAfter: to}, key)
		require.NoError(t, err)
		leafKey, err := GenerateKey(in, "dsa-1024")
		require.NoError(t, err)
		leaf, err := a.Issue(in, Template{Subject: name, NotBefore: from, NotAfter: to}, leafKey.Public())
		require.NoError(t, err)
		l, err := a.IssueList(ListTemplate{ThisUpdate: now, Entries: []Revocation{{leaf.Serial, now, Superseded}}})
		require.NoError(t, err)
		runs[i] = append(append(append([]byte{}, a.Certificate.Raw...), leaf.Raw...), l.Raw...)
	}
	require.Equal(t, runs[0], runs[1])
}

// What a template says is what the certificate reads as.
func TestTemplatesComeBack(t *testing.T) {
	c := newCA(t)
	rapid.Check(t, func(rt *rapid.T) {
		texts := rapid.SliceOfN(rapid.StringMatching(`[a-z0-9$@./-]{1,20}`), 0, 3)
		tmpl := Template{
			Subject:   genName().Draw(rt, "subject"),
			NotBefore: now.AddDate(rapid.IntRange(-50, 100).Draw(rt, "from"), 0, 0),
			Usage:     KeyUsage(rapid.IntRange(0, 1<<9-1).Draw(rt, "usage")),
			AltNames:  AltNames{DNS: texts.Draw(rt, "dns"), UPN: texts.Draw(rt, "upn"), Email: texts.Draw(rt, "email")},
			CRLPoints: texts.Draw(rt, "points"),
		}
		tmpl.NotAfter = tmpl.NotBefore.AddDate(rapid.IntRange(0, 100).Draw(rt, "to"), 0, 0)
		if rapid.Bool().Draw(rt, "constrained") {
			tmpl.Authority = &BasicConstraints{true, rapid.IntRange(-1, 1000).Draw(rt, "path")}
		}
		key := aKey("rsa-1024", 1)
		got, err := issue(c.rand, tmpl, key.Public(), tmpl.Subject, key)
		require.NoError(rt, err)
		require.NoError(rt, got.CheckSignature(key.Public()))
		require.True(rt, got.Subject.Equal(tmpl.Subject) && got.Issuer.Equal(tmpl.Subject) && got.SelfIssued())
		require.True(rt, got.NotBefore.Equal(tmpl.NotBefore) && got.NotAfter.Equal(tmpl.NotAfter))
		require.Equal(rt, tmpl.Usage, got.Usage)
		require.Equal(rt, tmpl.Authority, got.Authority)
		require.ElementsMatch(rt, tmpl.AltNames.UPN, got.AltNames.UPN)
		require.ElementsMatch(rt, tmpl.AltNames.DNS, got.AltNames.DNS)
		require.ElementsMatch(rt, tmpl.CRLPoints, got.CRLPoints)
		if tmpl.Usage != 0 {
			u, err := ParseKeyUsage(tmpl.Usage.String())
			require.NoError(rt, err)
			require.Equal(rt, tmpl.Usage, u)
		}
	})
}

func TestIssueRefuses(t *testing.T) {
	c := newCA(t)
	a, _ := c.pair()
	_, err := a.Issue(c.rand, Template{NotBefore: to, NotAfter: from, Subject: mustName(t, "CN=x")}, a.Key.Public())
	require.EqualError(t, err, "pki: issue a certificate for CN=x: it ends before it begins")
	_, err = a.Issue(c.rand, c.template("CN=x", signedWith("sha3")), a.Key.Public())
	require.EqualError(t, err, `pki: issue a certificate for CN=x: pki: no signature with rsa and the hash "sha3"`)
	_, err = a.Issue(nil, c.template("CN=x"), a.Key.Public())
	require.EqualError(t, err, "pki: issue a certificate for CN=x: pki: there is no stream of random octets")
	for s, want := range map[string]Reason{"keycompromise": KeyCompromise, "certificateHold": CertificateHold} {
		r, err := ParseReason(s)
		require.NoError(t, err)
		require.Equal(t, want, r)
		require.True(t, strings.EqualFold(s, r.String()))
	}
	_, err = ParseReason("")
	require.ErrorContains(t, err, "keyCompromise")
	require.Equal(t, "reason 7", Reason(7).String())
}
