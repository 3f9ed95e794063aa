package ike

import (
	"errors"
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Audit is the outcome of a negotiation, in either role, for the host's event log.
// The engine reports it through Config.Audit at once, before the events that follow from it.
type Audit struct {
	State         AuditState
	QuickMode     bool
	Initiator     bool
	Local, Remote netip.AddrPort
	Cookies       Cookies
	Err           error  // why it failed or ended
	PeerID        string // the identity that the peer has proved; "" until it has

	Method AuthMethod // of the main mode; 0: none was agreed on

	// Of a main mode, from message 2 on.
	MainMode MainModeProposal
	Lifetime time.Duration

	Selector ipsec.Selector // of a quick mode: outbound; the zero value where message 1 could not be read

	// Of an established quick mode. The SPIs are one per transform, innermost first.
	Proposal        ipsec.Proposal
	InSPIs, OutSPIs []uint32
	Group           uint16 // of its own Diffie–Hellman exchange; 0: none
}

// AuditState is what became of a negotiation.
type AuditState uint8

// What may become of a negotiation.
const (
	AuditEstablished AuditState = iota + 1
	AuditFailed
	AuditEnded // a main mode that was established: deleted, expired, replaced
)

// PeerFound reports whether it was the peer that found the fault, and said so with proof of who it is.
func (a Audit) PeerFound() bool {
	_, ok := a.Err.(*PeerError)
	return ok
}

// MainModeEvent tells apart the failures of main mode that Windows has events of
// their own for: 544 where a certificate was wrong or missing, or a signature, 545 where
// another proof of the peer was wrong, 546 where a proposal or other data of the peer
// were; else 0. TechNet cc787567.
func (a Audit) MainModeEvent() int {
	switch {
	case a.QuickMode || a.State != AuditFailed:
		return 0
	case CertificateFault(a.Err):
		return 544
	}
	switch CodeOf(a.Err) {
	case CodeAuthFailed, CodeInvalidHash:
		return 545
	case CodePolicyMatch, CodeAttributes, CodeSAPayload, CodeKEPayload, CodeIDPayload:
		return 546
	}
	return 0
}

// CertificateFault reports whether phase 1 failed for a certificate, or for a signature that
// does not verify with one: whoever found it.
func CertificateFault(err error) bool {
	notify := NotifyOf(err)
	if e, ok := errors.AsType[*PeerError](err); ok {
		notify = e.Notify
	}
	switch notify {
	case payload.NotifyInvalidCertificate, payload.NotifyInvalidCertEncoding, payload.NotifyInvalidCertAuthority,
		payload.NotifyCertTypeUnsupported, payload.NotifyCertificateUnavailable, payload.NotifyInvalidSignature:
		return true
	}
	switch CodeOf(err) {
	case CodeNoCertificate, CodeCRLFailed, CodeKeyUsage, CodeCertType, CodeNoPrivateKey, CodeInvalidSignature, CodeCertPayload,
		CodeNoPeerCertificate, CodePeerCRL, CodeCertKeyLength, CodeChainMismatch:
		return true
	}
	return false
}

// AuthenticationFault reports whether phase 1 failed because the peer's proof of who it is was wrong, as
// this side found; a certificate that this side lacks is none of the peer.
func AuthenticationFault(err error) bool {
	if _, ok := errors.AsType[*PeerError](err); ok {
		return false
	}
	code := CodeOf(err)
	return code == CodeAuthFailed || CertificateFault(err) && code != CodeNoCertificate && code != CodeNoPrivateKey
}

// Meaning is the text of a code in MS-ERREF, Section 2.2: its first sentence, without the full stop.
func (c Code) Meaning() string {
	switch c {
	case CodeAuthFailed:
		return "IKE authentication credentials are unacceptable"
	case CodeAttributes:
		return "IKE security attributes are unacceptable"
	case CodeTimedOut:
		return "Negotiation timed out"
	case CodeNoCertificate:
		return "IKE failed to find valid machine certificate"
	case CodeCRLFailed:
		return "Certificate Revocation Check failed"
	case CodeKeyUsage:
		return "Invalid certificate key usage"
	case CodeCertType:
		return "Invalid certificate type"
	case CodeNoPrivateKey:
		return "IKE negotiation failed because the machine certificate used does not have a private key"
	case CodeKerberos:
		return "Failed to authenticate using Kerberos"
	case CodeInvalidSignature:
		return "Failed to verify signature"
	case CodeCertPayload:
		return "Error processing Cert payload"
	case CodeNoPeerCertificate:
		return "Peer failed to send valid machine certificate"
	case CodePeerCRL:
		return "Certification Revocation check of peer's certificate failed"
	case CodeCertKeyLength:
		return "Key length in certificate is too small for configured security requirements"
	case CodeChainMismatch:
		return "Certificate doesn't chain to a trusted root in IPsec policy"
	case CodeSADeleted:
		return "IKE SA deleted by peer before establishment completed"
	case CodeNoResponse:
		return "No response from peer"
	case CodeNoPolicy:
		return "No policy configured"
	case CodeSAPayload:
		return "Error processing SA payload"
	case CodeKEPayload:
		return "Error processing KE payload"
	case CodeIDPayload:
		return "Error processing ID payload"
	case CodePolicyChange:
		return "New policy invalidated SAs formed with old policy"
	case CodeInvalidGroup:
		return "Invalid Diffie-Hellman group"
	case CodePolicyMatch:
		return "Policy match error"
	case CodeInvalidHash:
		return "Hash verification failed"
	case CodeMainModeLimit:
		return "Max number of established MM SAs to peer exceeded"
	case CodeQuickModeLimit:
		return "Reached maximum quick mode limit for the main mode"
	case CodeMainModeExpired:
		return "Main mode SA lifetime expired or peer sent a main mode delete"
	case CodePeerSilent:
		return "Main mode SA assumed to be invalid because peer stopped responding"
	case CodeNATOA:
		return "Error processing NatOA payload"
	case CodeInnerAddress:
		return "Error in assigning inner IP address to initiator in tunnel mode"
	}
	return "Unknown error occurred" // that of CodeProcessing
}
