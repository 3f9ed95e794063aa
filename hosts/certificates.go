package hosts

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/pki"
	"github.com/ipseclab/ipseclab/internal/recent"
)

// Certificates is what a host has and thinks of certificates: the store of the
// computer, to which no user's belongs (claim C213), and the settings that say
// what the peers see of it.
type Certificates struct {
	Store    pki.Store
	CRLCheck pki.CRLCheck // StrongCRLCheck

	// Peers are certificates of others that the host has beforehand: public key encryption
	// needs the peer's before anything of it has come (RFC 2409, Section 5.2).
	Peers []*pki.Certificate

	// Identity is what the host calls itself beside its certificate; Windows says the
	// subject's distinguished name, which is the default.
	Identity CertificateIdentity

	// OwnOnly sends the host's certificate alone, and not those of the authorities between
	// it and the root. Which of them Windows sends is unconfirmed.
	OwnOnly bool

	// OwnUnchecked shows the first certificate of the store, whatever the rule would find
	// wrong with it, as a host that is no Windows may; the peer then finds the fault.
	OwnUnchecked bool

	// AnyIdentity takes a peer whose identity is in none of the names of its certificate;
	// RFC 4945, Section 3.1 wants them to agree.
	AnyIdentity bool

	// Accounts are those of the domain, by which a rule that maps certificates decides.
	Accounts AccountRights

	mapped recent.Map[string, string] // identities of peers: the accounts that their certificates were mapped to
}

// maxMapped bounds the memory of which identities have an account.
const maxMapped = 4096

// CertificateIdentity is the form of the identity of a host with a certificate.
type CertificateIdentity uint8

// The forms that RFC 4945, Section 3.1 knows and a certificate has a place for.
const (
	SubjectIdentity CertificateIdentity = iota // ID_DER_ASN1_DN: the subject
	DNSIdentity                                // ID_FQDN: the first DNS name
	EmailIdentity                              // ID_USER_FQDN: the first address
	AddressIdentity                            // the host's own address
)

// For is what IKE asks of the store for a rule with these authorities.
func (c *Certificates) For(roots []policy.RootCA) ike.Certificates {
	return &ruleCertificates{Certificates: c, roots: roots}
}

// ruleCertificates are a host's certificates as one rule sees them.
type ruleCertificates struct {
	*Certificates
	roots []policy.RootCA
}

// Requests are the roots of the rule, but those that it excludes (claim C216).
func (r *ruleCertificates) Requests() (names [][]byte) {
	for _, root := range r.roots {
		if der, err := r.Store.RootName(root.Name); err == nil && !root.ExcludeCAName {
			names = append(names, der)
		}
	}
	return names
}

// rule is what is demanded of certificates for a method of authentication.
func (r *ruleCertificates) rule(m ike.AuthMethod) pki.Rule {
	rule := pki.Rule{CRLCheck: r.CRLCheck}
	if m == ike.DSSSignature {
		rule.Keys = []string{pki.DSA}
	}
	for _, root := range r.roots {
		rule.Roots = append(rule.Roots, root.Name)
	}
	if m.Encryption() {
		rule.Usage = pki.KeyEncipherment
	}
	return rule
}

// Own is the first certificate, in the order of the rule's roots, of a root that the peer asks for.
func (r *ruleCertificates) Own(at time.Time, m ike.AuthMethod, requested [][]byte) (ike.Credential, error) {
	var names []pki.Name
	for _, der := range requested {
		if n, err := pki.ParseNameDER(der); err == nil {
			names = append(names, n)
		}
	}
	rule := r.rule(m)
	own, path, err := r.Store.Select(names, at, rule)
	if r.OwnUnchecked && len(r.Store.Own) > 0 {
		own, path = r.unchecked()
		if err = nil; own.Key == nil {
			err = &pki.Error{Kind: pki.NoPrivateKey, Detail: own.Certificate.Subject.String() + ": the computer does not have the private key"}
		}
	}
	if err != nil {
		return ike.Credential{}, certificateError("", err)
	}
	c := ike.Credential{Identity: r.IdentityOf(own.Certificate), Key: own.Key, Explanation: r.whyOwn(own, path, names, at, rule)}
	for i, cert := range path {
		if i > 0 && (r.OwnOnly || cert.SelfIssued()) { // the peer has the root, or does not trust it
			break
		}
		c.Chain = append(c.Chain, payload.Certificate{Encoding: payload.CertX509Signature, Data: cert.Raw})
	}
	return c, nil
}

