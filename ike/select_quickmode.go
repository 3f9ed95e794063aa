package ike

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// QuickModeChoice is what both sides of a quick mode agree on.
type QuickModeChoice struct {
	Proposal  ipsec.Proposal // with the agreed lifetime
	Group     uint16         // of the Diffie–Hellman exchange; 0: none
	PeerSPI   uint32         // the peer's inbound SPI
	Shortened bool           // our lifetime is shorter than the offered one: the initiator has to be told

	number    uint8
	transform payload.Transform
}

func (c QuickModeChoice) String() string {
	if c.Group != 0 {
		return fmt.Sprintf("%v pfs group %d", c.Proposal, c.Group)
	}
	return c.Proposal.String()
}

// minSPI is the first SPI that is not reserved, RFC 4303, Section 2.1.
const minSPI = 256

// PFSGroup is the group of the policy's own Diffie–Hellman exchange under a
// main mode of the given group; 0: none.
func (q QuickMode) PFSGroupUnder(mainMode uint16) uint16 {
	switch {
	case !q.PFS:
		return 0
	case q.PFSGroup == 0:
		return mainMode
	}
	return q.PFSGroup
}

// OfferQuickMode is the SA payload of quick mode message 1. Each proposal of
// the policy becomes a transform of one ISAKMP proposal, which share the SPI:
// the offer reads the same with a proposal each (RFC 2408, Section 4.2). What
// the data plane cannot do is left out; the error says so when nothing is left.
func OfferQuickMode(q QuickMode, group uint16, spi uint32) (*payload.SA, error) {
	p := payload.Proposal{Number: 1, Protocol: payload.ProtocolESP, SPI: binary.BigEndian.AppendUint32(nil, spi)}
	var skipped []string
	for _, qp := range q.Proposals {
		id, as, err := espTransform(qp, group)
		if err != nil {
			skipped = append(skipped, err.Error())
			continue
		}
		if len(p.Transforms) == 255 {
			break
		}
		p.Transforms = append(p.Transforms, payload.Transform{Number: uint8(len(p.Transforms) + 1), ID: id, Attributes: as})
	}
	if len(p.Transforms) == 0 {
		return nil, Errorf(CodeNoPolicy, 0, "policy has nothing to offer in quick mode: %s", list(skipped))
	}
	if group != 0 && suite.GroupNumbered(group) == nil {
		return nil, Errorf(CodeNoPolicy, 0, "policy demands PFS with group %d, which is unsupported", group)
	}
	return payload.NewSA(p), nil
}

// espTransform encodes a proposal of one ESP transform; other proposals are unsupported so far.
func espTransform(qp ipsec.Proposal, group uint16) (id uint8, as []payload.Attribute, err error) {
	if len(qp.Transforms) != 1 || qp.Transforms[0].Protocol != ipsec.ESP {
		return 0, nil, fmt.Errorf("%v is unsupported: only a single ESP transform can be negotiated", qp)
	}
	t := qp.Transforms[0]
	c, auth := suite.CipherNamed(t.Cipher), authValues[t.Auth]
	switch {
	case c == nil || c.AEAD() == (t.Auth != "") || !c.AEAD() && auth == 0:
		return 0, nil, fmt.Errorf("%v is unsupported", qp)
	case t.Cipher == "3des-cbc":
		id = payload.TransformESP3DES
	case c.AEAD():
		id = payload.TransformESPGCM16
	default:
		id = payload.TransformESPAES
	}
	// "Encapsulation Mode … if unspecified, the default is host-dependent", RFC 2407, Section 4.5: always sent.
	as = append(as, payload.BasicAttribute(payload.AttrEncapsulation, uint16(qp.Mode)))
	if t.Auth != "" {
		as = append(as, payload.BasicAttribute(payload.AttrAuth, auth))
	}
	if id != payload.TransformESP3DES {
		as = append(as, payload.BasicAttribute(payload.AttrSAKeyLength, uint16(8*c.KeyLen)))
	}
	if group != 0 {
		as = append(as, payload.BasicAttribute(payload.AttrSAGroup, group))
	}
	return id, append(as, lifeAttributes(payload.ProtocolESP, qp.Lifetime)...), nil
}

