package pki

import "time"

// Store is the certificate store of a computer: what Windows keeps for the
// local computer, not for its users. IPsec looks at no other (claim C213).
type Store struct {
	Roots         []*Certificate // trusted root certification authorities
	Intermediates []*Certificate
	Own           []Own
	Lists         []*RevocationList // as fetched; fetching them is somebody else's task
}

// Own is a certificate of the computer itself.
type Own struct {
	Certificate *Certificate
	Key         PrivateKey // nil: the computer does not have it
}

// Peer is what a peer sent in payloads CERT and other certificates of no trust.
type Peer struct {
	// Certificates in DER: the peer's own first, then what helps to build a path.
	// Of these, what cannot be read is passed over.
	Certificates [][]byte
	// Lists are revocation lists in DER; what cannot be read is passed over.
	Lists [][]byte
}

// VerifyPeer is the verdict on a peer's certificates at a time: the path to a
// root that the rule names. The peer's key is Key of its first certificate. An
// error is an [*Error].
func (s *Store) VerifyPeer(p Peer, at time.Time, rule Rule) (Path, error) {
	if len(p.Certificates) == 0 {
		return nil, &Error{Kind: NoPeerCertificate, Detail: "the peer sent no certificate"}
	}
	leaf, err := ParseCertificate(p.Certificates[0])
	if err != nil {
		return nil, err
	}
	var sent []*Certificate
	for _, der := range p.Certificates[1:min(len(p.Certificates), maxSent+1)] {
		if c, err := ParseCertificate(der); err == nil {
			sent = append(sent, c)
		}
	}
	var lists []*RevocationList
	for _, der := range p.Lists[:min(len(p.Lists), maxSent)] {
		if l, err := ParseRevocationList(der); err == nil {
			lists = append(lists, l)
		}
	}
	return s.Verify(leaf, sent, lists, at, rule)
}

// Verify is the verdict on a certificate at a time, with further certificates and lists that
// nobody vouches for. An error is an [*Error].
func (s *Store) Verify(leaf *Certificate, sent []*Certificate, lists []*RevocationList, at time.Time, rule Rule) (Path, error) {
	if err := rule.subject(leaf); err != nil {
		return nil, err
	}
	path, err := s.newSearch(sent, lists, at, rule).find(leaf)
	if err != nil {
		return nil, err
	}
	return path, nil
}

// Select chooses the computer's certificate for a rule: for each root of the
// rule, in order, the first certificate that has a private key and a path to
// that root. Names that the peer requested narrow the choice; without any, all
// roots of the rule count. Revocation of our own certificate is the peer's
// affair. The error is of kind [NoPrivateKey] if only a key is missing, else
// [NoCertificate].
func (s *Store) Select(requested []Name, at time.Time, rule Rule) (Own, Path, error) {
	rule.CRLCheck = CRLNone
	noKey, why := (*Certificate)(nil), ""
	for _, root := range rule.Roots {
		if len(requested) > 0 && !contains(requested, root) {
			continue
		}
		one := rule
		one.Roots = []Name{root}
		for _, own := range s.Own {
			path, err := s.Verify(own.Certificate, nil, nil, at, one)
			switch {
			case err != nil:
				if why == "" {
					why = "; " + err.(*Error).Kind.String() + ": " + err.(*Error).Detail
				}
			case own.Key == nil || !SameKey(own.Key.Public(), own.Certificate.Key):
				if noKey == nil {
					noKey = own.Certificate
				}
			default:
				return own, path, nil
			}
		}
	}
	if noKey != nil {
		return Own{}, nil, errorOf(NoPrivateKey, noKey, "the computer does not have the private key")
	}
	return Own{}, nil, &Error{Kind: NoCertificate, Detail: "the computer has no certificate from a root that both sides name" + why}
}

// RootName is the name of a root as its certificate encodes it, for a
// certificate request; a root that the store lacks is encoded from the name.
func (s *Store) RootName(root Name) ([]byte, error) {
	for _, c := range s.Roots {
		if c.subjectKey == root.key() {
			return c.RawSubject, nil
		}
	}
	return root.Marshal()
}

func contains(names []Name, n Name) bool {
	for _, o := range names {
		if n.Equal(o) {
			return true
		}
	}
	return false
}
