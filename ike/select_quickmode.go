package ike

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// QuickModeChoice is what both sides of a quick mode agree on.
type QuickModeChoice struct {
	Proposal  ipsec.Proposal // with the agreed lifetime
	Group     uint16         // of the Diffie–Hellman exchange; 0: none
	PeerSPIs  []uint32       // the peer's inbound SPIs, one per transform of Proposal
	Shortened bool           // our lifetime is shorter than the offered one: the initiator has to be told

	form         form
	number       uint8
	wire         []chosen // in the order of the offer
	place        int      // among the alternatives of the offer, from 1
	offered, own ipsec.Lifetime
}

// chosen is the choice from one proposal payload.
type chosen struct {
	protocol  payload.ProtocolID
	spi       []byte
	transform payload.Transform
}

func (c QuickModeChoice) String() string {
	s := c.Proposal.String() + c.form.String()
	if c.Group != 0 {
		s += fmt.Sprintf(" pfs group %d", c.Group)
	}
	return s
}

// InUDP reports encapsulation of ESP in UDP.
func (c QuickModeChoice) InUDP() bool { return c.form != plain }

// PeerSPI is the peer's inbound SPI under a protocol; 0: none.
func (c QuickModeChoice) PeerSPI(p ipsec.Protocol) uint32 {
	for i, t := range c.Proposal.Transforms {
		if t.Protocol == p && i < len(c.PeerSPIs) {
			return c.PeerSPIs[i]
		}
	}
	return 0
}

// SPISource says which inbound SPI of ours goes into an offer or a reply for a
// protocol. It is asked for each protocol that occurs, and gives the same answer each time.
type SPISource func(ipsec.Protocol) uint32

// minSPI is the first SPI that is not reserved, RFC 4302, Section 2.4 and RFC 4303, Section 2.1.
const minSPI = 256

// maxCombinations bounds what is looked at of a bundle whose protocols come with several transforms each.
const maxCombinations = 1024

// PFSGroupUnder is the group of the policy's own Diffie–Hellman exchange under a
// main mode of the given group; 0: none.
func (q QuickMode) PFSGroupUnder(mainMode uint16) uint16 {
	switch {
	case !q.PFS:
		return 0
	case q.PFSGroup == 0 && q.PrivateGroup != 0:
		return q.PrivateGroup
	case q.PFSGroup == 0:
		return mainMode
	}
	return q.PFSGroup
}

// knows reports whether there is a group with the number.
func (q QuickMode) knows(group uint16) bool {
	return group != 0 && group == q.PrivateGroup || suite.GroupNumbered(group) != nil
}

// OfferQuickMode is the SA payload of quick mode message 1. Proposals of the
// policy in a row that use the same single protocol become the transforms of one
// proposal payload, which share its SPI: the offer reads the same with a payload
// each (RFC 2408, Section 4.2). A bundle is one payload per protocol, with one
// transform each and the same number, which is how all of them are asked for
// together; AH stands in front, as in the packet. What cannot be negotiated is
// left out; the error says so when nothing is left.
func OfferQuickMode(q QuickMode, group uint16, spi SPISource) (*payload.SA, error) {
	if group != 0 && !q.knows(group) {
		return nil, Errorf(CodeNoPolicy, 0, "policy demands PFS with group %d, which is unsupported", group)
	}
	var ps []payload.Proposal
	var number uint8
	var skipped []string
	for _, qp := range q.Proposals {
		bundle, err := encodeProposal(qp, group, q.UDP)
		if err != nil {
			skipped = append(skipped, err.Error())
			continue
		}
		if n := len(ps); n > 0 && len(bundle) == 1 && ps[n-1].Protocol == bundle[0].protocol && len(ps[n-1].Transforms) < 255 &&
			(n == 1 || ps[n-2].Number != ps[n-1].Number) {
			t := bundle[0].transform
			t.Number = uint8(len(ps[n-1].Transforms) + 1)
			ps[n-1].Transforms = append(ps[n-1].Transforms, t)
			continue
		}
		if number == 255 {
			break // there are no more numbers
		}
		number++
		for _, b := range bundle {
			b.transform.Number = 1
			ps = append(ps, payload.Proposal{
				Number: number, Protocol: b.protocol, SPI: binary.BigEndian.AppendUint32(nil, spi(ipsec.Protocol(b.protocol))),
				Transforms: []payload.Transform{b.transform},
			})
		}
	}
	if len(ps) == 0 {
		return nil, Errorf(CodeNoPolicy, 0, "policy has nothing to offer in quick mode: %s", list(skipped))
	}
	return payload.NewSA(ps...), nil
}

