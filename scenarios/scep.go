package scenarios

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/internal/pki"
	"github.com/ipseclab/ipseclab/internal/scep"
	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// serveHTTP has a node answer for a certification authority, and give lists.
func (l *lab) serveHTTP(name string, s spec.Service) (err error) {
	var site hosts.Site
	if s.SCEP != nil {
		if site.SCEP, err = l.scepServer(name, s); err != nil {
			return err
		}
	}
	site.Files = map[string]hosts.File{}
	for _, a := range s.Lists {
		site.Files["/CertEnroll/"+a+".crl"] = hosts.File{Type: "application/pkix-crl", Content: l.pki.lists[a].Raw} // RFC 5280, Section 4.2.1.13
	}
	_, err = l.hosts[name].ServeHTTP(uint16(s.TCP), site)
	return err
}

// scepServer makes the server of an authority.
func (l *lab) scepServer(name string, s spec.Service) (*scep.Server, error) {
	v := s.SCEP
	c := scep.ServerConfig{
		Rand:      sim.NewStream(l.seed, "scep", name, fmt.Sprint(s.TCP)),
		Authority: l.pki.authorities[v.Authority], List: l.pki.lists[v.Authority],
		Challenge: v.Challenge, Pending: v.Pending.Span(), Deny: v.Deny, Announced: v.Capabilities, Validity: v.Validity.Span(),
		Template: pki.Template{Hash: hashOf(v.Hash), CRLPoints: v.CRLPoints},
	}
	above := l.spec.PKI.Above(v.Authority)
	if root := l.spec.PKI.Root(v.Authority); root != v.Authority {
		above = append(above, root)
	}
	for _, a := range above {
		if a != v.Authority {
			c.Above = append(c.Above, l.pki.authorities[a].Certificate)
		}
	}
	for _, r := range v.Registrars {
		c.RA = append(c.RA, l.pki.certificates[r])
	}
	var err error
	if len(v.Usage) > 0 {
		if c.Template.Usage, err = pki.ParseKeyUsage(strings.Join(v.Usage, ",")); err != nil {
			return nil, err
		}
	}
	return scep.NewServer(c)
}

// authorityAt is where a step asks.
func (l *lab) authorityAt(v spec.SCEPServer, to netip.Addr) hosts.Authority {
	a := hosts.Authority{To: netip.AddrPortFrom(to, uint16(v.TCPPort())), Host: v.To, Timeout: v.Patience(), Interval: v.Gap(), Tries: v.Questions()}
	if v.Fingerprint != "" {
		a.Fingerprint = l.pki.authorities[v.Fingerprint].Certificate.Thumbprint()
	}
	return a
}

// enrol has a host get a certificate.
func (s *stepRun) enrol(p *sim.Proc, v *spec.Enrol) {
	t := s.lab.pki.requested(s.path()+".enrol", v) // its mistakes were found before
	key, err := s.lab.pki.key("enrolment", fmt.Sprintf("%s %d", v.From, s.index), v.Key)
	if err != nil {
		s.broken = err
		return
	}
	s.traffic(v.From, v.To, func(_ end, to netip.Addr) hosts.Report {
		return s.lab.hosts[v.From].Enrol(p, hosts.Enrolment{Authority: s.lab.authorityAt(v.SCEPServer, to), Template: t, Challenge: v.Challenge, Key: key, Renew: v.Renew})
	})
}

// requests finds the mistakes in what steps ask authorities for, and in what stores are expected to have.
func (a *authorities) requests() {
	for i, step := range a.spec.Steps {
		path := fmt.Sprintf("$.steps[%d]", i)
		if step.Enrol != nil {
			a.requested(path+".enrol", step.Enrol)
		}
		if step.Expect == nil {
			continue
		}
		for _, host := range slices.Sorted(maps.Keys(step.Expect.Certificates)) {
			for k, subject := range step.Expect.Certificates[host].Own {
				if _, err := pki.ParseName(subject); err != nil {
					a.fail(fmt.Sprintf("%s.own[%d]", spec.Child(path+".expect.certificates", host), k), err)
				}
			}
		}
	}
}

// requested is what a request asks for.
func (a *authorities) requested(path string, v *spec.Enrol) (t pki.Template) {
	var err error
	if v.Subject != "" {
		if t.Subject, err = pki.ParseName(v.Subject); err != nil {
			a.fail(path+".subject", err)
		}
	}
	if len(v.Usage) > 0 {
		if t.Usage, err = pki.ParseKeyUsage(strings.Join(v.Usage, ",")); err != nil {
			a.fail(path+".key-usage", err)
		}
	}
	t.AltNames = pki.AltNames{DNS: v.DNS, Email: v.Email, IP: a.spec.ResolveAll(v.IP)}
	return t
}

// stores are the certificate stores of hosts of which something is expected, as they are now.
func (s *stepRun) stores() map[string]pki.Store {
	if s.spec.Expect == nil || len(s.spec.Expect.Certificates) == 0 {
		return nil
	}
	all := map[string]pki.Store{}
	for _, name := range slices.Sorted(maps.Keys(s.spec.Expect.Certificates)) {
		if h := s.lab.hosts[name]; h != nil { // a real peer shows none
			all[name] = h.Certificates()
		}
	}
	return all
}

// certificates judges what a host's store has.
func (j *judgement) certificates(host string, want spec.StoreExpect, got pki.Store) {
	if j.inside("certificates."+host, "certificate store", "as expected", host) {
		return
	}
	list := func(names []pki.Name) string {
		words := make([]string, len(names))
		for i, n := range names {
			words[i] = n.String()
		}
		slices.Sort(words)
		if len(words) == 0 {
			return "none"
		}
		return strings.Join(words, "; ")
	}
	field := "certificates." + host
	if want.Own != nil {
		var names, has []pki.Name
		for _, w := range want.Own {
			n, _ := pki.ParseName(w) // its mistakes were found before
			names = append(names, n)
		}
		for _, o := range got.Own {
			has = append(has, o.Certificate.Subject)
		}
		j.equal(field+".own", "certificates of "+host, list(names), list(has))
	}
	authorities := func(names []string) (all []pki.Name) {
		for _, n := range names {
			all = append(all, j.in().pki.authorities[n].Certificate.Subject)
		}
		return all
	}
	if want.Roots != nil {
		var has []pki.Name
		for _, c := range got.Roots {
			has = append(has, c.Subject)
		}
		j.equal(field+".roots", "roots that "+host+" trusts", list(authorities(want.Roots)), list(has))
	}
	if want.Lists != nil {
		var has []pki.Name
		for _, l := range got.Lists {
			has = append(has, l.Issuer)
		}
		j.equal(field+".revocation-lists", "revocation lists of "+host, list(authorities(want.Lists)), list(has))
	}
}
