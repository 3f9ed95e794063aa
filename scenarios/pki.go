package scenarios

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/internal/pki"
	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// How long certificates are valid from the start on, unless a scenario says so.
const (
	authorityYears   = 10
	certificateYears = 1
)

// authorities are the certification authorities of a scenario and what they have issued.
type authorities struct {
	spec         *spec.Scenario
	seed         uint64
	authorities  map[string]*pki.Authority
	certificates map[string]pki.Own
	lists        map[string]*pki.RevocationList
	others       map[string][]*pki.Certificate // beside a certificate in its file
	errs         []error
}

// newAuthorities makes all of them. The errors are mistakes of the file.
func newAuthorities(s *spec.Scenario, seed uint64) (*authorities, error) {
	a := &authorities{
		spec: s, seed: seed, authorities: map[string]*pki.Authority{}, certificates: map[string]pki.Own{}, lists: map[string]*pki.RevocationList{},
		others: map[string][]*pki.Certificate{},
	}
	a.requests()
	if s.PKI == nil {
		return a, errors.Join(a.errs...)
	}
	for _, name := range slices.Sorted(maps.Keys(s.PKI.Authorities)) {
		a.authority(name)
	}
	for _, name := range slices.Sorted(maps.Keys(s.PKI.Certificates)) {
		a.certificate(name)
	}
	if len(a.errs) == 0 {
		for _, name := range slices.Sorted(maps.Keys(s.PKI.Authorities)) {
			a.list(name)
		}
	}
	return a, errors.Join(a.errs...)
}

func (a *authorities) fail(path string, err error) {
	a.errs = append(a.errs, a.spec.Errorf(path, "%s", strings.TrimPrefix(err.Error(), "pki: ")))
}

// template is what an issued certificate says.
func (a *authorities) template(path string, i spec.Issued, years int) pki.Template {
	var t pki.Template
	var err error
	if t.Subject, err = pki.ParseName(i.Subject); err != nil {
		a.fail(path+".subject", err)
	}
	if len(i.Usage) > 0 {
		if t.Usage, err = pki.ParseKeyUsage(strings.Join(i.Usage, ",")); err != nil {
			a.fail(path+".key-usage", err)
		}
	}
	t.CRLPoints = i.CRLPoints
	t.NotBefore, t.NotAfter = i.Validity(a.spec.Epoch(), years)
	t.Hash = hashOf(i.Hash)
	return t
}

// hashOf is the hash of signatures; SHA-1 was that of the time.
func hashOf(word string) string {
	if word == "" {
		return "sha1"
	}
	return word
}

// authority makes an authority, and those above it first; nil after a mistake.
func (a *authorities) authority(name string) *pki.Authority {
	if made, ok := a.authorities[name]; ok {
		return made
	}
	s := a.spec.PKI.Authorities[name]
	path := spec.Child("$.pki.authorities", name)
	if len(s.Octets) > 0 {
		a.authorities[name] = a.fromFile(path, name, s.Issued)
		return a.authorities[name]
	}
	t := a.template(path, s.Issued, authorityYears)
	if s.PathLength != nil {
		t.Authority = &pki.BasicConstraints{IsCA: true, PathLen: *s.PathLength}
	}
	var above *pki.Authority
	if s.Issuer != "" && s.Issuer != name {
		if above = a.authority(s.Issuer); above == nil {
			return nil
		}
	}
	key, err := a.key("authority", name, s.Key)
	if err != nil || len(a.errs) > 0 {
		if err != nil {
			a.fail(path+".key", err)
		}
		a.authorities[name] = nil
		return nil
	}
	var made *pki.Authority
	rand := sim.NewStream(a.seed, "pki", "authority", name, "serial")
	if above == nil {
		made, err = pki.NewRoot(rand, t, key)
	} else {
		made, err = above.NewAuthority(rand, t, key)
	}
	if err != nil {
		a.fail(path, err)
	}
	a.authorities[name] = made
	return made
}

// certificate makes a certificate of a computer, or reads it.
func (a *authorities) certificate(name string) {
	s := a.spec.PKI.Certificates[name]
	path := spec.Child("$.pki.certificates", name)
	if len(s.Octets) > 0 {
		f, err := readCertificate(s.Issued)
		if err != nil {
			a.fail(path, err)
			return
		}
		a.certificates[name], a.others[name] = f.own, f.others
		return
	}
	t := a.template(path, s.Issued, certificateYears)
	t.AltNames = pki.AltNames{DNS: s.DNS, UPN: s.UPN, Email: s.Email}
	for _, word := range s.IP {
		if addr, err := a.spec.Resolve(word); err == nil { // spec has checked it
			t.AltNames.IP = append(t.AltNames.IP, addr)
		}
	}
	t.ExtUsage = a.extendedUsage(path, s.ExtendedUsage)
	issuer := a.authorities[s.Issuer]
	if issuer == nil || len(a.errs) > 0 {
		return
	}
	key, err := a.key("certificate", name, s.Key)
	if err != nil {
		a.fail(path+".key", err)
		return
	}
	c, err := issuer.Issue(sim.NewStream(a.seed, "pki", "certificate", name, "serial"), t, key.Public())
	if err != nil {
		a.fail(path, err)
		return
	}
	a.certificates[name] = pki.Own{Certificate: c, Key: key}
}