// encodeProposal is one protection of a policy as it stands in an offer, outermost protocol first.
func encodeProposal(qp ipsec.Proposal, group uint16, u UDPEncapsulation) (bundle []chosen, err error) {
	ts := qp.Transforms
	if u.Wanted && usesAH(ts) {
		return nil, fmt.Errorf("%v does not cross a NAT: %s", qp, behindNAT)
	}
	if len(ts) != 1 && (len(ts) != 2 || ts[0].Protocol != ipsec.ESP || ts[1].Protocol != ipsec.AH) {
		return nil, fmt.Errorf("%v is unsupported: a protection is ESP, AH, or ESP inside AH", qp)
	}
	for _, t := range slices.Backward(ts) {
		wire, err := part{transform: t, mode: qp.Mode, form: u.offers(), group: group, lifetime: qp.Lifetime}.encode()
		if err != nil {
			return nil, err
		}
		bundle = append(bundle, chosen{protocol: payload.ProtocolID(t.Protocol), transform: wire})
	}
	return bundle, nil
}

// bundles cuts an offer into its alternatives: equal numbers in a row are to be
// taken together (RFC 2408, Section 4.2).
func bundles(sa *payload.SA) (all [][]payload.Proposal, err error) {
	var seen [256]bool
	for i, p := range sa.Proposals {
		if i > 0 && sa.Proposals[i-1].Number == p.Number {
			all[len(all)-1] = append(all[len(all)-1], p)
			continue
		}
		if seen[p.Number] {
			return nil, Errorf(CodeSAPayload, payload.NotifyBadProposalSyntax, "proposal number %d comes again after another one", p.Number)
		}
		seen[p.Number] = true
		all = append(all, []payload.Proposal{p})
	}
	return all, nil
}

// SelectQuickMode chooses from the peer's offer for a responder with the policy
// q under a main mode of the given group. Protocols other than AH and ESP are
// understood as alternatives that no policy here can accept. The error is an *Error.
//
// A responder without PFS in its policy accepts an offer with it, as that is
// only stronger, unless the policy is PFSless; one with PFS accepts its own group alone. Of two lifetimes the
// shorter one is agreed on (RFC 2407, Section 4.5.4, second choice).
func SelectQuickMode(offer *payload.SA, q QuickMode, mainMode uint16, by Preference) (QuickModeChoice, error) {
	all, err := bundles(offer)
	if err != nil {
		return QuickModeChoice{}, err
	}
	var offered []string
	var choice QuickModeChoice
	best := len(q.Proposals)
	for c, err := range quickModeAlternatives(all) {
		if err != nil {
			offered = append(offered, err.Error())
			continue
		}
		name := c.String()
		if fault := q.UDP.formFault(c.form, c.Proposal.Transforms); fault != "" {
			name += " (" + fault + ")"
		}
		offered = append(offered, name)
		if i := accepted(q, c, mainMode); i >= 0 && i < best {
			choice, best = c, i
			if by == InitiatorsOrder {
				break
			}
		}
	}
	if best < len(q.Proposals) {
		choice.agree(q.Proposals[best])
		return choice, nil
	}
	var own []string
	for _, p := range q.Proposals {
		own = append(own, QuickModeChoice{Proposal: p, Group: q.PFSGroupUnder(mainMode), form: q.UDP.offers()}.String())
	}
	return QuickModeChoice{}, Errorf(CodePolicyMatch, payload.NotifyNoProposalChosen,
		"no quick mode proposal in common: peer offers %s, policy accepts %s", list(offered), list(own))
}

