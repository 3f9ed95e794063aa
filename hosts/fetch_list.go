package hosts

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/ipseclab/ipseclab/internal/http1"
	"github.com/ipseclab/ipseclab/internal/pki"
	"github.com/ipseclab/ipseclab/internal/scep"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// FetchList gets a list of revoked certificates and puts it into the store: by SCEP that of the
// authority that the host has a certificate of, or, from a path, one of an authority of which it has the
// certificate. Call it from a coroutine.
func (h *Host) FetchList(p *sim.Proc, c Authority, path string) Report {
	return h.scepReport(p, c.To, func(a *asking) error {
		if path != "" {
			return a.listAt(p, path)
		}
		return a.list(p)
	}, c)
}

// list asks for the authority's list.
func (a *asking) list(p *sim.Proc) error {
	if err := a.meet(p); err != nil {
		return err
	}
	store := a.host.certificates()
	i := slices.IndexFunc(store.Own, a.issued)
	if i < 0 {
		return fmt.Errorf("there is no certificate of %s in whose name to ask", a.authorities.CA.Subject)
	}
	r, err := scep.NewReader(a.rand, a.authorities, a.capabilities, store.Own[i])
	if err != nil {
		return err
	}
	answer, err := a.exchange(p, r, func(rand io.Reader) ([]byte, error) { return r.List(rand, store.Own[i].Certificate) })
	switch {
	case err != nil:
		return err
	case answer.Status != scep.Success:
		return fmt.Errorf("%w: %v", ErrDenied, answer.Fail)
	case len(answer.Lists) == 0:
		return errors.New("the authority gives no list")
	}
	for _, l := range answer.Lists {
		if err := a.keepList(l, a.authorities.CA.Key); err != nil {
			return err
		}
	}
	return nil
}

// listAt fetches a list by HTTP. Nothing comes with it: it counts if it is signed by an authority of the store.
func (a *asking) listAt(p *sim.Proc, path string) error {
	answer, err := a.patiently(p, func() (*http1.Response, error) {
		r := http1.Request{Method: "GET", Target: path, Proto: "HTTP/1.0", Header: http1.Header{{Name: "Host", Value: a.Host}}}
		return a.host.fetch(p, a.To, r, p.Now()+a.Timeout)
	}, func(error) {})
	if err != nil {
		return err
	}
	if answer.Status != 200 {
		return fmt.Errorf("the server answers %d %s", answer.Status, answer.Reason)
	}
	l, err := pki.ParseRevocationList(answer.Body)
	if err != nil {
		return err
	}
	store := a.host.certificates()
	for _, c := range slices.Concat(store.Roots, store.Intermediates) {
		if c.Subject.Equal(l.Issuer) && c.Key != nil && l.CheckSignature(c.Key) == nil {
			return a.keepList(l, c.Key)
		}
	}
	return fmt.Errorf("the list is of %s, and no certificate in the store verifies it", l.Issuer)
}

// keepList puts a list that a key has signed into the store, in the place of an older one. A
// newer one stays: nothing but its time tells a list from one of before that somebody gives out again.
func (a *asking) keepList(l *pki.RevocationList, key pki.PublicKey) error {
	store := a.host.certificates()
	same := func(o *pki.RevocationList) bool { return o.Issuer.Equal(l.Issuer) && o.CheckSignature(key) == nil }
	for _, o := range store.Lists {
		if same(o) && o.ThisUpdate.After(l.ThisUpdate) {
			return fmt.Errorf("the list of %s is of %s, older than the one in the store, of %s", l.Issuer, dateOf(l.ThisUpdate), dateOf(o.ThisUpdate))
		}
	}
	store.Lists = slices.DeleteFunc(store.Lists, same)
	store.Lists = append(store.Lists, l)
	a.host.record(trace.CertificateStored{Store: "revocation-lists", Subject: l.Issuer.String(), Until: dateOf(l.NextUpdate)})
	return nil
}
