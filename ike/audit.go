package ike

import (
	"net/netip"
	"time"

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
// their own for: 545 where the peer's proof was wrong, 546 where a proposal or other
// data of the peer were; else 0. TechNet cc787567.
func (a Audit) MainModeEvent() int {
	if a.QuickMode || a.State != AuditFailed {
		return 0
	}
	switch CodeOf(a.Err) {
	case CodeAuthFailed, CodeInvalidHash:
		return 545
	case CodePolicyMatch, CodeAttributes, CodeSAPayload, CodeKEPayload, CodeIDPayload:
		return 546
	}
	return 0
}

// Meaning is the text of a code, after MS-ERREF, Section 2.2.
func (c Code) Meaning() string {
	switch c {
	case CodeAuthFailed:
		return "IKE authentication credentials are unacceptable"
	case CodeAttributes:
		return "IKE security attributes are unacceptable"
	case CodeTimedOut:
		return "Negotiation timed out"
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
	case CodePolicyMatch:
		return "Policy match error"
	case CodeInvalidHash:
		return "Hash verification failed"
	case CodeMainModeLimit:
		return "Maximum number of main modes with the peer exceeded"
	case CodeQuickModeLimit:
		return "Quick mode limit of the main mode reached"
	case CodeMainModeExpired:
		return "Main mode SA lifetime expired"
	}
	return "Error processing the negotiation"
}