// quickModeAlternatives are the ways that an offer leaves open, in its order, as far as
// they can be understood. The error is a short phrase for a list.
func quickModeAlternatives(all [][]payload.Proposal) iter.Seq2[QuickModeChoice, error] {
	return func(yield func(QuickModeChoice, error) bool) {
		place := 0
		for _, bundle := range all {
			number := bundle[0].Number
			if why := unusable(bundle); why != "" {
				if place++; !yield(QuickModeChoice{number: number, place: place}, errors.New(why)) {
					return
				}
				continue
			}
			for _, picked := range combinations(bundle) {
				c, err := read(number, picked)
				place++
				c.place = place
				if !yield(c, err) {
					return
				}
			}
		}
	}
}

// unusable says what no policy can accept in an alternative as a whole; "": nothing.
func unusable(bundle []payload.Proposal) string {
	for i, p := range bundle {
		switch {
		case p.Protocol != payload.ProtocolESP && p.Protocol != payload.ProtocolAH:
			return p.Protocol.String()
		case slices.ContainsFunc(bundle[:i], func(other payload.Proposal) bool { return other.Protocol == p.Protocol }):
			return ipsec.Protocol(p.Protocol).String() + " twice in one bundle"
		case !validSPI(p.SPI):
			return fmt.Sprintf("%v with the SPI %x", ipsec.Protocol(p.Protocol), p.SPI)
		}
	}
	return ""
}

func validSPI(spi []byte) bool { return len(spi) == 4 && binary.BigEndian.Uint32(spi) >= minSPI }

// combinations are the ways to take one transform for each protocol of a bundle
// of one or two, in order of preference, the first protocol's first.
func combinations(bundle []payload.Proposal) (all [][]chosen) {
	pick := func(p payload.Proposal, t payload.Transform) chosen { return chosen{p.Protocol, p.SPI, t} }
	for _, t := range bundle[0].Transforms {
		first := pick(bundle[0], t)
		if len(bundle) == 1 {
			all = append(all, []chosen{first})
			continue
		}
		for _, u := range bundle[1].Transforms {
			if len(all) == maxCombinations {
				return all
			}
			all = append(all, []chosen{first, pick(bundle[1], u)})
		}
	}
	return all
}

// read understands one alternative. The error is a short phrase for a list.
func read(number uint8, wire []chosen) (QuickModeChoice, error) {
	c := QuickModeChoice{number: number, wire: wire}
	for i, w := range wire {
		p, err := readPart(w.protocol, w.transform)
		if err != nil {
			return c, err
		}
		life := withDefault(p.lifetime)
		if i == 0 {
			c.Proposal.Mode, c.form, c.Proposal.Lifetime, c.Group = p.mode, p.form, life, p.group
		}
		if c.Proposal.Mode != p.mode || c.form != p.form || c.Group != p.group {
			// RFC 2409, Section 5.5: what one quick mode offers must be consistent.
			return c, fmt.Errorf("a bundle with two modes or groups")
		}
		c.Proposal.Lifetime = Shorter(c.Proposal.Lifetime, life)
		// AH goes around ESP, whatever the order of the offer (RFC 2401, Section 4.3).
		at := len(c.Proposal.Transforms)
		if w.protocol == payload.ProtocolESP {
			at = 0
		}
		c.Proposal.Transforms = slices.Insert(c.Proposal.Transforms, at, p.transform)
		c.PeerSPIs = slices.Insert(c.PeerSPIs, at, binary.BigEndian.Uint32(w.spi))
	}
	return c, nil
}

// pfsWrong is what is wrong with the PFS of an offer.
type pfsWrong uint8

const (
	pfsFits        pfsWrong = iota
	pfsOther                // not the group that the policy demands
	pfsUnwanted             // some, and the policy wants none
	pfsUnsupported          // a group that we do not have
)

