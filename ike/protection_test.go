package ike_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

var lab = ipsec.Lifetime{Duration: time.Hour, Kilobytes: 100000}

func protect(ts ...ipsec.Transform) ipsec.Proposal {
	return ipsec.Proposal{Transforms: ts, Lifetime: lab, Mode: ipsec.Transport}
}

func espOf(cipher, auth string) ipsec.Transform {
	return ipsec.Transform{Protocol: ipsec.ESP, Cipher: cipher, Auth: auth}
}

func ahOf(auth string) ipsec.Transform { return ipsec.Transform{Protocol: ipsec.AH, Auth: auth} }

// spis are SPIs that differ by protocol.
func spis(p ipsec.Protocol) uint32 { return 0x1000 * uint32(p) }

// The numbers of each algorithm on the wire: RFC 2407, Sections 4.4.3 to 4.5, with
// the ESP and AH numbers of SHA-2 and AES from the IANA registry (RFC 4868,
// RFC 3602, RFC 4106). An authentication algorithm is one number as an AH
// transform and another as the attribute: MD5 is 2 and 1, SHA 3 and 2.
func TestTransformsOnTheWire(t *testing.T) {
	const authAttr, bitsAttr = payload.AttrAuth, payload.AttrSAKeyLength
	for _, row := range []struct {
		transform  ipsec.Transform
		id         uint8
		auth, bits uint16 // attributes; 0: absent
	}{
		{espOf("des-cbc", "hmac-md5-96"), 2, 1, 0},
		{espOf("3des-cbc", "hmac-sha1-96"), 3, 2, 0},
		{espOf("null", "hmac-sha256-128"), 11, 5, 0},
		{espOf("aes128-cbc", "hmac-sha384-192"), 12, 6, 128},
		{espOf("aes192-cbc", "hmac-sha512-256"), 12, 7, 192},
		{espOf("aes256-cbc", ""), 12, 0, 256},
		{espOf("aes128-gcm16", ""), 20, 0, 128},
		{espOf("aes192-gcm16", ""), 20, 0, 192},
		{espOf("aes256-gcm16", ""), 20, 0, 256},
		{ahOf("hmac-md5-96"), 2, 1, 0},
		{ahOf("hmac-sha1-96"), 3, 2, 0},
		{ahOf("hmac-sha256-128"), 5, 5, 0},
		{ahOf("hmac-sha384-192"), 6, 6, 0},
		{ahOf("hmac-sha512-256"), 7, 7, 0},
		{espOf("aes128-ctr", "hmac-sha1-96"), 13, 2, 128},
		{espOf("aes256-ctr", "aes-xcbc-96"), 13, 9, 256},
		{espOf("aes128-ccm8", ""), 14, 0, 128},
		{espOf("aes192-ccm12", ""), 15, 0, 192},
		{espOf("aes256-ccm16", ""), 16, 0, 256},
		{espOf("aes128-gcm8", ""), 18, 0, 128},
		{espOf("aes192-gcm12", ""), 19, 0, 192},
		{espOf("aes128-gmac", ""), 23, 0, 128},
		{espOf("aes256-gmac", ""), 23, 0, 256},
		{espOf("des-iv64", ""), 1, 0, 0},
		{espOf("des-iv32", ""), 9, 0, 0},
		{ahOf("aes-xcbc-96"), 9, 9, 0},
		{ahOf("aes128-gmac"), 11, 11, 0},
		{ahOf("aes192-gmac"), 12, 12, 0},
		{ahOf("aes256-gmac"), 13, 13, 0},
		{ahOf("keyed-md5"), 2, 4, 0},
		{ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes128-gcm16", ESN: true}, 20, 0, 128},
		{ipsec.Transform{Protocol: ipsec.AH, Auth: "hmac-sha1-96", ESN: true}, 3, 2, 0},
	} {
		t.Run(row.transform.String(), func(t *testing.T) {
			q := ike.QuickMode{Proposals: []ipsec.Proposal{protect(row.transform)}}
			offer, err := ike.OfferQuickMode(q, 14, spis)
			require.NoError(t, err)
			require.Len(t, offer.Proposals, 1)
			p := offer.Proposals[0]
			require.Equal(t, payload.ProtocolID(row.transform.Protocol), p.Protocol)
			require.Equal(t, []byte{0, 0, 0x10 * byte(row.transform.Protocol), 0}, p.SPI)
			require.Equal(t, row.id, p.Transforms[0].ID)
			got := map[uint16]uint16{}
			for _, a := range p.Transforms[0].Attributes {
				if v, ok := a.Uint(); ok && a.Basic {
					got[a.Type] = uint16(v)
				}
			}
			require.Equal(t, uint16(2), got[payload.AttrEncapsulation])
			require.Equal(t, uint16(14), got[payload.AttrSAGroup])
			require.Equal(t, row.auth, got[authAttr])
			require.Equal(t, row.bits, got[bitsAttr])
			esn, has := got[payload.AttrSAESN]
			require.Equal(t, row.transform.ESN, has, "RFC 4304: absent, the numbers have 32 bits")
			require.Equal(t, has, esn == 1)

			c, err := ike.SelectQuickMode(offer, q, 2, ike.InitiatorsOrder)
			require.NoError(t, err)
			require.Equal(t, q.Proposals[0], c.Proposal)
			require.Equal(t, uint16(14), c.Group)
			back, err := ike.MatchQuickMode(c.Reply(spis), offer)
			require.NoError(t, err)
			require.Equal(t, q.Proposals[0], back.Proposal)
		})
	}
}

// Transforms of others that mean nothing, or something that is unsupported.
func TestTransformsOfOthers(t *testing.T) {
	attr := payload.BasicAttribute
	mode := attr(payload.AttrEncapsulation, 2)
	auth := func(v uint16) payload.Attribute { return attr(payload.AttrAuth, v) }
	bits := func(v uint16) payload.Attribute { return attr(payload.AttrSAKeyLength, v) }
	for _, row := range []struct {
		name     string
		protocol payload.ProtocolID
		id       uint8
		as       []payload.Attribute
		want     string
	}{
		// The trap: the numbers of AH transforms used as authentication algorithms, and the other way round.
		{"AH_MD5 with attribute 2", payload.ProtocolAH, 2, []payload.Attribute{mode, auth(2)}, "AH_MD5 with HMAC-SHA,"},
		{"AH_SHA with attribute 3", payload.ProtocolAH, 3, []payload.Attribute{mode, auth(3)}, "Authentication Algorithm DES-MAC,"},
		{"AH_SHA with attribute 1", payload.ProtocolAH, 3, []payload.Attribute{mode, auth(1)}, "AH_SHA with HMAC-MD5,"},
		{"AH_SHA2-256 with SHA-1", payload.ProtocolAH, 5, []payload.Attribute{mode, auth(2)}, "AH_SHA2-256 with HMAC-SHA,"},
		{"AH transform 1", payload.ProtocolAH, 1, []payload.Attribute{mode, auth(1)}, "1 with HMAC-MD5,"},
		{"AH_MD5 of RFC 1826", payload.ProtocolAH, 2, []payload.Attribute{mode}, "AH_MD5, Authentication Algorithm absent"},
		{"AH_SHA with KPDK", payload.ProtocolAH, 3, []payload.Attribute{mode, auth(4)}, "AH_SHA with KPDK"},
		{"ESP with KPDK", payload.ProtocolESP, 2, []payload.Attribute{mode, auth(4)}, "Authentication Algorithm KPDK"},
		{"ESP with GMAC as its integrity", payload.ProtocolESP, 12, []payload.Attribute{mode, auth(11), bits(128)}, "Authentication Algorithm AES-128-GMAC"},
		{"counter mode without integrity", payload.ProtocolESP, 13, []payload.Attribute{mode, bits(128)}, "aes128-ctr, Authentication Algorithm absent"},
		{"counter mode without a key length", payload.ProtocolESP, 13, []payload.Attribute{mode, auth(2)}, "ESP_AES-CTR with Key Length 0"},
		{"CCM with integrity", payload.ProtocolESP, 14, []payload.Attribute{mode, auth(2), bits(128)}, "aes128-ccm8, Authentication Algorithm present"},
		{"GMAC with another key length", payload.ProtocolAH, 11, []payload.Attribute{mode, auth(12)}, "AH_AES-128-GMAC with AES-192-GMAC"},
		{"Camellia", payload.ProtocolESP, 22, []payload.Attribute{mode, auth(2), bits(128)}, "ESP_CAMELLIA with Key Length 128"},
		{"AH with a key length", payload.ProtocolAH, 3, []payload.Attribute{mode, auth(2), bits(160)}, "AH_SHA with Key Length 160"},
		{"AH without a mode", payload.ProtocolAH, 3, []payload.Attribute{auth(2)}, "Encapsulation Mode 0"},
		{"ESP_NULL that protects nothing", payload.ProtocolESP, 11, []payload.Attribute{mode}, "null, Authentication Algorithm absent"},
		{"ESP_NULL with a key", payload.ProtocolESP, 11, []payload.Attribute{mode, auth(2), bits(128)}, "ESP_NULL with Key Length 128"},
		{"DES with a key length", payload.ProtocolESP, 2, []payload.Attribute{mode, auth(2), bits(56)}, "ESP_DES with Key Length 56"},
		{"DES of RFC 1829 with integrity", payload.ProtocolESP, 1, []payload.Attribute{mode, auth(2)}, "des-iv64, Authentication Algorithm present"},
		{"DES of RFC 1829 with extended sequence numbers", payload.ProtocolESP, 9, []payload.Attribute{mode, attr(11, 1)}, "ESP_DES_IV32 with extended sequence numbers"},
		{"AES without a key length", payload.ProtocolESP, 12, []payload.Attribute{mode, auth(2)}, "ESP_AES-CBC with Key Length 0"},
		{"AES of 512 bits", payload.ProtocolESP, 12, []payload.Attribute{mode, auth(2), bits(512)}, "ESP_AES-CBC with Key Length 512"},
		{"GCM with an authentication algorithm", payload.ProtocolESP, 20, []payload.Attribute{mode, auth(2), bits(128)}, "aes128-gcm16, Authentication Algorithm present"},
		{"an unknown authentication algorithm", payload.ProtocolESP, 3, []payload.Attribute{mode, auth(99)}, "Authentication Algorithm 99"},
		{"a UDP-encapsulated tunnel", payload.ProtocolESP, 3, []payload.Attribute{attr(payload.AttrEncapsulation, 3), auth(2)}, "in UDP (ESP in UDP, and NAT traversal was not agreed on)"},
		{"UDP encapsulation of RFC 3947", payload.ProtocolESP, 3, []payload.Attribute{attr(4, 4), auth(2)}, "in UDP (ESP in UDP, and NAT traversal was not agreed on)"},
		{"a UDP-encapsulated tunnel of the drafts", payload.ProtocolESP, 3, []payload.Attribute{attr(4, 61443), auth(2)}, "in UDP (draft) (ESP in UDP, and NAT traversal was not agreed on)"},
		{"UDP encapsulation of the drafts", payload.ProtocolESP, 3, []payload.Attribute{attr(4, 61444), auth(2)}, "in UDP (draft) (ESP in UDP, and NAT traversal was not agreed on)"},
		{"Check Point's encapsulation", payload.ProtocolESP, 3, []payload.Attribute{attr(4, 61440), auth(2)}, "Encapsulation Mode Check Point UDP encapsulation,"},
		{"sequence numbers of a length that nobody knows", payload.ProtocolESP, 3, []payload.Attribute{mode, auth(2), attr(11, 2)}, "Extended (64-bit) Sequence Number 2"},
		{"compression", payload.ProtocolIPComp, 1, []payload.Attribute{mode}, "PROTO_IPCOMP"},
	} {
		t.Run(row.name, func(t *testing.T) {
			offer := payload.NewSA(payload.Proposal{Number: 1, Protocol: row.protocol, SPI: []byte{1, 2, 3, 4}, Transforms: []payload.Transform{{Number: 1, ID: row.id, Attributes: row.as}}})
			_, err := ike.SelectQuickMode(offer, ike.QuickMode{}, 2, ike.InitiatorsOrder)
			require.ErrorContains(t, err, row.want)
			require.Equal(t, ike.CodePolicyMatch, ike.CodeOf(err))
			require.Equal(t, payload.NotifyNoProposalChosen, ike.NotifyOf(err))
		})
	}
}

// An offer as another implementation lays it out: ESP in front, several transforms for each protocol.
func TestBundleOfOthers(t *testing.T) {
	offerOf := func(ps ...payload.Proposal) *payload.SA { return payload.NewSA(ps...) }
	wire := func(number uint8, ts ...ipsec.Transform) payload.Proposal {
		var ps []ipsec.Proposal
		for _, tr := range ts {
			ps = append(ps, protect(tr))
		}
		sa, err := ike.OfferQuickMode(ike.QuickMode{Proposals: ps}, 0, spis)
		require.NoError(t, err)
		p := sa.Proposals[0]
		p.Number = number
		return p
	}
	esp, ah := wire(1, espOf("des-cbc", "hmac-md5-96"), espOf("3des-cbc", "hmac-sha1-96")), wire(1, ahOf("hmac-md5-96"), ahOf("hmac-sha1-96"))
	own := ike.QuickMode{Proposals: []ipsec.Proposal{
		protect(espOf("3des-cbc", "hmac-sha1-96"), ahOf("hmac-sha1-96")), protect(espOf("des-cbc", "hmac-md5-96"), ahOf("hmac-sha1-96")), protect(ahOf("hmac-sha1-96")),
	}}

	for _, order := range [][]payload.Proposal{{esp, ah}, {ah, esp}} {
		c, err := ike.SelectQuickMode(offerOf(order...), own, 2, ike.InitiatorsOrder)
		require.NoError(t, err)
		want := map[payload.ProtocolID]ipsec.Proposal{
			payload.ProtocolESP: own.Proposals[1], // the peer prefers DES to 3DES …
			payload.ProtocolAH:  own.Proposals[1], // … and only then one AH transform to another
		}[order[0].Protocol]
		require.Equal(t, want, c.Proposal)
		require.Equal(t, []uint32{spis(ipsec.ESP), spis(ipsec.AH)}, c.PeerSPIs)
		require.Equal(t, spis(ipsec.AH), c.PeerSPI(ipsec.AH))
		reply := c.Reply(func(p ipsec.Protocol) uint32 { return 0x5000 + uint32(p) })
		require.Len(t, reply.Proposals, 2)
		for i := range reply.Proposals {
			require.Equal(t, order[i].Protocol, reply.Proposals[i].Protocol, "the reply keeps the order of the offer")
			require.Equal(t, uint8(1), reply.Proposals[i].Number)
			require.Len(t, reply.Proposals[i].Transforms, 1)
		}
		back, err := ike.MatchQuickMode(reply, offerOf(order...))
		require.NoError(t, err)
		require.Equal(t, c.Proposal, back.Proposal)
		require.Equal(t, []uint32{0x5003, 0x5002}, back.PeerSPIs)
	}

	tunnel := wire(1, espOf("3des-cbc", "hmac-sha1-96"))
	tunnel.Transforms[0].Attributes[0] = payload.BasicAttribute(payload.AttrEncapsulation, 1)
	pfs := wire(1, espOf("3des-cbc", "hmac-sha1-96"))
	pfs.Transforms[0].Attributes = append(pfs.Transforms[0].Attributes, payload.BasicAttribute(payload.AttrSAGroup, 2))
	comp := payload.Proposal{Number: 1, Protocol: payload.ProtocolIPComp, SPI: []byte{1, 2}, Transforms: []payload.Transform{{Number: 1, ID: 2}}}
	again := esp
	again.Number = 2
	for _, row := range []struct {
		name  string
		offer *payload.SA
		want  string
		n     payload.NotifyType
	}{
		{"ESP in tunnel mode in AH in transport mode", offerOf(wire(1, ahOf("hmac-sha1-96")), tunnel), "a bundle with two modes or groups", payload.NotifyNoProposalChosen},
		{"PFS for one of the two", offerOf(wire(1, ahOf("hmac-sha1-96")), pfs), "a bundle with two modes or groups", payload.NotifyNoProposalChosen},
		{"ESP twice", offerOf(ah, esp, esp), "ESP twice in one bundle", payload.NotifyNoProposalChosen},
		{"compression too", offerOf(ah, comp), "PROTO_IPCOMP", payload.NotifyNoProposalChosen},
		{"a reserved SPI", offerOf(ah, payload.Proposal{Number: 1, Protocol: payload.ProtocolESP, SPI: []byte{0, 0, 0, 255}, Transforms: esp.Transforms}), "ESP with the SPI 000000ff", payload.NotifyNoProposalChosen},
		{"a number that comes back", offerOf(ah, again, esp), "proposal number 1 comes again", payload.NotifyBadProposalSyntax},
	} {
		_, err := ike.SelectQuickMode(row.offer, own, 2, ike.InitiatorsOrder)
		require.ErrorContains(t, err, row.want, row.name)
		require.Equal(t, row.n.String(), ike.NotifyOf(err).String(), row.name)
	}
}

// An attribute of phase 2 that nobody has defined is passed over, and comes back
// with the choice; in phase 1 it makes the transform unacceptable.
func TestUnknownAttributes(t *testing.T) {
	unknown := payload.BasicAttribute(32001, 7)
	q := ike.QuickMode{Proposals: []ipsec.Proposal{protect(espOf("3des-cbc", "hmac-sha1-96"))}}
	offer, err := ike.OfferQuickMode(q, 0, spis)
	require.NoError(t, err)
	transform := &offer.Proposals[0].Transforms[0]
	transform.Attributes = append(transform.Attributes, unknown)
	c, err := ike.SelectQuickMode(offer, q, 2, ike.InitiatorsOrder)
	require.NoError(t, err)
	require.Contains(t, c.Reply(spis).Proposals[0].Transforms[0].Attributes, unknown, "RFC 2408, Section 4.2: unmodified")
	_, err = ike.MatchQuickMode(c.Reply(spis), offer)
	require.NoError(t, err)

	m := ike.MainMode{Auth: byKey, Proposals: []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "sha1", Group: 2}}}
	offer, err = ike.OfferMainMode(m)
	require.NoError(t, err)
	transform = &offer.Proposals[0].Transforms[0]
	transform.Attributes = append(transform.Attributes, unknown)
	_, err = ike.SelectMainMode(offer, nil, m, ike.InitiatorsOrder)
	require.ErrorContains(t, err, "attribute 32001 7")
}