var authValues = map[string]uint16{"hmac-sha1-96": payload.AuthHMACSHA1, "hmac-sha256-128": payload.AuthHMACSHA256}

// readESP is the inverse of espTransform. The error is a short phrase for a list.
func readESP(t payload.Transform) (p ipsec.Proposal, group uint16, err error) {
	if p.Lifetime, err = readLife(payload.ProtocolESP, t.Attributes); err != nil {
		return p, 0, err
	}
	v, err := basics(payload.ProtocolESP, t.Attributes, payload.AttrSAGroup, payload.AttrEncapsulation, payload.AttrAuth, payload.AttrSAKeyLength)
	if err != nil {
		return p, 0, err
	}
	tr := ipsec.Transform{Protocol: ipsec.ESP}
	bits, hasLength := v[payload.AttrSAKeyLength]
	switch {
	case t.ID == payload.TransformESP3DES && !hasLength:
		tr.Cipher = "3des-cbc"
	case t.ID == payload.TransformESPAES:
		tr.Cipher = fmt.Sprintf("aes%d-cbc", bits)
	case t.ID == payload.TransformESPGCM16:
		tr.Cipher = fmt.Sprintf("aes%d-gcm16", bits)
	}
	for name, value := range authValues {
		if value == v[payload.AttrAuth] {
			tr.Auth = name
		}
	}
	_, hasAuth := v[payload.AttrAuth]
	c := suite.CipherNamed(tr.Cipher)
	switch {
	case c == nil:
		return p, 0, fmt.Errorf("%s with Key Length %d", payload.TransformName(payload.ProtocolESP, t.ID), bits)
	case hasAuth && tr.Auth == "":
		return p, 0, unsupported(payload.ProtocolESP, payload.AttrAuth, v)
	case hasAuth == c.AEAD():
		return p, 0, fmt.Errorf("%s, Authentication Algorithm %s", tr.Cipher, map[bool]string{true: "present", false: "absent"}[hasAuth])
	}
	p.Mode, p.Transforms = ipsec.Mode(v[payload.AttrEncapsulation]), []ipsec.Transform{tr}
	if v[payload.AttrEncapsulation] != uint16(ipsec.Transport) && v[payload.AttrEncapsulation] != uint16(ipsec.Tunnel) {
		return p, 0, unsupported(payload.ProtocolESP, payload.AttrEncapsulation, v)
	}
	return p, v[payload.AttrSAGroup], nil
}

// SelectQuickMode chooses from the peer's offer for a responder with the policy
// q under a main mode of the given group. AH, bundles and compression are
// understood as alternatives that no policy here can accept. The error is an *Error.
//
// A responder without PFS in its policy accepts an offer with it, as that is
// only stronger; one with PFS accepts its own group alone. Of two lifetimes the
// shorter one is agreed on (RFC 2407, Section 4.5.4, second choice).
func SelectQuickMode(offer *payload.SA, q QuickMode, mainMode uint16) (QuickModeChoice, error) {
	var offered []string
	for i := 0; i < len(offer.Proposals); {
		bundle := 1
		for i+bundle < len(offer.Proposals) && offer.Proposals[i+bundle].Number == offer.Proposals[i].Number {
			bundle++
		}
		p := offer.Proposals[i]
		i += bundle
		if bundle > 1 {
			offered = append(offered, fmt.Sprintf("a bundle of %d protocols", bundle))
			continue
		}
		if p.Protocol != payload.ProtocolESP {
			offered = append(offered, p.Protocol.String())
			continue
		}
		if len(p.SPI) != 4 || binary.BigEndian.Uint32(p.SPI) < minSPI {
			offered = append(offered, fmt.Sprintf("ESP with the SPI %x", p.SPI))
			continue
		}
		for _, t := range p.Transforms {
			theirs, group, err := readESP(t)
			if err != nil {
				offered = append(offered, err.Error())
				continue
			}
			c := QuickModeChoice{Group: group, PeerSPI: binary.BigEndian.Uint32(p.SPI), number: p.Number, transform: t}
			c.Proposal = theirs
			offered = append(offered, c.String())
			if own, ok := accepted(q, theirs, group, mainMode); ok {
				c.agree(own)
				return c, nil
			}
		}
	}
	var own []string
	for _, p := range q.Proposals {
		own = append(own, QuickModeChoice{Proposal: p, Group: q.PFSGroupUnder(mainMode)}.String())
	}
	return QuickModeChoice{}, Errorf(CodePolicyMatch, payload.NotifyNoProposalChosen,
		"no quick mode proposal in common: peer offers %s, policy accepts %s", list(offered), list(own))
}

