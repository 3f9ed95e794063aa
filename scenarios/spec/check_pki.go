package spec

import (
	"slices"
	"strings"
	"time"
)

// The words of certificates that scenario files may use. Package pki has the same.
var (
	keyKinds   = []string{"rsa-1024", "rsa-1536", "rsa-2048", "rsa-3072", "rsa-4096", "dsa-1024", "dsa-2048", "ecdsa-256", "ecdsa-384", "ecdsa-521"}
	certHashes = []string{"md5", "sha1", "sha256", "sha384", "sha512"}
	methodsBy  = []string{BySignature, ByDSS, ByEncryption, ByRevisedEncryption}
	identities = []string{IdentitySubject, IdentityDNS, IdentityEmail, IdentityAddress}
)

// pki checks the authorities and certificates of the scenario, and the stores of hosts.
func (c *checker) pki() {
	s := c.s
	if p := s.PKI; p != nil {
		c.titles("$.pki.authorities", sorted(p.Authorities))
		for _, name := range sorted(p.Authorities) {
			path := child("$.pki.authorities", name)
			a := p.Authorities[name]
			c.issued(path, a.Issued, true)
			c.fromFile(path, a.Issued, a)
			if a.PathLength != nil {
				c.between(path, "path-length", *a.PathLength, 0, 10)
			}
			if p.Root(name) == "" && own(p.Authorities, a.Issuer) {
				c.at(child(path, "issuer"), "issuer: the authorities above %s go round in a circle, and none of them is a root", name)
			}
		}
		c.titles("$.pki.certificates", sorted(p.Certificates))
		for _, name := range sorted(p.Certificates) {
			path := child("$.pki.certificates", name)
			cert := p.Certificates[name]
			c.issued(path, cert.Issued, false)
			c.fromFile(path, cert.Issued, cert)
			c.altNames(path, "dns", cert.DNS)
			c.altNames(path, "upn", cert.UPN)
			c.altNames(path, "email", cert.Email)
			for i, word := range cert.IP {
				if _, err := s.Resolve(word); err != nil && !c.unknown("$.nodes") {
					c.at(item(child(path, "ip"), i), "ip: %s", err)
				}
			}
		}
	}
	for _, name := range sorted(s.Nodes) {
		if store := s.Nodes[name].Certificates; store != nil {
			c.store(child("$.nodes", name), s.Nodes[name], store)
		}
	}
}

// fromFile checks a certificate that is a file: it has nothing of its own but what the scenario does with it.
func (c *checker) fromFile(path string, i Issued, all any) {
	for _, key := range present(all) {
		if i.File != "" && !slices.Contains([]string{"file", "password", "issuer", "revoked", "list-until"}, key) {
			c.key(child(path, key), "%s: the certificate is what its file says: leave %s out, or file", key, key)
		}
		if key == "password" && i.File == "" && len(i.Octets) == 0 {
			c.key(child(path, key), "password: it goes with file")
		}
	}
}

func (c *checker) issued(path string, i Issued, authority bool) {
	if i.Subject == "" && i.File == "" {
		c.missing(path, "subject", "a certificate has no subject: a distinguished name such as CN=client.example.com, O=Example, C=US")
	}
	switch {
	case i.Issuer == "" && !authority:
		c.missing(path, "issuer", "a certificate has no issuer: one of %s", strings.Join(sorted(c.s.PKI.Authorities), ", "))
	case i.Issuer != "":
		c.authority(child(path, "issuer"), "issuer", i.Issuer)
	}
	if len(i.Octets) > 0 {
		return // the rest is what the file says
	}
	c.word(path, "key", i.Key, keyKinds...)
	c.word(path, "hash", i.Hash, certHashes...)
	from, until := i.Validity(c.s.Epoch(), 1)
	if !until.After(from) {
		c.at(path, "the certificate is valid from %s until %s, which is never", from.Format(time.RFC3339), until.Format(time.RFC3339))
	}
}

// Bounds of alternative names, with which a certificate stays within what is read of one.
const (
	maxAltNames = 64
	maxAltName  = 253
)

func (c *checker) altNames(path, key string, names []string) {
	if len(names) > maxAltNames {
		c.at(child(path, key), "%s: %d names, must be %d at most", key, len(names), maxAltNames)
		return
	}
	for i, name := range names {
		if name == "" || len(name) > maxAltName {
			c.at(item(child(path, key), i), "%s: want a name of 1 to %d bytes, got %d", key, maxAltName, len(name))
		}
	}
}

// authority checks that there is an authority of this name.
func (c *checker) authority(path, key, name string) {
	if c.s.PKI == nil {
		c.at(path, "%s: the scenario has no authorities: give it pki: {authorities: …}", key)
	} else if !own(c.s.PKI.Authorities, name) {
		c.at(path, "%s: no authority is called %q%s", key, shorten(name), Suggest(name, sorted(c.s.PKI.Authorities)))
	}
}

// certificate checks that there is a certificate of this name.
func (c *checker) certificate(path, key, name string) {
	if c.s.PKI == nil {
		c.at(path, "%s: the scenario has no certificates: give it pki: {certificates: …}", key)
	} else if !own(c.s.PKI.Certificates, name) {
		c.at(path, "%s: no certificate is called %q%s", key, shorten(name), Suggest(name, sorted(c.s.PKI.Certificates)))
	}
}

func (c *checker) store(path string, n Node, s *CertificateStore) {
	if !n.Host() {
		c.key(child(path, "certificates"), "certificates: %s has no store of certificates", article(n.Kind()))
		return
	}
	path = child(path, "certificates")
	each := func(key string, names []string, check func(path, key, name string)) {
		for i, name := range names {
			check(item(child(path, key), i), key, name)
		}
	}
	each("own", s.Own, c.certificate)
	each("peers", s.Peers, c.certificate)
	each("roots", s.Roots, c.authority)
	each("intermediates", s.Intermediates, c.authority)
	each("revocation-lists", s.Lists, c.authority)
	ofOwn := func(path, key, name string) {
		if !slices.Contains(s.Own, name) {
			c.at(path, "%s: %q is none of own", key, shorten(name))
		}
	}
	each("no-private-key", s.NoPrivateKey, ofOwn)
	each("wrong-key", s.WrongKey, ofOwn)
	if s.StrongCRLCheck < 0 || s.StrongCRLCheck > 2 {
		c.at(child(path, "strong-crl-check"), "strong-crl-check: want 0, 1 or 2, got %d", s.StrongCRLCheck)
	}
	c.word(path, "identity", s.Identity, identities...)
}
