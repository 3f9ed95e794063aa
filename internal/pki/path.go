package pki

import (
	"errors"
	"time"
)

// Path is a chain of certificates, the subject's first, the root last.
type Path []*Certificate

// Root is the last certificate.
func (p Path) Root() *Certificate { return p[len(p)-1] }

// Bounds of the work for one verdict. Windows builds paths of some ten
// certificates; the numbers are the lab's.
const (
	maxPath   = 16  // certificates of a path
	maxSent   = 100 // certificates of a peer; the rest is not looked at
	maxChecks = 100 // signatures that are verified
	maxSteps  = 500 // certificates that are tried as the next of a path
)

// search looks for paths from a certificate to the roots of a rule. It verifies
// each signature on the way up, so that what a peer makes up leads nowhere.
type search struct {
	rule    Rule
	at      time.Time
	issuers map[string][]*Certificate // by subject: roots, what the peer sent, intermediates
	trusted map[string]bool           // roots, by DER
	lists   []*RevocationList
	checked map[[2]string]error // verdicts on signatures: what is signed, issuer
	steps   int
	path    Path
	why     *Error // the most telling reason so far
}

func (s *Store) newSearch(sent []*Certificate, lists []*RevocationList, at time.Time, rule Rule) *search {
	if len(sent) > maxSent {
		sent = sent[:maxSent]
	}
	if len(lists) > maxSent {
		lists = lists[:maxSent]
	}
	b := &search{rule: rule, at: at, issuers: map[string][]*Certificate{}, trusted: map[string]bool{}, checked: map[[2]string]error{}}
	seen := map[string]bool{}
	for _, from := range [][]*Certificate{s.Roots, sent, s.Intermediates} {
		for _, c := range from {
			if !seen[string(c.Raw)] {
				seen[string(c.Raw)] = true
				b.issuers[c.subjectKey] = append(b.issuers[c.subjectKey], c)
			}
		}
	}
	for _, c := range s.Roots {
		b.trusted[string(c.Raw)] = true
	}
	b.lists = append(append(b.lists, s.Lists...), lists...)
	return b
}

// find is the first path that the rule accepts, or why there is none.
func (b *search) find(leaf *Certificate) (Path, *Error) {
	b.path = Path{leaf}
	if b.extend() {
		return b.path, nil
	}
	return nil, b.why
}

// extend tries to complete the path from its last certificate on.
func (b *search) extend() bool {
	last := b.path.Root()
	if b.trusted[string(last.Raw)] {
		if b.rule.accepts(last) {
			err := b.judge()
			b.note(err)
			return err == nil
		}
		b.note(errorOf(RootNotInRule, last, "this computer trusts the root, and the rule does not name it"))
	}
	if len(b.path) == maxPath {
		b.note(errorOf(TooMuchWork, last, "the path has %d certificates and no end", maxPath))
		return false
	}
	tried := false
	for _, issuer := range b.issuers[last.issuerKey] {
		if b.passed(issuer) {
			continue
		}
		tried = true
		if b.steps++; b.steps > maxSteps {
			b.note(errorOf(TooMuchWork, b.path[0], "its issuers lead to more paths than are tried"))
			return false
		}
		err := b.signature(last.Raw, last.CheckSignature, issuer)
		if err != nil {
			b.note(err.of(last, issuer))
			continue
		}
		b.path = append(b.path, issuer)
		if b.extend() {
			return true
		}
		b.path = b.path[:len(b.path)-1]
	}
	switch {
	case tried:
	case last.SelfIssued():
		b.note(errorOf(UntrustedRoot, last, "this computer does not trust the root"))
	default:
		b.note(errorOf(ChainBroken, last, "nobody has a certificate of its issuer %s", last.Issuer))
	}
	return false
}

// passed reports whether the path holds the subject with this key already, so it would go in a circle.
func (b *search) passed(issuer *Certificate) bool {
	for _, c := range b.path {
		if c.subjectKey == issuer.subjectKey && string(c.rawKey) == string(issuer.rawKey) {
			return true
		}
	}
	return false
}

// badSignature is why a signature does not verify.
type badSignature struct {
	kind   Kind
	detail string
}

func (e *badSignature) of(signed, issuer *Certificate) *Error {
	return errorOf(e.kind, signed, "the signature of %s: %s", issuer.Subject, e.detail)
}

// signature verifies one signature, once, as long as the work is not too much.
func (b *search) signature(signed []byte, check func(PublicKey) error, issuer *Certificate) *badSignature {
	if issuer.Key == nil {
		return &badSignature{Unsupported, issuer.KeyError.Error()}
	}
	pair := [2]string{string(signed), string(issuer.rawKey)}
	err, done := b.checked[pair]
	if !done {
		if len(b.checked) == maxChecks {
			return &badSignature{TooMuchWork, "more signatures than are verified for one verdict"}
		}
		err = check(issuer.Key)
		b.checked[pair] = err
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errAlgorithm):
		return &badSignature{Unsupported, err.Error()}
	}
	return &badSignature{WrongKey, "it is of another key, or of another certificate"}
}

// note keeps the reason that tells most: of a whole path, then of a path that came far.
func (b *search) note(e *Error) {
	if e != nil && (b.why == nil || e.Kind.weight() > b.why.Kind.weight()) {
		b.why = e
	}
}

func (k Kind) weight() int {
	switch k {
	case ChainBroken:
		return 0
	case UntrustedRoot:
		return 1
	case WrongKey, Unsupported:
		return 2
	case RootNotInRule:
		return 3
	case TooMuchWork:
		return 4
	}
	return 5
}