// unchecked is the first certificate of the store with those of its issuers, as far as the store has them.
func (r *ruleCertificates) unchecked() (pki.Own, pki.Path) {
	own := r.Store.Own[0]
	path := pki.Path{own.Certificate}
	for range r.Store.Intermediates {
		i := slices.IndexFunc(r.Store.Intermediates, func(c *pki.Certificate) bool { return c.Subject.Equal(path.Root().Issuer) })
		if i < 0 || slices.Contains(path, r.Store.Intermediates[i]) {
			break
		}
		path = append(path, r.Store.Intermediates[i])
	}
	return own, path
}

// IdentityOf is what the host calls itself beside a certificate; the zero Identity, which is its
// address, where the certificate has no such name.
func (r *Certificates) IdentityOf(c *pki.Certificate) ike.Identity {
	switch {
	case r.Identity == SubjectIdentity && len(c.Subject) > 0:
		return ike.Identity{Type: payload.IDDERDN, Data: c.RawSubject}
	case r.Identity == DNSIdentity && len(c.AltNames.DNS) > 0:
		return ike.Identity{Type: payload.IDFQDN, Data: []byte(c.AltNames.DNS[0])}
	case r.Identity == EmailIdentity && len(c.AltNames.Email) > 0:
		return ike.Identity{Type: payload.IDUserFQDN, Data: []byte(c.AltNames.Email[0])}
	}
	return ike.Identity{}
}

// Peer judges what a peer has sent. The key comes with the error, where there is one,
// so that IKE knows whether the peer has it.
func (r *ruleCertificates) Peer(at time.Time, m ike.AuthMethod, id payload.ID, sent []payload.Certificate) (ike.PublicKey, error) {
	var p pki.Peer
	for _, c := range sent {
		switch c.Encoding {
		case payload.CertX509Signature, payload.CertX509Exchange:
			p.Certificates = append(p.Certificates, c.Data)
		case payload.CertCRL, payload.CertARL:
			p.Lists = append(p.Lists, c.Data)
		case payload.CertPKCS7:
			certificates, lists, err := pki.ParsePKCS7(c.Data)
			if err != nil {
				return nil, certificateError("the peer's certificate: ", err)
			}
			for _, c := range certificates {
				p.Certificates = append(p.Certificates, c.Raw)
			}
			for _, l := range lists {
				p.Lists = append(p.Lists, l.Raw)
			}
		}
	}
	var leaf *pki.Certificate
	if len(p.Certificates) == 0 {
		if leaf = r.peerNamed(id, netip.Addr{}); leaf != nil {
			p.Certificates = [][]byte{leaf.Raw}
		}
	} else {
		leaf, _ = pki.ParseCertificate(p.Certificates[0])
	}
	path, err := r.Store.VerifyPeer(p, at, r.rule(m))
	var key ike.PublicKey
	if leaf != nil && leaf.Key != nil {
		key = leaf.Key
	}
	if errors.Is(err, &pki.Error{Kind: pki.WrongKey}) || errors.Is(err, &pki.Error{Kind: pki.BadEncoding}) {
		key = nil
	}
	if err != nil {
		return key, certificateError("the peer's certificate: ", err)
	}
	return judged{key, r.whyPeer(path)}, r.admit(path, id)
}

