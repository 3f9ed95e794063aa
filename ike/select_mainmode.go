package ike

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Preference says whose order decides among the proposals that both sides have,
// in main mode and quick mode alike. What Windows does in version 1 is not published.
type Preference uint8

// Preferences.
const (
	// InitiatorsOrder takes the first of the offer that the policy contains, wherever
	// it stands there: an offer is in order of preference (RFC 2408, Section 4.2).
	InitiatorsOrder Preference = iota
	// ResponderOrder takes the first of the policy that the offer contains, as
	// MS-IKEE, 3.1.5 has it for version 2.
	ResponderOrder
)

// MainModeChoice is what both sides of a main mode agree on.
type MainModeChoice struct {
	Proposal  MainModeProposal
	Lifetime  time.Duration     // as offered; DefaultLifetime when the offer names none
	Kilobytes uint64            // as offered; 0: no bound
	Number    uint8             // of the proposal
	Transform payload.Transform // unmodified, RFC 2409, Section 5
	Method    AuthMethod        // of authentication
	Asked     Asked             // who is asked for a user after it

	GSSIdentity []byte // with GSSAPI: the peer's identity name as on the wire; nil: it has none
	own         string // with GSSAPI, of a responder: its identity name

	place int // among the alternatives of the offer, from 1
}

// String is the proposal and the method of authentication.
func (c MainModeChoice) String() string { return fmt.Sprintf("%v, %s", c.Proposal, c.authentication()) }

// authentication is the method's name.
func (c MainModeChoice) authentication() string {
	if c.Asked != AskedNobody {
		return payload.AuthMethodName(authValue(c.Method, c.Asked), []payload.VendorID{{Data: XAUTHVendorID}})
	}
	return c.Method.String()
}

// same reports whether two choices have the same algorithms and method.
func (c MainModeChoice) same(d MainModeChoice) bool {
	return c.Proposal == d.Proposal && c.Method == d.Method && c.Asked == d.Asked
}

func (p MainModeProposal) String() string { return fmt.Sprintf("%s/%s/%d", p.Cipher, p.Hash, p.Group) }

// transforms are what a policy offers as the initiator, or accepts as the responder, in its order of preference.
func (m MainMode) transforms(initiator bool) []MainModeChoice {
	var all []MainModeChoice
	add := func(p MainModeProposal, a Auth) {
		all = append(all, MainModeChoice{Proposal: p, Method: a.Method, Asked: a.asked(initiator)})
	}
	if m.AuthFirst {
		for _, a := range m.Auth {
			for _, p := range m.Proposals {
				add(p, a)
			}
		}
		return all
	}
	for _, p := range m.Proposals {
		for _, a := range m.Auth {
			add(p, a)
		}
	}
	return all
}

