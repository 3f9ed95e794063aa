package scenarios

import (
	"maps"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/internal/pki"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// certificateMistakes are those that show without a search for primes.
func certificateMistakes(s *spec.Scenario) []error {
	a := &authorities{spec: s}
	if s.PKI == nil {
		return nil
	}
	issued := func(path string, i spec.Issued, years int) {
		if i.Revoked != "" {
			a.reason(path, i.Revoked)
		}
		if len(i.Octets) > 0 {
			return // the rest was read with the scenario
		}
		a.template(path, i, years)
		if issuer, ok := s.PKI.Authorities[i.Issuer]; ok {
			a.signs(path, issuer.Key, i.Hash)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.PKI.Authorities)) {
		path, authority := spec.Child("$.pki.authorities", name), s.PKI.Authorities[name]
		issued(path, authority.Issued, authorityYears)
		if len(authority.Octets) > 0 {
			a.fromFile(path, name, authority.Issued)
		} else if authority.Issuer != name {
			a.signs(path, authority.Key, authority.Hash) // its lists, and itself if it is a root
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.PKI.Certificates)) {
		path, certificate := spec.Child("$.pki.certificates", name), s.PKI.Certificates[name]
		issued(path, certificate.Issued, certificateYears)
		a.extendedUsage(path, certificate.ExtendedUsage)
	}
	return a.errs
}

// signs checks that a key of a kind makes signatures with a hash. RSA does with all of them.
func (a *authorities) signs(path, kind, hash string) {
	if kind == "" || strings.HasPrefix(kind, "rsa-") {
		return
	}
	key, err := a.key("kind", "", kind)
	if err == nil {
		_, err = pki.SignatureWith(key.Public(), hashOf(hash))
	}
	if err != nil {
		a.fail(path, err)
	}
}

// reason is why a certificate is revoked.
func (a *authorities) reason(path, word string) pki.Reason {
	r, err := pki.ParseReason(word)
	if err != nil {
		a.fail(path+".revoked", err)
	}
	return r
}

// extendedUsage are the purposes of a key.
func (a *authorities) extendedUsage(path string, words []string) (all []pki.OID) {
	for _, word := range words {
		oid, err := pki.ParseExtendedUsage(word)
		if err != nil {
			a.fail(path+".extended-key-usage", err)
		}
		all = append(all, oid)
	}
	return all
}
