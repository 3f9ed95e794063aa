package hosts

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/pki"
)

// whyOwn says, for the trace, why a certificate was chosen and what was wrong with others of the computer.
func (r *ruleCertificates) whyOwn(own pki.Own, path pki.Path, requested []pki.Name, at time.Time, rule pki.Rule) (words []string) {
	if r.OwnUnchecked {
		return []string{own.Certificate.Subject.String() + " is the first of the store, and nobody has looked whether it is good"}
	}
	asked := "the peer names no authority"
	if len(requested) > 0 {
		var names []string
		for _, n := range requested {
			names = append(names, n.String())
		}
		asked = "the peer asks for certificates of " + strings.Join(names, "; ")
	}
	words = append(words, fmt.Sprintf("%s; chosen: %s, which leads to %s, %s", asked, own.Certificate.Subject, path.Root().Subject, r.place(path.Root())))
	for _, other := range r.Store.Own {
		if other.Certificate == own.Certificate {
			continue
		}
		why := "comes after it"
		if _, err := r.Store.Verify(other.Certificate, nil, nil, at, rule); err != nil {
			why = reason(err)
		} else if other.Key == nil {
			why = "the computer does not have its private key"
		}
		words = append(words, fmt.Sprintf("not %s: %s", other.Certificate.Subject, why))
	}
	return words
}

// place is where an authority stands in the rule.
func (r *ruleCertificates) place(root *pki.Certificate) string {
	for i, named := range r.roots {
		if named.Name.Equal(root.Subject) {
			return fmt.Sprintf("authority %d of the rule", i+1)
		}
	}
	return "which the rule does not name"
}

// judged is the key of a peer whose certificate has been accepted, with the words for it.
type judged struct {
	ike.PublicKey
	words []string
}

// Explain implements ike.Explained.
func (j judged) Explain() []string { return j.words }

// whyPeer says by what a peer's certificate was accepted.
func (r *ruleCertificates) whyPeer(path pki.Path) []string {
	var names []string
	for _, c := range path {
		names = append(names, c.Subject.String())
	}
	lists := map[pki.CRLCheck]string{
		pki.CRLNone: "revocation lists are not looked at", pki.CRLIfRevoked: "no revocation list names one of them", pki.CRLStrict: "a revocation list of each authority names none of them",
	}[r.CRLCheck]
	words := []string{strings.Join(names, ", issued by ") + "; " + r.place(path.Root()), lists}
	if slices.ContainsFunc(r.roots, r.maps(path)) {
		if account, err := pki.AccountOf(path[0]); err == nil {
			words = append(words, fmt.Sprintf("mapped to the account %s, by its %s", account.Principal, account.From))
		}
	}
	return words
}