// Check reports a policy with which no main mode can be had. The error is an *Error.
func (m MainMode) Check() error {
	n := len(m.Proposals) * len(m.Auth)
	switch {
	case len(m.Auth) == 0:
		return Errorf(CodeNoPolicy, payload.NotifyNoProposalChosen, "main mode policy has no method of authentication")
	case n == 0 || n > 255:
		return Errorf(CodeNoPolicy, payload.NotifyNoProposalChosen, "main mode policy has %d proposals with %d methods of authentication each, must have 1 to 255 in all", len(m.Proposals), len(m.Auth))
	}
	for i, a := range m.Auth {
		if err := a.Check(); err != nil {
			return err
		}
		if slices.ContainsFunc(m.Auth[:i], func(b Auth) bool { return b.Method == a.Method && b.asked(true) == a.asked(true) }) {
			return Errorf(CodeNoPolicy, payload.NotifyNoProposalChosen, "main mode policy authenticates by %v twice", a.Method)
		}
	}
	switch {
	case m.GSS() && m.XAUTH():
		return Errorf(CodeNoPolicy, payload.NotifyNoProposalChosen, "main mode policy authenticates by GSS-API and with XAUTH, which have a number in common")
	case m.GSS() && m.Aggressive:
		return Errorf(CodeNoPolicy, payload.NotifyNoProposalChosen, "aggressive mode with GSS-API is unsupported, and nobody is known to do it")
	}
	if m.Aggressive && n > 1 && slices.ContainsFunc(m.Auth, func(a Auth) bool { return a.Method.Encryption() }) {
		// Message 1 depends on the method, and in the revised mode on hash and cipher too.
		return Errorf(CodeNoPolicy, payload.NotifyNoProposalChosen, "aggressive mode with public key encryption can offer one proposal with one method, and the policy has %d", n)
	}
	if m.ModeConfig != nil {
		if err := m.ModeConfig.Check(); err != nil {
			return Errorf(CodeNoPolicy, payload.NotifyNoProposalChosen, "%v", err)
		}
	}
	if err := m.NewGroups.Check(); err != nil {
		return Errorf(CodeNoPolicy, payload.NotifyNoProposalChosen, "%v", err)
	}
	for _, p := range m.Proposals {
		if err := p.Check(); err != nil {
			return Errorf(CodeNoPolicy, payload.NotifyNoProposalChosen, "%v", err)
		}
		if m.Aggressive && p.Group != m.Proposals[0].Group {
			// RFC 2409, Section 5: "the group in which the Diffie-Hellman exchange is performed cannot be negotiated".
			return Errorf(CodeNoPolicy, payload.NotifyNoProposalChosen, "aggressive mode cannot negotiate the group, and the policy has %d and %d", m.Proposals[0].Group, p.Group)
		}
	}
	return nil
}

// OfferMainMode is the SA payload of message 1: one proposal with a transform
// per set of algorithms and method of authentication (RFC 2409, Section 5; claim C088).
func OfferMainMode(m MainMode) (*payload.SA, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	p := payload.Proposal{Number: 1, Protocol: payload.ProtocolISAKMP}
	for i, c := range m.transforms(true) {
		value, keyBits, _ := cipherAttributes(c.Proposal.Cipher)
		t := payload.Transform{Number: uint8(i + 1), ID: payload.TransformKeyIKE}
		t.Attributes = append(t.Attributes, payload.BasicAttribute(payload.AttrEncryption, value))
		if keyBits != 0 {
			t.Attributes = append(t.Attributes, payload.BasicAttribute(payload.AttrKeyLength, keyBits))
		}
		t.Attributes = append(t.Attributes,
			payload.BasicAttribute(payload.AttrHash, hashValues[c.Proposal.Hash]),
			payload.BasicAttribute(payload.AttrGroup, c.Proposal.Group),
			payload.BasicAttribute(payload.AttrAuthMethod, authValue(c.Method, c.Asked)))
		if a, _ := m.Of(c, true); c.Method == GSSAPI {
			t.Attributes = append(t.Attributes, gssAttribute(a.GSS.Identity()))
		}
		t.Attributes = append(t.Attributes, lifeAttributes(payload.ProtocolISAKMP, ipsec.Lifetime{Duration: m.Life(), Kilobytes: m.Kilobytes})...)
		p.Transforms = append(p.Transforms, t)
	}
	return payload.NewSA(p), nil
}

// SelectMainMode chooses from the offer of a peer that has sent these vendor IDs. The error is an *Error.
func SelectMainMode(offer *payload.SA, vendors []payload.VendorID, m MainMode, by Preference) (MainModeChoice, error) {
	for _, a := range m.Auth {
		if err := a.Check(); err != nil {
			return MainModeChoice{}, err
		}
	}
	var offered []string
	var choice MainModeChoice
	own := m.transforms(false)
	best := len(own)
	for c, err := range mainModeAlternatives(offer, vendors) {
		if err != nil {
			offered = append(offered, err.Error())
			continue
		}
		offered = append(offered, c.String())
		if i := c.rank(own); i >= 0 && i < best {
			choice, best = c, i
			if a, _ := m.Of(c, false); a.GSS != nil {
				choice.own = a.GSS.Identity()
			}
			if by == InitiatorsOrder {
				return choice, nil
			}
		}
	}
	if best < len(own) {
		return choice, nil
	}
	var accepted []string
	for _, o := range own {
		accepted = append(accepted, o.String())
	}
	return MainModeChoice{}, Errorf(CodePolicyMatch, payload.NotifyNoProposalChosen,
		"no main mode proposal in common: peer offers %s, policy accepts %s", list(offered), list(accepted))
}

