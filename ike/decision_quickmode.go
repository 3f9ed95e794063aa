package ike

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// ExplainQuickMode says what a responder makes of each alternative of an offer, of
// which it has made the choice; the zero value: none.
func ExplainQuickMode(offer *payload.SA, q QuickMode, mainMode uint16, by Preference, choice QuickModeChoice) Decision {
	r := &ruling{by: by, taken: choice.place, own: len(q.Proposals)}
	for _, p := range q.Proposals {
		r.Accepted = append(r.Accepted, words(p, q.UDP.offers(), q.PFSGroupUnder(mainMode)))
	}
	all, _ := bundles(offer) // one that breaks the rules has no alternatives
	for c, err := range quickModeAlternatives(all) {
		a := c.alternative(offer)
		if err != nil {
			r.refuse(a, unread(err.Error()))
			continue
		}
		if rank := accepted(q, c, mainMode); rank >= 0 {
			r.accept(a, rank)
			continue
		}
		r.refuse(a, nearest(len(q.Proposals), func(i int) (differences, string) {
			return c.differences(q, q.Proposals[i], mainMode), r.Accepted[i]
		}))
	}
	return r.done()
}

// ExplainQuickModeReply says what an initiator knows of each alternative of its
// offer, of which the responder has made the choice; the zero value: none, and why says what is known.
func ExplainQuickModeReply(offer *payload.SA, choice QuickModeChoice, why string) Decision {
	bundled, _ := bundles(offer)
	var all []trace.Alternative
	place := 0
	for c := range quickModeAlternatives(bundled) {
		all = append(all, c.alternative(offer))
		if place == 0 && c.answeredBy(choice.wire) {
			place = len(all)
		}
	}
	return choices(place, why, all)
}

// answeredBy reports whether a responder's choice is this alternative.
func (c QuickModeChoice) answeredBy(picked []chosen) bool {
	if len(picked) == 0 || len(picked) != len(c.wire) {
		return false
	}
	for _, p := range picked {
		if !slices.ContainsFunc(c.wire, func(o chosen) bool {
			return o.protocol == p.protocol && sameTransform(p.protocol, o.transform, p.transform)
		}) {
			return false
		}
	}
	return true
}

// words are a protection without its lifetime.
func words(p ipsec.Proposal, f form, group uint16) string {
	var names []string
	for _, t := range p.Transforms {
		names = append(names, t.String())
	}
	s := strings.Join(names, "+") + ", " + p.Mode.String() + f.String()
	if group != 0 {
		s += fmt.Sprintf(", PFS group %d", group)
	}
	return s
}

// alternative is what can be said of an alternative without judging it.
func (c QuickModeChoice) alternative(offer *payload.SA) trace.Alternative {
	a := trace.Alternative{Number: int(c.number)}
	var names, numbers, lives []string
	for _, w := range c.wire {
		names = append(names, payload.TransformName(w.protocol, w.transform.ID))
		numbers = append(numbers, fmt.Sprint(w.transform.Number))
		if l := durations(w.protocol, w.transform.Attributes); len(lives) == 0 || lives[len(lives)-1] != l {
			lives = append(lives, l)
		}
	}
	a.Transform, a.Lifetime = strings.Join(numbers, "+"), strings.Join(lives, " + ")
	switch {
	case len(c.Proposal.Transforms) == len(c.wire) && len(c.wire) > 0:
		a.Proposal = words(c.Proposal, c.form, c.Group)
	case len(c.wire) > 0:
		a.Proposal = strings.Join(names, "+")
	default: // no part of it was looked at
		for _, p := range offer.Proposals {
			if p.Number == c.number {
				names = append(names, p.Protocol.String())
			}
		}
		a.Proposal = strings.Join(names, "+")
	}
	return a
}

func (c QuickModeChoice) differences(q QuickMode, own ipsec.Proposal, mainMode uint16) (d differences) {
	d.compare("encapsulation", c.Proposal.Mode.String(), own.Mode.String())
	if fault := q.UDP.formFault(c.form, c.Proposal.Transforms); fault != "" {
		d.add(fault, another)
	}
	d.compare("protection by", protocolsOf(c.Proposal), protocolsOf(own))
	for _, t := range c.Proposal.Transforms {
		for _, o := range own.Transforms {
			if t.Protocol != o.Protocol {
				continue
			}
			if t.Protocol == ipsec.ESP {
				d.compareCipher(t.Cipher, o.Cipher)
			}
			d.compare(t.Protocol.String()+" integrity", orNone(t.Auth), orNone(o.Auth))
			d.compare(t.Protocol.String()+" sequence numbers of", sequenceBits(t), sequenceBits(o))
		}
	}
	switch pfsFault(q, c.Group, mainMode) {
	case pfsOther:
		d.compare("PFS", PFSWords(c.Group), PFSWords(q.PFSGroupUnder(mainMode)))
	case pfsUnwanted:
		d.add("PFS "+PFSWords(c.Group)+" instead of none: more than the policy asks for is refused here", another)
	case pfsUnsupported:
		d.add(fmt.Sprintf("PFS group %d, which is unsupported", c.Group), another)
	}
	return d
}

// PFSWords is a quick mode's own Diffie–Hellman exchange.
func PFSWords(group uint16) string {
	if group == 0 {
		return "none"
	}
	return fmt.Sprintf("group %d", group)
}

func sequenceBits(t ipsec.Transform) string {
	if t.ESN {
		return "64 bits"
	}
	return "32 bits"
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func protocolsOf(p ipsec.Proposal) string {
	var names []string
	for _, t := range p.Transforms {
		names = append(names, t.Protocol.String())
	}
	return strings.Join(names, "+")
}

// ExplainQuickModeLifetime says how the lifetime of a quick mode came about. told is what a
// RESPONDER-LIFETIME has asked an initiator for.
func ExplainQuickModeLifetime(choice QuickModeChoice, told ipsec.Lifetime, initiator bool) trace.Lifetimes {
	l := trace.Lifetimes{Offered: choice.offered.String(), Kept: choice.Proposal.Lifetime.String()}
	switch {
	case initiator && told != (ipsec.Lifetime{}):
		l.Own, l.Why = told.String(), "the shorter of both: RESPONDER-LIFETIME asks for less"
		if choice.Proposal.Lifetime == choice.offered {
			l.Why = "as offered: RESPONDER-LIFETIME asks for no less"
		}
	case initiator:
		l.Why = "as offered: the responder asks for no less"
	default:
		l.Own = choice.own.String()
		l.Why = "as offered: the policy has no less"
		if choice.Shortened {
			l.Why = "the shorter of both, and the initiator is told with RESPONDER-LIFETIME"
		}
	}
	return l
}