// What a responder may not make of an offer of AH and ESP together, or AH alone.
func TestChoicesFromABundle(t *testing.T) {
	both, ah := protect(espOf("3des-cbc", "hmac-sha1-96"), ahOf("hmac-sha1-96")), protect(ahOf("hmac-md5-96"))
	offer, err := ike.OfferQuickMode(ike.QuickMode{Proposals: []ipsec.Proposal{both, ah}}, 0, spis)
	require.NoError(t, err)
	a, e, alone := offer.Proposals[0], offer.Proposals[1], offer.Proposals[2]
	require.Equal(t, []uint8{1, 1, 2}, []uint8{a.Number, e.Number, alone.Number})
	two := a
	two.Transforms = append(two.Transforms[:1:1], alone.Transforms...)
	renumbered := func(p payload.Proposal, n uint8) payload.Proposal { p.Number = n; return p }
	for _, row := range []struct {
		name  string
		reply []payload.Proposal
		want  string // "": fine
	}{
		{"both", []payload.Proposal{a, e}, ""},
		{"both, in another order", []payload.Proposal{e, a}, ""},
		{"both, renumbered", []payload.Proposal{renumbered(a, 7), renumbered(e, 7)}, ""},
		{"the other alternative", []payload.Proposal{alone}, ""},
		{"half of the bundle", []payload.Proposal{e}, "not offered"},
		{"the other half", []payload.Proposal{a}, "not offered"},
		{"one half and the other alternative", []payload.Proposal{renumbered(alone, 1), e}, "not offered"},
		{"one half twice", []payload.Proposal{a, a}, "not offered"},
		{"two alternatives", []payload.Proposal{a, e, alone}, "exactly one transform of one proposal"},
		{"three protocols", []payload.Proposal{a, e, e}, "exactly one transform of one proposal"},
		{"two numbers", []payload.Proposal{a, renumbered(e, 2)}, "exactly one transform of one proposal"},
		{"two transforms", []payload.Proposal{two, e}, "exactly one transform of one proposal"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, err := ike.MatchQuickMode(payload.NewSA(row.reply...), offer)
			if row.want != "" {
				require.ErrorContains(t, err, row.want)
				return
			}
			require.NoError(t, err)
			require.Len(t, c.PeerSPIs, len(c.Proposal.Transforms))
		})
	}
}

