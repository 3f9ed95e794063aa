package ike

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// Which event of Windows a failed main mode has beside 547, and whether it counts as the peer's failed proof.
func TestMainModeEvent(t *testing.T) {
	for _, c := range []struct {
		err   error
		event int
		proof bool
	}{
		{Errorf(CodeAuthFailed, payload.NotifyPayloadMalformed, "the keys differ"), 545, true},
		{Errorf(CodeAuthFailed, payload.NotifyAuthenticationFailed, "no right"), 545, true},
		{Errorf(CodeAuthFailed, payload.NotifyInvalidCertificate, "expired"), 544, true},
		{Errorf(CodeAuthFailed, payload.NotifyInvalidCertAuthority, "untrusted"), 544, true},
		{Errorf(CodePeerCRL, payload.NotifyInvalidCertificate, "revoked"), 544, true},
		{Errorf(CodeInvalidSignature, 0, "no response that could be used"), 544, true},
		{Errorf(CodeChainMismatch, payload.NotifyInvalidCertAuthority, "not named"), 544, true},
		{Errorf(CodeNoCertificate, payload.NotifyCertificateUnavailable, "none"), 544, false},
		{Errorf(CodeNoPrivateKey, payload.NotifyCertificateUnavailable, "no key"), 544, false},
		{&PeerError{payload.NotifyCertificateUnavailable}, 544, false},
		{&PeerError{payload.NotifyInvalidCertEncoding}, 544, false},
		{&PeerError{payload.NotifyAuthenticationFailed}, 545, false},
		{&PeerError{payload.NotifyNoProposalChosen}, 546, false},
		{Errorf(CodePolicyMatch, payload.NotifyNoProposalChosen, "nothing in common"), 546, false},
		{Errorf(CodeTimedOut, 0, "silence"), 0, false},
	} {
		a := Audit{State: AuditFailed, Err: c.err}
		require.Equal(t, c.event, a.MainModeEvent(), c.err)
		require.Equal(t, c.proof, AuthenticationFault(c.err), c.err)
		require.NotEqual(t, Code(0).Meaning(), CodeOf(c.err).Meaning(), c.err)
		a.QuickMode = true
		require.Zero(t, a.MainModeEvent(), c.err)
	}
	require.Equal(t, CodeCertPayload, CodeOf(&PeerError{payload.NotifyInvalidCertEncoding}))
}
