package scenarios

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/internal/pki"
	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// Formats in which certificates leave a scenario.
const (
	FormatPEM    = "pem"    // of a certificate: its private key, itself, and those between it and the root
	FormatDER    = "der"    // the certificate alone
	FormatPKCS7  = "pkcs7"  // the certificate, those above it, and the authority's revocation list
	FormatPKCS12 = "pkcs12" // what pem has, of those with a private key, under a password, as Windows imports it
)

// CertificateFile is a file of a certificate or a revocation list.
type CertificateFile struct {
	Name   string
	Octets []byte
}

// ExportCertificates are the certificates of a scenario as files, those of its authorities
// first. seed beats that of the scenario; 0 does not. The same seed gives the same files.
func ExportCertificates(s *spec.Scenario, seed uint64, format, password string) ([]CertificateFile, error) {
	a, err := newAuthorities(s, cmp.Or(seed, s.RandomSeed()))
	if err != nil {
		return nil, err
	}
	if s.PKI == nil {
		return nil, fmt.Errorf("scenario %s has no certificates", s.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(s.PKI.Certificates)) {
		if _, twice := s.PKI.Authorities[name]; twice {
			return nil, fmt.Errorf("an authority and a certificate are both called %s, and so would their files be", name)
		}
	}
	var all []CertificateFile
	add := func(name, suffix string, octets []byte, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "pki: "))
		}
		all = append(all, CertificateFile{name + suffix, octets})
		return nil
	}
	one := func(name string, own pki.Own, above []*pki.Certificate, lists ...*pki.RevocationList) error {
		switch format {
		case FormatDER:
			return add(name, ".cer", own.Certificate.Raw, nil)
		case FormatPKCS7:
			octets, err := pki.MarshalPKCS7(append([]*pki.Certificate{own.Certificate}, above...), lists)
			return add(name, ".p7b", octets, err)
		case FormatPKCS12:
			if own.Key == nil {
				return nil // it is for the key
			}
			octets, err := pki.MarshalPKCS12(sim.NewStream(a.seed, "pki", "export", name), own, above, password)
			return add(name, ".p12", octets, err)
		}
		b := pki.Bundle{Certificates: append([]*pki.Certificate{own.Certificate}, above...), Lists: lists}
		if own.Key != nil {
			b.Keys = []pki.PrivateKey{own.Key}
		}
		octets, err := b.PEM()
		return add(name, ".pem", octets, err)
	}
	for _, name := range slices.Sorted(maps.Keys(s.PKI.Authorities)) {
		authority := a.authorities[name]
		var lists []*pki.RevocationList
		if l := a.lists[name]; l != nil {
			lists = append(lists, l)
			if format == FormatDER {
				all = append(all, CertificateFile{name + ".crl", l.Raw})
			}
		}
		if err := one(name, pki.Own{Certificate: authority.Certificate, Key: authority.Key}, a.above(s.PKI.Authorities[name].Issuer), lists...); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.PKI.Certificates)) {
		above := a.above(s.PKI.Certificates[name].Issuer)
		for _, c := range a.others[name] {
			if !slices.ContainsFunc(above, func(o *pki.Certificate) bool { return bytes.Equal(o.Raw, c.Raw) }) {
				above = append(above, c)
			}
		}
		if err := one(name, a.certificates[name], above); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// above are the certificates between one with this issuer and the root.
func (a *authorities) above(issuer string) (all []*pki.Certificate) {
	for _, name := range a.spec.PKI.Above(issuer) {
		all = append(all, a.authorities[name].Certificate)
	}
	return all
}