// list makes the list of what an authority has revoked, a day before the scenario starts.
func (a *authorities) list(name string) {
	s := a.spec.PKI.Authorities[name]
	path := spec.Child("$.pki.authorities", name)
	if a.authorities[name].Key == nil {
		return // nobody wants its list, see fromFile
	}
	at := a.spec.Epoch().Add(-24 * time.Hour)
	until := s.ListUntil
	if until.IsZero() {
		until = a.spec.Epoch().AddDate(0, 1, 0)
	}
	t := pki.ListTemplate{Number: 1, ThisUpdate: at, NextUpdate: until, Hash: hashOf(s.Hash)}
	if until.Before(at) {
		t.ThisUpdate = until.AddDate(0, -1, 0)
	}
	revoke := func(path, reason string, c *pki.Certificate) {
		t.Entries = append(t.Entries, pki.Revocation{Serial: c.Serial, At: t.ThisUpdate, Reason: a.reason(path, reason)})
	}
	for _, other := range slices.Sorted(maps.Keys(a.spec.PKI.Authorities)) {
		if o := a.spec.PKI.Authorities[other]; o.Revoked != "" && (o.Issuer == name || o.Issuer == "" && other == name) {
			revoke(spec.Child("$.pki.authorities", other), o.Revoked, a.authorities[other].Certificate)
		}
	}
	for _, other := range slices.Sorted(maps.Keys(a.spec.PKI.Certificates)) {
		if o := a.spec.PKI.Certificates[other]; o.Revoked != "" && o.Issuer == name {
			revoke(spec.Child("$.pki.certificates", other), o.Revoked, a.certificates[other].Certificate)
		}
	}
	l, err := a.authorities[name].IssueList(t)
	if err != nil {
		a.fail(path, err)
	}
	a.lists[name] = l
}

// store is the certificate store of a node.
func (a *authorities) store(node string) *hosts.Certificates {
	c := &hosts.Certificates{Accounts: hosts.AccountRights{Accounts: a.spec.Accounts}}
	s := a.spec.Nodes[node].Certificates
	if s == nil {
		return c
	}
	c.CRLCheck, c.OwnOnly, c.OwnUnchecked, c.AnyIdentity = pki.CRLCheck(s.StrongCRLCheck), s.OwnOnly, s.OwnUnchecked, s.AnyIdentity
	c.Accounts.Allow, c.Accounts.Deny = s.Allow, s.Deny
	c.Identity = map[string]hosts.CertificateIdentity{
		spec.IdentityDNS: hosts.DNSIdentity, spec.IdentityEmail: hosts.EmailIdentity, spec.IdentityAddress: hosts.AddressIdentity,
	}[s.Identity]
	roots, above := s.Roots, s.Intermediates
	for _, name := range s.Own {
		own := a.certificates[name]
		issuer := a.spec.PKI.Certificates[name].Issuer
		if s.Roots == nil {
			roots = append(roots, a.spec.PKI.Root(issuer))
		}
		if s.Intermediates == nil {
			above = append(above, a.spec.PKI.Above(issuer)...)
		}
		c.Store.Intermediates = append(c.Store.Intermediates, a.others[name]...)
		switch {
		case slices.Contains(s.NoPrivateKey, name):
			own.Key = nil
		case slices.Contains(s.WrongKey, name):
			own.Key = a.otherKey(name)
		}
		c.Store.Own = append(c.Store.Own, own)
	}
	for _, name := range unique(roots) {
		c.Store.Roots = append(c.Store.Roots, a.authorities[name].Certificate)
	}
	for _, name := range unique(above) {
		c.Store.Intermediates = append(c.Store.Intermediates, a.authorities[name].Certificate)
	}
	for _, name := range s.Lists {
		c.Store.Lists = append(c.Store.Lists, a.lists[name])
	}
	for _, name := range s.Peers {
		c.Peers = append(c.Peers, a.certificates[name].Certificate)
	}
	return c
}

// otherKey is a key that a certificate is not for.
func (a *authorities) otherKey(name string) pki.PrivateKey {
	key, err := a.key("other key", name, a.spec.PKI.Certificates[name].Key)
	if err != nil { // the right one is from a file, and of a kind that is not made here
		key, err = a.key("other key", name, defaultKey)
	}
	if err != nil {
		panic(err) // keys of that kind can be made
	}
	return key
}

// unique leaves out what has been named before.
func unique(names []string) (all []string) {
	for _, n := range names {
		if !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	return all
}
