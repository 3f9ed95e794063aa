package pki

import (
	"time"
)

// chain is one case: what the peer shows, what the computer has, and when.
type chain struct {
	leaf  *Certificate
	sent  []*Certificate
	lists []*RevocationList
	store Store
	at    time.Time
	rule  Rule
}

// Each case is judged by us and by "openssl verify". The errors of OpenSSL are
// number and depth: 7 signature, 9 not yet valid, 10 expired, 18 and 19
// self-signed, 20 and 2 no issuer, 25 path length, 23 revoked, 3 no list, 8 list
// signature, 11 and 12 times of a list, 32 certificate signing, 34 critical
// extension, 35 list signing, 36 critical extension of a list, 79 no authority.
// Where its verdict is another than ours, differs says by which policy.
var chains = []struct {
	name    string
	make    func(*ca) chain
	want    Kind // zero: a path of the length want is found
	length  int
	openssl string
	differs string
}{
	{name: "root and leaf", length: 2, openssl: "ok",
		make: func(c *ca) chain { _, r := c.pair(); return *r }},
	{name: "intermediate sent", length: 3, openssl: "ok",
		make: func(c *ca) chain { r := c.three(); r.sent = append(r.sent, r.mid.Certificate); return r.chain }},
	{name: "intermediate in the store", length: 3, openssl: "ok",
		make: func(c *ca) chain {
			r := c.three()
			r.store.Intermediates = append(r.store.Intermediates, r.mid.Certificate)
			return r.chain
		}},
	{name: "intermediate missing", want: ChainBroken, openssl: "20@0",
		make: func(c *ca) chain { return c.three().chain }},
	{name: "leaf is the root itself", length: 1, openssl: "ok",
		make: func(c *ca) chain { a, r := c.pair(); r.leaf = a.Certificate; return *r }},
	{name: "untrusted root, not sent", want: ChainBroken, openssl: "20@0",
		make: func(c *ca) chain { _, r := c.pair(); r.store.Roots = c.another(); return *r }},
	{name: "untrusted root, sent", want: UntrustedRoot, openssl: "19@1",
		make: func(c *ca) chain {
			a, r := c.pair()
			r.store.Roots, r.sent = c.another(), []*Certificate{a.Certificate}
			return *r
		}},
	{name: "self-signed stranger", want: UntrustedRoot, openssl: "18@0",
		make: func(c *ca) chain {
			_, r := c.pair()
			r.leaf = c.root("CN=stranger", "rsa-1024", 9).Certificate
			return *r
		}},

	// The rule names its roots: claim C228. OpenSSL knows no rules.
	{name: "trusted root that the rule does not name", want: RootNotInRule, openssl: "ok", differs: "all roots count",
		make: func(c *ca) chain { _, r := c.pair(); r.rule.Roots = []Name{mustName(c.t, "CN=Other")}; return *r }},
	{name: "rule without a root", want: RootNotInRule, openssl: "ok", differs: "all roots count",
		make: func(c *ca) chain { _, r := c.pair(); r.rule.Roots = nil; return *r }},
	{name: "rule that names the intermediate", want: RootNotInRule, openssl: "ok", differs: "all roots count",
		make: func(c *ca) chain {
			r := c.three()
			r.sent, r.rule.Roots = []*Certificate{r.mid.Certificate}, []Name{r.mid.Certificate.Subject}
			return r.chain
		}},
	{name: "intermediate as a trusted root of the rule", length: 2, openssl: "2@1", differs: "a root is self-signed, without -partial_chain",
		make: func(c *ca) chain {
			r := c.three()
			r.store.Roots, r.rule.Roots = []*Certificate{r.mid.Certificate}, []Name{r.mid.Certificate.Subject}
			return r.chain
		}},
	{name: "cross-signed: two roots, the rule names the second", length: 3, openssl: "ok",
		make: func(c *ca) chain {
			a, b := c.root("CN=Root A", "rsa-1024", 1), c.root("CN=Root B", "rsa-1024", 2)
			mid, cross := c.below(a, "CN=Mid", "rsa-1024", 3), c.below(b, "CN=Mid", "rsa-1024", 3)
			leaf := c.leaf(mid, "CN=hosta", "rsa-1024", 4)
			return chain{leaf: leaf, sent: []*Certificate{mid.Certificate, cross.Certificate}, at: now,
				store: Store{Roots: []*Certificate{a.Certificate, b.Certificate}}, rule: Rule{Roots: []Name{b.Certificate.Subject}}}
		}},

	// Times, both ends included.
	{name: "expired leaf", want: Expired, openssl: "10@1 10@0",
		make: func(c *ca) chain { _, r := c.pair(); r.at = to.Add(time.Second); return *r }},
	{name: "last second", length: 2, openssl: "10@1 10@0", differs: "the end is excluded (cmp_time <= 0), against RFC 5280, Section 4.1.2.5",
		make: func(c *ca) chain { _, r := c.pair(); r.at = to; return *r }},
	{name: "not yet valid", want: NotYetValid, openssl: "9@1",
		make: func(c *ca) chain { _, r := c.pair(); r.at = from.Add(-time.Second); return *r }},
	{name: "first second", length: 2, openssl: "ok",
		make: func(c *ca) chain { _, r := c.pair(); r.at = from; return *r }},
	{name: "expired intermediate", want: Expired, openssl: "10@1",
		make: func(c *ca) chain {
			r := c.three(until(now.Add(-time.Hour)))
			r.sent = []*Certificate{r.mid.Certificate}
			return r.chain
		}},
	{name: "expired root", want: Expired, openssl: "10@1",
		make: func(c *ca) chain { _, r := c.pair(until(now.Add(-time.Hour))); return *r }},
	{name: "root to come", want: NotYetValid, openssl: "9@1",
		make: func(c *ca) chain { _, r := c.pair(since(now.Add(time.Hour))); return *r }},

	// Keys.
	{name: "root of the same name, another key", want: WrongKey, openssl: "20@0", differs: "the key identifier keeps it from being an issuer",
		make: func(c *ca) chain {
			_, r := c.pair()
			r.store.Roots = []*Certificate{c.root(rootName, "rsa-1024", 9).Certificate}
			return *r
		}},
	{name: "root of the same name, another key, no identifiers", want: WrongKey, openssl: "7@0",
		make: func(c *ca) chain {
			a, r := c.pair(version1)
			r.leaf = c.leaf(a, "CN=hosta", "rsa-1024", 2, version1)
			r.store.Roots = []*Certificate{c.root(rootName, "rsa-1024", 9, version1).Certificate}
			return *r
		}},
	{name: "altered leaf", want: WrongKey, openssl: "7@0",
		make: func(c *ca) chain { _, r := c.pair(); r.leaf = altered(c.t, r.leaf); return *r }},
	{name: "DSA leaf", want: WrongKeyType, openssl: "ok", differs: "any key will do",
		make: func(c *ca) chain { a, r := c.pair(); r.leaf = c.leaf(a, "CN=hosta", "dsa-1024", 2); return *r }},
	{name: "DSA leaf of a DSA root, admitted", length: 2, openssl: "ok",
		make: func(c *ca) chain {
			a := c.root(rootName, "dsa-1024", 1)
			return chain{leaf: c.leaf(a, "CN=hosta", "dsa-1024", 2), at: now, store: Store{Roots: []*Certificate{a.Certificate}},
				rule: Rule{Roots: []Name{a.Certificate.Subject}, Keys: []string{RSA, DSA, ECDSA}}}
		}},
	{name: "ECDSA leaf of an ECDSA root, admitted", length: 2, openssl: "ok",
		make: func(c *ca) chain {
			a := c.root(rootName, "ecdsa-384", 1)
			return chain{leaf: c.leaf(a, "CN=hosta", "ecdsa-256", 2), at: now, store: Store{Roots: []*Certificate{a.Certificate}},
				rule: Rule{Roots: []Name{a.Certificate.Subject}, Keys: []string{RSA, DSA, ECDSA}}}
		}},
	{name: "RSA leaf of an ECDSA root", length: 2, openssl: "ok",
		make: func(c *ca) chain {
			a := c.root(rootName, "ecdsa-521", 1)
			return chain{leaf: c.leaf(a, "CN=hosta", "rsa-1024", 2), at: now, store: Store{Roots: []*Certificate{a.Certificate}},
				rule: Rule{Roots: []Name{a.Certificate.Subject}}}
		}},
	{name: "key too short for the rule", want: WeakKey, openssl: "ok", differs: "security level 0",
		make: func(c *ca) chain { _, r := c.pair(); r.rule.MinBits = 2048; return *r }},

	// Hashes. OpenSSL refuses MD5 and SHA-1 only above security level 0.
	{name: "MD5", length: 2, openssl: "ok", make: func(c *ca) chain { _, r := c.pair(signedWith("md5")); return *r }},
	{name: "SHA-1", length: 2, openssl: "ok", make: func(c *ca) chain { _, r := c.pair(signedWith("sha1")); return *r }},
	{name: "SHA-256", length: 2, openssl: "ok", make: func(c *ca) chain { _, r := c.pair(signedWith("sha256")); return *r }},
	{name: "SHA-384", length: 2, openssl: "ok", make: func(c *ca) chain { _, r := c.pair(signedWith("sha384")); return *r }},
	{name: "SHA-512", length: 2, openssl: "ok", make: func(c *ca) chain { _, r := c.pair(signedWith("sha512")); return *r }},

	// What an authority may do.
	{name: "leaf as an issuer", want: NotAuthority, openssl: "79@1",
		make: func(c *ca) chain {
			r := c.three(notAuthority, usage(CertSign))
			r.sent = []*Certificate{r.mid.Certificate}
			return r.chain
		}},
	{name: "issuer of version 1", want: NotAuthority, openssl: "79@1",
		make: func(c *ca) chain { r := c.three(version1); r.sent = []*Certificate{r.mid.Certificate}; return r.chain }},
	{name: "root of version 1", length: 2, openssl: "ok",
		make: func(c *ca) chain { _, r := c.pair(version1); return *r }},
	{name: "root that is no authority", want: NotAuthority, openssl: "79@1",
		make: func(c *ca) chain { _, r := c.pair(notAuthority); return *r }},
	{name: "issuer whose key is not for certificates", want: WrongUsage, openssl: "79@1 32@1",
		make: func(c *ca) chain {
			r := c.three(usage(DigitalSignature | CRLSign))
			r.sent = []*Certificate{r.mid.Certificate}
			return r.chain
		}},
	{name: "path length 0 at the root, no intermediate", length: 2, openssl: "ok",
		make: func(c *ca) chain { _, r := c.pair(pathLen(0)); return *r }},
	{name: "path length 0, one intermediate", want: PathLength, openssl: "25@2", make: func(c *ca) chain { return c.long(1, 0) }},
	{name: "path length 1, one intermediate", length: 3, openssl: "ok", make: func(c *ca) chain { return c.long(1, 1) }},
	{name: "path length 2, three intermediates", want: PathLength, openssl: "25@4", make: func(c *ca) chain { return c.long(3, 2) }},
	{name: "path length 3, three intermediates", length: 5, openssl: "ok", make: func(c *ca) chain { return c.long(3, 3) }},

	{name: "path length 0, the root's new key signed with the old", length: 3, openssl: "ok",
		make: func(c *ca) chain {
			a, r := c.pair(pathLen(0))
			renewed := c.below(a, rootName, "rsa-1024", 3, pathLen(0))
			r.sent, r.leaf = []*Certificate{renewed.Certificate}, c.leaf(renewed, "CN=hosta", "rsa-1024", 2)
			return *r
		}},

	// Extensions of the leaf. No usage for IPsec is demanded: claim C214.
	{name: "usage for keys only", want: WrongUsage, openssl: "ok", differs: "no purpose is asked",
		make: func(c *ca) chain {
			a, r := c.pair()
			r.leaf = c.leaf(a, "CN=hosta", "rsa-1024", 2, usage(KeyEncipherment))
			return *r
		}},
	{name: "usage for keys, key is for encryption", length: 2, openssl: "ok",
		make: func(c *ca) chain {
			a, r := c.pair()
			r.leaf, r.rule.Usage = c.leaf(a, "CN=hosta", "rsa-1024", 2, usage(KeyEncipherment)), KeyEncipherment
			return *r
		}},
	{name: "extended usage for web servers", length: 2, openssl: "ok",
		make: func(c *ca) chain {
			a, r := c.pair()
			r.leaf = c.leaf(a, "CN=hosta", "rsa-1024", 2, func(t *Template) { t.ExtUsage = purposes("serverAuth") })
			return *r
		}},
	{name: "unknown critical extension", want: CriticalExtension, openssl: "34@0",
		make: func(c *ca) chain {
			a, r := c.pair()
			r.leaf = c.leaf(a, "CN=hosta", "rsa-1024", 2, extension(Extension{OID{1, 2, 3, 4}, true, []byte{5, 0}}))
			return *r
		}},
	{name: "unknown extension that is not critical", length: 2, openssl: "ok",
		make: func(c *ca) chain {
			a, r := c.pair()
			r.leaf = c.leaf(a, "CN=hosta", "rsa-1024", 2, extension(Extension{OID{1, 2, 3, 4}, false, []byte{5, 0}}))
			return *r
		}},
	{name: "certificate policies, critical", length: 2, openssl: "ok",
		make: func(c *ca) chain {
			a, r := c.pair()
			r.leaf = c.leaf(a, "CN=hosta", "rsa-1024", 2, extension(Extension{oidPolicies, true, []byte{0x30, 0x06, 0x30, 0x04, 0x06, 0x02, 0x2a, 0x03}}))
			return *r
		}},
	{name: "name constraints, critical", want: CriticalExtension, openssl: "ok", differs: "it processes them",
		make: func(c *ca) chain { // permitted: DNS example
			_, r := c.pair(extension(Extension{OID{2, 5, 29, 30}, true,
				[]byte{0x30, 0x0d, 0xa0, 0x0b, 0x30, 0x09, 0x82, 0x07, 'e', 'x', 'a', 'm', 'p', 'l', 'e'}}))
			return *r
		}},

	// Names are compared as RFC 5280 says, whatever their encoding: claim C111.
	{name: "issuer in another string type and case", length: 2, openssl: "ok",
		make: func(c *ca) chain {
			_, r := c.pair()
			other := mustName(c.t, "CN=LAB   root, O=lab")
			other[1][0].Encoding = EncodingUTF8
			r.store.Roots = []*Certificate{c.root("", "rsa-1024", 1, func(t *Template) { t.Subject = other }).Certificate}
			return *r
		}},

	// Revocation at level 2.
	{name: "strict, no list", want: NoCRL, openssl: "3@0", make: func(c *ca) chain { _, r := c.pair(); r.rule.CRLCheck = CRLStrict; return *r }},
	{name: "strict, list", length: 2, openssl: "ok", make: func(c *ca) chain { return c.listed(CRLStrict, nil) }},
	{name: "strict, revoked", want: Revoked, openssl: "23@0", make: func(c *ca) chain { return c.revoked(CRLStrict, nil) }},
	{name: "strict, on hold", want: Revoked, openssl: "23@0",
		make: func(c *ca) chain {
			return c.revoked(CRLStrict, func(t *ListTemplate) { t.Entries[0].Reason = CertificateHold })
		}},
	{name: "strict, removed from the list", length: 2, openssl: "ok",
		make: func(c *ca) chain {
			return c.revoked(CRLStrict, func(t *ListTemplate) { t.Entries[0].Reason = RemoveFromCRL })
		}},
	{name: "strict, list out of date", want: NoCRL, openssl: "12@0 12@1",
		make: func(c *ca) chain {
			return c.listed(CRLStrict, func(t *ListTemplate) { t.NextUpdate = now.Add(-time.Hour) })
		}},
	{name: "strict, list to come", want: NoCRL, openssl: "11@0 11@1",
		make: func(c *ca) chain {
			return c.listed(CRLStrict, func(t *ListTemplate) { t.ThisUpdate = now.Add(time.Hour) })
		}},
	{name: "strict, list without an end", length: 2, openssl: "ok",
		make: func(c *ca) chain { return c.listed(CRLStrict, func(t *ListTemplate) { t.NextUpdate = time.Time{} }) }},
	{name: "strict, list with a critical extension", want: NoCRL, openssl: "36@0",
		make: func(c *ca) chain {
			return c.listed(CRLStrict, func(t *ListTemplate) { t.Extensions = []Extension{{OID{1, 2, 3, 4}, true, []byte{5, 0}}} })
		}},
	{name: "strict, list of a false authority", want: NoCRL, openssl: "3@0",
		make: func(c *ca) chain {
			_, r := c.pair()
			r.lists, r.rule.CRLCheck = []*RevocationList{c.list(c.root(rootName, "rsa-1024", 9), nil)}, CRLStrict
			return *r
		}},
	{name: "strict, key is not for lists", want: NoCRL, openssl: "35@0",
		make: func(c *ca) chain {
			a, r := c.pair(usage(CertSign))
			r.lists, r.rule.CRLCheck = []*RevocationList{c.list(a, nil)}, CRLStrict
			return *r
		}},
	{name: "strict, intermediate revoked", want: Revoked, openssl: "23@1",
		make: func(c *ca) chain {
			r := c.three()
			r.sent, r.rule.CRLCheck = []*Certificate{r.mid.Certificate}, CRLStrict
			r.store.Lists = []*RevocationList{c.list(r.top, nil, r.mid.Certificate), c.list(r.mid, nil)}
			return r.chain
		}},
	{name: "strict, no list of the root", want: NoCRL, openssl: "3@1",
		make: func(c *ca) chain {
			r := c.three()
			r.sent, r.rule.CRLCheck = []*Certificate{r.mid.Certificate}, CRLStrict
			r.store.Lists = []*RevocationList{c.list(r.mid, nil)}
			return r.chain
		}},
	{name: "strict, newer list takes the hold away", length: 2, openssl: "ok",
		make: func(c *ca) chain {
			a, r := c.pair()
			r.rule.CRLCheck = CRLStrict
			r.lists = []*RevocationList{c.list(a, func(t *ListTemplate) { t.ThisUpdate = now.AddDate(0, 0, -3) }, r.leaf),
				c.list(a, func(t *ListTemplate) { t.Number = 2 })}
			return *r
		}},

	// Level 1 fails only if revoked, level 0 never. OpenSSL knows one level, which is strict.
	{name: "weak, no list", length: 2, openssl: "3@0", differs: "one level",
		make: func(c *ca) chain { _, r := c.pair(); r.rule.CRLCheck = CRLIfRevoked; return *r }},
	{name: "weak, revoked", want: Revoked, openssl: "23@0", make: func(c *ca) chain { return c.revoked(CRLIfRevoked, nil) }},
	{name: "weak, list out of date", length: 2, openssl: "12@0 12@1", differs: "one level",
		make: func(c *ca) chain {
			return c.listed(CRLIfRevoked, func(t *ListTemplate) { t.NextUpdate = now.Add(-time.Hour) })
		}},
	{name: "weak, revoked in a list out of date", want: Revoked, openssl: "12@0 23@0",
		make: func(c *ca) chain {
			return c.revoked(CRLIfRevoked, func(t *ListTemplate) { t.NextUpdate = now.Add(-time.Hour) })
		}},
	{name: "weak, revoked by a false authority", length: 2, openssl: "3@0", differs: "one level",
		make: func(c *ca) chain {
			_, r := c.pair()
			r.lists, r.rule.CRLCheck = []*RevocationList{c.list(c.root(rootName, "rsa-1024", 9), nil, r.leaf)}, CRLIfRevoked
			return *r
		}},
	{name: "none, revoked", length: 2, openssl: "ok", make: func(c *ca) chain { return c.revoked(CRLNone, nil) }},
}