// A bundle with very many combinations costs a bounded amount, and so does a policy with very many proposals.
func TestLargeOffersAreBounded(t *testing.T) {
	p := func(protocol payload.ProtocolID, id uint8) payload.Proposal {
		out := payload.Proposal{Number: 1, Protocol: protocol, SPI: []byte{1, 2, 3, 4}}
		for i := range 255 {
			out.Transforms = append(out.Transforms, payload.Transform{Number: uint8(i), ID: id, Attributes: []payload.Attribute{
				payload.BasicAttribute(payload.AttrEncapsulation, 2), payload.BasicAttribute(payload.AttrAuth, payload.AuthHMACSHA1),
			}})
		}
		return out
	}
	_, err := ike.SelectQuickMode(payload.NewSA(p(payload.ProtocolAH, 3), p(payload.ProtocolESP, 3)), ike.QuickMode{}, 2, ike.InitiatorsOrder)
	require.ErrorContains(t, err, fmt.Sprintf("%d more", 1024-12))

	var q ike.QuickMode
	for range 300 {
		q.Proposals = append(q.Proposals, protect(espOf("3des-cbc", "hmac-sha1-96")), protect(ahOf("hmac-sha1-96")))
	}
	offer, err := ike.OfferQuickMode(q, 0, spis)
	require.NoError(t, err)
	require.Len(t, offer.Proposals, 255, "numbers end at 255")
	q.Proposals = nil
	for range 300 {
		q.Proposals = append(q.Proposals, protect(espOf("3des-cbc", "hmac-sha1-96")))
	}
	offer, err = ike.OfferQuickMode(q, 0, spis)
	require.NoError(t, err)
	require.Len(t, offer.Proposals, 2)
	require.Len(t, offer.Proposals[0].Transforms, 255)
	require.Len(t, offer.Proposals[1].Transforms, 45)
}

