package ike_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// FuzzOffer: whatever SA payload comes as an offer, the choice from it is one of
// our own protections, its reply is a choice that whoever made the offer accepts
// and understands in the same way, and a refusal names its reason briefly.
func FuzzOffer(f *testing.F) {
	everything, groups := ike.MainMode{Auth: byKey}, []uint16{1, 2, 5, 14, 18, 0}
	for _, cipher := range []string{"des-cbc", "3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc"} {
		for i, hash := range []string{"md5", "sha1", "sha256", "sha384", "sha512"} {
			everything.Proposals = append(everything.Proposals, ike.MainModeProposal{Cipher: cipher, Hash: hash, Group: groups[i]})
		}
	}
	quick := ike.QuickMode{Proposals: []ipsec.Proposal{
		protect(espOf("3des-cbc", "hmac-sha1-96")), protect(espOf("aes256-gcm16", "")), protect(espOf("null", "hmac-md5-96")), protect(ahOf("hmac-sha1-96")),
		protect(espOf("des-cbc", ""), ahOf("hmac-md5-96")), protect(espOf("aes128-cbc", "hmac-sha256-128"), ahOf("hmac-sha512-256")),
	}}
	quick.Proposals[1].Mode = ipsec.Tunnel
	mm, err := ike.OfferMainMode(everything)
	require.NoError(f, err)
	f.Add(payload.Body(mm))
	for i, q := range quick.Proposals {
		offer, err := ike.OfferQuickMode(ike.QuickMode{Proposals: []ipsec.Proposal{q, quick.Proposals[(i+1)%len(quick.Proposals)]}}, groups[i], spis)
		require.NoError(f, err)
		f.Add(payload.Body(offer))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 60000 {
			return
		}
		chain, _, err := payload.Parse(payload.TypeSA, payload.Append(nil, payload.Raw{T: payload.TypeSA, Data: body}))
		if err != nil {
			return
		}
		offer := chain[0].Payload.(*payload.SA)

		by := ike.Preference(len(body) % 2)
		c, err := ike.SelectMainMode(offer, nil, everything, by)
		if err != nil {
			wantRefusal(t, err)
		} else {
			require.Contains(t, everything.Proposals, c.Proposal)
			require.Positive(t, c.Lifetime)
			if c.Number == offer.Proposals[0].Number { // a sound offer has one proposal, RFC 2409, Section 5
				back, err := ike.MatchMainMode(again(t, c.Reply()), &payload.SA{Proposals: offer.Proposals[:1]})
				if err == nil {
					require.Equal(t, c, back)
				}
			}
		}
		wantVerdict(t, ike.ExplainMainMode(offer, nil, everything, by, c), err)
		_, err = ike.MatchMainMode(offer, mm)
		if err != nil {
			wantRefusal(t, err)
		}

		for _, pfs := range []bool{false, true} {
			own := quick
			own.PFS = pfs
			c, err := ike.SelectQuickMode(offer, own, 2, by)
			wantVerdict(t, ike.ExplainQuickMode(offer, own, 2, by, c), err)
			if err != nil {
				wantRefusal(t, err)
				continue
			}
			if pfs {
				require.Equal(t, uint16(2), c.Group)
			}
			require.Len(t, c.PeerSPIs, len(c.Proposal.Transforms))
			back, err := ike.MatchQuickMode(again(t, c.Reply(spis)), offer)
			require.NoError(t, err, "who made the offer accepts the choice")
			require.Equal(t, c.Proposal.Transforms, back.Proposal.Transforms)
			require.Equal(t, c.Proposal.Mode, back.Proposal.Mode)
			require.Equal(t, c.Group, back.Group)
			require.LessOrEqual(t, c.Proposal.Lifetime.Duration, back.Proposal.Lifetime.Duration)
		}
	})
}

// again is the SA payload as it arrives.
func again(t *testing.T, sa *payload.SA) *payload.SA {
	t.Helper()
	chain, _, err := payload.Parse(payload.TypeSA, payload.Append(nil, sa))
	require.NoError(t, err)
	return chain[0].Payload.(*payload.SA)
}