// mainModeAlternatives are the transforms of an offer in its order, as far as they can be
// understood, from who has sent these vendor IDs. The error is a short phrase for a list.
func mainModeAlternatives(offer *payload.SA, vendors []payload.VendorID) iter.Seq2[MainModeChoice, error] {
	return func(yield func(MainModeChoice, error) bool) {
		place := 0
		for _, p := range offer.Proposals {
			if p.Protocol != payload.ProtocolISAKMP {
				if place++; !yield(MainModeChoice{Number: p.Number, place: place}, errors.New(p.Protocol.String())) {
					return
				}
				continue
			}
			for _, t := range p.Transforms {
				c, err := readMainMode(t, saysXAUTH(vendors))
				if err == nil && c.Method == GSSAPI && !says(vendors, payload.VendorGSSAPI) {
					err = fmt.Errorf("method of authentication %d without a vendor ID that says what it means", payload.AuthGSSAPI)
				}
				place++
				c.Number, c.place = p.Number, place
				if !yield(c, err) {
					return
				}
			}
		}
	}
}

// rank is the place of a choice in a policy, from 0; -1: it is not there.
func (c MainModeChoice) rank(own []MainModeChoice) int {
	return slices.IndexFunc(own, func(o MainModeChoice) bool { return o.same(c) })
}

// MatchMainMode checks the responder's choice against what was offered.
func MatchMainMode(reply, offer *payload.SA) (MainModeChoice, error) {
	if len(reply.Proposals) != 1 || len(reply.Proposals[0].Transforms) != 1 {
		return MainModeChoice{}, Errorf(CodeSAPayload, payload.NotifyBadProposalSyntax, "responder did not choose exactly one transform")
	}
	p := reply.Proposals[0]
	for i, t := range offer.Proposals[0].Transforms {
		if p.Protocol == payload.ProtocolISAKMP && sameTransform(p.Protocol, t, p.Transforms[0]) {
			c, err := readMainMode(t, true) // as we have offered it
			if err != nil {
				return c, Errorf(CodeAttributes, payload.NotifyAttributesNotSupported, "responder chose %v", err)
			}
			c.Number, c.place = p.Number, i+1
			if c.Method == GSSAPI { // the name is the responder's
				if _, c.GSSIdentity, err = withoutGSS(p.Transforms[0].Attributes); err != nil {
					return c, Errorf(CodeAttributes, payload.NotifyAttributesNotSupported, "responder chose %v", err)
				}
			}
			return c, nil
		}
	}
	return MainModeChoice{}, Errorf(CodeAttributes, payload.NotifyNoProposalChosen, "responder chose a transform that was not offered")
}

// Reply is the SA payload of message 2.
func (c MainModeChoice) Reply() *payload.SA {
	t := c.Transform
	if c.Method == GSSAPI {
		t = replyAs(t, c.own)
	}
	return payload.NewSA(payload.Proposal{Number: c.Number, Protocol: payload.ProtocolISAKMP, Transforms: []payload.Transform{t}})
}

// list joins phrases for a person and keeps an overlong offer from filling the trace.
func list(phrases []string) string {
	const most = 12
	if len(phrases) == 0 {
		return "nothing"
	}
	if len(phrases) > most {
		phrases = append(phrases[:most:most], fmt.Sprintf("%d more", len(phrases)-most))
	}
	return strings.Join(phrases, ", ")
}
