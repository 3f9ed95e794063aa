package pki

import "time"

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// revocation checks one certificate of a path against the newest list of its
// issuer (RFC 5280, Section 6.3.3, with whole lists of the issuer's own). A list
// that is past its next update still revokes what it names, but satisfies nobody
// who demands a list: both are choices of the lab.
func (b *search) revocation(c, issuer *Certificate) *Error {
	var newest *RevocationList
	why := "there is no revocation list of " + issuer.Subject.String()
	for _, l := range b.lists {
		if l.issuerKey != issuer.subjectKey || newest != nil && !l.ThisUpdate.After(newest.ThisUpdate) {
			continue
		}
		if reason, tooMuch := b.unusable(l, issuer); reason != "" {
			why = "the revocation list of " + issuer.Subject.String() + " " + reason
			if tooMuch { // the peer chooses how much work there is, and must not gain by it
				return errorOf(TooMuchWork, c, "%s", why)
			}
			continue
		}
		newest = l
	}
	if newest != nil {
		if r := newest.Find(c.Serial); r != nil && r.Reason != RemoveFromCRL {
			return errorOf(Revoked, c, "revoked at %s (%s)", stamp(r.At), r.Reason)
		}
		if !newest.NextUpdate.IsZero() && b.at.After(newest.NextUpdate) {
			why = "the revocation list of " + issuer.Subject.String() + " was to be replaced by " + stamp(newest.NextUpdate)
			newest = nil
		}
	}
	if newest == nil && b.rule.CRLCheck == CRLStrict {
		return errorOf(NoCRL, c, "%s", why)
	}
	return nil
}

// unusable is why a list says nothing about the issuer's certificates, or ""; tooMuch: it was not looked at.
func (b *search) unusable(l *RevocationList, issuer *Certificate) (why string, tooMuch bool) {
	switch {
	case l.ThisUpdate.After(b.at):
		return "is of " + stamp(l.ThisUpdate) + ", which is to come", false
	case len(l.UnknownCritical) > 0:
		return "has the extension " + l.UnknownCritical[0].String() + ", which the lab does not process", false
	case issuer.Usage != 0 && issuer.Usage&CRLSign == 0:
		return "is signed with a key that is not for revocation lists", false
	}
	if err := b.signature(l.Raw, l.CheckSignature, issuer); err != nil {
		return "does not verify: " + err.detail, err.kind == TooMuchWork
	}
	return "", false
}
