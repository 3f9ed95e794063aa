package scenarios

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/internal/pki"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// certificateFile is what a file with a certificate holds.
type certificateFile struct {
	own    pki.Own // without a key where the file has none
	others []*pki.Certificate
}

// readCertificate reads a certificate from a file: PKCS #12, or what pki.ParseBundle takes.
func readCertificate(i spec.Issued) (f certificateFile, err error) {
	if i.Password != "" {
		f.own, f.others, err = pki.ParsePKCS12(i.Octets, i.Password)
		return f, err
	}
	b, err := pki.ParseBundle(i.Octets)
	if err != nil {
		own, others, e := pki.ParsePKCS12(i.Octets, "")
		if e != nil {
			return f, fmt.Errorf("%w, nor PKCS #12 without a password", err)
		}
		return certificateFile{own, others}, nil
	}
	switch {
	case len(b.Certificates) == 0:
		return f, errors.New("there is no certificate in it")
	case len(b.Keys) > 1:
		return f, fmt.Errorf("it has %d private keys, and must have one at most", len(b.Keys))
	case len(b.Keys) == 0:
		return certificateFile{pki.Own{Certificate: b.Certificates[0]}, b.Certificates[1:]}, nil
	}
	at := slices.IndexFunc(b.Certificates, func(c *pki.Certificate) bool { return pki.SameKey(c.Key, b.Keys[0].Public()) })
	if at < 0 {
		return f, errors.New("its private key belongs to none of its certificates")
	}
	f.own = pki.Own{Certificate: b.Certificates[at], Key: b.Keys[0]}
	f.others = slices.Delete(slices.Clone(b.Certificates), at, at+1)
	return f, nil
}

// withFile is withFiles for one.
func withFile(s *spec.Scenario, err error) (*spec.Scenario, error) {
	if err == nil {
		_, err = withFiles([]*spec.Scenario{s}, nil)
	}
	return s, err
}

// withFiles has what scenarios say of certificates be what their files say.
func withFiles(all []*spec.Scenario, err error) ([]*spec.Scenario, error) {
	if err != nil {
		return all, err
	}
	var mistakes []error
	for _, s := range all {
		if s.PKI == nil {
			continue
		}
		say := func(path string, i *spec.Issued) {
			if len(i.Octets) == 0 {
				return
			}
			f, err := readCertificate(*i)
			if err != nil {
				mistakes = append(mistakes, s.Errorf(path+".file", "file: %q: %s", i.File, strings.TrimPrefix(err.Error(), "pki: ")))
				return
			}
			c := f.own.Certificate
			i.File, i.Subject, i.NotBefore, i.NotAfter = "", c.Subject.String(), c.NotBefore, c.NotAfter
			i.Hash = c.Algorithm.Hash()
			if c.Key != nil {
				i.Key = fmt.Sprintf("%s-%d", c.Key.Algorithm(), c.Key.Bits())
			}
		}
		for _, name := range slices.Sorted(maps.Keys(s.PKI.Authorities)) {
			a := s.PKI.Authorities[name]
			say(spec.Child("$.pki.authorities", name), &a.Issued)
			s.PKI.Authorities[name] = a
		}
		for _, name := range slices.Sorted(maps.Keys(s.PKI.Certificates)) {
			c := s.PKI.Certificates[name]
			say(spec.Child("$.pki.certificates", name), &c.Issued)
			s.PKI.Certificates[name] = c
		}
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	return all, nil
}

// fromFile reads an authority; nil after a mistake. One whose file has no private key signs nothing.
func (a *authorities) fromFile(path, name string, i spec.Issued) *pki.Authority {
	f, err := readCertificate(i)
	if err != nil {
		a.fail(path, err)
		return nil
	}
	if f.own.Key == nil {
		for _, at := range a.signedBy(name) {
			a.fail(at, fmt.Errorf("the file of authority %s has no private key, so that it issues nothing", name))
		}
	}
	return &pki.Authority{Certificate: f.own.Certificate, Key: f.own.Key}
}

// signedBy are the places of the scenario that need an authority to sign: certificates, lists, answers.
func (a *authorities) signedBy(name string) (paths []string) {
	s := a.spec
	add := func(wants bool, path string) {
		if wants {
			paths = append(paths, path)
		}
	}
	for _, other := range slices.Sorted(maps.Keys(s.PKI.Authorities)) {
		o := s.PKI.Authorities[other]
		add(o.Issuer == name && len(o.Octets) == 0, spec.Child("$.pki.authorities", other)+".issuer")
		add(o.Revoked != "" && (o.Issuer == name || o.Issuer == "" && other == name), spec.Child("$.pki.authorities", other)+".revoked")
	}
	for _, other := range slices.Sorted(maps.Keys(s.PKI.Certificates)) {
		o := s.PKI.Certificates[other]
		add(o.Issuer == name && len(o.Octets) == 0, spec.Child("$.pki.certificates", other)+".issuer")
		add(o.Revoked != "" && o.Issuer == name, spec.Child("$.pki.certificates", other)+".revoked")
	}
	for _, node := range slices.Sorted(maps.Keys(s.Nodes)) {
		n := s.Nodes[node]
		path := spec.Child("$.nodes", node)
		add(n.Certificates != nil && slices.Contains(n.Certificates.Lists, name), path+".certificates.revocation-lists")
		for i, v := range n.Serves {
			at := fmt.Sprintf("%s.serves[%d]", path, i)
			add(v.SCEP != nil && v.SCEP.Authority == name, at+".scep")
			add(slices.Contains(v.Lists, name), at+".lists")
		}
	}
	return paths
}
