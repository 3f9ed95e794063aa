package ike_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

func protection(m ipsec.Mode, ts ...ipsec.Transform) ipsec.Proposal {
	return ipsec.Proposal{Transforms: ts, Mode: m, Lifetime: ipsec.Lifetime{Duration: time.Hour}}
}

var (
	espDES3 = ipsec.Transform{Protocol: ipsec.ESP, Cipher: "3des-cbc", Auth: "hmac-sha1-96"}
	ahSHA   = ipsec.Transform{Protocol: ipsec.AH, Auth: "hmac-sha1-96"}
)

func offerOf(t *testing.T, u ike.UDPEncapsulation, ps ...ipsec.Proposal) *payload.SA {
	t.Helper()
	offer, err := ike.OfferQuickMode(ike.QuickMode{Proposals: ps, UDP: u}, 0, func(ipsec.Protocol) uint32 { return 0x1000 })
	require.NoError(t, err)
	return offer
}

// encapsulations are the values of the Encapsulation Mode attribute in an offer.
func encapsulations(sa *payload.SA) (values []uint64) {
	for _, p := range sa.Proposals {
		for _, tr := range p.Transforms {
			for _, a := range tr.Attributes {
				if a.Type == payload.AttrEncapsulation {
					v, _ := a.Uint()
					values = append(values, v)
				}
			}
		}
	}
	return values
}

// The values of RFC 3947, Section 5.1, and of the drafts; without a NAT those of RFC 2407, whatever was agreed on.
func TestEncapsulationModes(t *testing.T) {
	for _, c := range []struct {
		u    ike.UDPEncapsulation
		want []uint64 // tunnel, transport
	}{
		{ike.UDPEncapsulation{}, []uint64{1, 2}},
		{ike.UDPEncapsulation{Dialect: ike.NATRFC3947}, []uint64{1, 2}},
		{ike.UDPEncapsulation{Dialect: ike.NATRFC3947, Wanted: true}, []uint64{3, 4}},
		{ike.UDPEncapsulation{Dialect: ike.NATDraft00, Wanted: true}, []uint64{61443, 61444}},
		{ike.UDPEncapsulation{Dialect: ike.NATDraft02Newline, Wanted: true}, []uint64{61443, 61444}},
		{ike.UDPEncapsulation{Dialect: ike.NATDraft03, Wanted: true, Either: true}, []uint64{61443, 61444}},
	} {
		offer := offerOf(t, c.u, protection(ipsec.Tunnel, espDES3), protection(ipsec.Transport, espDES3))
		require.Equal(t, c.want, encapsulations(offer), c.u)
		require.Equal(t, c.u.Wanted, ike.OffersUDPTransport(offer), c.u)
		for i, mode := range []ipsec.Mode{ipsec.Tunnel, ipsec.Transport} {
			choice, err := ike.SelectQuickMode(offer, ike.QuickMode{Proposals: []ipsec.Proposal{protection(mode, espDES3)}, UDP: c.u}, 2, ike.InitiatorsOrder)
			require.NoError(t, err)
			require.Equal(t, mode, choice.Proposal.Mode)
			require.Equal(t, c.u.Wanted, choice.InUDP())
			reply := choice.Reply(func(ipsec.Protocol) uint32 { return 0x2000 })
			require.Equal(t, c.want[i:i+1], encapsulations(reply))
			matched, err := ike.MatchQuickMode(reply, offer)
			require.NoError(t, err)
			require.Equal(t, c.u.Wanted, matched.InUDP())
		}
	}
}

