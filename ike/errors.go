package ike

import (
	"errors"
	"fmt"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// Code is a Windows error code of a negotiation, MS-ERREF, Section 2.2. Windows
// shows it as the failure reason of event 547.
type Code int

// Codes that this project reports, MS-ERREF, Section 2.2.
const (
	CodeAuthFailed        Code = 13801 // authentication credentials are unacceptable
	CodeAttributes        Code = 13802 // security attributes are unacceptable
	CodeTimedOut          Code = 13805 // negotiation timed out: the peer fell silent
	CodeNoCertificate     Code = 13806 // no usable certificate of our own
	CodeSADeleted         Code = 13807 // deleted by the peer
	CodeNoResponse        Code = 13813 // the peer never answered
	CodeProcessing        Code = 13816 // any other error
	CodeCRLFailed         Code = 13817 // certificate revocation check failed
	CodeKeyUsage          Code = 13818 // a certificate is not for this use
	CodeCertType          Code = 13819 // a certificate of a kind that is not for this
	CodeNoPrivateKey      Code = 13820 // no private key with our certificate
	CodeNoPolicy          Code = 13825 // no policy configured
	CodeInvalidSignature  Code = 13826 // the peer's signature does not verify
	CodeKerberos          Code = 13827 // the mechanism failed: Kerberos on Windows
	CodeSAPayload         Code = 13830 // error processing an SA payload; the rest of the row likewise
	CodeKEPayload         Code = 13833
	CodeIDPayload         Code = 13834
	CodeCertPayload       Code = 13835 // error processing a Certificate payload
	CodeNoPeerCertificate Code = 13847 // the peer has shown no certificate
	CodePeerCRL           Code = 13848 // the peer's certificate is revoked, or its revocation cannot be known
	CodePolicyChange      Code = 13849 // policy changed meanwhile
	CodeInvalidGroup      Code = 13865 // a Diffie–Hellman group that is not accepted
	CodePolicyMatch       Code = 13868 // no proposal in common
	CodeInvalidHash       Code = 13870 // hash verification failed
	CodeCertKeyLength     Code = 13881 // the key of the peer's certificate is too short
	CodeMainModeLimit     Code = 13882 // more main modes with the peer than there may be
	CodeQuickModeLimit    Code = 13884 // quick modes of this main mode used up
	CodeMainModeExpired   Code = 13885 // main mode expired with the quick mode pending
	CodePeerSilent        Code = 13886 // an established main mode whose peer has fallen silent
	CodeChainMismatch     Code = 13887 // the peer's certificates make no chain to an authority that we accept
	CodeNATOA             Code = 13893 // error processing a NAT-OA payload
	CodeInnerAddress      Code = 13899 // no inner address was assigned
)

// Error is a fault that we found in a negotiation.
type Error struct {
	Code   Code
	Notify payload.NotifyType // what the peer is told; 0: nothing
	Reason string             // who did what, in words
	Hint   string             // what somebody unauthenticated said about it; ""
}

func (e *Error) Error() string {
	s := "ike: " + e.Reason
	if e.Hint != "" {
		s += " (unauthenticated hint: " + e.Hint + ")"
	}
	return s
}

// Errorf is a fault with its codes and a reason in words.
func Errorf(c Code, n payload.NotifyType, format string, args ...any) *Error {
	return &Error{Code: c, Notify: n, Reason: fmt.Sprintf(format, args...)}
}

// PeerError is an authenticated error notification: a fault that the peer found.
type PeerError struct{ Notify payload.NotifyType }

func (e *PeerError) Error() string { return "ike: the peer refused with " + e.Notify.String() }

// Is matches another PeerError by its notify type.
func (e *PeerError) Is(target error) bool {
	p, ok := target.(*PeerError)
	return ok && p.Notify == e.Notify
}

// CodeOf is the Windows code of a failure.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	if e, ok := errors.AsType[*PeerError](err); ok {
		switch e.Notify {
		case payload.NotifyNoProposalChosen:
			return CodePolicyMatch
		case payload.NotifyInvalidIDInformation:
			return CodeIDPayload
		case payload.NotifyInvalidKeyInformation:
			return CodeKEPayload
		case payload.NotifyAttributesNotSupported:
			return CodeAttributes
		case payload.NotifyInvalidHashInformation:
			return CodeInvalidHash
		case payload.NotifyAuthenticationFailed, payload.NotifyInvalidCertificate, payload.NotifyInvalidCertAuthority:
			return CodeAuthFailed
		case payload.NotifyInvalidCertEncoding:
			return CodeCertPayload
		case payload.NotifyInvalidSignature:
			return CodeInvalidSignature
		case payload.NotifyCertificateUnavailable:
			return CodeNoPeerCertificate
		}
	}
	return CodeProcessing
}

// NotifyOf is the notification that a peer deserves for the fault; 0: none.
func NotifyOf(err error) payload.NotifyType {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Notify
	}
	if e, ok := errors.AsType[*payload.Error](err); ok {
		return e.Notify
	}
	return 0
}

// ReasonOf is the text of a failure for a record that names the package itself.
func ReasonOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		s := e.Error()
		return s[len("ike: "):]
	}
	if e, ok := errors.AsType[*PeerError](err); ok {
		return e.Error()[len("ike: "):]
	}
	return err.Error()
}