func wantRefusal(t *testing.T, err error) {
	t.Helper()
	require.NotZero(t, ike.NotifyOf(err), "%v", err)
	require.Less(t, len(err.Error()), 8000)
}

// FuzzResponderLifetime: bounds are read or refused, and what is written of them reads the same.
func FuzzResponderLifetime(f *testing.F) {
	for _, l := range []ipsec.Lifetime{{}, lab, {Duration: time.Second}, {Kilobytes: 1 << 31}} {
		f.Add(uint8(3), ike.ResponderLifetime(payload.ProtocolESP, nil, l).Data)
		f.Add(uint8(1), ike.ResponderLifetime(payload.ProtocolISAKMP, nil, l).Data)
	}
	f.Add(uint8(3), payload.AppendAttributes(nil, []payload.Attribute{payload.BasicAttribute(1, 1), payload.BasicAttribute(2, 60)}))
	f.Fuzz(func(t *testing.T, protocol uint8, data []byte) {
		p := payload.ProtocolID(protocol)
		l, err := ike.ReadResponderLifetime(payload.Notify{Protocol: p, Data: data})
		if err != nil {
			wantRefusal(t, err)
			return
		}
		back, err := ike.ReadResponderLifetime(ike.ResponderLifetime(p, nil, l))
		require.NoError(t, err)
		require.Equal(t, l, back)
		require.Equal(t, l, ike.Shorter(l, back))
	})
}

// FuzzDescribe: the trace tells of any chain that the codec reads, and not much more than was in it.
func FuzzDescribe(f *testing.F) {
	for _, p := range []payload.Payload{
		payload.NewSA(payload.Proposal{Number: 1, Protocol: payload.ProtocolISAKMP, Transforms: []payload.Transform{{Number: 1, ID: 1, Attributes: []payload.Attribute{
			payload.BasicAttribute(payload.AttrAuthMethod, payload.AuthGSSAPI), {Type: payload.AttrGSSIdentity, Value: []byte("h\x00")},
		}}}}),
		payload.Attributes{Config: payload.ConfigSet, Attributes: []payload.Attribute{{Type: payload.ConfigIP6DNS, Value: make([]byte, 16)}, {Type: payload.XAUTHUserName, Value: []byte("a")}}},
		payload.Notify{NotifyType: payload.NotifyMSStatus, Data: []byte{0, 0, 0x35, 0xe9}}, payload.Notify{NotifyType: payload.NotifyResponderLifetime, Data: []byte{0x80, 1, 0, 1}},
		payload.Notify{NotifyType: payload.NotifyMSExchangeInfo, Data: []byte{0, 0, 0, 9}}, payload.NATOA{Addr: netip.MustParseAddr("10.0.0.1")},
		payload.Fragment{Number: 1, Flags: 1}, payload.NATD{}, payload.GSSToken{}, payload.Certificate{}, payload.CertificateRequest{}, payload.Signature{},
		payload.SelectorID(netip.MustParsePrefix("10.0.0.0/8"), 6, 1), payload.Delete{SPISize: 4, SPIs: [][]byte{{1, 2, 3, 4}}}, payload.VendorID{Data: []byte{9, 0, 0x26, 0x89, 0xdf, 0xd6, 0xb7, 0x12}},
	} {
		f.Add(uint8(p.Type()), payload.Append(nil, p))
	}
	f.Fuzz(func(t *testing.T, first uint8, b []byte) {
		chain, _, err := payload.Parse(payload.Type(first), b)
		if err != nil {
			return
		}
		fields := ike.Describe(chain)
		require.Len(t, fields, len(chain))
		require.Less(t, len(lines(fields, "")), 1000+100*len(b))
	})
}

// wantVerdict: exactly one alternative is chosen if selection has chosen one, and each has a reason.
func wantVerdict(t *testing.T, d ike.Decision, err error) {
	t.Helper()
	chosen := 0
	for _, a := range d.Alternatives {
		require.NotEmpty(t, a.Reason)
		if a.Verdict == trace.Chosen {
			chosen++
		}
	}
	require.Equal(t, err == nil, chosen == 1, "%d chosen, and %v", chosen, err)
	require.LessOrEqual(t, len(d.Alternatives), 49)
}