func pfsFault(q QuickMode, group, mainMode uint16) pfsWrong {
	switch {
	case q.PFS && q.PFSGroup == 0 && q.PrivateGroup != 0 && group == mainMode: // it crossed the new group mode
	case q.PFS && group != q.PFSGroupUnder(mainMode):
		return pfsOther
	case !q.PFS && q.PFSless && group != 0:
		return pfsUnwanted
	case group != 0 && !q.knows(group):
		return pfsUnsupported
	}
	return pfsFits
}

// accepted is the place in the policy of what c is about; -1: there is none.
func accepted(q QuickMode, c QuickModeChoice, mainMode uint16) int {
	if pfsFault(q, c.Group, mainMode) != pfsFits || q.UDP.formFault(c.form, c.Proposal.Transforms) != "" {
		return -1
	}
	return slices.IndexFunc(q.Proposals, func(own ipsec.Proposal) bool {
		return own.Mode == c.Proposal.Mode && slices.Equal(own.Transforms, c.Proposal.Transforms)
	})
}

// agree settles the lifetime between the offered one and our own.
func (c *QuickModeChoice) agree(own ipsec.Proposal) {
	c.offered, c.own = c.Proposal.Lifetime, withDefault(own.Lifetime)
	c.Proposal.Lifetime = Shorter(c.offered, c.own)
	c.Shortened = c.Proposal.Lifetime != c.offered
}

// withDefault puts in the 28,800 s of an SA whose seconds were not negotiated, RFC 2407, Section 4.5.
func withDefault(l ipsec.Lifetime) ipsec.Lifetime {
	if l.Duration == 0 {
		l.Duration = DefaultLifetime
	}
	l.Duration = time.Duration(seconds(l.Duration)) * time.Second // as it travels
	return l
}

// Reply is the SA payload of quick mode message 2, with our inbound SPIs.
func (c QuickModeChoice) Reply(spi SPISource) *payload.SA {
	var ps []payload.Proposal
	for _, w := range c.wire {
		ps = append(ps, payload.Proposal{
			Number: c.number, Protocol: w.protocol, SPI: binary.BigEndian.AppendUint32(nil, spi(ipsec.Protocol(w.protocol))),
			Transforms: []payload.Transform{w.transform},
		})
	}
	return payload.NewSA(ps...)
}

// MatchQuickMode checks the responder's choice against what was offered: one
// alternative as a whole, with one transform for each of its protocols.
func MatchQuickMode(reply, offer *payload.SA) (QuickModeChoice, error) {
	var picked []chosen
	for i, p := range reply.Proposals {
		if len(p.Transforms) != 1 || p.Number != reply.Proposals[0].Number || i == 2 {
			return QuickModeChoice{}, Errorf(CodeSAPayload, payload.NotifyBadProposalSyntax, "responder did not choose exactly one transform of one proposal")
		}
		if !validSPI(p.SPI) {
			return QuickModeChoice{}, Errorf(CodeSAPayload, payload.NotifyInvalidSPI, "responder's SPI is %x", p.SPI)
		}
		picked = append(picked, chosen{p.Protocol, p.SPI, p.Transforms[0]})
	}
	offered, err := bundles(offer)
	if err != nil {
		return QuickModeChoice{}, err
	}
	for _, bundle := range offered {
		if !answers(picked, bundle) {
			continue
		}
		c, err := read(reply.Proposals[0].Number, picked)
		if err != nil {
			return c, Errorf(CodeAttributes, payload.NotifyAttributesNotSupported, "responder chose %v", err)
		}
		c.offered = c.Proposal.Lifetime
		return c, nil
	}
	return QuickModeChoice{}, Errorf(CodeAttributes, payload.NotifyNoProposalChosen, "responder chose a transform that was not offered")
}

// answers reports whether the choice takes one offered transform for each
// protocol of the bundle, and nothing else.
func answers(picked []chosen, bundle []payload.Proposal) bool {
	if len(picked) != len(bundle) {
		return false
	}
	for _, offered := range bundle {
		if !slices.ContainsFunc(picked, func(c chosen) bool {
			return c.protocol == offered.Protocol &&
				slices.ContainsFunc(offered.Transforms, func(t payload.Transform) bool { return sameTransform(c.protocol, t, c.transform) })
		}) {
			return false
		}
	}
	return true
}
