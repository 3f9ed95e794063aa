package pki

import (
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
	t.ExtUsage = purposes("ipsecIKE", "iKEIntermediate")
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
	require.NotEqual(t, c.leaf(a, "CN=x", "rsa-1024", 2).Serial, c.leaf(a, "CN=x", "rsa-1024", 2).Serial)
	for range 200 { // RFC 5280, Section 4.1.2.2: positive, at most 20 octets
		n, err := newSerial(c.rand)
		require.NoError(t, err)
		require.Len(t, n.Bytes(), 16)
		require.Equal(t, 127, n.BitLen(), "no octet of sign")
	}
	for _, s := range []string{"", "ipsec", "1", "3.1", "1.40", "1..2", "1.02", "-1.2", "1.2.4294967296"} {
		_, err := ParseExtendedUsage(s)
		require.ErrorContains(t, err, "is no purpose of a key", s)
	}
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
