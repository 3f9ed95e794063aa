package pki

// judge checks a whole path whose signatures verify, from the subject to a root
// that the rule accepts: RFC 5280, Section 6.1, without policies and name
// constraints (a critical extension of these is an unknown one). Unlike there the
// root is checked as well, as Windows does.
func (b *search) judge() *Error {
	for i, c := range b.path {
		switch {
		case b.at.Before(c.NotBefore):
			return errorOf(NotYetValid, c, "valid from %s, and it is %s", stamp(c.NotBefore), stamp(b.at))
		case b.at.After(c.NotAfter):
			return errorOf(Expired, c, "valid until %s, and it is %s", stamp(c.NotAfter), stamp(b.at))
		case len(c.UnknownCritical) > 0:
			return errorOf(CriticalExtension, c, "the extension %v is critical, and the lab does not process it", c.UnknownCritical[0])
		}
		if i > 0 {
			if err := b.issuerMay(i); err != nil {
				return err
			}
		}
	}
	if b.rule.CRLCheck == CRLNone {
		return nil
	}
	for i := range b.path[:len(b.path)-1] {
		if err := b.revocation(b.path[i], b.path[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// issuerMay checks that the certificate at an index may issue the one before it.
func (b *search) issuerMay(i int) *Error {
	c := b.path[i]
	if c.Authority == nil && c.Version < 3 && i == len(b.path)-1 {
		return nil // an old root cannot say that it is an authority; the store of roots says so
	}
	if c.Authority == nil || !c.Authority.IsCA {
		return errorOf(NotAuthority, c, "its basic constraints do not make it an authority")
	}
	if c.Usage != 0 && c.Usage&CertSign == 0 {
		return errorOf(WrongUsage, c, "the key is for %s, not for signing certificates", c.Usage)
	}
	between := 0
	for _, lower := range b.path[1:i] {
		if !lower.SelfIssued() { // Section 6.1.4 (l)
			between++
		}
	}
	if limit := c.Authority.PathLen; limit >= 0 && between > limit {
		return errorOf(PathLength, c, "%d authorities follow, and it allows %d", between, limit)
	}
	return nil
}