// What IKEv1 has no number for is not offered, and the reason says so.
func TestAlgorithmsWithoutANumber(t *testing.T) {
	for _, row := range []struct {
		transform ipsec.Transform
		want      string
	}{
		{espOf("chacha20-poly1305", ""), "ESP[chacha20-poly1305] is unsupported: IKEv1 has no number for ChaCha20-Poly1305"},
		{ahOf("hmac-md5-replay"), "AH[hmac-md5-replay] is unsupported: IKEv1 has no number for HMAC-MD5 of RFC 2085"},
		{ipsec.Transform{Protocol: ipsec.ESP, Cipher: "des-iv64", ESN: true}, "ESP[des-iv64,esn] is unsupported"},
		{espOf("aes128-cbc", "aes128-gmac"), "ESP[aes128-cbc,aes128-gmac] is unsupported"},
	} {
		_, err := ike.OfferQuickMode(ike.QuickMode{Proposals: []ipsec.Proposal{protect(row.transform)}}, 0, spis)
		require.ErrorContains(t, err, row.want)
	}
}

// strongSwan answers in an order of its own: values count, and that a duration stays with its type.
func TestAttributesOfAReplyInAnotherOrder(t *testing.T) {
	p := protect(espOf("aes128-cbc", "hmac-sha1-96"))
	p.Lifetime = ipsec.Lifetime{Duration: time.Hour, Kilobytes: 3600} // one number in two units
	sa, err := ike.OfferQuickMode(ike.QuickMode{Proposals: []ipsec.Proposal{p}, PFS: true}, 2, spis)
	require.NoError(t, err)
	c, err := ike.SelectQuickMode(sa, ike.QuickMode{Proposals: []ipsec.Proposal{p}, PFS: true}, 2, ike.InitiatorsOrder)
	require.NoError(t, err)
	reply := c.Reply(spis)
	as := &reply.Proposals[0].Transforms[0].Attributes
	var life, rest []payload.Attribute
	for _, a := range *as {
		if a.Type == payload.AttrSALifeType || a.Type == payload.AttrSALifeDuration {
			life = append(life, a)
		} else {
			rest = append(rest, a)
		}
	}
	require.Len(t, life, 4)
	slices.Reverse(rest)
	*as = slices.Concat(life[2:], rest, life[:2])
	got, err := ike.MatchQuickMode(reply, sa)
	require.NoError(t, err)
	require.Equal(t, p.Lifetime, got.Proposal.Lifetime)
	require.Equal(t, p.Transforms, got.Proposal.Transforms)

	// Other values are no other order.
	for i := range *as {
		changed := slices.Clone(*as)
		changed[i] = payload.LongAttribute(changed[i].Type, 77)
		bad := *reply
		bad.Proposals = slices.Clone(reply.Proposals)
		bad.Proposals[0].Transforms = []payload.Transform{{ID: reply.Proposals[0].Transforms[0].ID, Attributes: changed}}
		_, err := ike.MatchQuickMode(&bad, sa)
		require.ErrorContains(t, err, "responder chose a transform that was not offered", "attribute %d", i)
	}
	twice := *reply
	twice.Proposals = slices.Clone(reply.Proposals)
	twice.Proposals[0].Transforms = []payload.Transform{{ID: reply.Proposals[0].Transforms[0].ID, Attributes: append(slices.Clone((*as)[1:]), (*as)[1])}}
	_, err = ike.MatchQuickMode(&twice, sa)
	require.ErrorContains(t, err, "responder chose a transform that was not offered")
}

