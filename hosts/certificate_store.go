package hosts

import (
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/pki"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// Certificates are what is in the certificate store of the computer.
func (h *Host) Certificates() pki.Store {
	s := *h.certificates()
	s.Roots, s.Intermediates, s.Own, s.Lists = slices.Clone(s.Roots), slices.Clone(s.Intermediates), slices.Clone(s.Own), slices.Clone(s.Lists)
	return s
}

// certificates is the store of the computer.
func (h *Host) certificates() *pki.Store { return &h.config.Certificates.Store }

// keep puts a certificate into the store, in the place of an old one or behind all others, and those of the authorities
// too: roots are trusted, since the administrator has compared the fingerprint, or has chosen not to.
func (a *asking) keep(own pki.Own, old *pki.Own) {
	store := a.host.certificates()
	has := func(all []*pki.Certificate, c *pki.Certificate) bool {
		return slices.ContainsFunc(all, func(o *pki.Certificate) bool { return string(o.Raw) == string(c.Raw) })
	}
	for _, c := range append([]*pki.Certificate{a.authorities.CA}, a.authorities.Above...) {
		switch {
		case c.SelfIssued() && !has(store.Roots, c):
			store.Roots = append(store.Roots, c)
			a.stored("roots", c, nil)
		case !c.SelfIssued() && !has(store.Intermediates, c):
			store.Intermediates = append(store.Intermediates, c)
			a.stored("intermediates", c, nil)
		}
	}
	if old == nil {
		store.Own = append(store.Own, own)
		a.stored("own", own.Certificate, nil)
		return
	}
	before := old.Certificate
	if i := slices.IndexFunc(store.Own, func(o pki.Own) bool { return o.Certificate == before }); i >= 0 {
		store.Own[i] = own
	}
	a.stored("own", own.Certificate, before)
}

// dateOf is a time of a certificate in a trace; one that is not given is "".
func dateOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func (a *asking) stored(store string, c, before *pki.Certificate) {
	e := trace.CertificateStored{Store: store, Subject: c.Subject.String(), Serial: c.Serial.Text(16), Thumbprint: c.Thumbprint(), Until: dateOf(c.NotAfter)}
	if before != nil {
		e.Replaces = before.Serial.Text(16)
	}
	a.host.record(e)
}
