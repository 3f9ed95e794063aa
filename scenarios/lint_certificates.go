package scenarios

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/hosts/policy/lint"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// lintCertificates is what lint has to know of certificates and accounts.
func lintCertificates(s *spec.Scenario, in *lint.Input) {
	in.Accounts, in.Start, in.End = len(s.Accounts), s.Epoch(), s.Epoch().Add(knownSpan(s))
	if s.PKI == nil {
		return
	}
	add := func(name string, i spec.Issued, authority bool, years int) {
		from, until := i.Validity(s.Epoch(), years)
		in.Issued = append(in.Issued, lint.Issued{
			Name: name, Authority: authority, Key: cmp.Or(i.Key, defaultKey), Hash: hashOf(i.Hash), From: from, Until: until,
		})
	}
	for _, name := range slices.Sorted(maps.Keys(s.PKI.Authorities)) {
		add(name, s.PKI.Authorities[name].Issued, true, authorityYears)
	}
	for _, name := range slices.Sorted(maps.Keys(s.PKI.Certificates)) {
		add(name, s.PKI.Certificates[name].Issued, false, certificateYears)
	}
}

// knownSpan is how long the steps take at least: what they wait, and when they are at the earliest.
func knownSpan(s *spec.Scenario) (span time.Duration) {
	for _, step := range s.Steps {
		span = max(span, time.Duration(step.At))
		if !step.Background {
			span += time.Duration(step.Wait)
		}
	}
	return span
}

// lintStore is what lint has to know of a node's store of certificates, with what the node enrols
// for; nil where the scenario has no certificates.
func lintStore(s *spec.Scenario, name string) *lint.Certificates {
	n := s.Nodes[name]
	if s.PKI == nil || !n.Host() {
		return nil
	}
	c := n.Certificates
	if c == nil {
		c = new(spec.CertificateStore)
	}
	out := &lint.Certificates{CRLLevel: c.StrongCRLCheck, Unmatched: c.OwnUnchecked}
	roots := c.Roots
	for _, name := range c.Own {
		root := s.PKI.Root(s.PKI.Certificates[name].Issuer)
		if c.Roots == nil {
			roots = append(roots, root)
		}
		if !slices.Contains(c.NoPrivateKey, name) && !slices.Contains(c.WrongKey, name) {
			out.Own = append(out.Own, s.PKI.Authorities[root].Subject)
		}
	}
	for _, root := range enrolled(s, name) {
		roots = append(roots, root)
		out.Own = append(out.Own, s.PKI.Authorities[root].Subject)
	}
	for _, root := range roots {
		out.Roots = append(out.Roots, s.PKI.Authorities[root].Subject)
	}
	return out
}

// enrolled are the roots of the authorities at which steps have a host enrol.
func enrolled(s *spec.Scenario, host string) (roots []string) {
	for _, step := range s.Steps {
		e := step.Enrol
		if e == nil || e.From != host {
			continue
		}
		to, _ := s.NodeOf(host, e.To)
		for _, v := range s.Nodes[to].Serves {
			if v.SCEP != nil && v.TCP == e.TCPPort() {
				roots = append(roots, s.PKI.Root(v.SCEP.Authority))
			}
		}
	}
	return roots
}