// A responder takes the form that fits what was found, and the other one if it is to.
func TestWhichFormIsTaken(t *testing.T) {
	nat := ike.UDPEncapsulation{Dialect: ike.NATDraft02Newline, Wanted: true}
	none := ike.UDPEncapsulation{Dialect: ike.NATDraft02Newline}
	either := func(u ike.UDPEncapsulation) ike.UDPEncapsulation { u.Either = true; return u }
	rfc := func(u ike.UDPEncapsulation) ike.UDPEncapsulation { u.Dialect = ike.NATRFC3947; return u }
	esp, ah, both := protection(ipsec.Transport, espDES3), protection(ipsec.Transport, ahSHA), protection(ipsec.Transport, espDES3, ahSHA)
	for name, c := range map[string]struct {
		offered, u ike.UDPEncapsulation
		p          ipsec.Proposal
		why        string // "": taken
	}{
		"plain, and a NAT":                        {none, nat, esp, "no encapsulation in UDP, and there is a NAT"},
		"plain, and a NAT, and either is taken":   {none, either(nat), esp, ""},
		"in UDP, and no NAT":                      {nat, none, esp, "ESP in UDP, and there is no NAT"},
		"in UDP, and no NAT, either is taken":     {nat, either(none), esp, ""},
		"in UDP, without traversal":               {nat, ike.UDPEncapsulation{}, esp, "NAT traversal was not agreed on"},
		"in UDP by the RFC, and a draft":          {rfc(nat), nat, esp, "by the number of another dialect than draft-ietf-ipsec-nat-t-ike-02"},
		"in UDP by a draft, and the RFC":          {nat, rfc(nat), esp, "by the number of another dialect than RFC 3947"},
		"by another dialect, and either is taken": {nat, either(rfc(nat)), esp, "by the number of another dialect than RFC 3947"},
		"AH, and a NAT":                           {none, nat, ah, "AH covers the addresses, which a NAT changes"},
		"AH, and a NAT, and either is taken":      {none, either(nat), ah, "AH covers the addresses, which a NAT changes"},
		"AH and ESP, and a NAT":                   {none, nat, both, "AH covers the addresses, which a NAT changes"},
		"AH, and no NAT":                          {none, none, ah, ""},
		"AH and ESP, and no NAT":                  {none, none, both, ""},
	} {
		offer, policy := offerOf(t, c.offered, c.p), ike.QuickMode{Proposals: []ipsec.Proposal{c.p}, UDP: c.u}
		choice, err := ike.SelectQuickMode(offer, policy, 2, ike.InitiatorsOrder)
		if decision := ike.ExplainQuickMode(offer, policy, 2, ike.InitiatorsOrder, choice); c.why != "" {
			require.ErrorContains(t, err, c.why, name)
			require.Contains(t, decision.Alternatives[0].Reason, c.why, name)
			require.Equal(t, payload.NotifyNoProposalChosen, ike.NotifyOf(err))
			continue
		}
		require.NoError(t, err, name)
	}
}

// AH in UDP is nothing that anybody has defined: who offers it gets nothing.
func TestNoAHInUDP(t *testing.T) {
	offer := offerOf(t, ike.UDPEncapsulation{}, protection(ipsec.Transport, ahSHA))
	as := offer.Proposals[0].Transforms[0].Attributes
	for i := range as {
		if as[i].Type == payload.AttrEncapsulation {
			as[i] = payload.BasicAttribute(payload.AttrEncapsulation, 4)
		}
	}
	for _, either := range []bool{false, true} {
		u := ike.UDPEncapsulation{Dialect: ike.NATRFC3947, Either: either}
		_, err := ike.SelectQuickMode(offer, ike.QuickMode{Proposals: []ipsec.Proposal{protection(ipsec.Transport, ahSHA)}, UDP: u}, 2, ike.InitiatorsOrder)
		require.ErrorContains(t, err, "AH in UDP, which does not exist")
	}
}

// AH is left out of an offer across a NAT; a rule that has nothing else says so.
func TestAHIsNotOfferedAcrossNAT(t *testing.T) {
	nat := ike.UDPEncapsulation{Dialect: ike.NATRFC3947, Wanted: true}
	esp, ah, both := protection(ipsec.Transport, espDES3), protection(ipsec.Transport, ahSHA), protection(ipsec.Transport, espDES3, ahSHA)
	offer := offerOf(t, nat, ah, both, esp)
	require.Len(t, offer.Proposals, 1)
	require.Equal(t, payload.ProtocolESP, offer.Proposals[0].Protocol)
	for _, ps := range [][]ipsec.Proposal{{ah}, {both}, {ah, both}} {
		_, err := ike.OfferQuickMode(ike.QuickMode{Proposals: ps, UDP: nat}, 0, func(ipsec.Protocol) uint32 { return 0x1000 })
		require.ErrorContains(t, err, "does not cross a NAT: AH covers the addresses, which a NAT changes")
		require.Equal(t, ike.CodeNoPolicy, ike.CodeOf(err))
	}
}

// The numbers of UDP encapsulation do not make a bundle of two forms.
func TestBundleOfTwoForms(t *testing.T) {
	offer := offerOf(t, ike.UDPEncapsulation{}, protection(ipsec.Transport, espDES3, ahSHA))
	as := offer.Proposals[1].Transforms[0].Attributes
	for i := range as {
		if as[i].Type == payload.AttrEncapsulation {
			as[i] = payload.BasicAttribute(payload.AttrEncapsulation, 4)
		}
	}
	u := ike.UDPEncapsulation{Dialect: ike.NATRFC3947, Either: true}
	_, err := ike.SelectQuickMode(offer, ike.QuickMode{Proposals: []ipsec.Proposal{protection(ipsec.Transport, espDES3, ahSHA)}, UDP: u}, 2, ike.InitiatorsOrder)
	require.ErrorContains(t, err, "a bundle with two modes or groups")
}