func accepted(q QuickMode, theirs ipsec.Proposal, group, mainMode uint16) (own ipsec.Proposal, ok bool) {
	if q.PFS && group != q.PFSGroupUnder(mainMode) || group != 0 && suite.GroupNumbered(group) == nil {
		return own, false
	}
	for _, own := range q.Proposals {
		if own.Mode == theirs.Mode && len(own.Transforms) == 1 && own.Transforms[0] == theirs.Transforms[0] {
			return own, true
		}
	}
	return own, false
}

// agree settles the lifetime between the offered one and our own.
func (c *QuickModeChoice) agree(own ipsec.Proposal) {
	offered := withDefault(c.Proposal.Lifetime)
	c.Proposal.Lifetime = Shorter(offered, withDefault(own.Lifetime))
	c.Shortened = c.Proposal.Lifetime != offered
}

// withDefault puts in the 28,800 s of an SA whose seconds were not negotiated, RFC 2407, Section 4.5.
func withDefault(l ipsec.Lifetime) ipsec.Lifetime {
	if l.Duration == 0 {
		l.Duration = DefaultLifetime
	}
	l.Duration = time.Duration(seconds(l.Duration)) * time.Second // as it travels
	return l
}

// Reply is the SA payload of quick mode message 2, with our inbound SPI.
func (c QuickModeChoice) Reply(spi uint32) *payload.SA {
	return payload.NewSA(payload.Proposal{
		Number: c.number, Protocol: payload.ProtocolESP, SPI: binary.BigEndian.AppendUint32(nil, spi),
		Transforms: []payload.Transform{c.transform},
	})
}

// MatchQuickMode checks the responder's choice against what was offered.
func MatchQuickMode(reply, offer *payload.SA) (QuickModeChoice, error) {
	if len(reply.Proposals) != 1 || len(reply.Proposals[0].Transforms) != 1 {
		return QuickModeChoice{}, Errorf(CodeSAPayload, payload.NotifyBadProposalSyntax, "responder did not choose exactly one transform")
	}
	p := reply.Proposals[0]
	if len(p.SPI) != 4 || binary.BigEndian.Uint32(p.SPI) < minSPI {
		return QuickModeChoice{}, Errorf(CodeSAPayload, payload.NotifyInvalidSPI, "responder's SPI is %x", p.SPI)
	}
	for _, t := range offer.Proposals[0].Transforms {
		if p.Protocol != offer.Proposals[0].Protocol || !sameTransform(t, p.Transforms[0]) {
			continue
		}
		c := QuickModeChoice{PeerSPI: binary.BigEndian.Uint32(p.SPI), number: p.Number, transform: t}
		var err error
		if c.Proposal, c.Group, err = readESP(t); err != nil {
			return c, Errorf(CodeAttributes, payload.NotifyAttributesNotSupported, "responder chose %v", err)
		}
		c.Proposal.Lifetime = withDefault(c.Proposal.Lifetime)
		return c, nil
	}
	return QuickModeChoice{}, Errorf(CodeAttributes, payload.NotifyNoProposalChosen, "responder chose a transform that was not offered")
}