// admit judges a peer whose certificate is good: by what it calls itself, and by its account.
func (r *ruleCertificates) admit(path pki.Path, id payload.ID) error {
	leaf := path[0]
	if !r.AnyIdentity && !names(leaf, id) {
		return ike.Errorf(ike.CodeIDPayload, payload.NotifyInvalidIDInformation, "the peer calls itself %v, which its certificate, of %s, does not", id, leaf.Subject)
	}
	if !slices.ContainsFunc(r.roots, r.maps(path)) {
		return nil
	}
	account, err := pki.AccountOf(leaf)
	if err == nil {
		err = r.Accounts.admit(account.Principal)
		r.mapped.Put(ike.DescribeID(id), account.Principal)
	}
	if err != nil {
		return ike.Errorf(ike.CodeAuthFailed, payload.NotifyAuthenticationFailed, "the peer's certificate is good, and its account is not: %s", reason(err))
	}
	return nil
}

// maps tells the authorities of the rule that want certificates of a path mapped to accounts.
func (r *ruleCertificates) maps(path pki.Path) func(policy.RootCA) bool {
	return func(root policy.RootCA) bool { return root.CertMapping && root.Name.Equal(path.Root().Subject) }
}

// Known finds a certificate that the host has of a peer, and judges it.
func (r *ruleCertificates) Known(at time.Time, remote netip.Addr, id *payload.ID) (ike.PublicKey, []byte, error) {
	var claimed payload.ID
	if id != nil {
		claimed = *id
	}
	leaf := r.peerNamed(claimed, remote)
	if leaf == nil {
		return nil, nil, ike.Errorf(ike.CodeNoPeerCertificate, 0, "no certificate of %v is known beforehand, and public key encryption needs it", remote)
	}
	path, err := r.Store.Verify(leaf, nil, nil, at, r.rule(ike.RSAEncryption))
	if err != nil {
		return nil, nil, certificateError("the certificate that is known of the peer: ", err)
	}
	if id != nil {
		err = r.admit(path, *id)
	}
	return leaf.Key, leaf.Raw, err
}

// peerNamed is the certificate of Peers that has an identity, or an address where none is given; nil: there is none.
func (r *ruleCertificates) peerNamed(id payload.ID, remote netip.Addr) *pki.Certificate {
	for _, c := range r.Peers {
		if id.IDType != 0 && names(c, id) || id.IDType == 0 && slices.Contains(c.AltNames.IP, remote) {
			return c
		}
	}
	return nil
}

// names reports whether a certificate has an identity among its names, RFC 4945, Section 3.1.
func names(c *pki.Certificate, id payload.ID) bool {
	switch id.IDType {
	case payload.IDDERDN:
		n, err := pki.ParseNameDER(id.Data)
		return err == nil && n.Equal(c.Subject) || bytes.Equal(id.Data, c.RawSubject)
	case payload.IDFQDN:
		return slices.ContainsFunc(c.AltNames.DNS, func(n string) bool { return strings.EqualFold(n, string(id.Data)) })
	case payload.IDUserFQDN:
		return slices.Contains(c.AltNames.Email, string(id.Data))
	case payload.IDIPv4, payload.IDIPv6:
		a, ok := netip.AddrFromSlice(id.Data)
		return ok && slices.Contains(c.AltNames.IP, a)
	}
	return false
}

// certificateError is a verdict of package pki as IKE reports it: with the code of Windows, and what the peer is told.
func certificateError(what string, err error) error {
	e, ok := errors.AsType[*pki.Error](err)
	if !ok {
		return ike.Errorf(ike.CodeAuthFailed, payload.NotifyInvalidCertificate, "%s%v", what, err)
	}
	notify := payload.NotifyInvalidCertificate
	switch e.Kind {
	case pki.BadEncoding:
		notify = payload.NotifyInvalidCertEncoding
	case pki.NoCertificate, pki.NoPrivateKey:
		notify = payload.NotifyCertificateUnavailable
	case pki.UntrustedRoot, pki.RootNotInRule, pki.ChainBroken:
		notify = payload.NotifyInvalidCertAuthority
	}
	return ike.Errorf(ike.Code(e.Kind.Windows()), notify, "%s%s: %s", what, e.Kind, e.Detail)
}

// reason is an error of package pki without the package's name.
func reason(err error) string { return strings.TrimPrefix(err.Error(), "pki: ") }
