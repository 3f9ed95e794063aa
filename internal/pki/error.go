package pki

import "fmt"

// Kind is what is wrong with a certificate, in one word.
type Kind int

// The kinds, each with the Windows error that the lab reports for it. "The text
// names it" means that [MS-ERREF] describes just this case; otherwise the choice
// of the code is the lab's.
const (
	// BadEncoding is DER that is no certificate or list. 13835
	// ERROR_IPSEC_IKE_PROCESS_ERR_CERT: the text names it ("Error processing Cert payload").
	BadEncoding Kind = iota + 1
	// NoCertificate: this computer has no certificate that the rule could use.
	// 13806 ERROR_IPSEC_IKE_NO_CERT: the text names it.
	NoCertificate
	// NoPrivateKey: the only certificate that fits has no private key. 13820
	// ERROR_IPSEC_IKE_NO_PRIVATE_KEY: the text names it.
	NoPrivateKey
	// NoPeerCertificate: the peer sent none. 13847 ERROR_IPSEC_IKE_NO_PEER_CERT:
	// the text names it ("failed to send valid machine certificate").
	NoPeerCertificate
	// Expired and NotYetValid: a certificate of the path, at the given time. 13801
	// ERROR_IPSEC_IKE_AUTH_FAIL (credentials are unacceptable): the lab's choice.
	Expired
	NotYetValid
	// WrongKey: the certificate that names the issuer has another key than the
	// one that signed. 13801: the lab's choice.
	WrongKey
	// ChainBroken: nobody has the certificate of an issuer. 13801: the lab's choice.
	ChainBroken
	// UntrustedRoot: the path ends in a root that this computer does not trust. 13801: the lab's choice.
	UntrustedRoot
	// RootNotInRule: this computer trusts the root, but the rule does not name it
	// (claim C228). 13887 ERROR_IPSEC_IKE_CERT_CHAIN_POLICY_MISMATCH: the text
	// names it ("doesn't chain to a trusted root in IPsec policy").
	RootNotInRule
	// NotAuthority: a certificate of the path signs others and may not. 13801: the lab's choice.
	NotAuthority
	// PathLength: more authorities follow one than it allows. 13801: the lab's choice.
	PathLength
	// WrongUsage: the key usage does not allow what the key is used for. 13818
	// ERROR_IPSEC_IKE_INVALID_KEY_USAGE: the text names it.
	WrongUsage
	// WrongKeyType: the key is not RSA (claim C213). 13819
	// ERROR_IPSEC_IKE_INVALID_CERT_TYPE: the lab's choice.
	WrongKeyType
	// WeakKey: the key is shorter than the rule demands. 13881
	// ERROR_IPSEC_IKE_INVALID_CERT_KEYLEN: the text names it.
	WeakKey
	// Unsupported: an algorithm of a key or signature that the lab does not know, or
	// a key of a size that it does not take. 13801: the lab's choice.
	Unsupported
	// CriticalExtension: one that the lab does not process (RFC 5280, Section 4.2). 13801: the lab's choice.
	CriticalExtension
	// Revoked: a revocation list names a certificate of the path. 13848
	// ERROR_IPSEC_IKE_PEER_CRL_FAILED: the text names it.
	Revoked
	// NoCRL: there is no usable revocation list, and the level demands one. 13817
	// ERROR_IPSEC_IKE_CRL_FAILED: the text names it, and 13848's as well; that
	// the two kinds have a code each is the lab's choice.
	NoCRL
	// TooMuchWork: the peer's certificates lead to more paths than are tried. 13801: the lab's choice.
	TooMuchWork
)

var kindTable = map[Kind]struct {
	name string
	code uint32
}{
	BadEncoding:       {"bad encoding", 13835},
	NoCertificate:     {"no certificate", 13806},
	NoPrivateKey:      {"no private key", 13820},
	NoPeerCertificate: {"no certificate from the peer", 13847},
	Expired:           {"expired", 13801},
	NotYetValid:       {"not yet valid", 13801},
	WrongKey:          {"wrong key", 13801},
	ChainBroken:       {"chain broken", 13801},
	UntrustedRoot:     {"untrusted root", 13801},
	RootNotInRule:     {"root not in the rule", 13887},
	NotAuthority:      {"issuer is no authority", 13801},
	PathLength:        {"path too long", 13801},
	WrongUsage:        {"wrong key usage", 13818},
	WrongKeyType:      {"wrong type of key", 13819},
	WeakKey:           {"weak key", 13881},
	Unsupported:       {"unsupported algorithm", 13801},
	CriticalExtension: {"unknown critical extension", 13801},
	Revoked:           {"revoked", 13848},
	NoCRL:             {"no revocation list", 13817},
	TooMuchWork:       {"too many certificates", 13801},
}

// String is the kind in words.
func (k Kind) String() string { return kindTable[k].name }

// Windows is the code of the error of Windows, as event 547 reports it.
func (k Kind) Windows() uint32 { return kindTable[k].code }

// Error is the verdict that something is wrong with a certificate.
type Error struct {
	Kind   Kind
	Detail string       // the certificate and the reason, a sentence without a full stop
	Cert   *Certificate // the certificate that is to blame; nil if there is none
}

func (e *Error) Error() string {
	return fmt.Sprintf("pki: %s: %s", e.Kind, e.Detail)
}

// Is matches an error of the same kind, whatever its detail: errors.Is(err, &Error{Kind: Expired}).
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && t.Detail == "" && t.Cert == nil
}

func errorOf(k Kind, c *Certificate, format string, args ...any) *Error {
	detail := fmt.Sprintf(format, args...)
	if c != nil {
		detail = c.Subject.String() + ": " + detail
	}
	return &Error{Kind: k, Detail: detail, Cert: c}
}