// Extended sequence numbers are part of what is agreed on: a responder whose policy has
// none takes the alternative without, and where there is none, no proposal.
func TestESNIsNegotiated(t *testing.T) {
	without, with := espOf("aes128-gcm16", ""), espOf("aes128-gcm16", "")
	with.ESN = true
	offer := func(ts ...ipsec.Transform) *payload.SA {
		var q ike.QuickMode
		for _, tr := range ts {
			q.Proposals = append(q.Proposals, protect(tr))
		}
		sa, err := ike.OfferQuickMode(q, 0, spis)
		require.NoError(t, err)
		return sa
	}
	own := func(ts ...ipsec.Transform) (q ike.QuickMode) {
		for _, tr := range ts {
			q.Proposals = append(q.Proposals, protect(tr))
		}
		return q
	}
	c, err := ike.SelectQuickMode(offer(with, without), own(without), 2, ike.InitiatorsOrder)
	require.NoError(t, err)
	require.False(t, c.Proposal.Transforms[0].ESN)
	c, err = ike.SelectQuickMode(offer(with, without), own(without, with), 2, ike.InitiatorsOrder)
	require.NoError(t, err)
	require.True(t, c.Proposal.Transforms[0].ESN)
	for _, x := range [][2]ipsec.Transform{{with, without}, {without, with}} {
		_, err = ike.SelectQuickMode(offer(x[0]), own(x[1]), 2, ike.InitiatorsOrder)
		require.Equal(t, payload.NotifyNoProposalChosen, ike.NotifyOf(err))
	}
	// A responder may not drop the attribute of what it chose.
	sa := offer(with)
	c, err = ike.SelectQuickMode(sa, own(with), 2, ike.InitiatorsOrder)
	require.NoError(t, err)
	reply := c.Reply(spis)
	attributes := &reply.Proposals[0].Transforms[0].Attributes
	for i, a := range *attributes {
		if a.Type == payload.AttrSAESN {
			*attributes = append((*attributes)[:i:i], (*attributes)[i+1:]...)
			break
		}
	}
	_, err = ike.MatchQuickMode(reply, sa)
	require.ErrorContains(t, err, "responder chose a transform that was not offered")
}
